"""A decided case, for people and for programs."""

import dataclasses
import json

from earmark.cli.text import displayed
from earmark.rights import ExplainedCase, format_share
from earmark.rights.territories import COUNTRIES, describe_territories

__all__ = ["case_as_json", "case_in_words"]

_RUNNERS_UP = 10


def case_in_words(case: ExplainedCase) -> str:
    """Return a case as lines of text."""
    lines = [f"status     {case.verdict.status}", f"why        {case.verdict.reason}"]
    if case.entry is not None:
        entry = case.entry
        names = {"title": entry.title, "by": entry.artists, "ISRC": entry.isrc, "label": entry.label}
        lines.append("registry   " + ", ".join(f"{word} {name}" for word, name in names.items() if name))
    lines += [
        f"holder     {name} ({'share not known' if share is None else format_share(share)}"
        f"{'' if where == COUNTRIES else f' in {describe_territories(where)}'})"
        for name, share, where in case.holders
    ]
    lines += [f"runner-up  {words}" for words in case.verdict.runners_up[:_RUNNERS_UP]]
    if len(case.verdict.runners_up) > _RUNNERS_UP:
        lines.append(f"runner-up  and {len(case.verdict.runners_up) - _RUNNERS_UP:,} more; --json has them all")
    return "\n".join(map(displayed, lines))


def case_as_json(case: ExplainedCase) -> str:
    """Return a case as a JSON object."""
    use = dataclasses.asdict(case.use)
    use["as_of"] = None if case.use.as_of is None else case.use.as_of.isoformat()
    use["sufficient_share"] = None if case.use.sufficient_share is None else format_share(case.use.sufficient_share)
    values = {
        "status": case.verdict.status,
        "grant_id": case.verdict.grant_id,
        "reason": case.verdict.reason,
        "runners_up": case.verdict.runners_up,
        "recording": dataclasses.asdict(case.recording),
        "use": use,
        "registry": None if case.entry is None else dataclasses.asdict(case.entry),
        "holders": [
            {
                "rightsholder": name,
                "share": None if share is None else format_share(share),
                "territories": ["Worldwide"] if where == COUNTRIES else sorted(where),
            }
            for name, share, where in case.holders
        ],
    }
    return json.dumps(values, indent=2, ensure_ascii=False)
