"""Clean copies of any corpus, in the form that it has."""

from pathlib import Path

from earmark.corpus.container import CONTAINER_KINDS
from earmark.corpus.cut import CutLister
from earmark.corpus.directory import list_directory
from earmark.corpus.fate import Fates, FatesOfOthers, Redacted, written
from earmark.corpus.folder_copy import copy_container, copy_folder
from earmark.corpus.item_id import encode_item_id
from earmark.corpus.list_copy import copy_list
from earmark.corpus.listing import (
    WITH_OWN_IDS,
    common_parts,
    corpus_format,
    expand,
    is_folder,
    list_recording,
    location_name,
)
from earmark.corpus.location import join, local_path, parent
from earmark.corpus.manifest import MANIFEST_KINDS
from earmark.corpus.metadata_copy import copy_saved, copy_shar
from earmark.corpus.options import CorpusOptions
from earmark.corpus.remote_tree import list_remote_tree
from earmark.errors import CorpusError

__all__ = ["copy_corpus"]


def copy_corpus(
    location: str, out: Path, fates: Fates, options: CorpusOptions | None = None, *, link: bool = False
) -> None:
    """Write a corpus anew without the items that are to be dropped, in the same form.

    Tar shards, zip files and tables are rewritten; lists keep their lines; of a folder of files a list of those that
    stay is written, `files.txt`. What cannot be read is told to `fates`, and is not in the copy.

    Parameters
    ----------
    location
        As for `list_corpus`.
    out
        Folder to write to.
    fates
        Decide.
    options
        How the corpus was read when its items got their ids.
    link
        Whether to make hard links to the files of a folder that stay.

    Raises
    ------
    CorpusError
        If there is no such corpus, or links cannot be made.
    """
    options = options or CorpusOptions()
    parts = expand(location)
    if parts == [location]:
        _copy_one(location, out, fates, options, CutLister(allow_http=options.allow_http), link=link)
        return
    listers: dict[str, CutLister] = {}
    for part, prefix in common_parts(parts):
        if ".." in prefix.split("/"):
            raise CorpusError(
                f"{location}: leads out of the folder that its parts have in common; name them one by one"
            )
        lister = listers.setdefault(parent(part), CutLister(allow_http=options.allow_http))
        below = FatesOfOthers(fates, encode_item_id(prefix))
        try:
            folder = f"{location_name(part)}/" if corpus_format(part, options) in WITH_OWN_IDS else ""
            below = FatesOfOthers(fates, encode_item_id(prefix + folder))
            _copy_one(part, out / (prefix + folder), below, options, lister, link=link)
        except CorpusError as error:
            below.damaged(location_name(part), str(error))


def _copy_one(location: str, out: Path, fates: Fates, options: CorpusOptions, lister: CutLister, *, link: bool) -> None:
    kind, name = corpus_format(location, options), location_name(location)
    path = local_path(location)
    if kind in ("directory", "audiofolder"):
        entries = list_remote_tree(location) if path is None else list_directory(path)
        copy_folder(entries, location, out, fates, options, link=link)
    elif kind == "audio":  # as a folder that holds nothing else
        copy_folder(list_recording(location), parent(location), out, fates, options, link=link)
    elif kind in CONTAINER_KINDS:
        copy_container(kind, location, encode_item_id(name), out / name, fates, options)
    elif kind == "datasets":
        copy_saved(location, out, fates, options)
    elif kind == "shar":
        copy_shar(location, out, fates)
    elif kind in MANIFEST_KINDS:
        if kind == "kaldi" and is_folder(location):
            location, name = join(location, "wav.scp"), "wav.scp"
        copy_list(kind, location, out / name, fates, lister, options, _Saver(out / "audio"))


class _Saver:
    """Puts redacted recordings of lists into a folder, numbered."""

    def __init__(self, folder: Path) -> None:
        self._folder, self._n_saved = folder, 0

    def __call__(self, redacted: Redacted) -> str:
        self._n_saved += 1
        path = (self._folder / f"{self._n_saved:08d}{redacted.suffix}").absolute()
        with redacted.file as file, written(path) as target:
            while chunk := file.read(1 << 20):
                target.write(chunk)
        return str(path)
