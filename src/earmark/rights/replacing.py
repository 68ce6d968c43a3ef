"""Replacing: grants of messages end where a later message of the same sender speaks of the same release."""

import sqlite3
from collections import Counter
from collections.abc import Iterator

__all__ = ["withdraw_replaced"]

# Each grant of a message, and the next later message of its sender on a release that the grant is on. A refusal ends
# only where that message says something of the same scope: silence lifts none.
_NEXT = """
SELECT grants.grant_id, grants.withdrawn_on, old.message_id, later.message_id, later.created_on, min(later.created)
FROM grants
JOIN sources AS old ON old.source_id = grants.source_id
JOIN grants_on_releases AS about ON about.grant_id = grants.grant_id
JOIN messages_on_releases AS heard ON heard.release_key = about.release_key
JOIN sources AS later
    ON later.source_id = heard.source_id AND later.sender = old.sender AND later.created > old.created
WHERE grants.permission <> 'not_allowed' OR EXISTS (
    SELECT 1 FROM grants_on_releases AS other JOIN grants AS new ON new.grant_id = other.grant_id
    WHERE other.release_key = about.release_key AND new.source_id = later.source_id AND new.scope = grants.scope
)
GROUP BY grants.grant_id
"""


def withdraw_replaced(connection: sqlite3.Connection) -> Iterator[str]:
    """Let grants end on the day of the next message that replaces them, in whatever order messages were imported.

    Parameters
    ----------
    connection : sqlite3.Connection
        The open registry file.

    Yields
    ------
    str
        For each message that another one replaces: how many of its grants end when.
    """
    ended: Counter[tuple[str, str, str]] = Counter()
    for grant_id, withdrawn_on, old, later, day, _ in connection.execute(_NEXT).fetchall():
        if withdrawn_on is None or day < withdrawn_on:
            connection.execute("UPDATE grants SET withdrawn_on = ? WHERE grant_id = ?", (day, grant_id))
            ended[old, later, day] += 1
    for (old, later, day), times in ended.items():
        grants = "a grant" if times == 1 else f"{times:,} grants"
        yield f"{grants} of message {old} ended on {day}: message {later} of that day replaces it on the same releases"
