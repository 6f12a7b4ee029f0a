"""Who may be served at once: nobody takes all of the places, least of all those who hang."""

from uuid import uuid4

import pytest

from lastro.webhooks.lanes import (
    FAST_EACH,
    FAST_PLACES,
    LATE_SECONDS,
    PLACES,
    SLOW_EACH,
    SLOW_PLACES,
    SLOW_PLACES_OF_A_TENANT,
    TENANT_PLACES,
    Due,
    Lanes,
    Post,
)


class Hands:
    """A clock that the test moves, and lanes by it."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.lanes = Lanes(lambda: self.now)

    def serve(self, *due: Due) -> list[Post]:
        """Begin all that may begin."""
        by_id = {each.subscription_id: each for each in due}
        return [
            self.lanes.begin(by_id[subscription_id])
            for subscription_id, room in self.lanes.plan(due).items()
            for _ in range(room)
        ]

    def succeed(self, due: Due, times: int = 10) -> None:
        for _ in range(times):
            self.lanes.end(self.lanes.begin(due), succeeded=True)


@pytest.fixture
def hands() -> Hands:
    return Hands()


def endpoint(*, failures: int = 0) -> Due:
    return Due(uuid4(), uuid4(), failures)


def test_an_endpoint_begins_with_one_and_earns_more(hands: Hands) -> None:
    one = endpoint()
    rooms = []
    for _ in range(6):
        posts = hands.serve(one)
        rooms.append(len(posts))
        for post in posts:
            hands.lanes.end(post, succeeded=True)
    assert rooms == [1, 2, 8, FAST_EACH, FAST_EACH, FAST_EACH]


def test_one_that_fails_is_asked_with_one(hands: Hands) -> None:
    one = endpoint()
    hands.succeed(one)
    assert hands.lanes.plan([one]) == {one.subscription_id: FAST_EACH}
    failing = Due(one.subscription_id, one.tenant_id, 1)
    assert hands.lanes.plan([failing]) == {one.subscription_id: 1}
    hands.lanes.end(hands.lanes.begin(one), succeeded=False)
    assert hands.lanes.plan([one]) == {one.subscription_id: 1}


def test_while_a_post_hangs_its_endpoint_gets_a_few_and_no_more(hands: Hands) -> None:
    one = endpoint()
    hands.succeed(one)
    assert len(hands.serve(one)) == FAST_EACH
    assert hands.serve(one) == []
    hands.now += LATE_SECONDS + 0.1
    assert hands.serve(one) == []


def test_an_endpoint_that_is_slow_to_answer_is_served_in_the_slow_lane(hands: Hands) -> None:
    one = endpoint()
    hands.succeed(one)
    post = hands.lanes.begin(one)
    hands.now += LATE_SECONDS + 0.1
    hands.lanes.end(post, succeeded=True)
    assert hands.lanes.plan([one]) == {one.subscription_id: SLOW_EACH}
    hands.succeed(one, 1)
    assert hands.lanes.plan([one]) == {one.subscription_id: FAST_EACH}


def test_however_many_endpoints_fail_they_take_places_of_their_own(hands: Hands) -> None:
    healthy = endpoint()
    hands.succeed(healthy)
    failing = [endpoint(failures=3) for _ in range(1000)]
    assert len(hands.serve(*failing)) == SLOW_PLACES
    assert hands.serve(*failing) == []
    assert len(hands.serve(healthy, *failing)) == FAST_EACH


def test_those_who_hang_give_the_fast_places_free_after_a_moment(hands: Hands) -> None:
    healthy = endpoint()
    hands.succeed(healthy)
    hanging = [endpoint() for _ in range(1000)]
    assert len(hands.serve(*hanging)) == FAST_PLACES
    assert hands.serve(healthy) == []
    hands.now += LATE_SECONDS + 0.1
    assert len(hands.serve(healthy)) == FAST_EACH
    for _ in range(20):
        hands.serve(*hanging)
        hands.now += LATE_SECONDS + 0.1
    assert hands.lanes.under_way == PLACES


def test_no_tenant_takes_all_places(hands: Hands) -> None:
    tenant_id = uuid4()
    many = [Due(uuid4(), tenant_id, 0) for _ in range(1000)]
    for _ in range(10):
        hands.serve(*many)
        hands.now += LATE_SECONDS + 0.1
    assert hands.lanes.under_way == TENANT_PLACES
    assert len(hands.serve(endpoint())) == 1


def test_with_little_room_everybody_gets_some(hands: Hands) -> None:
    many = [endpoint() for _ in range(FAST_PLACES)]
    for each in many:
        hands.succeed(each)
    plan = hands.lanes.plan(many)
    assert plan == {each.subscription_id: 1 for each in many}


def test_a_tenant_whose_endpoints_are_all_slow_leaves_slow_places_to_others(hands: Hands) -> None:
    tenant_id = uuid4()
    slow = [Due(uuid4(), tenant_id, 0) for _ in range(20)]
    for each in slow:
        hands.succeed(each)
    while hands.serve(*slow):
        hands.now += LATE_SECONDS + 0.1
    assert hands.lanes.under_way == TENANT_PLACES
    failing = endpoint(failures=1)
    assert len(hands.serve(failing, *slow)) == 1
    others = [endpoint(failures=1) for _ in range(1000)]
    assert len(hands.serve(*others)) == SLOW_PLACES - SLOW_PLACES_OF_A_TENANT - 1
