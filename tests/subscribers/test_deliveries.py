"""What was told to whom: newest first, with each attempt, and once more when somebody asks for it."""

from typing import Any
from uuid import UUID, uuid4

import pytest

from build import Answered, Tenant, until
from lastro.auth.caller import Caller
from lastro.auth.permissions import Permission
from lastro.errors import NotFound
from lastro.subscribers.deliveries import logbook, service
from lastro.subscribers.deliveries.resources import DeliveryQuery
from lastro.webhooks.courier import Courier
from lastro.webhooks.models import DeliveryStatus
from webhooks.newsroom import Newsroom, Subscribed, bring_all, tell_all
from webhooks.receiver import Receiver, receiving, saying

PATH = "/webhook-deliveries"
QUICK = {"maxRetries": 0, "retryBackoffMs": 1_000, "retryBackoffMultiplier": 1}


async def subscribe(tenant: Tenant, url: str, *filters: str, **more: Any) -> Answered:
    attributes = {"name": "x", "endpointUrl": url, "eventFilters": list(filters) or ["*"]} | more
    made = await tenant.post("/webhook-subscriptions", "webhook-subscriptions", attributes)
    assert made.status == 201, made.body
    return made


async def ended(tenant: Tenant, subscription: Answered, n: int) -> list[Any]:
    """Its deliveries, once there are so many and none is under way."""
    query = f"{PATH}?filter[subscriptionId]={subscription.id}&page[size]=100"

    async def are_there() -> bool:
        found = (await tenant.get(query)).data
        return len(found) == n and all(each["attributes"]["status"] != "PENDING" for each in found)

    await until(are_there)
    return list((await tenant.get(query)).data)


async def test_a_delivery_shows_how_it_went_and_can_be_made_again(tenant: Tenant) -> None:
    async with receiving(saying(500)) as endpoint:
        made = await subscribe(tenant, endpoint.url, "account.blocked", retryConfig=QUICK)
        account = await tenant.account()
        await tenant.post(f"/accounts/{account.id}/block")
        (dead,) = await ended(tenant, made, 1)

        event_id = dead["attributes"]["eventId"]
        assert dead["attributes"] == {
            "subscriptionId": made.id,
            "eventId": event_id,
            "eventType": "account.blocked",
            "accountId": account.id,
            "status": "DEAD",
            "attempts": 1,
            "responseStatus": 500,
            "nextAttemptAt": None,
            "deliveredAt": None,
            "createdAt": dead["attributes"]["createdAt"],
        }
        assert (await tenant.get(f"{PATH}/{dead['id']}")).data == dead
        endpoint.behaviour = saying(204)
        again = await tenant.post(f"{PATH}/{dead['id']}/replay")
        assert again.status == 200
        assert (again.id, again.attributes["status"]) == (dead["id"], "PENDING")
        assert again.attributes["nextAttemptAt"] is not None
        (delivered,) = await ended(tenant, made, 1)
        attempts = (await tenant.get(f"{PATH}/{dead['id']}/attempts")).data

    assert (delivered["id"], delivered["attributes"]["status"]) == (dead["id"], "DELIVERED")
    assert delivered["attributes"]["deliveredAt"] is not None
    assert endpoint.ids == [event_id] * 2
    assert [each["type"] for each in attempts] == ["webhook-attempts"] * 2
    facts = [{**each["attributes"], "startedAt": None, "durationMs": None} for each in attempts]
    assert [(each["number"], each["responseStatus"], each["error"]) for each in facts] == [
        (2, 204, None),
        (1, 500, None),
    ]


async def test_deliveries_to_a_deleted_subscription_are_canceled_and_stay_to_be_seen(tenant: Tenant) -> None:
    async with receiving(saying(500)) as endpoint:
        made = await subscribe(tenant, endpoint.url, "account.blocked")
        account = await tenant.account()
        await tenant.post(f"/accounts/{account.id}/block")

        async def was_tried() -> bool:
            return [each["attributes"]["attempts"] for each in (await tenant.get(PATH)).data] == [1]

        await until(was_tried)
        assert (await tenant.call("DELETE", f"/webhook-subscriptions/{made.id}")).status == 204
        (canceled,) = (await tenant.get(PATH)).data

    assert canceled["attributes"]["status"] == "CANCELED"
    refused = await tenant.post(f"{PATH}/{canceled['id']}/replay")
    assert refused.status == 409


async def test_a_stranger_sees_nothing_of_it(tenant: Tenant, stranger: Tenant) -> None:
    async with receiving(saying(200)) as endpoint:
        made = await subscribe(tenant, endpoint.url, "account.activated")
        await tenant.account()
        (delivery,) = await ended(tenant, made, 1)

    for name in ("subscriptionId", "eventId"):
        assert (await stranger.get(f"{PATH}?filter[{name}]={delivery['attributes'][name]}")).data == []
    assert (await stranger.get(PATH)).data == []
    assert (await stranger.get(f"{PATH}?page[after]={delivery['id']}")).status == 400
    for path in (f"{PATH}/{delivery['id']}", f"{PATH}/{delivery['id']}/attempts"):
        assert (await stranger.get(path)).status == 404
    assert (await stranger.post(f"{PATH}/{delivery['id']}/replay")).status == 404


@pytest.mark.parametrize(
    ("query", "pointer"),
    [
        ("filter[status]=LOST", "filter[status]"),
        ("filter[eventType]=pix.nothing", "filter[eventType]"),
        ("filter[subscriptionId]=x", "filter[subscriptionId]"),
        ("page[number]=1", "page[number]"),
        (f"page[after]={uuid4()}", "page[after]"),
    ],
)
async def test_what_the_log_does_not_know_is_refused(tenant: Tenant, query: str, pointer: str) -> None:
    refused = await tenant.get(f"{PATH}?{query}")
    assert (refused.status, refused.pointers) == (400, [pointer])


# On a bank where nobody tells anything but the test


async def read_all(room: Newsroom, *, size: int = 2, caller: Caller | None = None, **asked: Any) -> list[UUID]:
    """Ids of the deliveries, page after page."""
    names = {"subscription": "filter[subscriptionId]", "event": "filter[eventId]", "status": "filter[status]"}
    names |= {"type": "filter[eventType]"}
    wanted = {names[name]: str(value) for name, value in asked.items()} | {"page[size]": str(size)}
    caller = caller or Caller(room.tenant_id, "test", frozenset(Permission))
    ids: list[UUID] = []
    cursor: dict[str, str] = {}
    more = True
    while more:
        async with room.bank.db.reading() as tx:
            found = await service.search(tx, caller, DeliveryQuery.model_validate(wanted | cursor))
        ids += [each.id for each in found.rows]
        cursor, more = {"page[after]": str(found.last)}, found.has_next
    return ids


async def two_subscriptions(room: Newsroom, courier: Courier, endpoint: Receiver) -> tuple[Subscribed, Subscribed]:
    """Five deliveries to one, three to the other."""
    one = await room.subscribe(endpoint.url)
    other = await room.subscribe(endpoint.url, "account.*")
    await room.happens(2)
    await room.happens(3, "account.closed")
    await tell_all(courier)
    return one, other


async def ids_of(*subscribed: Subscribed) -> list[UUID]:
    """Of all their deliveries, newest first."""
    return sorted([row["id"] for each in subscribed for row in await each.deliveries()], reverse=True)


async def test_the_pages_together_are_all_newest_first(newsroom: Newsroom, courier: Courier) -> None:
    async with receiving(saying(200)) as endpoint:
        one, other = await two_subscriptions(newsroom, courier, endpoint)
        for size in (1, 3, 8, 100):
            assert await read_all(newsroom, size=size) == await ids_of(one, other)
        assert await read_all(newsroom, subscription=other.id) == await ids_of(other)
        assert await read_all(newsroom, subscription=uuid4()) == []


async def test_each_filter_finds_its_own(newsroom: Newsroom, courier: Courier, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logbook, "LOOKED_AT_ONCE", 4)
    async with receiving(saying(200)) as endpoint:
        one, other = await two_subscriptions(newsroom, courier, endpoint)
        await bring_all(courier)
        await other.change_deliveries(status=DeliveryStatus.DEAD)
    of_one = await one.deliveries()

    assert await read_all(newsroom, status="DELIVERED") == await ids_of(one)
    assert await read_all(newsroom, status="DEAD") == await ids_of(other)
    assert await read_all(newsroom, status="PENDING") == []
    assert len(await read_all(newsroom, event=of_one[-1]["event_id"])) == 2
    assert len(await read_all(newsroom, event=of_one[0]["event_id"])) == 1
    received = sorted((row["id"] for row in of_one if row["event_type"] == "pix.transfer.received"), reverse=True)
    assert await read_all(newsroom, type="pix.*", size=1) == received
    assert await read_all(newsroom, type="account.closed", subscription=other.id) == await ids_of(other)


async def test_a_bound_token_sees_deliveries_of_what_it_may_see(newsroom: Newsroom, courier: Courier) -> None:
    async with receiving(saying(200)) as endpoint:
        of_all = await newsroom.subscribe(endpoint.url)
        of_one = await newsroom.subscribe(endpoint.url, account_ids=[newsroom.account_id])
        await newsroom.happens()
        await tell_all(courier)
    bound = Caller(newsroom.tenant_id, "b", frozenset(Permission), accounts=frozenset({newsroom.account_id}))

    assert await read_all(newsroom, caller=bound) == await ids_of(of_one)
    (hidden,) = await ids_of(of_all)
    async with newsroom.bank.db.reading() as tx:
        with pytest.raises(NotFound):
            await service.get(tx, bound, hidden)
