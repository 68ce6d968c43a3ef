"""Where an earlier state can be found: in a pack, in the folder of a scan, in an older copy of a catalog."""

from collections.abc import Sequence
from pathlib import Path

from pyrage.x25519 import Identity

from earmark.catalog import STATE_FILE, CatalogState, entries_from, open_catalog, read_state, state_from, state_of
from earmark.errors import CatalogError, PackTamperedError
from earmark.exchange.pack_file import PackReader
from earmark.exchange.packing import STATE_PART
from earmark.exchange.sealing import opened
from earmark.fingerprint import Model

__all__ = ["read_any_state"]


def read_any_state(
    path: Path, model: Model, *, columns: tuple[str, ...] | None = None, identities: Sequence[Identity] = ()
) -> CatalogState:
    """Return the state that a file or folder stands for.

    Parameters
    ----------
    path
        A pack, a file of a state or a folder with one (as a scan writes it), or a catalog.
    model
        That a catalog was made with.
    columns
        What counts as tags of a catalog; None for the columns that it has.
    identities
        Private keys to try, if it is an encrypted pack.

    Raises
    ------
    PackError, CatalogError
        If it is none of these, or is not as it was written.
    """
    if path.is_dir():
        if (path / STATE_FILE).exists():
            return read_state(path / STATE_FILE)
        catalog = open_catalog(path, model)
        try:
            return state_of(catalog) if columns is None else state_of(catalog, columns)
        finally:
            catalog.close()
    if path.name == STATE_FILE or path.suffix == ".state":
        return read_state(path)
    return _of_pack(path, identities)


def _of_pack(path: Path, identities: Sequence[Identity]) -> CatalogState:
    """Return the list of tracks that a pack begins with; it has a digest of its own, so no more of it is read."""
    with opened(path, identities) as pieces:
        reader = PackReader(path, pieces)
        header = reader.header
        for name, data in reader.parts():
            if name != STATE_PART:
                break
            try:
                state = state_from(entries_from(data), header.model_digest, header.columns)
            except CatalogError as error:
                raise PackTamperedError(f"{path}: changed or damaged: {error}") from error
            if state.digest == header.state:
                return state
            break
    raise PackTamperedError(f"{path}: changed or damaged: its list of tracks is not as it was written")
