"""Efforts: how much is tried to find music that was changed, and what that costs."""

import dataclasses
from typing import Final

from earmark.errors import ParameterError
from earmark.fingerprint import ORIGINAL, Rendition

__all__ = ["DEFAULT_EFFORT", "EFFORTS", "Closeness", "Effort", "SweepPlan", "effort_named", "for_catalog"]

SPEED_STEP_SEMITONES = 0.7
"""From one speed to the next, 4 %: a patch stays recognisable within 2 to 3 % (DESIGN.md section 2, step 5)."""

SPEED_STEPS = 10
"""To either side: x0.67 to x1.5."""

TEMPOS = (0.61, 0.68, 0.76, 0.85, 0.925, 1.08, 1.18, 1.31, 1.46, 1.6)
"""With the pitch kept. A patch tolerates 10 %, but refining finds its way from 6 % off."""

PITCH_STEPS, PITCH_TEMPOS = 10, (0.71, 0.79, 0.89, 1.0, 1.12, 1.26, 1.41)
"""Pitch and tempo apart: 7 semitones to either side in steps of 0.7, at each of these tempos."""


_LARGE_CATALOG: Final = 2_000_000
_HITS_IF_LARGE, _CANDIDATES_IF_LARGE = 40, 150
# From 2 million seconds, some 10,000 tracks: of 5 s excerpts .891 in place of .872 are among the candidates
# (docs/scale.md), and of their patches twice as many hits cost 7 % more.


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Closeness:
    """How closely a sweep looks at a block.

    Attributes
    ----------
    probes : int
        Patches that are looked up for each rendition.
    candidates : int
        The best so many are verified.
    """

    probes: int
    candidates: int


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class SweepPlan:
    """A search for changed music, block by block of 5 s.

    A long stretch of changed music has many blocks to be found by, a short one few: its blocks are looked at more
    closely.

    Attributes
    ----------
    renditions : tuple of Rendition
        What is undone to see whether the catalog knows it then.
    hits_per_probe : int
        Catalog patches that each probe brings.
    long, short : Closeness
        Of blocks of stretches longer than 30 s, and of others.
    """

    renditions: tuple[Rendition, ...]
    hits_per_probe: int
    long: Closeness
    short: Closeness


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Effort:
    """How hard to look.

    Attributes
    ----------
    name : str
    hits_per_patch : int
        Catalog patches that each patch of an item brings.
    candidates_per_window : int
        The best so many are verified.
    sweep : SweepPlan or None
        How what was not found that way is searched for changed music.
    """

    name: str
    hits_per_patch: int
    candidates_per_window: int
    sweep: SweepPlan | None = None


def _speeds() -> list[Rendition]:
    steps = [n for n in range(-SPEED_STEPS, SPEED_STEPS + 1) if n]
    semitones = [n * SPEED_STEP_SEMITONES for n in steps]
    return [Rendition(pitch_semitones=s, tempo_ratio=2.0 ** (s / 12.0)) for s in semitones]


def _tempos() -> list[Rendition]:
    return [Rendition(tempo_ratio=tempo) for tempo in TEMPOS]


def _pitches() -> list[Rendition]:
    semitones = [n * SPEED_STEP_SEMITONES for n in range(-PITCH_STEPS, PITCH_STEPS + 1)]
    grid = [Rendition(pitch_semitones=s, tempo_ratio=tempo) for s in semitones for tempo in PITCH_TEMPOS]
    return [rendition for rendition in grid if rendition != ORIGINAL]


_ALL = (
    Effort(name="fast", hits_per_patch=20, candidates_per_window=60),
    Effort(
        name="standard",
        hits_per_patch=20,
        candidates_per_window=60,
        sweep=SweepPlan(
            renditions=(*_speeds(), *_tempos()),
            hits_per_probe=10,
            long=Closeness(probes=2, candidates=12),
            short=Closeness(probes=4, candidates=48),
        ),
    ),
    Effort(
        name="thorough",
        hits_per_patch=40,
        candidates_per_window=150,
        sweep=SweepPlan(
            renditions=tuple(dict.fromkeys([*_speeds(), *_tempos(), *_pitches()])),
            hits_per_probe=10,
            long=Closeness(probes=3, candidates=64),
            short=Closeness(probes=3, candidates=128),
        ),
    ),
)

EFFORTS = tuple(effort.name for effort in _ALL)
"""`fast` looks for music at its own speed and pitch; `standard` also at other speeds (x0.67 to x1.5) and tempos (x0.6
to x1.6); `thorough` also at other pitches (6 semitones either way), alone and together with other tempos."""

DEFAULT_EFFORT = "standard"


def effort_named(name: str) -> Effort:
    """Return an effort.

    Raises
    ------
    ParameterError
        If there is none of that name.
    """
    for effort in _ALL:
        if effort.name == name:
            return effort
    raise ParameterError(f"effort must be one of {', '.join(EFFORTS)}, got {name!r}")


def for_catalog(effort: Effort, duration_s: float) -> Effort:
    """Return an effort as it is for a catalog of so many seconds: among more music more looks like an item.

    Examples
    --------
    >>> fast = effort_named("fast")
    >>> for_catalog(fast, 68_000) == fast, for_catalog(fast, 2.4e8).hits_per_patch
    (True, 40)
    """
    if duration_s < _LARGE_CATALOG:
        return effort
    return dataclasses.replace(
        effort,
        hits_per_patch=max(effort.hits_per_patch, _HITS_IF_LARGE),
        candidates_per_window=max(effort.candidates_per_window, _CANDIDATES_IF_LARGE),
    )
