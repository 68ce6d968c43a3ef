"""The order of a scan: what cannot be reached is asked for again, and a server that is away ends it without a loss."""

from collections import Counter

import pytest

from earmark.corpus import Item, Skipped, WholeFile
from earmark.scan.limits import Limits
from earmark.scan.listening import NOT_REACHED, Hearing, Problem
from earmark.scan.procession import Procession
from earmark.scan.stopping import Stop

AWAY = Hearing(outcome="error", problem=Problem(kind=NOT_REACHED, words="the server cannot be reached"))


class Scripted:
    """An engine that hears nothing, and cannot reach some items at the tries that a function tells."""

    def __init__(self, is_away):
        self._is_away, self._items, self.tries = is_away, [], Counter()

    @property
    def n_busy(self):
        return len(self._items)

    def grow_to(self, n_workers):
        self._n_workers = n_workers

    def hand(self, item):
        if len(self._items) == self._n_workers:
            return False
        self._items.append(item)
        return True

    def collect(self, timeout_s):
        heard, self._items = self._items, []
        self.tries.update(item.id for item in heard)
        return [
            (item, AWAY if self._is_away(int(item.id), self.tries[item.id]) else Hearing(outcome="heard"))
            for item in heard
        ]


def run(is_away, n_items=20, jobs=2):
    """The ids that were yielded, each with whether it could be reached; the engine; the stop."""
    engine, stop = Scripted(is_away), Stop()
    items = [Item(id=f"{n}", source=WholeFile(location=f"s3://b/{n}"), size_bytes=1) for n in range(n_items)]
    entries = iter([*items, Skipped(id=f"{n_items}", reason="r")])
    procession = Procession(entries, engine, jobs, Limits(), stop)
    found = [(one.id, one.hearing is not AWAY) for settled in procession for one in settled]
    return found, engine, stop, procession


@pytest.mark.parametrize("jobs", [1, 2, 3])
@pytest.mark.parametrize("away", [{0}, {3, 4}, {19}, {18, 19}])
def test_what_could_not_be_reached_once_is_asked_for_again(away, jobs):
    found, engine, stop, procession = run(lambda n, tries: n in away and tries == 1, jobs=jobs)
    assert found == [(f"{n}", True) for n in range(21)]
    assert {int(each) for each, n in engine.tries.items() if n == 2} == away
    assert procession.is_over
    assert stop.reason is None


@pytest.mark.parametrize("jobs", [1, 2, 3])
def test_what_is_out_of_reach_for_good_is_an_error_after_two_tries(jobs):
    found, engine, stop, procession = run(lambda n, tries: n in (5, 19), jobs=jobs)
    assert found == [(f"{n}", n not in (5, 19)) for n in range(21)]
    assert max(engine.tries.values()) == 2
    assert procession.is_over
    assert stop.reason is None


@pytest.mark.parametrize("jobs", [1, 2, 3])
def test_a_server_that_is_away_ends_it_before_the_first_that_could_not_be_reached(jobs):
    found, engine, stop, procession = run(lambda n, tries: n >= 6, jobs=jobs)
    assert found == [(f"{n}", True) for n in range(6)]
    assert not procession.is_over
    assert stop.reason == "a server that cannot be reached"
    assert sum(engine.tries.values()) <= 6 + 3 * jobs + jobs
