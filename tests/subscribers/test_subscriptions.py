"""Subscriptions to the news: made, changed, paused, tried out, given a new secret, deleted."""

import asyncio
import base64
import json
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import text, update
from standardwebhooks import Webhook, WebhookVerificationError

from build import Answered, Tenant, World
from lastro.auth.caller import Caller
from lastro.auth.permissions import Permission
from lastro.errors import NotFound
from lastro.subscribers.subscriptions import service
from lastro.subscribers.subscriptions.order import Wanted
from lastro.subscribers.subscriptions.trying import MOST_OF_ONE_TENANT
from lastro.webhooks.models import Subscription, SubscriptionSecret, SubscriptionStatus
from webhooks.receiver import Receiver, hanging, receiving, saying

PATH, KIND = "/webhook-subscriptions", "webhook-subscriptions"
PUBLIC = "https://hooks.loja.example/lastro"
NEVER = "pix.payment.reversed"  # here: nobody is asked who that host is


@pytest.fixture
async def endpoint() -> AsyncIterator[Receiver]:
    async with receiving(saying(200)) as there:
        yield there


async def subscribe(tenant: Tenant, url: str = PUBLIC, *, headers: Any = None, **changes: Any) -> Answered:
    """Ask for a subscription to what does not happen."""
    attributes = {"name": "Pedidos", "endpointUrl": url, "eventFilters": [NEVER]} | changes
    return await tenant.post(PATH, KIND, attributes, headers=headers)


async def change(tenant: Tenant, made: Answered, **attributes: Any) -> Answered:
    return await tenant.patch(f"{PATH}/{made.id}", KIND, attributes)


async def rows(world: World, query: str, **facts: Any) -> list[Any]:
    async with world.bank.db.transaction() as tx:
        return list((await tx.execute(text(query), facts)).all())


# Making one


async def test_a_subscription_shows_its_secret_once(tenant: Tenant) -> None:
    made = await subscribe(tenant, customHeaders={"X-Origem": "segredo-do-cliente"})

    assert made.status == 201, made.body
    assert made.attributes == {
        "name": "Pedidos",
        "endpointUrl": PUBLIC,
        "eventFilters": [NEVER],
        "accountIds": None,
        "customHeaders": {"X-Origem": "***"},
        "timeoutMs": 10_000,
        "retryConfig": {"maxRetries": 16, "retryBackoffMs": 5000, "retryBackoffMultiplier": 2.5},
        "status": "ACTIVE",
        "disabledReason": None,
        "failingSince": None,
        "createdAt": made.attributes["createdAt"],
        "updatedAt": made.attributes["createdAt"],
        "secret": made.attributes["secret"],
    }
    prefix, _, secret = made.attributes["secret"].partition("_")
    assert (prefix, len(base64.b64decode(secret))) == ("whsec", 32)
    shown = await tenant.get(f"{PATH}/{made.id}")
    assert shown.attributes == {name: value for name, value in made.attributes.items() if name != "secret"}
    assert (await tenant.get(PATH)).data == [shown.data]


async def test_a_repetition_makes_nothing_and_does_not_tell_the_secret(tenant: Tenant) -> None:
    headers = {"idempotency-key": str(uuid4())}

    first = await subscribe(tenant, headers=headers)
    again = await subscribe(tenant, headers=headers)

    assert (again.status, again.id) == (201, first.id)
    assert again.response.headers["idempotency-replayed"] == "true"
    assert again.attributes == first.attributes | {"secret": None}
    assert (await tenant.get(PATH)).body["meta"]["totalItems"] == 1


async def test_neither_secret_nor_headers_lie_in_the_database_in_the_clear(tenant: Tenant, world: World) -> None:
    password = f"senha-{uuid4().hex}"
    keyed = {"idempotency-key": str(uuid4())}
    made = await subscribe(tenant, customHeaders={"Authorization": password}, headers=keyed)
    rotated = await tenant.post(f"{PATH}/{made.id}/rotate-secret", headers=keyed)

    secrets = [made.attributes["secret"], rotated.attributes["secret"]]
    for table in ("webhook_subscriptions", "webhook_secrets", "idempotency"):
        for each in (password, *secrets):
            forms = {"plain": each, "bytes": each.encode().hex(), "bare": each.removeprefix("whsec_")}
            for form in forms.values():
                found = await rows(world, f"SELECT 1 FROM {table} t WHERE t::text LIKE '%' || :form || '%'", form=form)
                assert not found, table


@pytest.mark.parametrize(
    ("attributes", "pointers"),
    [
        ({"endpointUrl": "http://hooks.empresa.com.br/"}, ["/data/attributes/endpointUrl"]),
        ({"endpointUrl": "https://10.0.0.1/"}, ["/data/attributes/endpointUrl"]),
        ({"endpointUrl": "https://a:b@empresa.com.br/"}, ["/data/attributes/endpointUrl"]),
        ({"endpointUrl": None}, ["/data/attributes/endpointUrl"]),
        ({"eventFilters": []}, ["/data/attributes/eventFilters"]),
        ({"eventFilters": ["pix.*"] * 51}, ["/data/attributes/eventFilters"]),
        ({"eventFilters": ["pix.*", "pix.payment.lost"]}, ["/data/attributes/eventFilters/1"]),
        ({"eventFilters": ["boleto.*"]}, ["/data/attributes/eventFilters/0"]),
        ({"eventFilters": ["pix*"]}, ["/data/attributes/eventFilters/0"]),
        ({"eventFilters": [7]}, ["/data/attributes/eventFilters/0"]),
        ({"name": " "}, ["/data/attributes/name"]),
        ({"name": "a\nb"}, ["/data/attributes/name"]),
        ({"accountIds": []}, ["/data/attributes/accountIds"]),
        ({"accountIds": ["x"]}, ["/data/attributes/accountIds/0"]),
        ({"timeoutMs": 999}, ["/data/attributes/timeoutMs"]),
        ({"timeoutMs": 30_001}, ["/data/attributes/timeoutMs"]),
        ({"timeoutMs": 10_000.5}, ["/data/attributes/timeoutMs"]),
        ({"retryConfig": {"maxRetries": 21}}, ["/data/attributes/retryConfig/maxRetries"]),
        ({"retryConfig": {"retryBackoffMs": 999}}, ["/data/attributes/retryConfig/retryBackoffMs"]),
        ({"retryConfig": {"retryBackoffMultiplier": 5.1}}, ["/data/attributes/retryConfig/retryBackoffMultiplier"]),
        ({"retryConfig": {"retryBackoffMultiplier": True}}, ["/data/attributes/retryConfig/retryBackoffMultiplier"]),
        ({"retryConfig": {"other": 1}}, ["/data/attributes/retryConfig/other"]),
        ({"customHeaders": {"Host": "x"}}, ["/data/attributes/customHeaders"]),
        ({"customHeaders": {"Content-Type": "x"}}, ["/data/attributes/customHeaders"]),
        ({"customHeaders": {"Webhook-Signature": "x"}}, ["/data/attributes/customHeaders"]),
        ({"customHeaders": {"X-A": "a\r\nX-B: b"}}, ["/data/attributes/customHeaders"]),
        ({"customHeaders": {"X A": "x"}}, ["/data/attributes/customHeaders"]),
        ({"customHeaders": {"X-A": "x", "x-a": "y"}}, ["/data/attributes/customHeaders"]),
        ({"customHeaders": {"X-A": 1}}, ["/data/attributes/customHeaders"]),
        ({"customHeaders": {f"X-{n}": "x" for n in range(21)}}, ["/data/attributes/customHeaders"]),
        ({"customHeaders": {"X-A": "***"}}, ["/data/attributes/customHeaders/X-A"]),
        ({"secret": "whsec_mine"}, ["/data/attributes/secret"]),
    ],
)
async def test_what_is_wrong_is_told_where_it_is(tenant: Tenant, attributes: Any, pointers: list[str]) -> None:
    refused = await subscribe(tenant, **attributes)

    assert (refused.status, refused.code) == (400, "VALIDATION"), refused.body
    assert refused.pointers == pointers


async def test_a_tenant_has_twenty_at_most_however_many_ask_at_once(tenant: Tenant) -> None:
    answers = await asyncio.gather(*(subscribe(tenant) for _ in range(22)))

    assert sorted(each.status for each in answers) == [201] * 20 + [409] * 2
    made = next(each for each in answers if each.status == 201)
    assert (await tenant.call("DELETE", f"{PATH}/{made.id}")).status == 204
    assert (await subscribe(tenant)).status == 201


async def test_only_own_accounts_can_be_named(tenant: Tenant, stranger: Tenant) -> None:
    own, theirs = await tenant.account(), await stranger.account()

    for strange in (theirs.id, str(uuid4())):
        refused = await subscribe(tenant, accountIds=[own.id, strange])
        assert (refused.status, refused.pointers) == (404, ["/data/attributes/accountIds/1"])

    assert (await subscribe(tenant, accountIds=[own.id])).attributes["accountIds"] == [own.id]


# Changing it


async def test_what_is_changed_is_changed_and_nothing_else(tenant: Tenant) -> None:
    made, account = await subscribe(tenant, customHeaders={"X-A": "1", "X-B": "2"}), await tenant.account()

    changed = await change(
        tenant,
        made,
        name="Outro",
        eventFilters=["pix.refund.*", "account.closed", "pix.refund.*"],
        accountIds=[account.id],
        retryConfig={"maxRetries": 3},
    )

    assert changed.status == 200, changed.body
    before = {name: value for name, value in made.attributes.items() if name != "secret"}
    assert changed.attributes == before | {
        "name": "Outro",
        "eventFilters": ["pix.refund.*", "account.closed"],
        "accountIds": [account.id],
        "retryConfig": {"maxRetries": 3, "retryBackoffMs": 5000, "retryBackoffMultiplier": 2.5},
        "updatedAt": changed.attributes["updatedAt"],
    }
    assert (await change(tenant, made, accountIds=None)).attributes["accountIds"] is None


async def test_what_was_read_can_be_sent_back(tenant: Tenant, world: World) -> None:
    made = await subscribe(tenant, customHeaders={"X-A": "um", "X-B": "dois"})

    changed = await change(tenant, made, customHeaders={"x-a": "***", "X-C": "tres"})

    assert changed.attributes["customHeaders"] == {"x-a": "***", "X-C": "***"}
    async with world.bank.db.transaction() as tx:
        kept = await tx.get_one(Subscription, UUID(made.id))
    assert service.opened_headers(world.bank.key_ring, kept) == {"x-a": "um", "X-C": "tres"}


@pytest.mark.parametrize("attributes", [{}, {"name": None}, {"eventFilters": None}, {"customHeaders": None}])
async def test_a_change_of_nothing_or_to_nothing_is_refused(tenant: Tenant, attributes: Any) -> None:
    made = await subscribe(tenant)
    assert (await change(tenant, made, **attributes)).status == 400


async def test_a_change_to_a_bad_address_changes_nothing(tenant: Tenant) -> None:
    made = await subscribe(tenant)
    refused = await change(tenant, made, name="Outro", endpointUrl="https://127.0.0.1/")
    assert (refused.status, refused.pointers) == (400, ["/data/attributes/endpointUrl"])
    assert (await tenant.get(f"{PATH}/{made.id}")).attributes["name"] == "Pedidos"


# Its life


async def fails(world: World, made: Answered, **facts: Any) -> None:
    """The endpoint has failed for some time."""
    values = {"failures": 9, "failing_since": world.bank.now(), "resting_until": world.bank.now()} | facts
    async with world.bank.db.transaction() as tx:
        await tx.execute(update(Subscription).where(Subscription.id == UUID(made.id)).values(**values))


async def test_it_can_be_paused_and_resumed(tenant: Tenant) -> None:
    made = await subscribe(tenant)

    statuses = [
        (await tenant.post(f"{PATH}/{made.id}/{step}")).attributes["status"]
        for step in ("pause", "pause", "resume", "resume")
    ]

    assert statuses == ["PAUSED", "PAUSED", "ACTIVE", "ACTIVE"]
    await tenant.post(f"{PATH}/{made.id}/pause")
    assert (await tenant.get(f"{PATH}?filter[status]=PAUSED")).body["meta"]["totalItems"] == 1
    assert (await tenant.get(f"{PATH}?filter[status]=ACTIVE")).body["meta"]["totalItems"] == 0


async def test_one_that_we_disabled_is_revived_by_resume_alone(tenant: Tenant, world: World) -> None:
    made = await subscribe(tenant)
    await fails(world, made, status=SubscriptionStatus.DISABLED, disabled_reason="410 Gone")

    assert (await tenant.post(f"{PATH}/{made.id}/pause")).status == 409
    revived = (await tenant.post(f"{PATH}/{made.id}/resume")).attributes

    assert (revived["status"], revived["disabledReason"], revived["failingSince"]) == ("ACTIVE", None, None)
    query = "SELECT failures, resting_until FROM webhook_subscriptions WHERE id = :id"
    assert await rows(world, query, id=UUID(made.id)) == [(0, None)]


async def test_another_address_is_not_blamed_for_the_one_before(tenant: Tenant, world: World) -> None:
    made = await subscribe(tenant)
    await fails(world, made)

    assert (await change(tenant, made, name="Outro")).attributes["failingSince"] is not None
    assert (await change(tenant, made, endpointUrl=f"{PUBLIC}/2")).attributes["failingSince"] is None


async def test_a_deleted_one_is_gone_for_every_route(tenant: Tenant) -> None:
    made = await subscribe(tenant)
    path = f"{PATH}/{made.id}"

    assert (await tenant.call("DELETE", path)).status == 204

    assert (await tenant.call("DELETE", path)).status == 404
    assert (await tenant.get(path)).status == 404
    assert (await change(tenant, made, name="x")).status == 404
    for step in ("pause", "resume", "rotate-secret", "test"):
        assert (await tenant.post(f"{path}/{step}")).status == 404
    again = await tenant.post(f"{path}/replay", "webhook-replays", {"from": "2026-01-01T00:00:00Z"})
    assert again.status == 404
    assert (await tenant.get(PATH)).data == []


# Its secrets


async def test_a_new_secret_signs_beside_the_old_one_and_no_third(tenant: Tenant, endpoint: Receiver) -> None:
    made = await subscribe(tenant, endpoint.url)
    path = f"{PATH}/{made.id}"
    secrets = [made.attributes["secret"]]
    signed_by = []
    for _ in range(3):
        secrets.append((await tenant.post(f"{path}/rotate-secret")).attributes["secret"])
        assert (await tenant.post(f"{path}/test")).attributes["delivered"]
        signed_by.append([verifies(secret, endpoint) for secret in secrets])

    assert signed_by == [[True, True], [False, True, True], [False, False, True, True]]
    assert len(set(secrets)) == 4


async def test_the_old_secret_signs_for_a_day_more(tenant: Tenant, world: World) -> None:
    made, other = await subscribe(tenant), await subscribe(tenant)
    await tenant.post(f"{PATH}/{made.id}/rotate-secret")

    query = "SELECT created_at, expires_at FROM webhook_secrets WHERE subscription_id = :id ORDER BY created_at"
    old, new = await rows(world, query, id=UUID(made.id))

    assert old.expires_at - new.created_at == timedelta(hours=24)
    assert new.expires_at is None
    (untouched,) = await rows(world, query, id=UUID(other.id))
    assert untouched.expires_at is None, "of another subscription"


def verifies(secret: str, endpoint: Receiver) -> bool:
    """Whether a library that is not ours takes the last post for ours."""
    post = endpoint.received[-1]
    try:
        Webhook(secret).verify(post.body, post.headers)
    except WebhookVerificationError:
        return False
    return True


# Trying it out


async def test_a_trial_is_a_signed_event_and_nothing_is_written(
    tenant: Tenant, endpoint: Receiver, world: World
) -> None:
    made = await subscribe(tenant, endpoint.url, customHeaders={"X-Origem": "lastro"})
    count = "SELECT count(*) FROM webhook_deliveries WHERE subscription_id = :id"

    answered = await tenant.post(f"{PATH}/{made.id}/test")

    assert answered.status == 200, answered.body
    assert answered.data["type"] == "webhook-tests"
    assert answered.attributes | {"durationMs": 0} == {
        "delivered": True,
        "responseStatus": 200,
        "durationMs": 0,
        "error": None,
    }
    (post,) = endpoint.received
    assert verifies(made.attributes["secret"], endpoint)
    assert post.headers["x-origem"] == "lastro"
    body = json.loads(post.body)
    shown = (await tenant.get(f"{PATH}/{made.id}")).data
    assert (body["type"], body["version"], body["data"]) == ("webhook.test", 1, shown)
    assert "segredo" not in post.body.decode()
    assert await rows(world, count, id=UUID(made.id)) == [(0,)]
    await tenant.post(f"{PATH}/{made.id}/test")
    assert endpoint.received[0].id != endpoint.received[1].id


async def test_a_trial_of_an_endpoint_that_fails_says_so(tenant: Tenant, endpoint: Receiver) -> None:
    made = await subscribe(tenant, endpoint.url, timeoutMs=1_000)

    endpoint.behaviour = saying(500)
    failed = (await tenant.post(f"{PATH}/{made.id}/test")).attributes
    endpoint.behaviour = hanging
    silent = (await tenant.post(f"{PATH}/{made.id}/test")).attributes

    assert (failed["delivered"], failed["responseStatus"], failed["error"]) == (False, 500, None)
    assert (silent["delivered"], silent["responseStatus"], silent["error"]) == (False, None, "TIMEOUT")
    assert 900 <= silent["durationMs"] < 10_000


async def test_a_paused_one_can_be_tried_out(tenant: Tenant, endpoint: Receiver) -> None:
    made = await subscribe(tenant, endpoint.url)
    await tenant.post(f"{PATH}/{made.id}/pause")
    assert (await tenant.post(f"{PATH}/{made.id}/test")).attributes["delivered"]


# Tokens that are bound to accounts


async def test_a_bound_token_sees_and_makes_what_tells_of_its_accounts_alone(tenant: Tenant, world: World) -> None:
    mine, other = UUID((await tenant.account()).id), UUID((await tenant.account()).id)
    bound = Caller(tenant.id, "bound", frozenset(Permission), accounts=frozenset({mine}))
    whole = Caller(tenant.id, "whole", frozenset(Permission))
    wanted = Wanted("a", PUBLIC, ["*"], None, {}, 10_000, {})

    async def made(caller: Caller, *account_ids: UUID) -> UUID:
        order = replace(wanted, account_ids=list(account_ids) or None)
        answer = await service.create(world.bank, caller, order, None)
        return UUID(json.loads(answer.body)["data"]["id"])

    of_all, of_both, of_other = await made(whole), await made(whole, mine, other), await made(whole, other)
    by_default, of_mine = await made(bound), await made(whole, mine)
    with pytest.raises(NotFound):
        await made(bound, other)

    async with world.bank.db.transaction() as tx:
        assert (await service.get(tx, bound, by_default)).account_ids == [mine]
        assert (await service.get(tx, bound, of_mine)).account_ids == [mine]
        for each in (of_all, of_both, of_other):
            assert (await service.get(tx, whole, each)).id == each
            with pytest.raises(NotFound):
                await service.get(tx, bound, each)


async def test_a_tenant_tries_out_few_at_once_however_long_they_hang(tenant: Tenant, stranger: Tenant) -> None:
    async with receiving(hanging) as there:
        made = await subscribe(tenant, there.url, timeoutMs=2_000)
        tried = await asyncio.gather(*(tenant.post(f"{PATH}/{made.id}/test") for _ in range(MOST_OF_ONE_TENANT + 2)))
        others = await subscribe(stranger, there.url, timeoutMs=1_000)
        assert (await stranger.post(f"{PATH}/{others.id}/test")).status == 200
    assert sorted(each.status for each in tried) == [200] * MOST_OF_ONE_TENANT + [429] * 2
    assert (await tenant.post(f"{PATH}/{made.id}/test")).status == 200


# When a key is no longer on the ring


async def test_one_whose_key_is_lost_is_still_shown_and_is_mended(
    tenant: Tenant, world: World, endpoint: Receiver
) -> None:
    made = await subscribe(tenant, endpoint.url, customHeaders={"X-Origem": "velho"})
    lost = {"custom_headers_key_id": "lost"}
    async with world.bank.db.transaction() as tx:
        await tx.execute(update(Subscription).where(Subscription.id == UUID(made.id)).values(**lost))
        of_it = SubscriptionSecret.subscription_id == UUID(made.id)
        await tx.execute(update(SubscriptionSecret).where(of_it).values(key_id="lost"))

    assert (await tenant.get(PATH)).status == (await tenant.post(f"{PATH}/{made.id}/pause")).status == 200
    assert (await tenant.get(f"{PATH}/{made.id}")).attributes["customHeaders"] == {}
    assert (await tenant.post(f"{PATH}/{made.id}/test")).status == 409
    assert (await change(tenant, made, customHeaders={"X-Origem": "***"})).status == 400
    assert (await change(tenant, made, customHeaders={"X-Origem": "novo"})).status == 200
    assert (await tenant.post(f"{PATH}/{made.id}/test")).status == 409

    rotated = await tenant.post(f"{PATH}/{made.id}/rotate-secret")

    tried = await tenant.post(f"{PATH}/{made.id}/test")
    assert tried.attributes["delivered"], tried.body
    (letter,) = endpoint.received
    assert letter.headers["x-origem"] == "novo"
    Webhook(rotated.attributes["secret"]).verify(letter.body, letter.headers)
