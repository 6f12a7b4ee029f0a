"""Tokens: what they look like, what is kept of them, and how soon they end."""

import asyncio
import re
import time
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import pytest
from sqlalchemy import text

from build import Tenant, World
from lastro import demo
from lastro.auth import service, tokens
from lastro.auth.binding import UNBOUND, Binding, Rights
from lastro.auth.origin import Proxies
from lastro.auth.permissions import EVERYTHING, Permission
from lastro.auth.tokens import MEMORY_SECONDS, Mint, NewToken, TokenBook, issue
from lastro.embedded.server import Postgres
from lastro.errors import NotFound, Unauthorized, Unavailable
from lastro.values.money import Money
from lastro.values.network import parse_network

PEPPER = b"another pepper, of this file alone"


def pepper_of(world: World) -> bytes:
    return world.settings.token_pepper.get_secret_value().encode()


async def made(tenant: Tenant, *permissions: Permission, expires_at: datetime | None = None) -> NewToken:
    """A token of this tenant."""
    token, now = issue("test", pepper_of(tenant.world)), datetime.now(UTC)
    rights = Rights(frozenset(map(str, permissions)), UNBOUND)
    async with tenant.world.bank.db.transaction() as tx:
        await service.keep(tx, token, tenant_id=tenant.id, name="made", rights=rights, expires_at=expires_at, now=now)
    return token


async def is_let_in(tenant: Tenant, token: str) -> bool:
    """Whether the API knows this token."""
    return (await tenant.get("/accounts", token=token)).status != 401


@pytest.mark.parametrize("environment", ["live", "test"])
def test_a_token_looks_like_one_so_that_scanners_find_it(environment: str) -> None:
    token = issue(environment, PEPPER)

    match = re.fullmatch(r"lastro_(live|test)_([0-9A-Za-z]{10})_([0-9A-Za-z_-]{43})([0-9A-Za-z]{6})", token.text)

    assert match is not None
    assert (match[1], match[2]) == (environment, token.id)


def test_no_two_tokens_are_alike() -> None:
    issued = [issue("live", PEPPER) for _ in range(1_000)]

    assert len({token.id for token in issued}) == len({token.text for token in issued}) == 1_000


async def test_a_typo_is_refused_without_asking_the_database() -> None:
    nowhere = TokenBook(None, PEPPER)  # type: ignore[arg-type]  # without a database it can only refuse
    token = issue("live", PEPPER).text

    for place, character in enumerate(token):
        typo = token[:place] + ("a" if character != "a" else "b") + token[place + 1 :]
        with pytest.raises(Unauthorized):
            await nowhere.caller_of([f"Bearer {typo}"])


async def test_what_lies_in_the_database_opens_nothing(tenant: Tenant) -> None:
    token = await made(tenant, Permission.PIX_SEND)

    async with tenant.world.bank.db.transaction() as tx:
        row = (await tx.execute(text("SELECT t::text FROM api_tokens t WHERE id = :id"), {"id": token.id})).scalar_one()

    secret = token.text.removeprefix(f"lastro_test_{token.id}_")
    assert token.id in row
    assert secret[:43] not in row
    assert secret[:43].encode().hex() not in row
    for stored in (token.id, token.secret_hmac.hex(), f"lastro_test_{token.id}_{token.secret_hmac.hex()[:49]}"):
        assert not await is_let_in(tenant, stored)


async def test_under_another_pepper_no_token_is_known(tenant: Tenant) -> None:
    token = await made(tenant, Permission.PIX_SEND)

    caller = await TokenBook(tenant.world.bank.db, pepper_of(tenant.world)).caller_of([f"Bearer {token.text}"])
    assert caller.tenant_id == tenant.id
    with pytest.raises(Unauthorized):
        await TokenBook(tenant.world.bank.db, PEPPER).caller_of([f"Bearer {token.text}"])


async def test_a_secret_opens_only_under_the_id_and_the_environment_it_was_made_with(tenant: Tenant) -> None:
    mine, other = await made(tenant, Permission.ACCOUNTS_READ), await made(tenant, Permission.ACCOUNTS_READ)
    bodies = [
        mine.text[:-6].replace("lastro_test_", "lastro_live_"),
        mine.text[:-6].replace(mine.id, other.id),
        other.text[:-6].replace(other.id, mine.id),
    ]

    for body in bodies:
        assert not await is_let_in(tenant, body + tokens._checksum(body))
    assert await is_let_in(tenant, mine.text)


async def test_a_token_of_another_house_is_not_known(tenant: Tenant) -> None:
    for environment in ("live", "test"):
        assert not await is_let_in(tenant, issue(environment, pepper_of(tenant.world)).text)


async def test_a_token_ends_when_it_expires_and_not_when_it_is_forgotten(tenant: Tenant) -> None:
    token = await made(tenant, Permission.ACCOUNTS_READ, expires_at=datetime.now(UTC) + timedelta(seconds=0.4))

    assert await is_let_in(tenant, token.text)
    await asyncio.sleep(0.4)
    assert not await is_let_in(tenant, token.text)


async def test_a_token_that_has_expired_is_refused(tenant: Tenant) -> None:
    token = await made(tenant, *Permission, expires_at=datetime.now(UTC) - timedelta(days=1))

    assert not await is_let_in(tenant, token.text)


async def test_a_token_without_an_end_lives_on(tenant: Tenant) -> None:
    token = await made(tenant, Permission.ACCOUNTS_READ)

    assert (await tenant.get("/accounts", token=token.text)).status == 200


async def test_a_revoked_token_is_refused_within_a_second_though_it_is_in_use(tenant: Tenant) -> None:
    token = await made(tenant, Permission.ACCOUNTS_READ)
    assert await is_let_in(tenant, token.text)

    async with tenant.world.bank.db.transaction() as tx:
        await service.revoke(tx, token.id, now=datetime.now(UTC))
    revoked_at = time.monotonic()

    sent_at = revoked_at
    while await is_let_in(tenant, token.text):
        assert sent_at - revoked_at < 1
        await asyncio.sleep(0.02)
        sent_at = time.monotonic()


async def test_a_token_stays_revoked_since_the_first_time(tenant: Tenant) -> None:
    token = await made(tenant, Permission.ACCOUNTS_READ)
    first = datetime(2026, 1, 1, tzinfo=UTC)

    for moment in (first, first + timedelta(days=1)):
        async with tenant.world.bank.db.transaction() as tx:
            await service.revoke(tx, token.id, now=moment)

    async with tenant.world.bank.db.transaction() as tx:
        known = {each.id: each.revoked_at for each in await service.search(tx, tenant.id)}
    assert known[token.id] == first


async def test_only_a_token_that_exists_can_be_revoked(tenant: Tenant) -> None:
    with pytest.raises(NotFound):
        async with tenant.world.bank.db.transaction() as tx:
            await service.revoke(tx, "0123456789", now=datetime.now(UTC))


async def test_an_operator_sees_the_tokens_of_one_tenant(tenant: Tenant, stranger: Tenant) -> None:
    token = await made(tenant, Permission.ACCOUNTS_READ)
    await made(stranger, Permission.ACCOUNTS_READ)

    async with tenant.world.bank.db.transaction() as tx:
        found = await service.search(tx, tenant.id)

    assert token.id in {each.id for each in found}
    assert {each.tenant_id for each in found} == {tenant.id}


async def test_a_word_is_a_token_only_where_words_were_turned_on(world: World) -> None:
    authorization = [f"Bearer {demo.TOKEN}"]
    dev = TokenBook(world.bank.db, pepper_of(world), literal=True)

    assert (await dev.caller_of(authorization)).permissions == {EVERYTHING}
    for book in (TokenBook(world.bank.db, pepper_of(world)), TokenBook(world.bank.db, pepper_of(world), literal=False)):
        with pytest.raises(Unauthorized):
            await book.caller_of(authorization)


async def test_many_who_ask_at_once_share_one_question_and_its_failure(tenant: Tenant, cluster: Postgres) -> None:
    book = TokenBook(tenant.world.bank.db, pepper_of(tenant.world))
    owner = await asyncpg.connect(cluster.server.url("lastro").replace("+asyncpg", ""))
    try:
        async with owner.transaction():
            await owner.execute("LOCK TABLE api_tokens IN ACCESS EXCLUSIVE MODE")
            started_at = time.monotonic()
            asked = [book.caller_of([f"Bearer {tenant.token}"]) for _ in range(50)]
            answers = await asyncio.gather(*asked, return_exceptions=True)
            waited = time.monotonic() - started_at
    finally:
        await owner.close()

    assert {type(answer) for answer in answers} == {Unavailable}
    assert waited < 5  # one lock timeout, of two seconds, not fifty
    assert (await book.caller_of([f"Bearer {tenant.token}"])).tenant_id == tenant.id
    assert book._asking == {}


async def test_an_asker_who_leaves_does_not_disturb_the_others(tenant: Tenant) -> None:
    book = TokenBook(tenant.world.bank.db, pepper_of(tenant.world))
    first = asyncio.create_task(book.caller_of([f"Bearer {tenant.token}"]))
    second = asyncio.create_task(book.caller_of([f"Bearer {tenant.token}"]))
    await asyncio.sleep(0)

    first.cancel()

    assert (await second).tenant_id == tenant.id


async def test_what_is_remembered_is_bounded_in_number_and_in_time(
    tenant: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tokens, "MOST_REMEMBERED", 2)
    book = TokenBook(tenant.world.bank.db, pepper_of(tenant.world))

    for _ in range(5):
        token = await made(tenant, Permission.ACCOUNTS_READ)
        await book.caller_of([f"Bearer {token.text}"])

    assert len(book._remembered) <= 2
    assert all(until - time.monotonic() <= MEMORY_SECONDS for _, until in book._remembered.values())


def heard_from(peer: str, *forwarded: str) -> dict[str, Any]:
    return {"client": (peer, 1), "headers": [(b"x-forwarded-for", each.encode()) for each in forwarded]}


async def test_a_token_of_some_networks_is_judged_each_time_also_when_it_is_remembered(tenant: Tenant) -> None:
    binding = Binding(networks=(parse_network("198.51.100.0/24"), parse_network("2001:db8::/32")))
    token = await tenant.new_token(Permission.ACCOUNTS_READ, binding=binding)
    book = TokenBook(tenant.world.bank.db, pepper_of(tenant.world), proxies=Proxies.parse("10.0.0.0/8"))
    authorization = [f"Bearer {token}"]

    for _ in range(2):
        for inside in (
            heard_from("198.51.100.7"),
            heard_from("2001:db8::7"),
            heard_from("10.0.0.1", "198.51.100.7"),
            heard_from("10.0.0.1", "203.0.113.9, 198.51.100.7, 10.0.0.2"),
        ):
            assert (await book.caller_of(authorization, inside)).tenant_id == tenant.id
        for outside in (
            heard_from("203.0.113.9"),
            heard_from("203.0.113.9", "198.51.100.7"),
            heard_from("10.0.0.1"),
            heard_from("10.0.0.1", "198.51.100.7, 203.0.113.9"),
            heard_from("10.0.0.1", "198.51.100.7", "junk"),
            None,
        ):
            with pytest.raises(Unauthorized):
                await book.caller_of(authorization, outside)
    assert len(book._remembered) == 1


async def test_a_caller_is_bound_as_its_token_says(tenant: Tenant) -> None:
    account = UUID((await tenant.account()).id)
    binding = Binding(accounts=frozenset({account}), most_each=Money(1_00), most_a_day=Money(5_00))
    bound = await tenant.new_token(Permission.PIX_SEND, binding=binding)
    caller_of = tenant.world.bank.tokens.caller_of

    caller, free = await caller_of([f"Bearer {bound}"]), await caller_of([f"Bearer {tenant.token}"])

    assert (caller.accounts, caller.most_each, caller.most_a_day) == (frozenset({account}), Money(1_00), Money(5_00))
    assert caller.spender == caller.token_id == bound.split("_")[2]
    assert caller.realm
    assert (free.accounts, free.most_each, free.most_a_day, free.spender, free.realm) == (None, None, None, "", "")


async def test_a_bound_token_is_none_to_who_knows_no_bounds(tenant: Tenant, cluster: Postgres) -> None:
    """A server from before them, or ours before a row that lost them: neither takes it for the whole company's."""
    account = UUID((await tenant.account()).id)
    bound = await tenant.new_token(Permission.ACCOUNTS_READ, binding=Binding(accounts=frozenset({account})))
    assert await is_let_in(tenant, bound)
    owner = await asyncpg.connect(cluster.server.url("lastro").replace("+asyncpg", ""))
    try:
        stored = await owner.fetchval(
            "UPDATE api_tokens SET account_ids = NULL WHERE id = $1 RETURNING secret_hmac", bound.split("_")[2]
        )
    finally:
        await owner.close()

    assert stored != tokens.seal(bound[:-6], pepper_of(tenant.world))
    await asyncio.sleep(MEMORY_SECONDS)
    assert not await is_let_in(tenant, bound)


async def test_a_limit_for_each_order_alone_needs_no_sum_of_the_day(tenant: Tenant) -> None:
    token = await tenant.new_token(Permission.PIX_SEND, binding=Binding(most_each=Money(1_00)))

    caller = await tenant.world.bank.tokens.caller_of([f"Bearer {token}"])

    assert (caller.most_each, caller.most_a_day, caller.spender) == (Money(1_00), None, "")


def test_a_secret_is_one_clients_alone_and_a_typo_in_it_is_refused_without_asking() -> None:
    mint, mine, other = Mint("test", PEPPER), uuid4(), uuid4()
    secret = mint.client_secret(mine)

    assert mint.sealed(mine, secret.text) == secret.hmac
    assert mint.sealed(other, secret.text) not in {None, secret.hmac}
    assert Mint("test", b"another pepper").sealed(mine, secret.text) != secret.hmac
    for place, character in enumerate(secret.text):
        assert (
            mint.sealed(mine, secret.text[:place] + ("a" if character != "a" else "b") + secret.text[place + 1 :])
            is None
        )
    assert mint.sealed(mine, "SEU_SEGREDO") is None
