"""Chunked sample files (WAV, RF64, W64, AIFF, CAF, AU): whether the samples go on as long as the header says.

libsndfile shortens its count of frames to what is there and says nothing, so the chunks are read here.
"""

from dataclasses import dataclass

from earmark.audio.byte_source import ByteSource
from earmark.audio.structure import Structure

__all__ = ["read_chunks"]

# Sizes from here up are what streaming writers put who cannot come back to the header (SoX 0x7FFFF000, FFmpeg
# 0xFFFFFFFF, -1 in CAF); so is 0.
_UNKNOWN_SIZE = 0x7FFFF000 - 4096
# Some writers count the header as samples.
_TOLERANCE_BYTES = 256
_MAX_CHUNKS = 1000
_W64_DATA = b"data\xf3\xac\xd3\x11\x8c\xd1\x00\xc0\x4f\x8e\xdb\x8a"


@dataclass(frozen=True, kw_only=True, slots=True)
class _Layout:
    """How a format strings its chunks together; lengths in bytes."""

    first: int
    id_size: int = 4
    length_size: int = 4
    big_endian: bool = False
    length_counts_header: bool = False
    align: int = 2
    data_id: bytes = b"data"


_LAYOUTS = {
    b"RIFF": _Layout(first=12),
    b"RF64": _Layout(first=12),
    b"BW64": _Layout(first=12),
    b"RIFX": _Layout(first=12, big_endian=True),
    b"FORM": _Layout(first=12, big_endian=True, data_id=b"SSND"),
    b"caff": _Layout(first=8, length_size=8, big_endian=True, align=1),
    b"riff": _Layout(first=40, id_size=16, length_size=8, length_counts_header=True, align=8, data_id=_W64_DATA),
}
_FORMS = {
    b"RIFF": (b"WAVE",),
    b"RF64": (b"WAVE",),
    b"BW64": (b"WAVE",),
    b"RIFX": (b"WAVE",),
    b"FORM": (b"AIFF", b"AIFC"),
}


def read_chunks(source: ByteSource, head: bytes) -> Structure | None:
    """Find the chunk of samples and compare its declared length with what is there.

    Parameters
    ----------
    source
        The file.
    head
        Its first bytes, at least 16 of them unless it is shorter.

    Returns
    -------
    Structure or None
        None if the file is none of these formats.
    """
    magic = head[:4]
    if magic == b".snd":
        return _judge(int.from_bytes(head[8:12]), source.size - int.from_bytes(head[4:8]))
    if magic not in _LAYOUTS or head[8:12] not in _FORMS.get(magic, (head[8:12],)):
        return None
    found = _find_data(source, _LAYOUTS[magic])
    return Structure(backends=("soundfile", "pyav")) if found is None else _judge(*found)


def _find_data(source: ByteSource, layout: _Layout) -> tuple[int, int] | None:
    """Return the declared bytes of the chunk of samples, and those from its start to the end of the file."""
    order = "big" if layout.big_endian else "little"
    header_size = layout.id_size + layout.length_size
    position, long_size = layout.first, None
    for _ in range(_MAX_CHUNKS):
        source.seek(position)
        header = source.read(header_size)
        if len(header) < header_size:
            return None
        size = int.from_bytes(header[layout.id_size :], order)  # type: ignore[arg-type]
        size -= header_size if layout.length_counts_header else 0
        if header.startswith(layout.data_id):
            declared = long_size if long_size is not None and size >= _UNKNOWN_SIZE else size
            return declared, source.size - position - header_size
        if header.startswith(b"ds64"):  # EBU Tech 3306: 64-bit sizes of the file and of the samples
            long_size = int.from_bytes(source.read(16)[8:], "little")
        position += header_size + max(0, size) + (-size) % layout.align
    return None


def _judge(declared: int, present: int) -> Structure:
    missing = declared - present
    unknown = declared <= 0 or _UNKNOWN_SIZE <= declared < 1 << 32 or declared >= 1 << 62
    if declared == 0 and present > 0:  # libsndfile takes that for no samples, FFmpeg reads to the end
        return Structure(backends=("pyav", "soundfile"), tail_judged=True)
    if missing <= _TOLERANCE_BYTES or unknown:
        return Structure(backends=("soundfile", "pyav"), tail_judged=True)
    return Structure(
        backends=("soundfile", "pyav"),
        present_share=max(0, present) / declared,
        cut=f"{missing:,} of {declared:,} bytes of samples are missing",
        tail_judged=True,
    )
