"""A stretch of a recording: which frames of which block belong to it."""

from dataclasses import dataclass, replace
from fractions import Fraction

from earmark.audio.decoder import Block
from earmark.errors import ParameterError

__all__ = ["Stretch"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Stretch:
    """A stretch of a recording, from `start_s` for `duration_s`, or to the end if that is None.

    Attributes
    ----------
    start_s, duration_s
        In seconds [start_s >= 0, duration_s > 0].
    """

    start_s: Fraction = Fraction(0)
    duration_s: Fraction | None = None

    @classmethod
    def of(cls, start_s: float, duration_s: float | None) -> "Stretch":
        """Return the stretch of these seconds.

        Raises
        ------
        ParameterError
            If they are out of range or not finite.
        """
        try:
            stretch = cls(start_s=Fraction(start_s), duration_s=None if duration_s is None else Fraction(duration_s))
        except (ValueError, OverflowError) as error:
            raise ParameterError(f"start_s and duration_s must be finite, got {start_s} and {duration_s}") from error
        if stretch.start_s < 0 or (stretch.duration_s is not None and stretch.duration_s <= 0):
            raise ParameterError(f"expected start_s >= 0 and duration_s > 0, got {start_s} and {duration_s}")
        return stretch

    @property
    def end_s(self) -> Fraction | None:
        """Where it ends, in seconds; None at the end of the recording."""
        return None if self.duration_s is None else self.start_s + self.duration_s

    def part_of(self, block: Block, at_s: Fraction) -> Block:
        """Return the frames of a block that begins at `at_s` which lie in the stretch; there may be none.

        Frame i is at i / sample_rate: the first is the nearest to the start, the last the one before the nearest to
        the end, so stretches that follow one another share no frame and leave none out.
        """
        rate = block.sample_rate
        first = max(0, round((self.start_s - at_s) * rate))
        behind = len(block.values) if self.end_s is None else max(0, round((self.end_s - at_s) * rate))
        return replace(block, values=block.values[first:behind])
