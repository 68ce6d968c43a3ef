"""Looks at the first bytes of a file, and chooses who reads its structure and who decodes it."""

from earmark.audio.byte_source import ByteSource
from earmark.audio.mpeg_frames import read_frames
from earmark.audio.ogg_pages import read_pages
from earmark.audio.pcm_chunks import read_chunks
from earmark.audio.structure import Structure

__all__ = ["survey"]

_HEAD_BYTES = 64


def survey(source: ByteSource) -> Structure:
    """Read what the structure of a file says.

    Parameters
    ----------
    source
        The file; it is left at its start.

    Returns
    -------
    Structure
        For a format that is not looked into, soundfile first: it refuses at once what it does not know.
    """
    source.seek(0)
    head = source.read(_HEAD_BYTES)
    structure: Structure | None = None
    for reader in (read_chunks, read_pages, read_frames):
        structure = reader(source, head)
        if structure is not None:
            break
    source.seek(0)
    # 300 s of stereo FLAC: 0.34 CPU seconds by soundfile, 0.32 by PyAV, which also goes on behind damage.
    first, second = ("pyav", "soundfile") if head.startswith(b"fLaC") else ("soundfile", "pyav")
    return structure or Structure(backends=(first, second))
