"""Repertoire: what a declaration that names no recording is about, and the reservation that it makes."""

import hashlib
import json
from collections.abc import Iterable, Mapping
from datetime import date
from typing import Any, Final

from earmark.errors import ParameterError, RegistryError
from earmark.rights.cells import PARSERS
from earmark.rights.grants import COVERAGE_COLUMNS, SCOPES, Permission, Scope
from earmark.rights.reservations import Reservation, ReservationType
from earmark.rights.sources.incoming import Incoming
from earmark.rights.territories import COUNTRIES

__all__ = ["make_reservation", "parse_repertoire", "read_json"]

_MAX_BYTES: Final = 16 << 20


def parse_repertoire(texts: Iterable[str]) -> dict[str, str]:
    """Read what declarations are about.

    Parameters
    ----------
    texts : iterable of str
        Each `COLUMN=VALUE`, with a coverage column.

    Returns
    -------
    dict of str to str
        By column.

    Raises
    ------
    ParameterError
        If one has another form.

    Examples
    --------
    >>> parse_repertoire(["label=Small Label"])
    {'label': 'Small Label'}
    """
    found = {}
    for text in texts:
        column, _, value = text.partition("=")
        column = column.strip().casefold()
        if column not in COVERAGE_COLUMNS or not value.strip():
            raise ParameterError(f"{text!r}: expected COLUMN=VALUE, with one of {', '.join(COVERAGE_COLUMNS)}")
        try:
            found[column] = PARSERS[column](" ".join(value.split()))
        except ParameterError as error:
            raise ParameterError(f"{text!r}: {error}") from error
    return found


def read_json(incoming: Incoming) -> Any:  # noqa: ANN401 - it may be anything
    """Read a JSON file as a whole.

    Raises
    ------
    RegistryError
        If it is larger than 16 MiB or no JSON in UTF-8.
    """
    data = incoming.file.read(_MAX_BYTES + 1)
    if len(data) > _MAX_BYTES:
        raise RegistryError(f"{incoming.path}: larger than {_MAX_BYTES:,} bytes; expected a declaration in JSON")
    try:
        return json.loads(data.decode("utf-8-sig"))
    except (ValueError, RecursionError) as error:
        raise RegistryError(f"{incoming.path} is no JSON in UTF-8: {error}") from error


def make_reservation(
    incoming: Incoming,
    kind: ReservationType,
    *,
    scopes: Iterable[Scope],
    permission: Permission,
    url: str | None = None,
    text: str | None = None,
    asserted_at: date | None = None,
    repertoire: Mapping[str, str] | None = None,
) -> Reservation:
    """Make a reservation of what a file declares.

    Parameters
    ----------
    incoming : Incoming
        The file.
    kind : str
        How it was declared.
    scopes, permission, url, text
        As of `Reservation`.
    asserted_at : datetime.date or None
        Since when, as the file says; otherwise as the caller of the import says.
    repertoire : mapping of str to str or None
        What it is about, where the caller of the import says nothing.

    Returns
    -------
    Reservation
        With an id made of its contents: the same declaration about the same repertoire has the same id.

    Raises
    ------
    RegistryError
        If nobody says what it is about.
    """
    about = dict(incoming.repertoire or repertoire or {})
    if not about:
        raise RegistryError(
            f"{incoming.path}: nothing says which recordings this declaration is about; expected --covers, such as "
            "--covers label='Small Label'"
        )
    scopes = tuple(scope for scope in SCOPES if scope in set(scopes))
    since = asserted_at or incoming.asserted_at
    contents = [kind, scopes, permission, url, text, sorted(about.items()), None if since is None else str(since)]
    digest = hashlib.sha256(json.dumps(contents).encode()).hexdigest()
    return Reservation(
        reservation_id=f"{kind}-{digest[:16]}",
        type=kind,
        scopes=scopes,
        permission=permission,
        territories=COUNTRIES,
        url=url,
        text=text,
        asserted_at=since,
        track_id=about.get("track_id"),
        isrc=about.get("isrc"),
        upc=about.get("upc"),
        label=about.get("label"),
        rightsholder=about.get("rightsholder"),
    )
