"""The feed: what is pushed, event by event, in one order that never changes, for those who come and ask."""

import json
import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import insert

from build import Answered, Tenant, World, until
from lastro.auth.caller import Caller
from lastro.auth.permissions import Permission
from lastro.errors import NotFound, Validation
from lastro.jsonapi.log import Looked
from lastro.subscribers.feed import places, resources, service
from lastro.subscribers.feed.resources import FeedQuery, Told
from lastro.webhooks.courier import Courier
from lastro.webhooks.models import EventRow
from lastro.wiring import Assembly
from pix.qrcodes.codes import a_receiver
from webhooks.newsroom import Newsroom, tell_all
from webhooks.receiver import Receiver, receiving, saying

EVERY_FIELD = {"type", "timestamp", "version", "data"}


def reader(room: Newsroom, *accounts: UUID) -> Caller:
    """Whoever reads the feed of the newsroom's tenant, or what of it is about these accounts."""
    bound_to = frozenset(accounts) or None
    return Caller(room.tenant_id, "test", frozenset(Permission), accounts=bound_to)


async def read(room: Newsroom, *, caller: Caller | None = None, **asked: Any) -> Looked[Told]:
    names = {"size": "page[size]", "after": "page[after]", "type": "filter[type]", "account_id": "filter[accountId]"}
    names |= {"date_from": "filter[dateFrom]", "date_to": "filter[dateTo]"}
    query = FeedQuery.model_validate({names[name]: str(value) for name, value in asked.items() if value is not None})
    async with room.bank.db.reading() as tx:
        return await service.read(tx, caller or reader(room), query)


async def read_all(room: Newsroom, *, size: int = 100, **asked: Any) -> list[UUID]:
    """Page after page, to the end."""
    ids: list[UUID] = []
    after, more = None, True
    while more:
        found = await read(room, size=size, after=after, **asked)
        ids += [each.id for each in found.rows]
        assert found.last != after or not found.has_next, "it stands still"
        after, more = found.last, found.has_next
    return ids


# Over HTTP, beside the push


async def pages(tenant: Tenant, path: str = "/events?page[size]=3") -> list[Answered]:
    """From the first to the last, along `links.next`."""
    found = [await tenant.get(path)]
    while found[-1].body["meta"]["hasNextPage"]:
        found.append(await tenant.get(found[-1].body["links"]["next"].removeprefix("/baas/api/v1")))
    return found


async def much_happens(tenant: Tenant) -> None:
    """News of many kinds."""
    shop = await a_receiver(tenant)
    await shop.account.receives("10.00", description="É isto")
    payment = await shop.account.pays(4.10)
    await shop.account.payment_becomes(payment.id, "COMPLETED")
    await tenant.world.simulate("POST", "/returns", {"endToEndId": payment.attributes["e2eId"], "amount": 1.10})
    (received,) = (await tenant.get("/pix/transfers")).data
    await tenant.post(f"/pix/transfers/{received['id']}/refund", "pix-refunds", {"amount": 0.30})
    code = await shop.code("DYNAMIC", amount=2.50)
    await tenant.world.simulate("POST", "/pix", {"qrCodeText": code.attributes["qrCodeText"]})
    await tenant.post(f"/accounts/{shop.account.id}/block")


EXPECTED = {
    "account.kyc.approved",
    "account.activated",
    "pix.key.registered",
    "pix.transfer.received",
    "pix.payment.completed",
    "pix.refund.received",
    "pix.refund.completed",
    "pix.qrcode.paid",
    "account.blocked",
}


async def test_the_feed_is_what_is_pushed_event_by_event(tenant: Tenant, stranger: Tenant) -> None:
    async with receiving(saying(200)) as endpoint:
        wanted = {"name": "Tudo", "endpointUrl": endpoint.url, "eventFilters": ["*"]}
        made = await tenant.post("/webhook-subscriptions", "webhook-subscriptions", wanted)
        assert made.status == 201, made.body
        await stranger.account()
        await much_happens(tenant)

        async def all_came() -> bool:
            types = {each["attributes"]["type"] for page in await pages(tenant) for each in page.data}
            return types >= EXPECTED and await pushed_all(tenant, endpoint)

        await until(all_came, seconds=20)
        pulled = [each for page in await pages(tenant) for each in page.data]
        raw = "".join(page.response.text for page in await pages(tenant))

    ids = [each["id"] for each in pulled]
    assert len(ids) == len(set(ids))
    assert set(ids) == set(endpoint.ids)
    bodies = {each.id: each.body for each in endpoint.received}
    for each in pulled:
        assert set(each["attributes"]) == EVERY_FIELD
        assert each["attributes"] == json.loads(bodies[each["id"]])
        assert f'"id":"{each["id"]}","attributes":{bodies[each["id"]].decode()}}}' in raw, "to the byte"
        alone = await tenant.get(f"/events/{each['id']}")
        assert alone.response.content == b'{"data":{"type":"events","id":"%s","attributes":%s}}' % (
            each["id"].encode(),
            bodies[each["id"]],
        )
        assert (await stranger.get(f"/events/{each['id']}")).status == 404
    theirs = {each["id"] for page in await pages(stranger) for each in page.data}
    assert theirs
    assert not theirs & set(ids)
    cursor = await tenant.get(f"/events?page[after]={theirs.pop()}")
    assert (cursor.status, cursor.pointers) == (400, ["page[after]"])


async def pushed_all(tenant: Tenant, endpoint: Receiver) -> bool:
    pulled = {each["id"] for page in await pages(tenant) for each in page.data}
    return pulled <= set(endpoint.ids)


async def test_versions_of_one_resource_count_up(tenant: Tenant) -> None:
    account = await tenant.account()
    for step in ("block", "unblock", "close"):
        await tenant.post(f"/accounts/{account.id}/{step}")

    async def steps() -> list[tuple[str, int]]:
        found = [each["attributes"] for page in await pages(tenant) for each in page.data]
        return [(each["type"], each["version"]) for each in found if each["data"]["type"] == "accounts"]

    async def all_there() -> bool:
        return len(await steps()) == 4

    await until(all_there)
    assert [kind for kind, _ in await steps()] == [
        "account.activated",
        "account.blocked",
        "account.unblocked",
        "account.closed",
    ]
    versions = [version for _, version in await steps()]
    assert versions == sorted(set(versions))


async def test_who_came_to_the_end_goes_on_where_he_was(tenant: Tenant) -> None:
    account = await tenant.account()

    async def is_there() -> bool:
        return "account.activated" in {each["attributes"]["type"] for each in (await tenant.get("/events")).data}

    await until(is_there)
    end = (await pages(tenant))[-1].body
    following = end["links"]["next"].removeprefix("/baas/api/v1")
    nothing = (await tenant.get(following)).body
    assert (nothing["data"], nothing["links"]["next"]) == ([], end["links"]["next"])
    assert nothing["meta"] == {
        "itemsPerPage": 3,
        "hasNextPage": False,
        "lastEventId": end["meta"]["lastEventId"],
    }

    await tenant.post(f"/accounts/{account.id}/block")

    async def more_came() -> bool:
        return [each["attributes"]["type"] for each in (await tenant.get(following)).data] == ["account.blocked"]

    await until(more_came)


@pytest.mark.parametrize(
    ("query", "pointer"),
    [
        ("page[number]=2", "page[number]"),
        ("filter[type]=pix.payment.lost", "filter[type]"),
        ("filter[type]=boleto.*", "filter[type]"),
        ("filter[dateFrom]=2026-01-02&filter[dateTo]=2026-01-01", "filter[dateTo]"),
        ("filter[dateTo]=tomorrow", "filter[dateTo]"),
        ("page[size]=101", "page[size]"),
        ("page[after]=x", "page[after]"),
        (f"page[after]={uuid4()}", "page[after]"),
        ("filter[other]=1", "filter[other]"),
    ],
)
async def test_what_the_feed_does_not_know_is_refused(tenant: Tenant, query: str, pointer: str) -> None:
    refused = await tenant.get(f"/events?{query}")
    assert (refused.status, refused.pointers) == (400, [pointer])


async def test_an_empty_feed_can_be_polled(world: World) -> None:
    tenant = await world.tenant("silent")
    empty = (await tenant.get("/events")).body
    assert (empty["data"], empty["meta"]["lastEventId"]) == ([], None)
    assert re.fullmatch(r"/baas/api/v1/events\?page\[size\]=20", empty["links"]["next"])


# On a bank where nobody tells anything but the test


@pytest.mark.parametrize("size", [1, 3, 7, 100])
async def test_the_pages_together_are_all_of_it_in_its_order(newsroom: Newsroom, courier: Courier, size: int) -> None:
    for n in (5, 1, 9):
        await newsroom.happens(n)
        await tell_all(courier)
    assert await read_all(newsroom, size=size) == await newsroom.feed()
    assert len(await newsroom.feed()) == 15


async def test_what_is_committed_late_is_not_passed_by(newsroom: Newsroom, courier: Courier) -> None:
    rows = [newsroom._event("account.closed", newsroom.bank.now()) for _ in range(2)]
    late = [row["id"] for row in rows]
    async with newsroom.bank.db.transaction() as tx:
        await tx.execute(insert(EventRow), rows)
        (early,) = await newsroom.happens()
        await tell_all(courier)
        seen = await read(newsroom)
        assert [each.id for each in seen.rows] == [early]
    await tell_all(courier)

    assert max(late) < early
    assert {each.id for each in (await read(newsroom, after=seen.last)).rows} == set(late)
    for wanted in (None, "*"):
        assert await read_all(newsroom, type=wanted, size=1) == await newsroom.feed() == [early, *sorted(late)]


async def test_types_are_found_and_only_they(newsroom: Newsroom, courier: Courier) -> None:
    kinds = ["pix.payment.completed", "account.closed", "pix.payment.failed", "pix.key.removed"]
    ids = {kind: (await newsroom.happens(2, kind)) for kind in kinds}
    await tell_all(courier)

    async def found(wanted: str) -> set[UUID]:
        return set(await read_all(newsroom, type=wanted, size=1))

    assert await found("account.closed") == {*ids["account.closed"]}
    assert await found("pix.payment.*") == {*ids["pix.payment.completed"], *ids["pix.payment.failed"]}
    assert await found("pix.*") == {each for kind in kinds if kind.startswith("pix") for each in ids[kind]}
    assert await found("*") == {each for kind in kinds for each in ids[kind]}


async def test_a_look_is_bounded_and_goes_on(
    newsroom: Newsroom, courier: Courier, monkeypatch: pytest.MonkeyPatch
) -> None:
    await newsroom.happens(25)
    (wanted,) = await newsroom.happens(kind="account.closed")
    await tell_all(courier)
    monkeypatch.setattr(places, "LOOKED_AT_ONCE", 10)

    first = await read(newsroom, type="account.*", size=5)
    assert (first.rows, first.has_next) == ([], True)
    assert await read_all(newsroom, type="account.*", size=5) == [wanted]


async def test_days_cut_the_feed(newsroom: Newsroom, courier: Courier) -> None:
    """A day is São Paulo's: it begins at three in the morning, UTC."""
    first = datetime(2026, 3, 10, 2, 59, 59, tzinfo=UTC)
    moments = [first, first + timedelta(seconds=1), first + timedelta(days=1), first + timedelta(days=1, seconds=1)]
    made = [(await newsroom.happens(created_at=moment))[0] for moment in moments]
    await tell_all(courier)

    assert await read_all(newsroom, date_from="2026-03-10", size=1) == made[1:]
    assert await read_all(newsroom, date_to="2026-03-10", size=1) == made[:3]
    assert await read_all(newsroom, date_from="2026-03-10", date_to="2026-03-10", size=1) == made[1:3]
    assert await read_all(newsroom, date_from="2026-03-12") == []
    assert await read_all(newsroom, date_to="2026-03-08") == []


async def test_what_lies_out_of_its_time_in_the_feed_is_found_by_its_day(newsroom: Newsroom, courier: Courier) -> None:
    """A transaction that took minutes is told after what happened later."""
    midnight = datetime(2026, 3, 10, 3, tzinfo=UTC)
    (early,) = await newsroom.happens(created_at=midnight + timedelta(minutes=1))
    await tell_all(courier)
    (late,) = await newsroom.happens(created_at=midnight - timedelta(minutes=1))
    await tell_all(courier)

    assert await read_all(newsroom, date_from="2026-03-10") == [early]
    assert await read_all(newsroom, date_to="2026-03-09") == [late]


async def test_a_bound_token_reads_of_its_accounts_alone(newsroom: Newsroom, courier: Courier) -> None:
    rooms = [newsroom, *(replace(newsroom, account_id=uuid4()) for _ in range(2))]
    ids = [(await room.happens(3)) for room in rooms for _ in range(2)]
    await tell_all(courier)
    of = [{*ids[2 * n], *ids[2 * n + 1]} for n in range(3)]
    accounts = [room.account_id for room in rooms]
    bound = reader(newsroom, *accounts[:2])

    order = [each for each in await newsroom.feed() if each in of[0] | of[1]]
    assert await read_all(newsroom, caller=bound, size=2) == order
    assert set(await read_all(newsroom, caller=bound, account_id=accounts[1])) == of[1]
    assert await read_all(newsroom, caller=bound, account_id=accounts[2]) == []
    assert set(await read_all(newsroom, account_id=accounts[2])) == of[2]
    foreign = of[2].pop()
    with pytest.raises(Validation):
        await read(newsroom, caller=bound, after=foreign)
    async with newsroom.bank.db.reading() as tx:
        with pytest.raises(NotFound):
            await service.get(tx, bound, foreign)


async def test_another_tenants_account_is_an_account_without_news(
    newsroom: Newsroom, courier: Courier, quiet: Assembly
) -> None:
    other = await Newsroom.open(quiet.bank)
    await other.happens(2)
    await tell_all(courier)

    assert await read_all(newsroom, account_id=other.account_id) == []
    assert await read_all(newsroom, caller=reader(newsroom, other.account_id)) == []


def test_a_body_passes_as_it_is() -> None:
    """Not a digit is read and written again."""
    body = '{"type":"x","data":{"amount":1.10,"note":"\\u00e9 é","n":12345678901234567890}}'.encode()
    told = Told(uuid4(), body)
    assert body in resources.document(told)
    assert body in resources.feed(Looked([told], told.id, has_next=False), FeedQuery())
