"""Importing: facts out of files into a registry file, without their bad rows, or nothing at all."""

import contextlib
import hashlib
import os
import sqlite3
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import BinaryIO, Final

from earmark.errors import ParameterError, RegistryError
from earmark.rights.checking import overlaps, partial_successors, unlink_broken
from earmark.rights.kinds import kind_of
from earmark.rights.replacing import withdraw_replaced
from earmark.rights.rewriting import rewritten
from earmark.rights.rows import BadCell
from earmark.rights.sources.formats import reader_for
from earmark.rights.sources.incoming import Incoming, MessageId, Notice, ReleaseNews
from earmark.rights.storing import SourceFile, Store
from earmark.rights.use_types import UseMeaning

__all__ = ["ImportOptions", "ImportProgress", "ImportReport", "Refusal", "import_files"]

_BLOCK: Final = 1 << 20
_MAX_NOTICES: Final = 1000  # that a report holds: a message of 1 GB may give one for each deal
_EVERY: Final = 2000  # statements between two reports of progress: a fraction of a second


@dataclass(frozen=True, kw_only=True, slots=True)
class ImportOptions:
    """How to import.

    Parameters
    ----------
    strict : bool
        Whether to import nothing if anything is wrong, overlaps of grants included.
    replace : bool
        Whether recordings and holdings that are there already are replaced.
    repertoire : mapping of str to str
        By coverage column: what declarations are about that do not say so.
    asserted_at : datetime.date or None
        Since when declarations are known that do not say so.
    use_types : mapping of str to UseMeaning
        What user-defined AI use types mean.
    wait_s : float
        How long to wait for another writer, in seconds.
    """

    strict: bool = False
    replace: bool = False
    repertoire: Mapping[str, str] = field(default_factory=dict)
    asserted_at: date | None = None
    use_types: Mapping[str, UseMeaning] = field(default_factory=dict)
    wait_s: float = 30.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Refusal:
    """Something that was not imported.

    Parameters
    ----------
    file : str
        The file.
    line : int
        Where in it, from 1; 0 if it has no lines, or as a whole.
    column : str or None
        The column or element.
    complaint : str
        What came, and what was expected.
    """

    file: str
    line: int
    column: str | None
    complaint: str

    def __str__(self) -> str:
        """Return all of it in one line."""
        line = f", line {self.line}" if self.line else ""
        column = f", column {self.column}" if self.column else ""
        place = f"{self.file}{line}{column}"
        return self.complaint if self.complaint.startswith(self.file) else f"{place}: {self.complaint}"


@dataclass(frozen=True, kw_only=True, slots=True)
class ImportProgress:
    """How far an import is.

    Parameters
    ----------
    file : str
        Which file is being read.
    n_bytes, n_bytes_total : int
        Of all files.
    n_facts : int
        Read so far.
    """

    file: str
    n_bytes: int
    n_bytes_total: int
    n_facts: int


@dataclass(frozen=True, kw_only=True, slots=True)
class ImportReport:
    """What became of an import.

    Parameters
    ----------
    added, known, replaced : mapping of str to int
        Facts by kind: new, there already just so, and taken in the place of others.
    n_refused : int
        Rows, elements and files that were not imported.
    n_files_refused : int
        Files of which nothing was imported because they cannot be used as a whole.
    notices : tuple of str
        What was left out by rule, and grants that overlap.
    """

    added: Mapping[str, int]
    known: Mapping[str, int]
    replaced: Mapping[str, int]
    n_refused: int
    n_files_refused: int
    notices: tuple[str, ...]


class _NothingNewError(Exception):
    """An import brought nothing that was not there."""


class _Session:
    """One import under way: counts, and passes on what is refused."""

    def __init__(
        self,
        connection: sqlite3.Connection,
        options: ImportOptions,
        on_refusal: Callable[[Refusal], None],
        on_progress: Callable[[ImportProgress], None] | None,
    ) -> None:
        self.connection, self.options = connection, options
        self._on_refusal, self._on_progress = on_refusal, on_progress
        self.store = Store(connection, replace=options.replace)
        self.outcomes: dict[str, Counter[str]] = {"added": Counter(), "known": Counter(), "replaced": Counter()}
        self.notices: list[str] = []
        self.n_refused = self.n_files_refused = self.n_facts = self.n_bytes_before = 0
        self.n_bytes_total = self.n_notices = 0
        self._last_place: tuple[str, int] | None = None

    def refuse(self, refusal: Refusal) -> None:
        """Pass on, and count: several mistakes in one row once."""
        place = (refusal.file, refusal.line)
        self.n_refused += place != self._last_place or not refusal.line
        self._last_place = place
        self._on_refusal(refusal)

    def progress(self, path: Path, n_bytes: int) -> None:
        """Pass on how far it is."""
        if self._on_progress is not None:
            done = min(self.n_bytes_before + n_bytes, self.n_bytes_total)
            at = ImportProgress(file=str(path), n_bytes=done, n_bytes_total=self.n_bytes_total, n_facts=self.n_facts)
            self._on_progress(at)

    def take(self, path: Path) -> None:
        """Import one file, or nothing of it."""
        counts = {name: counter.copy() for name, counter in self.outcomes.items()}
        self.connection.execute("SAVEPOINT file")
        try:
            with path.open("rb") as file:
                self._read(path, file)
        except (RegistryError, ParameterError, OSError) as error:
            words = f"{path} cannot be read: {error.strerror}" if isinstance(error, OSError) else str(error)
            self.connection.execute("ROLLBACK TO file")
            self.outcomes = counts
            self.n_files_refused += 1
            self.refuse(Refusal(file=str(path), line=0, column=None, complaint=words))
        self.connection.execute("RELEASE file")

    def _read(self, path: Path, file: BinaryIO) -> None:
        before = _state_of(file)
        sha256 = _digest_of(file)
        name, reader = reader_for(file, path)
        self.store.add_source(SourceFile(name=path.name, sha256=sha256, format=name))
        options = self.options
        incoming = Incoming(
            path=path,
            file=file,
            sha256=sha256,
            repertoire=options.repertoire,
            asserted_at=options.asserted_at,
            use_types=options.use_types,
        )
        for number, statement in enumerate(reader(incoming)):
            if number % _EVERY == 0:
                self.progress(path, file.tell())
            if isinstance(statement, Notice):
                self.n_notices += 1
                if self.n_notices <= _MAX_NOTICES:
                    self.notices.append(f"{path}: {statement.words}")
            elif isinstance(statement, MessageId):
                self.store.name_message(statement)
            elif isinstance(statement, ReleaseNews):
                self.store.hear(statement)
            else:
                outcome = statement if isinstance(statement, BadCell) else self.store.put(statement)
                if isinstance(outcome, BadCell):
                    refusal = Refusal(
                        file=str(path), line=outcome.line, column=outcome.column, complaint=outcome.complaint
                    )
                    self.refuse(refusal)
                elif not isinstance(statement, BadCell):
                    self.n_facts += 1
                    self.outcomes[outcome][kind_of(statement).name] += 1
        if _state_of(file) != before:
            raise RegistryError(f"{path} was changed while it was read; import it again")
        self.store.drop_source_without_facts()


def import_files(
    registry: str | Path,
    files: Sequence[str | Path],
    options: ImportOptions | None = None,
    *,
    on_refusal: Callable[[Refusal], None] | None = None,
    on_progress: Callable[[ImportProgress], None] | None = None,
) -> ImportReport:
    """Import files into a registry file, which is made if it is not there.

    The registry is changed as a whole at the end, or not at all. A file that cannot be used is refused as a whole and
    the others go on; a bad row is refused and the others of its file go on. Memory does not grow with the files.

    Parameters
    ----------
    registry : str or pathlib.Path
        The registry file.
    files : sequence of str or pathlib.Path
        CSV, XLSX, JSON lines, DDEX ERN messages, `tdmrep.json`, ODRL, or media with C2PA manifests; told apart by their
        contents. None: the registry is made, or brought up to date.
    options : ImportOptions or None
        How.
    on_refusal : callable or None
        Called with each thing that is not imported.
    on_progress : callable or None
        Called now and then.

    Returns
    -------
    ImportReport
        What became of it.

    Raises
    ------
    RegistryError
        If the registry file cannot be used; or, with `options.strict`, if anything was refused or grants overlap.
    RegistryLockedError, RegistryVersionError, RegistryDamagedError
        As of `rewritten`.
    """
    options = options or ImportOptions()
    registry, paths = Path(registry), [Path(file) for file in files]
    with contextlib.suppress(_NothingNewError), rewritten(registry, wait_s=options.wait_s) as connection:
        session = _Session(connection, options, on_refusal or (lambda _: None), on_progress)
        session.n_bytes_total = sum(path.stat().st_size for path in paths if path.is_file())
        (first_new,) = connection.execute("SELECT coalesce(max(source_id), 0) + 1 FROM sources").fetchone()
        for path in paths:
            session.take(path)
            session.n_bytes_before += path.stat().st_size if path.is_file() else 0
            session.progress(path, 0)
        names = {path.name: str(path) for path in paths}
        for name, mistake in unlink_broken(connection, first_new):
            session.outcomes["added"]["grants"] -= 1
            session.refuse(
                Refusal(file=names[name], line=mistake.line, column=mistake.column, complaint=mistake.complaint)
            )
        if session.n_notices > _MAX_NOTICES:
            session.notices.append(f"{session.n_notices - _MAX_NOTICES:,} more notices like these")
        replaced = list(withdraw_replaced(connection)) if session.store.n_heard or session.n_facts else []
        replaced += partial_successors(connection, first_new)
        contradictions = list(overlaps(connection, first_new))
        if options.strict and (session.n_refused or contradictions):
            what = [f"{session.n_refused:,} refused"] if session.n_refused else []
            what += [f"{len(contradictions):,} overlapping: {contradictions[0]}"] if contradictions else []
            raise RegistryError(f"{registry}: nothing was imported: {', '.join(what)}")
        new = [+session.outcomes["added"], +session.outcomes["replaced"], replaced, session.store.n_heard]
        if paths and registry.exists() and not any(new):
            raise _NothingNewError  # the file stays as it is, to the byte
    return ImportReport(
        added=+session.outcomes["added"],
        known=+session.outcomes["known"],
        replaced=+session.outcomes["replaced"],
        n_refused=session.n_refused,
        n_files_refused=session.n_files_refused,
        notices=(*session.notices, *replaced, *contradictions),
    )


def _state_of(file: BinaryIO) -> tuple[int, int]:
    """Return what changes when somebody writes to an open file."""
    found = os.fstat(file.fileno())
    return found.st_size, found.st_mtime_ns


def _digest_of(file: BinaryIO) -> str:
    digest = hashlib.sha256()
    while block := file.read(_BLOCK):
        digest.update(block)
    file.seek(0)
    return digest.hexdigest()
