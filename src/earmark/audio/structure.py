"""What a file's own structure says about it, before any decoder is asked."""

from dataclasses import dataclass

__all__ = ["Structure"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Structure:
    """A reading of a file's headers, pages or frames.

    Attributes
    ----------
    backends
        The decoders to try, in order of preference.
    declared_s
        Seconds that the file declares; None if only the decoder can know, or nobody.
    length_known
        Whether a length that the decoder reports is a declaration, not a guess from what is there.
    present_share
        Bytes of samples that are there over those declared [0 <= share <= 1].
    cut
        In words, what shows that the end of the file is missing; None if nothing does.
    tail_judged
        Whether `cut` is the last word, so that a decoder's trouble with the last packet means nothing.
    """

    backends: tuple[str, ...]
    declared_s: float | None = None
    length_known: bool = True
    present_share: float = 1.0
    cut: str | None = None
    tail_judged: bool = False
