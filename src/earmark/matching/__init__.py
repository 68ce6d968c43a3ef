"""Fingerprint against catalog: candidates, verification, extent, odds."""

from earmark.matching.match import Match
from earmark.matching.matcher import DEFAULT_MAX_E_VALUE, Matcher
from earmark.matching.odds import EFFORTS

__all__ = ["DEFAULT_MAX_E_VALUE", "EFFORTS", "Match", "Matcher"]
