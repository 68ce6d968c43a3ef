"""Datasets: what is in them, listed without decoding anything."""

from earmark.corpus.audio_kind import AUDIO_EXTENSIONS, HEAD_BYTES, has_audio_extension, starts_like_audio
from earmark.corpus.directory import list_directory
from earmark.corpus.entry import Entry, Item, Skipped, Unlistable
from earmark.corpus.item_id import decode_item_id, encode_item_id

__all__ = [
    "AUDIO_EXTENSIONS",
    "HEAD_BYTES",
    "Entry",
    "Item",
    "Skipped",
    "Unlistable",
    "decode_item_id",
    "encode_item_id",
    "has_audio_extension",
    "list_directory",
    "starts_like_audio",
]
