"""What a fingerprint is made of: one frozen set of numbers, named by its digest."""

import dataclasses
import hashlib
import json

__all__ = ["FingerprintConfig"]


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class FingerprintConfig:
    """Every number that changes a fingerprint.

    Two fingerprints can be compared only if their configs are equal, so the digest is stored wherever a fingerprint is.

    Parameters
    ----------
    sr : int
        Sampling rate in Hz.
    n_fft, hop_length : int
        Frame length and step in samples: 128 ms every 32 ms.
    n_bands : int
        Log-frequency bands; 64, so that a frame's peaks fit one word.
    fmin, fmax : float
        Outer edges of the lowest and highest band in Hz. Telephone speech keeps 300-3400 Hz.
    level_frames : int
        Half width, in frames, of the window over which the level for the floor is taken.
    floor_ratio : float
        Floor under the band magnitudes, relative to that level.
    floor_absolute : float
        Floor under the band magnitudes in the units of the STFT of a signal in [-1, 1]; far below one step of 16 bits.
    long_context, wide_context : tuple of int
        Half widths (frames, bands) of the two local means that saliency is measured against.
    track_peaks : int
        At most this many bands are set in a word of a track's peak bitmap; one of `item_peaks`.
    item_peaks : tuple of int
        The same for an item, at several levels: what is among fewer peaks counts more. Ascending.
    peak_floor : float
        Least saliency, summed over the two frames of a word, that sets a bit.
    patch_frames, patch_hop_frames : int
        Length and step of patches in frames: 2 s every 0.256 s.
    track_patch_stride : int
        A catalog keeps every n-th patch: one every 1.024 s.
    n_dims : int
        Dimensions of a patch embedding.
    patch_scale : int
        An embedding has unit length and is stored as 8-bit integers, `round(patch_scale * x)`.
    patch_floor : float
        A patch with less mean saliency than this says nothing (silence) and is stored as zeros.

    Examples
    --------
    >>> FingerprintConfig().frames_per_second
    31.25
    """

    sr: int = 8000
    n_fft: int = 1024
    hop_length: int = 256
    n_bands: int = 64
    fmin: float = 220.0
    fmax: float = 3800.0
    level_frames: int = 62
    floor_ratio: float = 1e-4
    floor_absolute: float = 1e-5
    long_context: tuple[int, int] = (15, 4)
    wide_context: tuple[int, int] = (4, 12)
    track_peaks: int = 6
    item_peaks: tuple[int, ...] = (3, 6, 12)
    peak_floor: float = 0.25
    patch_frames: int = 62
    patch_hop_frames: int = 8
    track_patch_stride: int = 4
    n_dims: int = 128
    patch_scale: int = 256
    patch_floor: float = 0.01

    @property
    def frames_per_second(self) -> float:
        """Frames in a second of audio."""
        return self.sr / self.hop_length

    @property
    def words_per_second(self) -> float:
        """Words of a peak bitmap in a second of audio."""
        return self.frames_per_second / 2

    @property
    def context_frames(self) -> int:
        """Frames on either side that the saliency of one frame depends on."""
        return self.level_frames + max(self.long_context[0], self.wide_context[0])

    @property
    def digest(self) -> str:
        """SHA-256 of the numbers above, as 64 hexadecimal digits."""
        text = json.dumps(dataclasses.asdict(self), sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()
