"""What a recording says of itself: title, artist, ISRC and label out of its tags."""

import dataclasses
import os
from collections.abc import Mapping

from earmark.audio.byte_source import open_source
from earmark.audio.ffmpeg_frames import open_container
from earmark.errors import AudioError

__all__ = ["Tags", "read_tags"]

# Under these keys FFmpeg shows the tags of ID3 (TSRC, TPUB), Vorbis comments, MP4 atoms and ASF, in lower case.
_KEYS = {
    "title": ("title",),
    "artist": ("artist", "author", "album_artist", "performer"),
    "isrc": ("isrc", "tsrc", "wm/isrc"),
    "label": ("label", "publisher", "organization", "tpub", "wm/publisher"),
}


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Tags:
    """What the tags say; None where they say nothing.

    Attributes
    ----------
    title, artist, isrc, label : str or None
        As written, without white space around.
    """

    title: str | None = None
    artist: str | None = None
    isrc: str | None = None
    label: str | None = None


def read_tags(path: str | os.PathLike[str]) -> Tags:
    """Read the tags of a recording, those of the file before those of its first audio stream.

    Parameters
    ----------
    path
        The file.

    Returns
    -------
    Tags
        Nothing but None if FFmpeg cannot open the file: tags are a courtesy, and whether it is audio is for `stream`
        to say.
    """
    try:
        source, _ = open_source(path, None)
    except AudioError:
        return Tags()
    try:
        with open_container(source) as container:
            streams = [stream.metadata for stream in container.streams.audio[:1]]
            return _pick([container.metadata, *streams])
    except AudioError:
        return Tags()
    finally:
        source.close()


def _pick(found: list[dict[str, str]]) -> Tags:
    lowered: list[Mapping[str, str]] = [{key.lower(): value for key, value in one.items()} for one in found]
    picked: dict[str, str | None] = {}
    for name, keys in _KEYS.items():
        values = (" ".join(tags.get(key, "").split()) for tags in lowered for key in keys)
        picked[name] = next((value for value in values if value), None)
    return Tags(**picked)
