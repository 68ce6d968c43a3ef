"""Tempo and pitch, apart or together, with the tools that people use; which one is drawn per excerpt.

Ratios are item over track: tempo 1.2 plays 20 % faster. Pitch is in semitones.
"""

import commands

__all__ = ["TOOLS", "stretch"]


def _atempo(y, sr, tempo, pitch):
    """WSOLA of ffmpeg; pitch as everybody does it there: play faster, then stretch back."""
    factor = 2.0 ** (pitch / 12)
    rate = round(sr * factor)
    chain = [f"asetrate={rate}", f"aresample={sr}"] if pitch else []
    return commands.ffmpeg(y, sr, ",".join([*chain, f"atempo={tempo * sr / rate:.6f}"]))


def _ffmpeg_rubberband(y, sr, tempo, pitch):
    return commands.ffmpeg(y, sr, f"rubberband=tempo={tempo:.6f}:pitch={2.0 ** (pitch / 12):.6f}")


def _rubberband_2(y, sr, tempo, pitch):
    return commands.rubberband(y, sr, ["-2", "-T", f"{tempo:.6f}", "-p", f"{pitch:.5f}"])


def _rubberband_3(y, sr, tempo, pitch):
    return commands.rubberband(y, sr, ["-3", "-T", f"{tempo:.6f}", "-p", f"{pitch:.5f}"])


def _sox(y, sr, tempo, pitch):
    effects = ["pitch", f"{100 * pitch:.3f}"] if pitch else []
    return commands.sox(y, sr, [*effects, "tempo", "-m", f"{tempo:.6f}"])


TOOLS = {
    "atempo": _atempo,
    "ffmpeg-rubberband": _ffmpeg_rubberband,
    "rubberband-2": _rubberband_2,
    "rubberband-3": _rubberband_3,
    "sox": _sox,
}


def stretch(y, sr, tempo, pitch, tool):
    """Change tempo and pitch independently with one of `TOOLS`."""
    return TOOLS[tool](y, sr, tempo, pitch)
