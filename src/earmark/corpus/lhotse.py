"""Lhotse's manifests: recordings and cuts as JSON objects become stretches of sound files."""

import dataclasses
import math
from collections.abc import Mapping
from typing import Any

from earmark.corpus.cut import Cut, NoCut
from earmark.errors import CorpusError

__all__ = ["cuts_of_cut", "cuts_of_recording"]

# Transforms that change how long a recording is: a cut of 10 s at factor 1.1 is 11 s of the file.
_TEMPO_TRANSFORMS = ("Speed", "Tempo")
_MAX_NESTED = 100


def cuts_of_recording(recording: Mapping[str, Any]) -> list[Cut | NoCut]:
    """Return the files of a recording as cuts, or words for those that are none.

    Parameters
    ----------
    recording
        A line of a recordings manifest.

    Raises
    ------
    CorpusError
        If it is no recording.
    """
    return [_whole(source) for source in _sources(recording)]


def cuts_of_cut(cut: Mapping[str, Any]) -> list[Cut | NoCut]:
    """Return the stretches of files that a cut is made of: those of a mixture are cuts of their own.

    Parameters
    ----------
    cut
        A line of a cuts manifest: MonoCut, MultiCut, MixedCut or PaddingCut.

    Raises
    ------
    CorpusError
        If it is no cut.
    """
    kind = cut.get("type", "MonoCut")
    if kind == "PaddingCut":
        return [NoCut(words="is padding, which has no audio", by_rule=True)]
    if kind == "MixedCut":
        tracks = cut.get("tracks")
        if not isinstance(tracks, list):
            raise CorpusError("a MixedCut without a list of tracks")
        inner = [track["cut"] for track in tracks[:_MAX_NESTED] if isinstance(track, Mapping) and "cut" in track]
        parts = [one for one in inner if isinstance(one, Mapping) and one.get("type") not in ("PaddingCut", "MixedCut")]
        found = [each for part in parts for each in cuts_of_cut(part)]
        return found or [NoCut(words="is a mixture of nothing", by_rule=True)]
    recording = cut.get("recording")
    if not isinstance(recording, Mapping):
        return [NoCut(words="has no recording, perhaps only features")]
    factor = _tempo_factor(recording)
    start_s, duration_s = _seconds(cut, "start") * factor, _seconds(cut, "duration") * factor
    wholes = [_whole(source) for source in _sources(recording)]
    return [
        whole if isinstance(whole, NoCut) else dataclasses.replace(whole, start_s=start_s, duration_s=duration_s)
        for whole in wholes
    ]


def _sources(recording: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    sources = recording.get("sources")
    if not isinstance(sources, list) or not all(isinstance(source, Mapping) for source in sources):
        raise CorpusError("a recording without a list of sources")
    if not sources:
        raise CorpusError("a recording with no source")
    return sources


def _whole(source: Mapping[str, Any]) -> Cut | NoCut:
    kind, place = source.get("type"), source.get("source")
    if kind in ("file", "url") and isinstance(place, str) and place:
        return Cut(path=place)
    if kind == "command":
        words = f"is a command, which is not run: {str(place)[:80]!r}; write its output to files and name those"
    elif kind == "shar":
        words = "its audio lies in a Shar; scan the folder of the Shar"
    else:
        words = f"its audio is of type {kind!r}; expected file or url"
    return NoCut(words=words)


def _tempo_factor(recording: Mapping[str, Any]) -> float:
    """Return seconds of the file for a second of a recording that Lhotse speeds up as it is loaded."""
    factor = 1.0
    for transform in recording.get("transforms") or []:
        if isinstance(transform, Mapping) and transform.get("name") in _TEMPO_TRANSFORMS:
            by = (transform.get("kwargs") or {}).get("factor", 1.0)
            factor *= by if isinstance(by, int | float) and by > 0 else 1.0
    return factor


def _seconds(cut: Mapping[str, Any], name: str) -> float:
    value = cut.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value) or value < 0:
        raise CorpusError(f"{name}: expected seconds, a number of 0 or more, got {str(value)[:40]!r}")
    return float(value)
