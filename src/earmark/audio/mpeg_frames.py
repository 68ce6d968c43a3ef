"""MPEG audio (ISO 11172-3, 13818-3): a walk over the frame headers tells the length and what is damaged.

libsndfile (mpg123) decodes mp3 1.7 times faster than FFmpeg (0.24 and 0.40 CPU seconds for 300 s of stereo), but:
without a Xing header it stops at a length guessed from the first frames (it lost half of a file of variable bit rate),
behind damage it may drop the rest of the file, and both times it prints to stderr. So it gets files that are sound
from the first frame to the last and whose Xing header agrees; FFmpeg gets all others. The walk costs 1 % of the
decoding.
"""

from dataclasses import dataclass

from earmark.audio.byte_source import ByteSource
from earmark.audio.structure import Structure

__all__ = ["read_frames"]

_WINDOW_BYTES = 1 << 20
_KBPS = {
    (1, 3): (32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
    (1, 2): (32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384),
    (2, 3): (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
    (2, 2): (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
}
_RATES_HZ = (44100, 48000, 32000)
_MONO = 3
# A last frame may lack a few bytes: encoders forget its padding.
_TOLERANCE_BYTES = 4
# mpg123 warns on stderr when the Xing header's count of bytes is 1 % off.
_BYTES_TOLERANCE = 0.005
_TAIL_TAGS = (b"TAG", b"APETAGEX", b"LYRICSBEGIN", b"ID3", b"\x00\x00\x00\x00")


@dataclass(frozen=True, kw_only=True, slots=True)
class _Header:
    """The fields of a frame header that all frames of a file share."""

    version: int  # 1, or 2 for MPEG-2 and 2.5
    layer: int
    rate_hz: int
    mono: bool
    lengths: dict[int, int]  # bytes 2 and 3 as one number -> frame length in bytes

    @property
    def samples(self) -> int:
        return 576 if self.version == 2 and self.layer == 3 else 1152


@dataclass(frozen=True, kw_only=True, slots=True)
class _Xing:
    """What the first frame of a file says of the rest."""

    n_frames: int
    n_bytes: int
    n_trimmed: int  # samples of encoder delay and padding


@dataclass(frozen=True, kw_only=True, slots=True)
class _Run:
    """Frames in an unbroken row, in bytes from where to where; past the end of the file if the last is cut."""

    n_frames: int
    start: int
    stop: int


def read_frames(source: ByteSource, head: bytes) -> Structure | None:
    """Walk over the frames of an MPEG audio file (layers II and III), behind any ID3v2 tags.

    Parameters
    ----------
    source
        The file.
    head
        Its first bytes, at least 64 of them unless it is shorter.

    Returns
    -------
    Structure or None
        None if the file does not start with a sync word.
    """
    start = _skip_tags(source, head)
    source.seek(start)
    first = source.read(4096)
    if len(first) < 4 or first[0] != 0xFF or first[1] & 0xE0 != 0xE0:
        return None
    header = _parse_header(first)
    if header is None:
        return Structure(backends=("pyav",))  # AAC, or noise: mpg123 would search it for a frame, and say so on stderr
    run = _walk(source, start, header.lengths)
    return _judge(source, header, _parse_xing(first, header), run)


def _judge(source: ByteSource, header: _Header, xing: _Xing | None, run: _Run) -> Structure:
    lacking, n_frames = run.stop - source.size, run.n_frames
    source.seek(run.stop)
    tail = source.read(16)
    declared_s, satisfied, agrees = None, False, False
    if xing is not None:
        declared_s = max(0, xing.n_frames * header.samples - xing.n_trimmed) / header.rate_hz
        satisfied = n_frames >= xing.n_frames
        off = abs(run.stop - run.start - xing.n_bytes) if xing.n_bytes else 0
        agrees = abs(n_frames - 1 - xing.n_frames) <= 1 and off <= _BYTES_TOLERANCE * xing.n_bytes
    sound = header.layer == 3 and agrees and lacking <= 0 and (not tail or tail.startswith(b"TAG"))
    return Structure(
        backends=("soundfile", "pyav") if sound else ("pyav",),
        declared_s=declared_s,
        length_known=False,
        cut="ends in the middle of an MPEG frame" if lacking > _TOLERANCE_BYTES and not satisfied else None,
        tail_judged=lacking >= 0 or tail.startswith(_TAIL_TAGS),
    )


def _skip_tags(source: ByteSource, head: bytes) -> int:
    """Return the offset behind all leading ID3v2 tags and the zeros that some writers leave after them."""
    position, tag = 0, head[:10]
    for _ in range(16):
        if len(tag) < 10 or not tag.startswith(b"ID3"):
            break
        size = (tag[6] & 127) << 21 | (tag[7] & 127) << 14 | (tag[8] & 127) << 7 | tag[9] & 127
        position += 10 + size + (10 if tag[5] & 0x10 else 0)
        source.seek(position)
        tag = source.read(10)
    if position:
        source.seek(position)
        padding = source.read(4096)
        position += len(padding) - len(padding.lstrip(b"\x00"))
    return position


def _parse_header(first: bytes) -> _Header | None:
    """Return what the frame header at the start of `first`, a sync word, says; None if it makes no sense."""
    version_bits, layer, rate_index = first[1] >> 3 & 3, 4 - (first[1] >> 1 & 3), first[2] >> 2 & 3
    if version_bits == 1 or layer not in (2, 3) or rate_index == 3:
        return None
    version = 1 if version_bits == 3 else 2
    rate_hz = _RATES_HZ[rate_index] >> {3: 0, 2: 1, 0: 2}[version_bits]
    factor = 72_000 if version == 2 and layer == 3 else 144_000
    lengths = {}
    for index, kbps in enumerate(_KBPS[version, layer], start=1):
        for free_bits in range(8):  # protection, padding, private
            protection, padding, private = free_bits >> 2, free_bits >> 1 & 1, free_bits & 1
            second = first[1] & 0xFE | protection
            third = index << 4 | rate_index << 2 | padding << 1 | private
            lengths[second << 8 | third] = factor * kbps // rate_hz + padding
    if first[1] << 8 | first[2] not in lengths:
        return None
    return _Header(version=version, layer=layer, rate_hz=rate_hz, mono=first[3] >> 6 == _MONO, lengths=lengths)


def _walk(source: ByteSource, start: int, lengths: dict[int, int]) -> _Run:
    n_frames, position = 0, start
    while True:
        source.seek(position)
        window = source.read(_WINDOW_BYTES)
        at, end = 0, len(window) - 2
        while at < end:
            length = lengths.get(window[at + 1] << 8 | window[at + 2]) if window[at] == 0xFF else None
            if length is None:
                return _Run(n_frames=n_frames, start=start, stop=position + at)
            at += length
            n_frames += 1
        position += at
        if len(window) < _WINDOW_BYTES:
            return _Run(n_frames=n_frames, start=start, stop=position)


def _parse_xing(first: bytes, header: _Header) -> _Xing | None:
    """Return what a Xing, Info or LAME header in the first frame says; None without a count of frames."""
    at = 4 + {(1, False): 32, (1, True): 17, (2, False): 17, (2, True): 9}[header.version, header.mono]
    if first[at : at + 4] not in (b"Xing", b"Info"):
        return None
    flags, at, fields = int.from_bytes(first[at + 4 : at + 8]), at + 8, [0, 0]
    for i in range(2):
        if flags >> i & 1:
            fields[i], at = int.from_bytes(first[at : at + 4]), at + 4
    at += (100 if flags & 4 else 0) + (4 if flags & 8 else 0)
    # LAME tag: 9 bytes of name, then 12 bits each of delay and padding at byte 21.
    trim = int.from_bytes(first[at + 21 : at + 24]) if first[at : at + 4] in (b"LAME", b"Lavc", b"Lavf") else 0
    if not fields[0]:
        return None
    return _Xing(n_frames=fields[0], n_bytes=fields[1], n_trimmed=(trim >> 12) + (trim & 0xFFF))
