"""Debian's ffmpeg, sox and rubberband on arrays: what people change music with.

Every function takes mono float32 `y` at `sr` Hz and returns mono float32; a program that is missing or fails raises
`CommandError`.
"""

import subprocess
import tempfile
from pathlib import Path

import numpy as np
import soundfile

__all__ = ["CommandError", "ffmpeg", "ffmpeg_codec", "rubberband", "sox", "sox_amr"]


class CommandError(Exception):
    """A program is missing or failed; the message says which and why."""


def ffmpeg(y, sr, filters):
    """Apply an ffmpeg filter chain (`-af`); the rate stays."""
    raw = ["-f", "f32le", "-ar", str(sr), "-ac", "1"]
    return _samples(["ffmpeg", "-v", "error", *raw, "-i", "pipe:0", "-af", filters, *raw, "pipe:1"], y)


def ffmpeg_codec(y, sr, container, rate, filters="anull"):
    """Encode to a raw telephone format of ffmpeg (`gsm`, `mulaw`) at `rate` Hz and decode it; returns `rate` Hz."""
    source = ["-f", "f32le", "-ar", str(sr), "-ac", "1", "-i", "pipe:0"]
    coded = _run(
        ["ffmpeg", "-v", "error", *source, "-af", filters, "-ar", str(rate), "-f", container, "pipe:1"], _bytes(y)
    )
    wanted = ["-f", "f32le", "-ar", str(rate), "-ac", "1", "pipe:1"]
    declared = ["-ar", str(rate)] if container == "mulaw" else []
    return np.frombuffer(
        _run(["ffmpeg", "-v", "error", "-f", container, *declared, "-i", "pipe:0", *wanted], coded), np.float32
    )


def sox(y, sr, effects):
    """Apply effects of sox, a list such as ["tempo", "-m", "1.2"]; 2 dB down, so that nothing clips."""
    raw = ["-t", "f32", "-r", str(sr), "-c", "1"]
    return _samples(["sox", "-V1", *raw, "-", *raw, "-", "gain", "-2", *effects], y)


def sox_amr(y, sr, mode):
    """Encode as AMR narrow-band (`mode` 0 is 4.75 kbit/s, 7 is 12.2) and decode; returns 8 kHz."""
    raw = ["-t", "f32", "-c", "1"]
    amr = ["-t", "amr-nb", "-C", str(mode)]
    coded = _run(["sox", "-V1", *raw, "-r", str(sr), "-", "-r", "8000", *amr, "-", "gain", "-2"], _bytes(y))
    return np.frombuffer(_run(["sox", "-V1", "-t", "amr-nb", "-", *raw, "-"], coded), np.float32)


def rubberband(y, sr, options):
    """Stretch with the rubberband command, options such as ["-3", "-T", "1.2", "-p", "-2.5"]."""
    with tempfile.TemporaryDirectory() as scratch:
        source, target = Path(scratch) / "in.wav", Path(scratch) / "out.wav"
        soundfile.write(source, y, sr, subtype="FLOAT")
        _run(["rubberband", "-q", *options, str(source), str(target)], b"")
        return soundfile.read(target, dtype="float32")[0]


def _bytes(y):
    return np.ascontiguousarray(y, dtype="<f4").tobytes()


def _samples(command, y):
    return np.frombuffer(_run(command, _bytes(y)), np.float32)


def _run(command, data):
    try:
        done = subprocess.run(command, input=data, capture_output=True, check=False)
    except FileNotFoundError as error:
        raise CommandError(f"{command[0]} is not installed: apt-get install ffmpeg sox rubberband-cli") from error
    if done.returncode:
        raise CommandError(f"{' '.join(command)}: exit code {done.returncode}: {done.stderr.decode()[-500:]}")
    return done.stdout
