"""A few places for what takes long: nobody keeps out everybody else."""

from collections import Counter
from uuid import UUID

from lastro.errors import RateLimited
from lastro.values.text import Text


class Places:
    """How many things of a kind this process does at once, and how many of them for one tenant."""

    def __init__(self, most: int, most_of_one: int, *, full: Text, retry_after: int) -> None:
        """All free. `full`: what whoever finds none is told."""
        self._most, self._most_of_one = most, most_of_one
        self._full, self._retry_after = full, retry_after
        self._taken: Counter[UUID] = Counter()

    def take(self, tenant_id: UUID) -> "Place":
        """One of them. Raises RateLimited when there is none."""
        if self._taken[tenant_id] >= self._most_of_one or self._taken.total() >= self._most:
            raise RateLimited(self._full, retry_after=self._retry_after)
        self._taken[tenant_id] += 1
        return Place(self, tenant_id)

    def give_back(self, tenant_id: UUID) -> None:
        """It is done, or nobody wants it any more."""
        self._taken[tenant_id] -= 1
        if not self._taken[tenant_id]:
            del self._taken[tenant_id]


class Place:
    """A place that is taken until it is given back; twice is once."""

    def __init__(self, places: Places, tenant_id: UUID) -> None:
        """Made by `Places.take`."""
        self._places: Places | None = places
        self._tenant_id = tenant_id

    def give_back(self) -> None:
        """Let somebody else have it."""
        if self._places is not None:
            self._places.give_back(self._tenant_id)
            self._places = None
