"""The scans of all shards of a corpus, joined into the files that one scan of it would have written."""

import dataclasses
import hashlib
import itertools
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

from earmark.errors import ParameterError, ScanError
from earmark.scan.folder import ScanFolder, check_new
from earmark.scan.journal import JOURNAL_FILE, Chunk, Header, Mark, differences, read_chunks, read_header
from earmark.scan.judging import ItemRecord
from earmark.scan.kept import join_kept
from earmark.scan.recorded import read_recorded
from earmark.scan.shard import ListingDigest, Shard, parse_shard
from earmark.scan.summary import Summary, summarise
from earmark.scan.tally import Tally

__all__ = ["merge_scans"]

# Of rescans of shards, each is of another scan.
_OF_ONE_SHARD = {"shard": None, "rescan_of": None}
_NAMED = 10  # missing shards that are named one by one


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class _Part:
    """A finished scan of a shard."""

    out: Path
    header: Header
    shard: Shard
    last: Chunk

    @property
    def by_file(self) -> bool:
        """Whether archives and tables were divided as a whole."""
        return bool(self.header.plan.get("by_file"))


def merge_scans(out: Path, scans: Sequence[Path]) -> Summary:
    """Join the scans of all shards of a corpus.

    The rows are those of a scan without shards, byte by byte, and so are kept fingerprints. Of the summary only the
    times differ: `elapsed_s` is the sum of all scans.

    Parameters
    ----------
    out
        A new or an empty folder.
    scans
        The folders of the scans, in any order.

    Returns
    -------
    Summary
        As in `summary.json`.

    Raises
    ------
    ParameterError
        If there is no scan to join.
    ScanError
        If `out` cannot be used, or the scans are not those of all shards, each once and each come to its end, of one
        listing of one corpus, by one plan.
    """
    if not scans:
        raise ParameterError("expected the folders of the scans to merge, got none")
    check_new(out)
    parts = [_open(scan) for scan in scans]
    _check_alike(parts)
    parts = _in_order(parts)
    elapsed_s = sum(part.last.elapsed_s for part in parts)
    tally, digest, n_entries = Tally(), ListingDigest(), 0
    with ScanFolder(out, _header(parts)) as folder:
        for record, mark in _interleaved(parts):
            folder.append(record, mark)
            tally.add(record)
            digest.add(record.item.item)
            folder.complete_chunk(elapsed_s)
            n_entries += 1
        if not parts[0].by_file and digest.sha256 != parts[0].last.listing_sha256:
            raise ScanError(f"the scans to merge into {str(out)!r} do not hold the listing that they were made of")
        folder.finish(elapsed_s, listed=n_entries, listing_sha256=digest.sha256)
        summary = summarise(
            folder.header, tally, now=datetime.now(UTC), elapsed_s=elapsed_s, complete=True, stopped_by=None
        )
        folder.write_summary(summary)
    if parts[0].header.plan.get("keep_fingerprints"):
        join_kept(out, [part.out for part in parts], _ids(out))
    return summary


def _ids(out: Path) -> Iterator[str]:
    """Yield the ids of all entries of a scan, in order."""
    for recorded in read_recorded(out):
        for record, _ in recorded.records:
            yield record.item.item


def _open(out: Path) -> _Part:
    header = read_header(out / JOURNAL_FILE)
    if header is None:
        raise ScanError(f"{str(out)!r}: expected the folder of a scan, with its {JOURNAL_FILE}")
    written = header.plan.get("shard")
    if written is None:
        raise ScanError(f"{str(out)!r} is a scan of a whole corpus; expected one that was made with --shard I/N")
    last = None
    for _, chunk in read_chunks(out / JOURNAL_FILE):
        last = chunk
    if last is None or last.listed is None:
        raise ScanError(f"{str(out)!r}: the scan of shard {written} has not come to its end; resume it first")
    return _Part(out=out, header=header, shard=parse_shard(written), last=last)


def _check_alike(parts: list[_Part]) -> None:
    """Make sure that all parts are of one plan, one division and one listing."""
    first = parts[0]
    for part in parts[1:]:
        one, other = repr(str(part.out)), repr(str(first.out))
        changed = differences(first.header.plan | _OF_ONE_SHARD, part.header.plan | _OF_ONE_SHARD)
        if changed:
            raise ScanError(f"{one} is a scan of another plan than {other}: {changed}")
        if part.shard.count != first.shard.count:
            raise ScanError(f"{one} is shard {part.shard} and {other} is {first.shard}; expected one division")
        if (part.last.listed, part.last.listing_sha256) != (first.last.listed, first.last.listing_sha256):
            raise ScanError(
                f"{one} was made of {part.last.listed:,} entries and {other} of {first.last.listed:,}, or of other "
                f"ones: the corpus was changed between the scans; scan it again"
            )


def _in_order(parts: list[_Part]) -> list[_Part]:
    """Return the parts by shard, after making sure that each is there once."""
    of_index: dict[int, _Part] = {}
    for part in parts:
        other = of_index.setdefault(part.shard.index, part)
        if other is not part:
            raise ScanError(f"{str(part.out)!r} and {str(other.out)!r} are both shard {part.shard}")
    count = parts[0].shard.count
    missing = [str(Shard(index=index, count=count)) for index in range(1, count + 1) if index not in of_index]
    if missing:
        named = ", ".join(missing[:_NAMED]) + (", ..." if len(missing) > _NAMED else "")
        raise ScanError(f"{len(missing):,} of {count:,} shards are missing: {named}")
    return [of_index[index] for index in sorted(of_index)]


def _header(parts: list[_Part]) -> Header:
    """Return the header of the whole: that of the first part, but for what each shard has of its own."""
    about = parts[0].header.about
    of_whole = {**_OF_ONE_SHARD, "rescan_of": _rescan_of(parts)}
    return Header(
        started=min(part.header.started for part in parts),
        plan={**parts[0].header.plan, **of_whole, "by_file": None},
        about={**about, "options": {**about["options"], **of_whole}},
    )


def _rescan_of(parts: list[_Part]) -> str | None:
    """Return the SHA-256 of those of the parts, in hexadecimal, one after the other; None if they are of audio."""
    each = [part.header.plan.get("rescan_of") for part in parts]
    return None if each[0] is None else hashlib.sha256("".join(map(str, each)).encode()).hexdigest()


def _interleaved(parts: list[_Part]) -> Iterator[tuple[ItemRecord, Mark]]:
    """Yield the records in the order of the whole listing: the shards take turns, with entries and with containers."""
    streams = [(pair for recorded in read_recorded(part.out) for pair in recorded.records) for part in parts]
    sizes = [iter(part.last.sizes or ()) for part in parts]
    turns, files = itertools.cycle(range(len(parts))), itertools.cycle(range(len(parts)))
    for n_single, n_files in parts[0].last.runs or ((parts[0].last.listed or 0, 0),):
        for _ in range(n_single):
            yield from _taken(parts, streams, next(turns), 1)
        for _ in range(n_files):
            index = next(files)
            yield from _taken(parts, streams, index, next(sizes[index], -1))
    for part, stream in zip(parts, streams, strict=True):
        if next(stream, None) is not None:
            raise ScanError(f"{str(part.out)!r} has more rows than its shard of the listing; scan it again")


def _taken(
    parts: list[_Part], streams: Sequence[Iterator[tuple[ItemRecord, Mark]]], index: int, n: int
) -> Iterator[tuple[ItemRecord, Mark]]:
    """Yield the next records of a part, so many of them; fewer than none are told, too."""
    found = list(itertools.islice(streams[index], max(n, 0)))
    if len(found) != n:
        raise ScanError(f"{str(parts[index].out)!r} has fewer rows than its shard of the listing; scan it again")
    yield from found
