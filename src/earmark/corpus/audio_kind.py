"""What counts as audio before anything is decoded: the name, or else the first bytes."""

__all__ = ["AUDIO_EXTENSIONS", "HEAD_BYTES", "has_audio_extension", "starts_like_audio"]

# fmt: off
AUDIO_EXTENSIONS = frozenset(
    {
        # sound
        "aac", "ac3", "adts", "aif", "aifc", "aiff", "alac", "amr", "ape", "au", "caf", "dff", "dsf", "dts",
        "eac3", "flac", "m4a", "m4b", "m4r", "mka", "mp1", "mp2", "mp3", "mpa", "mpc", "mpga", "oga", "ogg",
        "opus", "ra", "rf64", "shn", "snd", "spx", "tak", "tta", "voc", "w64", "wav", "wave", "weba", "wma",
        "wv",
        # video with sound; .ts is left to the content, being TypeScript more often than MPEG
        "3g2", "3gp", "asf", "avi", "f4v", "flv", "m2ts", "m4v", "mkv", "mov", "mp4", "mpeg", "mpg", "mts",
        "mxf", "ogm", "ogv", "rm", "rmvb", "vob", "webm", "wmv",
    }
)
"""Extensions of sound and video files, in lower case and without the dot."""
# fmt: on

HEAD_BYTES = 64
"""How many first bytes `starts_like_audio` needs."""

# Offset and bytes: the registered signatures of the formats that libsndfile and FFmpeg read.
_MAGIC = (
    (0, b"OggS"),
    (0, b"fLaC"),
    (0, b"ID3"),
    (4, b"ftyp"),
    (0, b"\x1a\x45\xdf\xa3"),  # EBML: Matroska, WebM
    (0, b"\x30\x26\xb2\x75\x8e\x66\xcf\x11"),  # ASF: WMA, WMV
    (0, b".snd"),
    (0, b"caff"),
    (0, b"riff\x2e\x91\xcf\x11"),  # W64
    (0, b"\x0b\x77"),  # AC-3
    (0, b"\x7f\xfe\x80\x01"),  # DTS
    (0, b"#!AMR"),
    (0, b"MAC "),
    (0, b"wvpk"),
    (0, b"TTA1"),
    (0, b"tBaK"),
    (0, b"MPCK"),
    (0, b"MP+"),
    (0, b"DSD "),
    (0, b"FLV\x01"),
    (0, b".RMF"),
    (0, b"\x00\x00\x01\xba"),  # MPEG program stream
    (0, b"\x47\x40\x00"),  # MPEG transport stream, first packet: program table
    (0, b"\x47\x40\x11"),  # the same: service table
    (0, b"Creative Voice File\x1a"),
    (0, b"FRM8"),  # DSDIFF
)
# Containers that also hold pictures and text: the mark at byte 8 tells.
_FORMS = {
    b"RIFF": (b"WAVE", b"AVI "),
    b"RIFX": (b"WAVE",),
    b"RF64": (b"WAVE",),
    b"BW64": (b"WAVE",),
    b"FORM": (b"AIFF", b"AIFC"),
}


def has_audio_extension(name: str) -> bool:
    """Return whether a file's name ends like that of a sound or video file, in either case.

    Examples
    --------
    >>> has_audio_extension("song.MP3"), has_audio_extension("song.txt"), has_audio_extension("mp3")
    (True, False, False)
    """
    stem, _, extension = name.rpartition(".")
    return bool(stem) and extension.lower() in AUDIO_EXTENSIONS


def starts_like_audio(head: bytes) -> bool:
    """Return whether the first bytes of a file are those of a sound or video format.

    Parameters
    ----------
    head
        The first `HEAD_BYTES` bytes, or the whole of a shorter file.

    Examples
    --------
    >>> starts_like_audio(b"OggS" + bytes(60)), starts_like_audio(b"Hello")
    (True, False)
    """
    if any(head.startswith(magic, at) for at, magic in _MAGIC):
        return True
    return head[8:12] in _FORMS.get(head[:4], ()) or _is_mpeg_frame(head)


def _is_mpeg_frame(head: bytes) -> bool:
    """Return whether `head` starts with a frame header of MPEG audio (ISO 11172-3) or of ADTS (ISO 13818-7)."""
    if len(head) < 7 or head[0] != 0xFF or head[1] & 0xE0 != 0xE0:
        return False
    version, layer = head[1] >> 3 & 3, head[1] >> 1 & 3
    if layer == 0:  # ADTS: 12 bits of sync, a sampling index below 13, a frame of at least its header
        frame_bytes = (head[3] & 3) << 11 | head[4] << 3 | head[5] >> 5
        return head[1] & 0xF0 == 0xF0 and head[2] >> 2 & 15 < 13 and frame_bytes >= 7
    return version != 1 and 0 < head[2] >> 4 < 15 and head[2] >> 2 & 3 != 3
