"""The file of kept fingerprints: for every entry of a scan, in order, what was heard less what was found.

A first line of JSON says what it is; then comes for each entry a line of JSON, and after it so many bytes as it says:
the fingerprint, see `earmark.scan.keeping`. It is on the disk before the rows that belong to it count.
"""

import dataclasses
import hashlib
import json
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, BinaryIO, Final

from earmark.catalog import STATE_FILE
from earmark.corpus import FilePart, Skipped, Unlistable
from earmark.errors import ModelMismatchError, ScanError
from earmark.fingerprint import Model
from earmark.scan.line_file import LineFile
from earmark.scan.listening import Hearing, KeptItem, Problem
from earmark.scan.procession import Settled

__all__ = ["FINGERPRINTS_FILE", "KeptWriter", "join_kept", "read_kept"]

FINGERPRINTS_FILE: Final = "fingerprints.bin"
"""Its name in the folder of a scan."""

_KIND: Final = "earmark fingerprints"
_VERSION: Final = 1
_MAX_LINE: Final = 10_000_000  # ids and messages may be long


class KeptWriter:
    """Writes the file of a scan, or goes on with it.

    Parameters
    ----------
    out
        Folder of the scan.
    model
        That fingerprints are made with.

    Raises
    ------
    ScanError
        If it cannot be opened.
    """

    def __init__(self, out: Path, model: Model) -> None:
        self._path = out / FINGERPRINTS_FILE
        try:
            self._file = LineFile(self._path)
        except OSError as error:
            raise self._failure(error) from error
        self._header = _line(
            {"kind": _KIND, "version": _VERSION, "model_digest": model.digest, "config_digest": model.config.digest}
        )

    def go_on(self, ids: Iterator[str]) -> None:
        """Find the end of what belongs to entries that earlier runs have completed, and cut off the rest.

        Parameters
        ----------
        ids
            Of these entries, in order.

        Raises
        ------
        ScanError
            If the file does not hold them.
        """
        try:
            with self._path.open("rb") as file:
                good = 0
                for entry_id in ids:
                    if good == 0:
                        file.readline(_MAX_LINE)
                    values = _next(file, self._path)
                    if values is None or values["item"] != entry_id:
                        raise ScanError(
                            f"{self._path}: does not hold the fingerprints of {entry_id!r} and what comes after it; "
                            f"nothing can be built on it, scan again into a new folder"
                        )
                    good = file.tell()
            self._file.cut_at(good)
            if good == 0:
                self._file.append(self._header)
        except OSError as error:
            raise self._failure(error) from error

    def append(self, one: Settled) -> None:
        """Write what was heard of an entry.

        Raises
        ------
        ScanError
            If it cannot be written.
        """
        hearing = one.hearing
        kept = (hearing.kept if hearing is not None else None) or b""
        values = {
            "item": one.id,
            "size_bytes": one.size_bytes,
            "left_out": None if one.left_out is None else _left_out(one.left_out),
            "hearing": None if hearing is None else _without_found(hearing),
            "bytes": len(kept),
        }
        try:
            self._file.append(_line({**values, "digest": _digest(values)}) + kept)
        except OSError as error:
            raise self._failure(error) from error

    def sync(self) -> None:
        """Force what was written to the disk."""
        self._file.sync()

    def close(self) -> None:
        """Close the file. May be called twice."""
        self._file.close()

    def _failure(self, error: OSError) -> ScanError:
        return ScanError(f"{self._path}: cannot be written to: {error.strerror or error}")


def read_kept(out: Path, model: Model) -> Iterator[KeptItem | Skipped | Unlistable]:
    """Yield the entries of a scan that has kept their fingerprints, in their order.

    Parameters
    ----------
    out
        Folder of the scan.
    model
        That items are fingerprinted with.

    Raises
    ------
    ScanError
        If there is no such file, or a line of it is damaged. Damage of a fingerprint shows when it is used.
    ModelMismatchError
        If another model made them.
    """
    path = out / FINGERPRINTS_FILE
    try:
        with path.open("rb") as file:
            _check_header(file.readline(_MAX_LINE), path, model)
            while (values := _next(file, path)) is not None:
                yield _entry(values, path, file.tell() - values["bytes"])
    except FileNotFoundError:
        raise ScanError(
            f"{str(out)!r}: no kept fingerprints ({FINGERPRINTS_FILE}); expected the folder of a scan that was made "
            f"with --keep-fingerprints"
        ) from None
    except OSError as error:
        raise ScanError(f"{path}: {error.strerror or error}") from error


def join_kept(out: Path, scans: Sequence[Path], ids: Iterator[str]) -> None:
    """Write the file of a whole scan from those of its shards.

    Parameters
    ----------
    out
        Folder of the whole.
    scans
        Folders of the shards; all have the file.
    ids
        Of all entries, in the order of the whole.

    Raises
    ------
    ScanError
        If the files do not hold these entries.
    """
    paths = [scan / FINGERPRINTS_FILE for scan in scans]
    try:
        files = [path.open("rb") for path in paths]
        headers = {file.readline(_MAX_LINE) for file in files}
        if len(headers) != 1:
            raise ScanError(f"the scans to merge into {str(out)!r} have kept fingerprints of different models")
        target = LineFile(out / FINGERPRINTS_FILE)
        target.append(headers.pop())
        waiting = [_whole(file, path) for file, path in zip(files, paths, strict=True)]
        for entry_id in ids:
            at = next((n for n, one in enumerate(waiting) if one is not None and one[0] == entry_id), None)
            if at is None:
                raise ScanError(f"the scans to merge into {str(out)!r} have not kept what they heard of {entry_id!r}")
            found = waiting[at]
            assert found is not None
            target.append(found[1])
            waiting[at] = _whole(files[at], paths[at])
        target.sync()
        target.close()
        shutil.copyfile(scans[0] / STATE_FILE, out / STATE_FILE)  # all looked for the same
        for file in files:
            file.close()
    except OSError as error:
        raise ScanError(f"{out / FINGERPRINTS_FILE}: {error.strerror or error}") from error


def _whole(file: BinaryIO, path: Path) -> tuple[str, bytes] | None:
    """Return the next entry's id, and all bytes of it; None at the end."""
    start = file.tell()
    values = _next(file, path)
    if values is None:
        return None
    end = file.tell()
    file.seek(start)
    return str(values["item"]), file.read(end - start)


def _next(file: BinaryIO, path: Path) -> dict[str, Any] | None:
    """Return the next entry's line, and leave the file behind its fingerprint; None if there is no whole one."""
    at = file.tell()
    line = file.readline(_MAX_LINE)
    if not line.endswith(b"\n"):
        return None
    try:
        values: dict[str, Any] = json.loads(line)
        if values.pop("digest") != _digest(values):
            raise ValueError("its digest is another")
        size = int(values["bytes"])
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise ScanError(f"{path}, byte {at:,}: damaged ({error!r}); scan again into a new folder") from error
    end = file.tell() + size
    if file.seek(0, 2) < end:
        return None
    file.seek(end)
    return values


def _check_header(line: bytes, path: Path, model: Model) -> None:
    try:
        values = json.loads(line)
        kind, version, digest = values["kind"], values["version"], values["model_digest"]
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise ScanError(f"{path}: damaged, or no kept fingerprints ({error!r})") from error
    if kind != _KIND:
        raise ScanError(f"{path}: expected {_KIND!r}, got {kind!r}")
    if version > _VERSION:
        raise ScanError(f"{path}: its version is {version}, this version of Earmark knows {_VERSION}")
    if digest != model.digest:
        raise ModelMismatchError(
            f"{path}: made with model {digest}, but this is model {model.digest}: scan the audio again, or use the "
            f"version of Earmark that made it"
        )


def _entry(values: dict[str, Any], path: Path, start: int) -> KeptItem | Skipped | Unlistable:
    if values["left_out"] is not None:
        kind, words = values["left_out"]
        return (
            Skipped(id=values["item"], reason=words)
            if kind == "skipped"
            else Unlistable(id=values["item"], error=words)
        )
    heard = values["hearing"] or {"outcome": "error"}
    problem = heard.get("problem")
    return KeptItem(
        id=values["item"],
        source=FilePart(location=str(path), offset=start, size=values["bytes"]),
        size_bytes=values["size_bytes"],
        hearing=Hearing(**{**heard, "problem": None if problem is None else Problem(**problem)}),
        has_fingerprint=values["bytes"] > 0,
    )


def _left_out(entry: Skipped | Unlistable) -> tuple[str, str]:
    return ("skipped", entry.reason) if isinstance(entry, Skipped) else ("unlistable", entry.error)


def _without_found(hearing: Hearing) -> dict[str, Any]:
    values = {name: getattr(hearing, name) for name in ("outcome", "sha256", "duration_s", "decoded_s", "scanned_s")}
    return {**values, "problem": None if hearing.problem is None else dataclasses.asdict(hearing.problem)}


def _digest(values: dict[str, Any]) -> str:
    return hashlib.sha256(_line(values)).hexdigest()[:16]


def _line(values: dict[str, Any]) -> bytes:
    return json.dumps(values, ensure_ascii=True, allow_nan=False).encode() + b"\n"
