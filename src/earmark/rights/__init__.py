"""Rights: the license registry, and the policy from a recording and its intended use to a verdict."""

from earmark.rights.cells import format_share, parse_share
from earmark.rights.explaining import ExplainedCase, explain_case
from earmark.rights.grants import PERMISSIONS, SCOPES, Grant, Permission, Scope
from earmark.rights.knowledge import holders_of
from earmark.rights.policy import Recording, Status, Use, Verdict, decide
from earmark.rights.reading import read_registry
from earmark.rights.registry import Registry, make_registry
from earmark.rights.reservations import Reservation
from earmark.rights.tables import TABLE_FORMATS

__all__ = [
    "PERMISSIONS",
    "SCOPES",
    "TABLE_FORMATS",
    "ExplainedCase",
    "Grant",
    "Permission",
    "Recording",
    "Registry",
    "Reservation",
    "Scope",
    "Status",
    "Use",
    "Verdict",
    "decide",
    "explain_case",
    "format_share",
    "holders_of",
    "make_registry",
    "parse_share",
    "read_registry",
]
