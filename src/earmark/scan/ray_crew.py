"""A crew of Ray actors, wherever the cluster has room: items of actors and nodes that are lost go to others."""

import collections
import contextlib
import dataclasses
import logging
import math
import pickle
import time
from collections.abc import Callable
from typing import Any

from earmark.corpus import Item
from earmark.errors import EarmarkError, ScanError
from earmark.scan.listening import Hearing, Problem
from earmark.scan.ray_item import on_every_node
from earmark.scan.ray_listener import NodeSetup, RayListener, signature

__all__ = ["RayCrew"]

logger = logging.getLogger(__name__)

# Of an actor: one is listened to and the next is there already, so that no actor waits for the driver.
_ITEMS_AHEAD = 2
# An item that so many actors were lost with is given up: nodes come and go, but not always at the same item.
_MAX_LOSSES = 3
# So many times in a row that actors did not start, and it is not for a node that was lost. It is tried again after 1,
# 2, 4 and 8 s: Ray needs some to notice that a node is gone.
_MAX_FAILED_STARTS = 5
_PATIENCE_S = 60.0  # after that, and then as often, it is said that the cluster has no room
_IDLE_S = 0.05
_KINDS = ("worker died", "took too long")


@dataclasses.dataclass(kw_only=True, slots=True, eq=False)
class _Actor:
    """An actor, what it is asked, and the items that it has, the oldest first."""

    handle: Any
    asked: Any
    question: str = "signature"
    born: float = dataclasses.field(default_factory=time.monotonic)
    items: collections.deque[tuple[Any, Item]] = dataclasses.field(default_factory=collections.deque)

    @property
    def ready(self) -> bool:
        return self.asked is None

    @property
    def awaited(self) -> Any:  # noqa: ANN401 - an ObjectRef
        """What it is to answer next; None if nothing."""
        return self.asked if self.asked is not None else self.items[0][0] if self.items else None


class RayCrew:
    """Actors that listen to items; to be closed.

    Each actor takes one processor and holds a worker process, so that an item that kills or stops its worker costs just
    that item, as it does without Ray. If an actor or its node is lost, its items go to other actors.

    Parameters
    ----------
    ray
        The module, connected to a cluster.
    setup
        What the actors need.
    place
        Gives the scheduling strategy of a new actor; None spreads them over the cluster.
    """

    def __init__(self, ray: Any, setup: NodeSetup, *, place: Callable[[], Any] | None = None) -> None:  # noqa: ANN401
        self._ray, self._setup = ray, pickle.dumps(setup)
        self._place = place or (lambda: "SPREAD")
        self._class = ray.remote(RayListener)
        self._signature = signature()
        self._actors: list[_Actor] = []
        self._returned: collections.deque[Item] = collections.deque()  # of actors that were lost
        self._losses: dict[int, int] = {}  # by the identity of the item
        self._failed_starts, self._last_failure, self._last_ready = 0, -math.inf, time.monotonic()
        self._told: set[str] = set()
        errors = ray.exceptions
        # Not all of Ray's errors have one root; of the results, one that was lost with its node can be had again.
        self._lost = (
            errors.RayActorError,
            errors.ActorUnschedulableError,
            errors.NodeDiedError,
            errors.ObjectLostError,
            errors.WorkerCrashedError,
        )

    @property
    def n_busy(self) -> int:
        """How many items were handed over and not heard yet."""
        return sum(len(actor.items) for actor in self._actors) + len(self._returned)

    @property
    def n_processors(self) -> int:
        """How many processors the cluster has."""
        return max(int(self._ray.cluster_resources().get("CPU", 1)), 1)

    def grow_to(self, n_workers: int) -> None:
        """Ask the cluster for actors until there are `n_workers`; those that it has no room for wait for it."""
        if self._failed_starts and time.monotonic() - self._last_failure < 2.0 ** (self._failed_starts - 1):
            return
        while len(self._actors) < n_workers:
            options = {"num_cpus": 1, "max_restarts": 0, "max_task_retries": 0, "scheduling_strategy": self._place()}
            handle = self._class.options(**options).remote()
            self._actors.append(_Actor(handle=handle, asked=handle.signature.remote()))

    def hand(self, item: Item) -> bool:
        """Give an item to the actor that has fewest; return whether one had room for it."""
        free = [actor for actor in self._actors if actor.ready and len(actor.items) < _ITEMS_AHEAD]
        if not free:
            return False
        actor = min(free, key=lambda one: len(one.items))
        actor.items.append((actor.handle.listen.remote(on_every_node(item)), item))
        return True

    def collect(self, timeout_s: float) -> list[tuple[Item, Hearing]]:
        """Wait until actors have something to say, and return what was heard.

        Raises
        ------
        EarmarkError
            If actors cannot start or go on, whatever the items.
        """
        while self._returned and self.hand(self._returned[0]):
            self._returned.popleft()
        waiting = {actor.awaited: actor for actor in self._actors if actor.awaited is not None}
        if not waiting:
            time.sleep(min(timeout_s, _IDLE_S))
            return []
        done, _ = self._ray.wait(list(waiting), num_returns=1, timeout=timeout_s)
        if done:
            done, _ = self._ray.wait(list(waiting), num_returns=len(waiting), timeout=0)
        heard = [pair for ref in done for pair in self._answer(waiting[ref], ref)]
        self._complain()
        return heard

    def close(self) -> None:
        """End all actors, whatever they are doing. May be called twice."""
        for actor in self._actors:
            self._kill(actor)
        self._actors = []

    def _answer(self, actor: _Actor, ref: Any) -> list[tuple[Item, Hearing]]:  # noqa: ANN401 - an ObjectRef
        """Take an actor's word, or the news of its end."""
        try:
            said = self._ray.get(ref)
        except self._lost as error:
            return self._bury(actor, error)
        except self._ray.exceptions.RayError as error:
            cause = getattr(error, "cause", None)
            if isinstance(cause, EarmarkError):
                raise type(cause)(*cause.args) from None
            raise ScanError(
                f"a Ray worker cannot go on: {_first_words(error)}; every node needs the same version of Earmark "
                f"({self._signature['Earmark']}), with what it requires"
            ) from error
        if not actor.ready:
            self._go_on(actor, said)
            return []
        _, item = actor.items.popleft()
        self._losses.pop(id(item), None)
        if said.problem is not None and said.problem.kind in _KINDS:
            logger.warning("item %r: %s", item.id, said.problem.words)
        return [(item, said)]

    def _go_on(self, actor: _Actor, said: Any) -> None:  # noqa: ANN401 - what the actor was asked for
        """Take the answer to a question of an actor's start, and ask the next."""
        if actor.question == "signature":
            self._compare(*said)
            actor.question, actor.asked = "start", actor.handle.start.remote(self._setup)
        else:
            actor.asked, self._failed_starts = None, 0

    def _compare(self, node: str, theirs: dict[str, str]) -> None:
        """Make sure that a node has what this machine has."""
        for name, mine in self._signature.items():
            if theirs.get(name) == mine:
                continue
            words = f"{name} is {theirs.get(name, 'missing')} on the node {node}, and {mine} here"
            if name in ("Earmark", "model", "Python"):
                raise ScanError(f"{words}; every node needs the same one")
            if words not in self._told:
                self._told.add(words)
                logger.warning("%s; results can differ in small things", words)

    def _bury(self, actor: _Actor, error: Exception) -> list[tuple[Item, Hearing]]:
        """Take a lost actor off the crew; its items go to others, unless one has cost too many actors."""
        self._kill(actor)
        self._actors.remove(actor)
        cause = _first_words(error)
        if not actor.ready:
            self._count_failed_start(actor, cause)
            return []
        items = [item for _, item in actor.items]
        logger.warning("a Ray worker was lost, and %d items of it go to others: %s", len(items), cause)
        if not items:
            return []
        first = items[0]
        self._losses[id(first)] = self._losses.get(id(first), 0) + 1
        if self._losses[id(first)] < _MAX_LOSSES:
            self._returned.extend(items)
            return []
        self._returned.extend(items[1:])
        words = f"{self._losses.pop(id(first))} Ray workers were lost with it, and the last one: {cause}"
        return [(first, Hearing(outcome="error", problem=Problem(kind="worker died", words=words)))]

    def _count_failed_start(self, actor: _Actor, cause: str) -> None:
        """Give up if actors do not start, one after the other; many that are lost with one node count once."""
        if actor.born <= self._last_failure:
            return
        self._failed_starts, self._last_failure = self._failed_starts + 1, time.monotonic()
        if self._failed_starts >= _MAX_FAILED_STARTS:
            raise ScanError(
                f"Ray workers do not start: {self._failed_starts} times in a row, and at last: {cause}; every node "
                f"needs the same version of Earmark ({self._signature['Earmark']}), with what it requires"
            )

    def _kill(self, actor: _Actor) -> None:
        with contextlib.suppress(Exception):  # it may be gone, and so may its node
            self._ray.kill(actor.handle, no_restart=True)

    def _complain(self) -> None:
        """Say so, once a minute, if no actor can start."""
        now = time.monotonic()
        if any(actor.ready for actor in self._actors):
            self._last_ready = now
        elif now - self._last_ready > _PATIENCE_S:
            self._last_ready = now
            free = self._ray.available_resources().get("CPU", 0)
            logger.warning(
                "no Ray worker has started for a minute; each takes one of the cluster's processors, of which %g of %d "
                "are free",
                free,
                self.n_processors,
            )


def _first_words(error: Exception) -> str:
    """Return the first sentences of what Ray says, in one line."""
    return " ".join(str(error).split())[:500]
