"""Rights: the license registry, and the policy from a recording and its intended use to a verdict."""

from earmark.rights.grants import PERMISSIONS, SCOPES, Grant, Permission, Scope
from earmark.rights.knowledge import holders_of
from earmark.rights.policy import Recording, Status, Use, Verdict, decide
from earmark.rights.reading import read_registry
from earmark.rights.registry import Registry, make_registry
from earmark.rights.reservations import Reservation

__all__ = [
    "PERMISSIONS",
    "SCOPES",
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
    "holders_of",
    "make_registry",
    "read_registry",
]
