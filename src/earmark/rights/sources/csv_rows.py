"""CSV tables of any kind of facts, row by row."""

from collections.abc import Iterator

from earmark.rights.columns import KNOWN_COLUMNS, match_columns
from earmark.rights.kinds import PROVENANCE
from earmark.rights.rows import parse_row
from earmark.rights.sources.incoming import Incoming, Notice, Statement
from earmark.rights.table import open_table

__all__ = ["read_csv"]


def read_csv(incoming: Incoming) -> Iterator[Statement]:
    """Yield the facts of a CSV table; its columns tell which kind they are.

    Parameters
    ----------
    incoming : Incoming
        UTF-8; commas, semicolons or tabs; a header line.

    Yields
    ------
    Statement
        A fact for each good row, and what is wrong with each other one.

    Raises
    ------
    RegistryError
        If it is no such table; also in the middle, where it stops being one.
    """
    source = str(incoming.path)
    table = open_table(incoming.file, source, KNOWN_COLUMNS)
    columns = match_columns(table.header, source, None)
    if ignored := [name for name in columns.ignored if name not in PROVENANCE]:
        yield Notice(words=f"columns that mean nothing here: {', '.join(ignored)}")
    for row in table.rows:
        fact, mistakes = parse_row(row, columns)
        if fact is None:
            yield from mistakes
        else:
            yield fact
