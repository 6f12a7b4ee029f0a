"""The worker opens accounts under the name that was approved, and says the same whenever it asks again."""

from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import text

from build import a_cnpj, reached
from conftest import Urls, settings_for
from lastro.accounts import service
from lastro.accounts.models import Account
from lastro.accounts.opening import open_accounts
from lastro.accounts.order import Application
from lastro.outbox.queue import Claimed
from lastro.providers.protocol import Holder, Opened
from lastro.values.bank_account import AccountType
from lastro.values.tax_id import TaxId
from lastro.values.time_ordered_id import new_id
from lastro.wiring import build
from pix.payments.test_acceptance import Shop
from pix.payments.test_settlement import Scripted


class Office(Scripted):
    """Writes down for whom it opens."""

    def __init__(self) -> None:
        super().__init__()
        self.holders: list[str] = []

    async def open_account(self, holder: Holder, kind: AccountType, *, request_id: UUID, **_: Any) -> Opened:
        assert kind is AccountType.CHECKING
        self.holders.append(holder.name)
        return Opened("0001", f"{request_id.int % 10**11}-1")


@pytest.fixture
def office() -> Office:
    return Office()


@pytest.fixture
async def shop(urls: Urls, office: Office) -> AsyncIterator[Shop]:
    assembly = build(
        settings_for(Urls(urls.quiet, urls.simulator, urls.quiet), port=9), adapters={"network": reached(office)}
    )
    await assembly.open()
    async with assembly.bank.db.transaction() as tx:
        await tx.execute(text("DELETE FROM outbox"))
    yield await Shop.open(assembly)
    await assembly.close()


async def test_an_account_opens_under_the_name_that_was_approved(shop: Shop, office: Office) -> None:
    bank = shop.assembly.bank
    account_id = new_id(bank.now())
    application = Application(shop.provider_id, "Loja Ltda", TaxId.parse(a_cnpj()), AccountType.CHECKING, None)
    async with bank.db.transaction() as tx:
        account = await service.add(tx, account_id, shop.tenant_id, application, now=bank.now())
        account.approved_name = "Loja Ltda"
        account.holder_name = "Outro Nome Ltda"
        await tx.flush()

    assert not await open_accounts(bank, [Claimed(-1, service.OPEN, account_id, account_id, 1)])

    assert office.holders == ["Loja Ltda"]
    async with bank.db.transaction() as tx:
        opened = await tx.get_one(Account, account_id)
    assert (opened.status, opened.holder_name) == ("ACTIVE", "Outro Nome Ltda")
