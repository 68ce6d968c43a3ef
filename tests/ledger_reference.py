"""The ledger written down slowly: every millisecond of every item looked at by itself; of nothing of ours."""

from fractions import Fraction


def owners(matches, overlaps):
    """Milliseconds of each row, by going through them one by one."""
    owned = [Fraction(0)] * len(matches)
    for ms in range(max((end(m) for m in matches), default=0)):
        here = [at for at, m in enumerate(matches) if start(m) <= ms < end(m)]
        groups = list(dict.fromkeys(matches[at].group_id for at in here))
        if overlaps == "once" and groups:
            groups = [min(groups, key=lambda group: best(group, matches))]
        for group in groups:
            ids = [at for at in here if matches[at].group_id == group]
            for at in ids:
                owned[at] += Fraction(1, len(groups) * len(ids))
    return owned


def best(group, matches):
    return min((m.log10_e_value, -m.score, at) for at, m in enumerate(matches) if m.group_id == group)


def start(match):
    return round(match.item_start_s * 1000)


def end(match):
    return round(match.item_end_s * 1000)
