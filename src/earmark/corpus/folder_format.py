"""Folders with a plan: AudioFolder, saved `datasets`, Lhotse Shar, Kaldi data; told by the files that stand in them."""

import itertools
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from earmark.corpus.cut import CutLister
from earmark.corpus.directory import walk_directory
from earmark.corpus.entry import Container, Entry, Unlistable
from earmark.corpus.item_id import encode_item_id
from earmark.corpus.location import join, local_path
from earmark.corpus.manifest import list_manifest
from earmark.corpus.options import CorpusOptions
from earmark.corpus.remote import list_folder, open_location
from earmark.corpus.remote_tree import walk_remote_tree
from earmark.errors import CorpusError

__all__ = ["METADATA_NAMES", "SHAR_CUTS", "folder_format", "list_folder_format", "names_in", "saved_files"]

METADATA_NAMES = ("metadata.csv", "metadata.jsonl", "metadata.parquet")
"""Files that make a folder an AudioFolder of `datasets`."""

SHAR_CUTS = re.compile(r"cuts\.\d+\.jsonl(\.gz)?")
"""Names of the lists of cuts in a Shar; the shards of audio stand beside them."""

_MAX_STATE_BYTES = 64 << 20


def names_in(location: str) -> list[str]:
    """Return the names in a folder, in order.

    Raises
    ------
    OSError
        If it cannot be listed.
    """
    path = local_path(location)
    if path is not None:
        return sorted(one.name for one in path.iterdir())
    return sorted(one.name for one in list_folder(location))


def folder_format(location: str) -> str:
    """Return the format of a folder by the names in it; "directory" if it follows no plan.

    Raises
    ------
    OSError
        If it cannot be listed.
    """
    path = local_path(location)
    if path is not None:  # a look at a few names, not at all of a million
        plans = ["state.json", "dataset_info.json", "dataset_dict.json", *METADATA_NAMES, "wav.scp"]
        names = [name for name in plans if (path / name).is_file()]
        names += [one.name for one in path.glob("cuts.*.jsonl*")]
    else:
        names = names_in(location)
    if {"state.json", "dataset_info.json"} <= set(names) or "dataset_dict.json" in names:
        return "datasets"
    if any(SHAR_CUTS.fullmatch(name) for name in names):
        return "shar"
    if any(name in names for name in METADATA_NAMES):
        return "audiofolder"
    return "kaldi" if "wav.scp" in names else "directory"


def list_folder_format(
    kind: str, location: str, lister: CutLister, options: CorpusOptions
) -> Iterator[Entry | Container]:
    """List a folder that follows a plan.

    Parameters
    ----------
    kind
        "audiofolder", "datasets", "shar" or "kaldi".
    location
        Path or URL of the folder.
    lister
        Makes entries of cuts.
    options
        How to read it.

    Yields
    ------
    Entry or Container
        Of an AudioFolder and a Shar: all audio below the folder, which the lists in it say more about.

    Raises
    ------
    CorpusError
        If the folder cannot be listed, or does not follow the plan.
    """
    if kind == "kaldi":
        return list_manifest("kaldi", join(location, "wav.scp"), lister, options)
    if kind == "datasets":
        names = saved_files(location)
        return (Container(id=encode_item_id(name), kind="arrow", location=join(location, name)) for name in names)
    path = local_path(location)
    if path is None:
        return walk_remote_tree(location)
    listed = walk_directory(path)
    return itertools.chain(listed, _missing(path, options)) if kind == "audiofolder" else listed


def saved_files(location: str) -> list[str]:
    """Return the Arrow files of a saved `datasets` folder by their paths in it, in order, all splits.

    Raises
    ------
    CorpusError
        If its list of files cannot be read.
    """
    splits = _state(location, "dataset_dict.json").get("splits")
    folders = [""] if splits is None else [f"{split}/" for split in splits]
    found = []
    for folder in folders:
        files = _state(join(location, folder.rstrip("/")) if folder else location, "state.json").get("_data_files")
        if not isinstance(files, list):
            raise CorpusError(f"{join(location, folder)}state.json: expected a list of _data_files")
        found += [folder + str(one.get("filename")) for one in files if isinstance(one, dict)]
    outside = [name for name in found if name.startswith("/") or ".." in name.split("/")]
    if outside:
        raise CorpusError(f"{location}: its list of files leads out of the folder: {outside[0]!r}")
    return found


def _missing(folder: Path, options: CorpusOptions) -> Iterator[Entry]:
    """Yield what the metadata of an AudioFolder names and the folder does not have."""
    seen = set()
    for name in METADATA_NAMES[:2]:
        kind, location = name.rpartition(".")[2], str(folder / name)
        if not (folder / name).is_file():
            continue
        for entry in list_manifest(kind, location, CutLister(allow_http=False), options):
            if isinstance(entry, Unlistable) and entry.id not in seen:
                seen.add(entry.id)
                yield entry


def _state(folder: str, name: str) -> dict[str, Any]:
    """Return the JSON object in a file, an empty one for a dataset_dict.json that is not there."""
    location = join(folder, name)
    try:
        with open_location(location) as file:
            value = json.loads(file.read(_MAX_STATE_BYTES))
    except FileNotFoundError:
        if name == "dataset_dict.json":
            return {}
        raise CorpusError(f"{location}: there is no such file; expected the folder of a saved dataset") from None
    except (OSError, ValueError) as error:
        raise CorpusError(f"{location}: {getattr(error, 'strerror', None) or error}") from error
    if not isinstance(value, dict):
        raise CorpusError(f"{location}: expected a JSON object, got {type(value).__name__}")
    return value
