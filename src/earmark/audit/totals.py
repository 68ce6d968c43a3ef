"""Totals: what the item records of a log add up to, which its end records must say too."""

import hashlib
from collections import Counter
from typing import Any

from earmark.audit.scan_lines import listing_line
from earmark.scan import ITEMS_FILE, MATCHES_FILE

__all__ = ["Totals"]


class Totals:
    """Running digests and counts of what the item records of a log say."""

    def __init__(self) -> None:
        self.statuses: Counter[str] = Counter()
        self.n_items = self.n_matches = 0
        self.files = {ITEMS_FILE: hashlib.sha256(), MATCHES_FILE: hashlib.sha256()}
        self.listing = hashlib.sha256()

    def add(self, record: dict[str, Any]) -> None:
        """Count an item record."""
        self.statuses[record["status"]] += 1
        self.n_items += 1
        self.n_matches += len(record["match_lines"])
        self.files[ITEMS_FILE].update(bytes.fromhex(record["item_line"]))
        for each in record["match_lines"]:
            self.files[MATCHES_FILE].update(bytes.fromhex(each))
        self.listing.update(listing_line(record["item"], record["sha256"]))

    def content(self) -> dict[str, Any]:
        """Return them as part of an `end` record; the digest of a file is that of its lines' digests."""
        counts = {ITEMS_FILE: self.n_items, MATCHES_FILE: self.n_matches}
        return {
            "files": {
                name: {"lines": counts[name], "lines_sha256": file.hexdigest()} for name, file in self.files.items()
            },
            "listing_sha256": self.listing.hexdigest(),
        }
