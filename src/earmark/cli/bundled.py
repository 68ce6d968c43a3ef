"""The music, speech and rights that travel with Earmark: below the package in a wheel, in `data/` in a checkout."""

import csv
import dataclasses
from importlib import resources
from pathlib import Path

from earmark.errors import EarmarkError

__all__ = ["Bundle", "BundledTrack", "open_bundle"]

_TRACKS, _SPEECH, _README = "tracks.csv", "speech.csv", "README.md"
_RIGHTS = ("release.xml", "grants.csv", "reservations.csv")
_USE_TYPES = "use-types.json"


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class BundledTrack:
    """A bundled recording.

    Attributes
    ----------
    path
        Where it is.
    in_catalog
        Whether it is meant for catalogs; the others must not be found.
    row
        Its line of `tracks.csv`: the columns of catalog metadata, and more.
    """

    path: Path
    in_catalog: bool
    row: dict[str, str]


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Bundle:
    """All bundled recordings.

    Attributes
    ----------
    tracks
        Music by track id, in the order of the table.
    speech
        Files of speech.
    rights
        A DDEX ERN message of the tracks of the catalog, grants and a reservation: made up, to import.
    use_types
        What the message's user-defined use types mean.
    readme
        The file that names authors and licenses.
    """

    tracks: dict[str, BundledTrack]
    speech: tuple[Path, ...]
    rights: tuple[Path, ...]
    use_types: Path
    readme: Path


def open_bundle() -> Bundle:
    """Return the bundled recordings.

    Raises
    ------
    EarmarkError
        If they are not where an installation or a checkout has them.
    """
    package = Path(str(resources.files("earmark")))
    places = [package / "bundled", package.parents[1] / "data"]
    root = next((place for place in places if (place / _TRACKS).is_file() and (place / _SPEECH).is_file()), None)
    if root is None:
        raise EarmarkError(
            f"the bundled music is missing: there is no {_TRACKS} with {_SPEECH} in {places[0]} or {places[1]}; "
            "install Earmark again"
        )
    tracks = {
        row["track_id"]: BundledTrack(path=root / row["path"], in_catalog=row["role"] == "catalog", row=row)
        for row in _rows(root / _TRACKS)
    }
    speech = tuple(root / row["path"] for row in _rows(root / _SPEECH))
    rights, use_types = tuple(root / "rights" / name for name in _RIGHTS), root / "rights" / _USE_TYPES
    needed = (*(track.path for track in tracks.values()), *speech, *rights, use_types)
    missing = [path for path in needed if not path.is_file()]
    if missing:
        raise EarmarkError(f"the bundled files are incomplete: {missing[0]} is missing; install Earmark again")
    return Bundle(tracks=tracks, speech=speech, rights=rights, use_types=use_types, readme=root / _README)


def _rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))
