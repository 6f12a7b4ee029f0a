"""How many posts may be under way, for each endpoint and over all: one that hangs takes nobody else's place.

There are two lanes. An endpoint that fails, or is slow to answer, is served in the slow one, which has places of its
own; and a post that takes long counts there from then on, whoever it is for.
"""

import random
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from uuid import UUID

FAST_PLACES, SLOW_PLACES, PLACES = 128, 64, 512
TENANT_PLACES, SLOW_PLACES_OF_A_TENANT = 64, 16
FAST_EACH, SLOW_EACH = 16, 4
LATE_SECONDS = 1.0

_MOST_REMEMBERED = 10_000


@dataclass(frozen=True, slots=True)
class Due:
    """An endpoint for which something is due."""

    subscription_id: UUID
    tenant_id: UUID
    failures: int


@dataclass(frozen=True, slots=True, eq=False)
class Post:
    """One that is under way."""

    subscription_id: UUID
    tenant_id: UUID
    slow: bool
    began: float


@dataclass(slots=True)
class _Endpoint:
    allowed: int = 1  # doubles with every success
    slow: bool = False
    posts: set[Post] = field(default_factory=set)


class Lanes:
    """Of one process. `plan` says who may be served now; each post begins and ends here."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._endpoints: dict[UUID, _Endpoint] = {}
        self._under_way: set[Post] = set()

    @property
    def under_way(self) -> int:
        """Posts that have begun and not ended."""
        return len(self._under_way)

    def plan(self, due: Sequence[Due]) -> dict[UUID, int]:
        """How many deliveries may be begun for each; those for whom there is no room are left out.

        In an order of chance, and with equal shares when there is less room than work.
        """
        late = self._clock() - LATE_SECONDS
        of_tenant = Counter(post.tenant_id for post in self._under_way)
        slow_of = Counter(post.tenant_id for post in self._under_way if self._is_slow(post, late))
        left = PLACES - len(self._under_way)
        fast_left = min(FAST_PLACES - (len(self._under_way) - slow_of.total()), left)
        # What a tenant has beyond its part (posts that became slow on their way) takes no places of others'.
        slow_left = min(SLOW_PLACES - sum(min(each, SLOW_PLACES_OF_A_TENANT) for each in slow_of.values()), left)
        plan: dict[UUID, int] = {}
        shuffled = random.sample(due, len(due))
        slow = [each for each in shuffled if self._in_the_slow_lane(each, late)]
        fast = [each for each in shuffled if not self._in_the_slow_lane(each, late)]
        for is_slow, lane, free in ((False, fast, fast_left), (True, slow, slow_left)):
            places, share = free, max(1, free // max(1, len(lane)))
            for each in lane:
                theirs = TENANT_PLACES - of_tenant[each.tenant_id]
                if is_slow:
                    theirs = min(theirs, SLOW_PLACES_OF_A_TENANT - slow_of[each.tenant_id])
                room = min(self._room(each, late), theirs, places, share)
                if room > 0:
                    plan[each.subscription_id] = room
                    of_tenant[each.tenant_id] += room
                    slow_of[each.tenant_id] += room if is_slow else 0
                    places -= room
        return plan

    def begin(self, due: Due) -> Post:
        """A post begins."""
        slow = self._in_the_slow_lane(due, self._clock() - LATE_SECONDS)
        post = Post(due.subscription_id, due.tenant_id, slow, self._clock())
        self._endpoint(due.subscription_id).posts.add(post)
        self._under_way.add(post)
        return post

    def end(self, post: Post, *, succeeded: bool) -> None:
        """A post ended."""
        self._under_way.discard(post)
        endpoint = self._endpoint(post.subscription_id)
        endpoint.posts.discard(post)
        endpoint.slow = self._clock() - post.began > LATE_SECONDS
        endpoint.allowed = min(endpoint.allowed * 2, FAST_EACH) if succeeded else 1

    def _room(self, due: Due, late: float) -> int:
        endpoint = self._endpoint(due.subscription_id)
        most = 1 if due.failures else endpoint.allowed
        if self._in_the_slow_lane(due, late):
            most = min(most, SLOW_EACH)
        return most - len(endpoint.posts)

    def _in_the_slow_lane(self, due: Due, late: float) -> bool:
        endpoint = self._endpoint(due.subscription_id)
        return due.failures > 0 or endpoint.slow or any(self._is_slow(post, late) for post in endpoint.posts)

    @staticmethod
    def _is_slow(post: Post, late: float) -> bool:
        return post.slow or post.began < late

    def _endpoint(self, subscription_id: UUID) -> _Endpoint:
        if len(self._endpoints) > _MOST_REMEMBERED:
            self._endpoints = {each: there for each, there in self._endpoints.items() if there.posts}
        return self._endpoints.setdefault(subscription_id, _Endpoint())
