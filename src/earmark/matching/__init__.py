"""Fingerprint against catalog: candidates, verification, extent, odds."""

from earmark.matching.duplicates import LikelyDuplicate, find_duplicates
from earmark.matching.effort import DEFAULT_EFFORT, EFFORTS
from earmark.matching.match import Match
from earmark.matching.matcher import DEFAULT_MAX_E_VALUE, Matcher

__all__ = ["DEFAULT_EFFORT", "DEFAULT_MAX_E_VALUE", "EFFORTS", "LikelyDuplicate", "Match", "Matcher", "find_duplicates"]
