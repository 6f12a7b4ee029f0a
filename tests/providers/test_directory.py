"""What is remembered of providers, and for how long: changes are known within a second, and nobody asks in herds."""

import asyncio
import time
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import event, text

from build import a_cnpj
from conftest import ENCRYPTION_KEYS
from lastro.errors import NotFound, ProviderUnavailable, Unavailable, Validation
from lastro.keyring import KeyRing
from lastro.providers import credentials
from lastro.providers.directory import MEMORY_SECONDS, Access, Adapter, ProviderDirectory
from lastro.providers.features import Feature
from lastro.providers.states import ProviderStatus
from lastro.tenants import service as tenants
from lastro.values.bank_account import AccountType
from lastro.values.text import Invalid, Text
from lastro.wiring import Assembly


class Switchboard:
    """An adapter that remembers whom it was asked to reach."""

    def __init__(self) -> None:
        self.asked: list[Access] = []
        self.refuses = False

    def connect(self, access: Access) -> Any:
        self.asked.append(access)
        if self.refuses:
            raise Invalid(Text("não", "no"))
        return object()

    def adapter(self) -> Adapter:
        return Adapter(frozenset({Feature.ACCOUNTS, Feature.PIX_SEND}), frozenset({AccountType.CHECKING}), self.connect)


@pytest.fixture
def board() -> Switchboard:
    return Switchboard()


@pytest.fixture
def directory(assembly: Assembly, board: Switchboard) -> ProviderDirectory:
    return ProviderDirectory(assembly.bank.db, {"network": board.adapter()}, KeyRing.parse(ENCRYPTION_KEYS))


@pytest.fixture
def assembly(quiet: Assembly) -> Assembly:
    return quiet


async def provider_of(assembly: Assembly, tenant_id: UUID | None = None, code: str | None = None) -> UUID:
    tenant_id = tenant_id or await tenants.create_tenant(assembly.bank, "directory", a_cnpj())
    return await tenants.add_provider(
        assembly.bank,
        tenant_id=tenant_id,
        name="Banco",
        code=code,
        ispb="00000000",
        account_types=list(AccountType),
        strict_documents=False,
    )


async def write(assembly: Assembly, provider_id: UUID, what: str, **values: Any) -> None:
    async with assembly.bank.db.transaction() as tx:
        await tx.execute(text(f"UPDATE providers SET {what} WHERE id = :id"), {"id": provider_id, **values})


async def test_another_process_knows_a_change_within_a_second(assembly: Assembly, directory: ProviderDirectory) -> None:
    provider_id = await provider_of(assembly)
    assert (await directory.get(provider_id)).offer.status is ProviderStatus.ACTIVE
    await write(assembly, provider_id, "status = 'SUSPENDED'")
    changed = time.monotonic()

    while (await directory.get(provider_id)).offer.status is ProviderStatus.ACTIVE:
        assert time.monotonic() - changed < MEMORY_SECONDS
        await asyncio.sleep(0.02)


async def test_what_is_asked_again_and_again_is_read_once_a_second(
    assembly: Assembly, directory: ProviderDirectory
) -> None:
    provider_id = await provider_of(assembly)
    read = []

    def count(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        if "FROM providers" in statement:
            read.append(statement)

    event.listen(assembly.bank.db.engine.sync_engine, "before_cursor_execute", count)
    try:
        began = time.monotonic()
        for _ in range(20):
            await asyncio.gather(*(directory.get(provider_id) for _ in range(50)))
        seconds = time.monotonic() - began
    finally:
        event.remove(assembly.bank.db.engine.sync_engine, "before_cursor_execute", count)

    assert 1 <= len(read) <= 1 + seconds / MEMORY_SECONDS


async def test_whoever_changed_it_here_sees_it_at_once(assembly: Assembly, directory: ProviderDirectory) -> None:
    provider_id = await provider_of(assembly)
    await directory.get(provider_id)
    await write(assembly, provider_id, "name = 'Outro'")

    directory.forget(provider_id)

    assert (await directory.get(provider_id)).name == "Outro"


async def test_a_connection_and_its_breakers_outlive_the_memory(
    assembly: Assembly, directory: ProviderDirectory, board: Switchboard
) -> None:
    provider_id = await provider_of(assembly)
    first = await directory.get(provider_id)
    await write(assembly, provider_id, "name = 'Outro', status = 'INACTIVE'")
    directory.forget(provider_id)
    second = await directory.get(provider_id)
    assert (second.speaks, second.circuits, len(board.asked)) == (first.speaks, first.circuits, 1)

    secret = credentials.seal(KeyRing.parse(ENCRYPTION_KEYS), provider_id, {"apiKey": "novo"})
    await write(
        assembly,
        provider_id,
        "credentials = :secret, credentials_key_id = :key",
        secret=secret.ciphertext,
        key=secret.key_id,
    )
    directory.forget(provider_id)
    third = await directory.get(provider_id)

    assert third.speaks is not first.speaks
    assert board.asked[1].credentials == {"apiKey": "novo"}
    assert "novo" not in repr(board.asked[1])


async def test_credentials_open_at_their_own_provider_alone(assembly: Assembly, directory: ProviderDirectory) -> None:
    mine, theirs = await provider_of(assembly), await provider_of(assembly)
    secret = credentials.seal(KeyRing.parse(ENCRYPTION_KEYS), theirs, {"apiKey": "x"})
    await write(
        assembly, mine, "credentials = :secret, credentials_key_id = :key", secret=secret.ciphertext, key=secret.key_id
    )

    with pytest.raises(ProviderUnavailable):
        await directory.get(mine)

    # Nothing for other tests that nobody can open.
    await write(assembly, mine, "credentials = NULL, credentials_key_id = NULL")


async def test_an_access_that_can_not_be_used_is_silence_and_no_bug(
    assembly: Assembly, directory: ProviderDirectory, board: Switchboard
) -> None:
    provider_id = await provider_of(assembly)
    await write(assembly, provider_id, "adapter = 'gone'")
    with pytest.raises(ProviderUnavailable):
        await directory.get(provider_id)
    await write(assembly, provider_id, "adapter = 'network'")
    board.refuses = True
    with pytest.raises(ProviderUnavailable):
        await directory.get(provider_id)
    board.refuses = False

    assert (await directory.get(provider_id)).id == provider_id


async def test_a_provider_offers_what_its_adapter_can_and_its_tenant_uses(
    assembly: Assembly, directory: ProviderDirectory
) -> None:
    provider_id = await provider_of(assembly)
    offer = (await directory.get(provider_id)).offer
    assert offer.features == {Feature.ACCOUNTS, Feature.PIX_SEND}
    assert offer.account_types == {AccountType.CHECKING}

    await write(assembly, provider_id, "supported_features = '{PIX_SEND,PIX_KEYS}', account_types = '{SAVINGS}'")
    directory.forget(provider_id)

    offer = (await directory.get(provider_id)).offer
    assert offer.features == {Feature.PIX_SEND}
    assert not offer.account_types


async def test_a_provider_that_was_taken_away_is_gone(assembly: Assembly, directory: ProviderDirectory) -> None:
    provider_id = await provider_of(assembly)
    await directory.get(provider_id)
    async with assembly.bank.db.transaction() as tx:
        await tx.execute(text("DELETE FROM providers WHERE id = :id"), {"id": provider_id})
    directory.forget(provider_id)

    for unknown in (provider_id, uuid4()):
        with pytest.raises(NotFound):
            await directory.get(unknown)


async def test_no_provider_named_is_the_default_one_of_the_tenant(
    assembly: Assembly, directory: ProviderDirectory
) -> None:
    tenant_id = await tenants.create_tenant(assembly.bank, "directory", a_cnpj())
    provider_id = await provider_of(assembly, tenant_id)
    with pytest.raises(Validation) as refused:
        await directory.of_tenant(None, tenant_id)
    assert refused.value.flaws[0].pointer == "/data/attributes/providerId"

    async with assembly.bank.db.transaction() as tx:
        query = text("UPDATE tenants SET default_provider_id = :provider WHERE id = :id")
        await tx.execute(query, {"provider": provider_id, "id": tenant_id})

    assert (await directory.of_tenant(None, tenant_id)).id == provider_id
    with pytest.raises(NotFound):
        await directory.of_tenant(provider_id, uuid4())


async def test_those_who_ask_together_share_the_failure_and_the_next_asks_anew(
    assembly: Assembly, directory: ProviderDirectory, monkeypatch: pytest.MonkeyPatch
) -> None:
    provider_id = await provider_of(assembly)
    asked = []

    def away() -> Any:
        asked.append(1)
        raise Unavailable(Text("", ""))

    monkeypatch.setattr(directory._db, "reading", away)
    told = await asyncio.gather(*(directory.get(provider_id) for _ in range(10)), return_exceptions=True)
    monkeypatch.undo()

    assert {type(each) for each in told} == {Unavailable}
    assert len(asked) == 1
    assert (await directory.get(provider_id)).id == provider_id
