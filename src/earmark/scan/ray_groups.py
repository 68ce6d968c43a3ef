"""Groups of Ray actors, one for each shard of a catalog: every item is heard by all of them, and the results joined."""

import collections
import functools
from collections.abc import Sequence
from typing import Any

from earmark.corpus import Item
from earmark.scan.catalog_shard import Merger
from earmark.scan.listening import Hearing
from earmark.scan.ray_crew import RayCrew
from earmark.scan.ray_listener import NodeSetup
from earmark.scan.shard_hearings import merge_hearings

__all__ = ["NodeShares", "RayGroups"]

# Items that a group may be behind another one, for each of its actors: a share of a second of work.
_ITEMS_BEHIND = 4


class NodeShares:
    """Which nodes of a cluster a group may use: each node serves one group, so that it holds one shard, if it can.

    A node keeps its group. A new one goes to the group with fewest processors, and a group that has lost all its nodes
    shares those of the group that has most.

    Parameters
    ----------
    ray
        The module, connected to a cluster.
    n_groups
        How many groups there are.
    """

    def __init__(self, ray: Any, n_groups: int) -> None:  # noqa: ANN401 - a module
        self._ray, self._n_groups = ray, n_groups
        self._group_of: dict[str, int] = {}
        self._placed: collections.Counter[str] = collections.Counter()

    def place(self, group: int) -> Any:  # noqa: ANN401 - a strategy of Ray's
        """Return the scheduling strategy of a new actor of a group."""
        from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

        processors = {
            node["NodeID"]: node["Resources"]["CPU"]
            for node in self._ray.nodes()
            if node["Alive"] and node["Resources"].get("CPU", 0) >= 1
        }
        nodes = self.nodes_of(group, processors)
        if not nodes:
            return "SPREAD"
        chosen = min(nodes, key=lambda node: (self._placed[node] / processors[node], node))
        self._placed[chosen] += 1
        return NodeAffinitySchedulingStrategy(node_id=chosen, soft=False)

    def nodes_of(self, group: int, processors: dict[str, float]) -> list[str]:
        """Return the nodes that a group may use.

        Parameters
        ----------
        group
            Number of the group.
        processors
            The nodes that are alive, with their processors.

        Examples
        --------
        >>> shares = NodeShares(None, 2)
        >>> shares.nodes_of(0, {"a": 2, "b": 2, "c": 2}), shares.nodes_of(1, {"a": 2, "b": 2, "c": 2})
        (['a', 'c'], ['b'])
        >>> shares.nodes_of(1, {"a": 2, "c": 2})
        ['c']
        """
        for lost in self._group_of.keys() - processors.keys():
            del self._group_of[lost]
        for node in sorted(processors.keys() - self._group_of.keys()):
            total = [self._total(g, processors) for g in range(self._n_groups)]
            self._group_of[node] = total.index(min(total))
        if not self._nodes(group) and processors:
            most = max(range(self._n_groups), key=lambda g: self._total(g, processors))
            others = self._nodes(most)
            if len(others) == 1:
                return others
            self._group_of[others[-1]] = group
        return self._nodes(group)

    def _nodes(self, group: int) -> list[str]:
        return sorted(node for node, owner in self._group_of.items() if owner == group)

    def _total(self, group: int, processors: dict[str, float]) -> float:
        return sum(processors[node] for node in self._nodes(group))


class RayGroups:
    """One `RayCrew` for each shard of a catalog; to be closed.

    Parameters
    ----------
    ray
        The module, connected to a cluster.
    setups
        What the actors of each group need, by shard.
    merger
        Joins what the groups have found.
    """

    def __init__(self, ray: Any, setups: Sequence[NodeSetup], merger: Merger) -> None:  # noqa: ANN401 - a module
        shares = NodeShares(ray, len(setups))
        self._groups = [
            RayCrew(ray, setup, place=functools.partial(shares.place, group)) for group, setup in enumerate(setups)
        ]
        self._merger, self._n_workers = merger, 0
        self._queues: list[collections.deque[Item]] = [collections.deque() for _ in setups]
        self._heard: dict[int, list[Hearing | None]] = {}  # by the identity of the item
        self._left: dict[int, int] = {}  # groups that have not heard it yet

    @property
    def n_busy(self) -> int:
        """How many items were handed over and not heard by all groups yet."""
        return len(self._heard)

    @property
    def n_processors(self) -> int:
        """How many processors the cluster has."""
        return self._groups[0].n_processors

    def grow_to(self, n_workers: int) -> None:
        """Have so many actors in all, and at least one in each group."""
        self._n_workers = max(n_workers, self._n_workers)
        each, more = divmod(self._n_workers, len(self._groups))
        for number, group in enumerate(self._groups):
            group.grow_to(max(each + (number < more), 1))

    def hand(self, item: Item) -> bool:
        """Give an item to all groups; return whether the slowest of them is not too far behind."""
        self._hand_out()
        if max(map(len, self._queues)) >= _ITEMS_BEHIND * max(self._n_workers, 1):
            return False
        self._heard[id(item)], self._left[id(item)] = [None] * len(self._groups), len(self._groups)
        for queue in self._queues:
            queue.append(item)
        self._hand_out()
        return True

    def collect(self, timeout_s: float) -> list[tuple[Item, Hearing]]:
        """Wait until something was heard by all groups, or a while, and return it.

        Raises
        ------
        EarmarkError
            As of `RayCrew`.
        """
        self._hand_out()
        complete = []
        for number, group in enumerate(self._groups):
            for item, hearing in group.collect(timeout_s / len(self._groups)):
                hearings = self._heard[id(item)]
                hearings[number] = hearing
                self._left[id(item)] -= 1
                if not self._left[id(item)]:
                    del self._heard[id(item)], self._left[id(item)]
                    complete.append((item, merge_hearings([one for one in hearings if one], self._merger)))
        return complete

    def close(self) -> None:
        """End all actors, whatever they are doing. May be called twice."""
        for group in self._groups:
            group.close()

    def _hand_out(self) -> None:
        for group, queue in zip(self._groups, self._queues, strict=True):
            while queue and group.hand(queue[0]):
                queue.popleft()
