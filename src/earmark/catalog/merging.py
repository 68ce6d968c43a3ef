"""One catalog out of several."""

import dataclasses
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from earmark.catalog.catalog import check_model, check_path
from earmark.catalog.harvest import Recording, Shelf, TrackName, recordings
from earmark.catalog.manifest import read_manifest
from earmark.catalog.new_catalog import new_catalog
from earmark.catalog.report import Progress
from earmark.catalog.vectors import Layout
from earmark.errors import CatalogError
from earmark.fingerprint import Model

__all__ = ["Merger", "merge_catalogs"]


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Merger:
    """What became of the tracks of several catalogs.

    Attributes
    ----------
    n_tracks, n_recordings : int
        In the new catalog.
    n_same : int
        Tracks that came again with the same id and the same audio; they are in it once, with the tags of the first.
    conflicts : tuple of str
        Ids that came again with other audio; the first is in it, the others are not.
    """

    n_tracks: int
    n_recordings: int
    n_same: int
    conflicts: tuple[str, ...]


def merge_catalogs(
    out: Path,
    catalogs: Sequence[Path],
    *,
    model: Model,
    on_progress: Callable[[Progress], None] | None = None,
    layout: Layout | None = None,
) -> Merger:
    """Make a catalog of the tracks of others, which stay as they are. No audio is needed.

    Audio that several of them have is stored once, under all its ids. Tracks that were removed are left out.

    Parameters
    ----------
    out : Path
        The directory to make; it may be there if it is empty.
    catalogs : sequence of Path
        Of an id that comes again, the first counts.
    model : Model
        That all of them were made with.
    on_progress : callable or None
        Called after each recording.
    layout : Layout or None
        How vectors are arranged; None for the default.

    Returns
    -------
    Merger

    Raises
    ------
    CatalogError
        If there is something at `out`, one of the catalogs is not there or has no track, or `out` cannot be written;
        there is nothing new then.
    CatalogVersionError, ModelMismatchError, CatalogDamagedError
        As for `open_catalog`.
    """
    shelves = []
    for path in catalogs:
        check_path(path)
        manifest, _ = read_manifest(path)
        check_model(path, manifest.model_digest, model)
        shelves += [Shelf(catalog=path, entry=entry) for entry in manifest.segments]
    n_total = sum(shelf.entry.n_tracks - len(shelf.entry.removed) for shelf in shelves)
    if not n_total:
        raise CatalogError(f"nothing to merge: no track in {', '.join(map(str, catalogs))}")
    sieve, n_tracks, n_recordings, n_samples = _Sieve(), 0, 0, 0
    with new_catalog(out, model, layout or Layout()) as series:
        for recording in sieve.sifted(recordings(shelves, model)):
            for row in recording.rows():
                series.add(*row)
            n_tracks += len(recording.names)
            n_recordings += 1
            n_samples += recording.sketch.n_samples
            if on_progress is not None:
                n_done = n_tracks + sieve.n_same + len(sieve.conflicts)
                on_progress(Progress(n_done=n_done, n_total=n_total, duration_s=n_samples / model.config.sr))
    return Merger(n_tracks=n_tracks, n_recordings=n_recordings, n_same=sieve.n_same, conflicts=tuple(sieve.conflicts))


class _Sieve:
    """Lets every track id pass once."""

    def __init__(self) -> None:
        self._seen: set[str] = set()
        self.n_same = 0
        self.conflicts: list[str] = []

    def sifted(self, coming: Iterator[Recording]) -> Iterator[Recording]:
        """Yield recordings under the ids that have not been yet, if there are any."""
        for recording in coming:
            names: dict[str, TrackName] = {}
            for name in recording.names:
                track_id = name.tags.track_id
                if track_id in names:
                    self.n_same += 1
                elif track_id in self._seen:
                    self.conflicts.append(track_id)
                else:
                    names[track_id] = name
            self._seen |= names.keys()
            if names:
                yield dataclasses.replace(recording, names=tuple(names.values()))
