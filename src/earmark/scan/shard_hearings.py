"""What several listeners have heard in one item, each with its shard of the catalog, as one hearing."""

import dataclasses
from collections.abc import Sequence

from earmark.scan.catalog_shard import Found, Merger
from earmark.scan.listening import Hearing, Problem

__all__ = ["merge_hearings"]


def merge_hearings(hearings: Sequence[Hearing], merger: Merger) -> Hearing:
    """Return one hearing out of those of all shards.

    What any of them could not do was not done: an item counts as scanned as far as it was compared with every shard.
    What the others have found in it is kept.

    Parameters
    ----------
    hearings
        Of one item, by shard.
    merger
        Joins the matches.
    """
    first = next((one for one in hearings if one.outcome == "heard"), hearings[0])
    digests = {one.sha256 for one in hearings if one.sha256 is not None}
    found = merger.merge([_found(one) for one in hearings])
    same = len({one.outcome for one in hearings}) == 1
    problem = _problem(hearings)
    if len(digests) > 1:
        words = "changed while it was read: not every shard of the catalog was compared with the same bytes"
        problem = Problem(kind="changed while read", words=words)
    return dataclasses.replace(
        first,
        outcome=first.outcome if same or found else "error",
        sha256=digests.pop() if len(digests) == 1 else None,
        scanned_s=min(one.scanned_s for one in hearings),
        found=tuple((one.match, one.track) for one in found),
        problem=problem,
        laid=(),
    )


def _found(hearing: Hearing) -> list[Found]:
    pairs = zip(hearing.found, hearing.laid, strict=True)
    return [Found(match=match, track=track, laid=laid) for (match, track), laid in pairs]


def _problem(hearings: Sequence[Hearing]) -> Problem | None:
    """Return the problems of all hearings as one; each is told once, with the shard if not all have it."""
    problems = [one.problem for one in hearings]
    if all(one == problems[0] for one in problems):
        return problems[0]
    told = [
        (problem, f"shard {number} of {len(hearings)} of the catalog: {problem.words}")
        for number, problem in enumerate(problems, start=1)
        if problem is not None
    ]
    return Problem(kind=told[0][0].kind, words="; ".join(words for _, words in told))
