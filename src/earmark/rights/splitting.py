"""Split rights: the verdicts on several holders' shares of one recording, put together."""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from earmark.rights.cells import format_share
from earmark.rights.recordings import SHARE_TOLERANCE
from earmark.rights.weighing import Status, Verdict

__all__ = ["Part", "put_together"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Part:
    """The verdict on what one holder has.

    Parameters
    ----------
    holder : str or None
        Who; None is a holder that nobody names.
    share : fractions.Fraction or None
        How much; None is not known.
    verdict : Verdict
        What becomes of it.
    """

    holder: str | None
    share: Fraction | None
    verdict: Verdict


def put_together(parts: Sequence[Part], sufficient: Fraction | None) -> Verdict:
    """Decide by the shares.

    Parameters
    ----------
    parts : sequence of Part
        One for each holder; a single one for all whom nobody names.
    sufficient : fractions.Fraction or None
        The share that must be licensed; None: all.

    Returns
    -------
    Verdict
        Of all: `licensed` if every part is, `unlicensed` if one is, else `review`. Of a share: `licensed` if licensed
        parts reach it for certain and no grant forbids another part, `unlicensed` if those that are not unlicensed
        cannot reach it, else `review`. If all parts say the same for the same reason, that is the verdict.
    """
    if len({part.verdict for part in parts}) == 1:
        return parts[0].verdict
    status = _status(parts, sufficient)
    deciding = [part for part in parts if part.verdict.status == status]
    if sufficient is not None:
        deciding = list(parts)
    ids = {part.verdict.grant_id for part in deciding}
    return Verdict(
        status=status,
        grant_id=ids.pop() if len(ids) == 1 else None,
        reason=f"{_rule(status, sufficient)}: " + "; ".join(map(_words, deciding)),
        forbidden=status == "unlicensed" and any(part.verdict.forbidden for part in deciding),
        runners_up=tuple(dict.fromkeys(words for part in parts for words in part.verdict.runners_up)),
    )


def _status(parts: Sequence[Part], sufficient: Fraction | None) -> Status:
    statuses = {part.verdict.status for part in parts}
    if sufficient is None or len(statuses) == 1:
        return next(status for status in ("unlicensed", "review", "licensed") if status in statuses)
    least, most = _bounds(parts)
    if least + SHARE_TOLERANCE >= sufficient:
        forbidden = any(part.verdict.forbidden for part in parts)
        return "review" if forbidden else "licensed"
    return "review" if most + SHARE_TOLERANCE >= sufficient else "unlicensed"


def _bounds(parts: Sequence[Part]) -> tuple[Fraction, Fraction]:
    """Return the least and the greatest share that may turn out to be licensed."""
    known = [part for part in parts if part.share is not None]
    silent = [part for part in parts if part.share is None]  # these hold the rest between them, in unknown shares
    least = sum((part.share or Fraction() for part in known if part.verdict.status == "licensed"), Fraction())
    most = sum((part.share or Fraction() for part in known if part.verdict.status != "unlicensed"), Fraction())
    rest = max(1 - sum((part.share or Fraction() for part in known), Fraction()), Fraction())
    if silent and all(part.verdict.status == "licensed" for part in silent):
        least += rest
    if any(part.verdict.status != "unlicensed" for part in silent):
        most += rest
    return least, most


def _rule(status: Status, sufficient: Fraction | None) -> str:
    if sufficient is not None:
        return f"the rights are split, and {format_share(sufficient)} of them must be licensed"
    return {
        "licensed": "the rights are split, and every holder allows it",
        "unlicensed": "the rights are split, and not every holder allows it",
        "review": "the rights are split, and not every holder allows it for certain",
    }[status]


def _words(part: Part) -> str:
    share = "share not known" if part.share is None else format_share(part.share)
    return f"{part.holder or 'holders that nobody names'} ({share}): {part.verdict.reason}"
