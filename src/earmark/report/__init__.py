"""Reading back what a scan wrote, and choosing what to show of it."""

from earmark.report.findings import Finding, odds_in_words, seconds_in_words, worst_findings
from earmark.report.records import read_items, read_matches, read_summary
from earmark.report.row_tables import write_parquet
from earmark.report.story import MatchStory, Story, tell_story

__all__ = [
    "Finding",
    "MatchStory",
    "Story",
    "odds_in_words",
    "read_items",
    "read_matches",
    "read_summary",
    "seconds_in_words",
    "tell_story",
    "worst_findings",
    "write_parquet",
]
