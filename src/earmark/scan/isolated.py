"""One listener in a process of its own: whatever an item does to it, its caller gets a hearing and goes on."""

from earmark.corpus import Item
from earmark.scan.crew import Crew
from earmark.scan.limits import Limits
from earmark.scan.listening import Hearing
from earmark.scan.worker import WorkerSetup

__all__ = ["IsolatedListener"]

_POLL_S = 0.2


class IsolatedListener:
    """Listens to items, one after the other, in a worker process that is replaced when one has cost its life.

    Parameters
    ----------
    setup
        What the worker needs.
    limits
        What one item may cost.
    """

    def __init__(self, setup: WorkerSetup, limits: Limits) -> None:
        self._crew = Crew(setup, limits)

    def start(self) -> None:
        """Wait until the worker can listen.

        Raises
        ------
        EarmarkError
            If it cannot, whatever the items.
        """
        self._crew.grow_to(1)
        while not self._crew.n_ready:
            self._crew.collect(_POLL_S)
            self._crew.grow_to(1)

    def listen(self, item: Item) -> Hearing:
        """Return what an item holds; what it did to the worker is an error of the item.

        Raises
        ------
        EarmarkError
            If no worker can start or go on, whatever the items.
        """
        self.start()
        while not self._crew.hand(item):  # it died idle
            self._crew.collect(_POLL_S)
            self.start()
        while True:
            for _, hearing in self._crew.collect(_POLL_S):
                return hearing

    def close(self) -> None:
        """End the worker. May be called twice."""
        self._crew.close()
