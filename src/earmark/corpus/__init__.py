"""Datasets: what is in them, listed without decoding anything."""

from earmark.corpus.audio_kind import AUDIO_EXTENSIONS, HEAD_BYTES, has_audio_extension, starts_like_audio
from earmark.corpus.container import list_container
from earmark.corpus.directory import list_directory
from earmark.corpus.entry import Container, Entry, Item, Skipped, Unlistable
from earmark.corpus.item_id import decode_item_id, encode_item_id
from earmark.corpus.listing import holds_containers, list_corpus, list_parts
from earmark.corpus.location import is_url, local_path
from earmark.corpus.options import CorpusOptions
from earmark.corpus.reader import ItemReader, file_of
from earmark.corpus.remote import NOT_REACHABLE
from earmark.corpus.source import ArrowCell, FilePart, HeldBytes, ParquetCell, Source, TableCell, WholeFile

__all__ = [
    "AUDIO_EXTENSIONS",
    "HEAD_BYTES",
    "NOT_REACHABLE",
    "ArrowCell",
    "Container",
    "CorpusOptions",
    "Entry",
    "FilePart",
    "HeldBytes",
    "Item",
    "ItemReader",
    "ParquetCell",
    "Skipped",
    "Source",
    "TableCell",
    "Unlistable",
    "WholeFile",
    "decode_item_id",
    "encode_item_id",
    "file_of",
    "has_audio_extension",
    "holds_containers",
    "is_url",
    "list_container",
    "list_corpus",
    "list_directory",
    "list_parts",
    "local_path",
    "starts_like_audio",
]
