"""A batch of credits equals its credits one by one: same verdicts, same money, same news, also when told again."""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import text, update

from lastro.accounts.models import Account, AccountNumber
from lastro.accounts.states import AccountStatus
from lastro.attempt import Overtaken
from lastro.database import Database
from lastro.pix.qrcodes.models import PixQrCode
from lastro.pix.qrcodes.states import QrCodeType
from lastro.pix.transfers import acceptance
from lastro.pix.transfers.acceptance import Arrival
from lastro.providers.protocol import Party, PixReceived
from lastro.values.bank_account import AccountType, BankAccount
from lastro.values.end_to_end_id import EndToEndId
from lastro.values.money import MAX_CENTAVOS, Money
from lastro.values.pix_key import KeyType
from lastro.values.tax_id import TaxId
from lastro.wiring import Assembly
from pix.payments.test_acceptance import Shop

_PAYER = Party("Maria", TaxId.parse("39053344705"), BankAccount.parse("60701190", "0001", "1-9", AccountType.CHECKING))
CHARGED = 2_500


@dataclass
class Receiver:
    """An account of a shop, as the network knows it."""

    shop: Shop
    account_id: UUID
    document: TaxId
    number: str

    @classmethod
    async def open(cls, shop: Shop, *, holding: int = 0, status: AccountStatus = AccountStatus.ACTIVE) -> "Receiver":
        account_id = await shop.account(holding)
        async with shop.assembly.bank.db.transaction() as tx:
            account = await tx.get_one(Account, account_id)
            account.status = status
            account.closed_at = account.created_at if status is AccountStatus.CLOSED else None
            number = str(account.account_number)
            tx.add(
                AccountNumber(provider_id=shop.provider_id, branch="0001", account_number=number, account_id=account_id)
            )
            document = TaxId(account.holder_document, account.holder_document_type)
        return cls(shop, account_id, document, number)

    async def charge(self, txid: str) -> None:
        """A dynamic code of R$ 25,00 that is good for an hour."""
        now = self.shop.assembly.bank.now()
        async with self.shop.assembly.bank.db.transaction() as tx:
            tx.add(
                PixQrCode(
                    account_id=self.account_id,
                    id=uuid4(),
                    tenant_id=self.shop.tenant_id,
                    provider_id=self.shop.provider_id,
                    type=QrCodeType.DYNAMIC,
                    amount=Money(CHARGED),
                    key_type=KeyType.EVP,
                    key_value=str(uuid4()),
                    txid=txid,
                    text="a code",
                    location_token=uuid4().hex,
                    expires_at=now + timedelta(hours=1),
                    version=1,
                    created_at=now,
                    updated_at=now,
                )
            )

    def told(self, centavos: int, **changes: Any) -> Arrival:
        now = self.shop.assembly.bank.now()
        facts: dict[str, Any] = {
            "end_to_end_id": EndToEndId.new("60701190", now),
            "amount": Money(centavos),
            "payer": _PAYER,
            "payee_tax_id": self.document,
            "payee_account": BankAccount("00000000", "0001", self.number, AccountType.CHECKING),
            "key": None,
            "txid": None,
            "description": None,
            "created_at": now,
        }
        return Arrival(uuid4(), self.shop.provider_id, PixReceived(**facts | changes), now)

    async def history(self) -> list[tuple[Any, ...]]:
        """What is left of it all: movements in order, and how each was told."""
        query = text(
            "SELECT m.seq, m.reason, m.amount_centavos, m.available_after_centavos, t.txid,"
            " (SELECT count(*) FROM events e WHERE e.account_id = m.account_id AND e.resource_id = t.id),"
            " (SELECT q.txid FROM pix_qrcodes q WHERE q.account_id = m.account_id AND q.transfer_id = t.id AND EXISTS"
            "   (SELECT FROM events e WHERE e.account_id = q.account_id AND e.resource_id = q.id"
            "       AND e.type = 'pix.qrcode.paid' AND e.resource_version = q.version))"
            " FROM movements m JOIN pix_transfers t ON t.account_id = m.account_id AND t.id = m.reference"
            " WHERE m.account_id = :account ORDER BY m.seq"
        )
        async with self.shop.assembly.bank.db.reading() as tx:
            return [tuple(row) for row in await tx.execute(query, {"account": self.account_id})]


async def verdicts(shop: Shop, arrivals: Sequence[Arrival]) -> list[str | None]:
    return [each.rejected_with for each in await acceptance.accept(shop.assembly.bank.db, arrivals)]


@pytest.fixture
async def shop(quiet: Assembly) -> Shop:
    return await Shop.open(quiet)


async def _receivers(shop: Shop) -> list[Receiver]:
    receivers = [
        await Receiver.open(shop),
        await Receiver.open(shop, holding=MAX_CENTAVOS - 4_000),
        await Receiver.open(shop, status=AccountStatus.BLOCKED),
        await Receiver.open(shop, status=AccountStatus.CLOSED),
    ]
    for each in receivers:
        for txid in ("charge1", "charge2", "charge3"):
            await each.charge(txid)
    return receivers


def _some(chance: random.Random) -> dict[str, Any]:
    """What may be odd about a message; mostly nothing."""
    return chance.choice([{}, {}, {}, {"txid": "nobodys"}, *({"txid": f"charge{number}"} for number in (1, 2, 3))])


async def test_a_batch_equals_its_credits_one_by_one(quiet: Assembly) -> None:
    chance = random.Random(20_260_131)
    together, alone = await Shop.open(quiet), await Shop.open(quiet)
    twins = list(zip(await _receivers(together), await _receivers(alone), strict=True))
    seen: list[tuple[Arrival, Arrival]] = []
    codes: set[str | None] = set()
    for _ in range(25):
        batch = chance.sample(seen, min(len(seen), chance.randrange(3)))
        for _ in range(chance.randrange(1, 12)):
            one, other = chance.choice(twins)
            centavos, odd = chance.choice([0, 100, CHARGED, CHARGED]), _some(chance)
            wrong = chance.choice([{}] * 8 + [{"payee_tax_id": _PAYER.tax_id}])
            pair = (one.told(centavos, **odd | wrong), other.told(centavos, **odd | wrong))
            seen.append(pair)
            batch.append(pair)

        at_once = await verdicts(together, [one for one, _ in batch])
        one_by_one = [code for _, other in batch for code in await verdicts(alone, [other])]

        assert at_once == one_by_one
        codes.update(at_once)
    for one, other in twins:
        assert await one.history() == await other.history()
    assert codes >= {None, "AM01", "AM02", "AC06", "AC07", "BE01", "DUPL", "INDT"}, "the sample says too little"


# What is judged without a lock is written only if it still holds


def _meanwhile(monkeypatch: pytest.MonkeyPatch, db: Database, change: Any) -> None:
    """Let something happen between the look and the writing, once."""
    call = db.call

    async def first_the_other(statement: str, *arguments: Any) -> Any:
        if "credit_pix" in statement:
            monkeypatch.setattr(db, "call", call)
            await change()
        return await call(statement, *arguments)

    monkeypatch.setattr(db, "call", first_the_other)


async def test_an_account_that_is_blocked_meanwhile_is_judged_again(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    receiver, db = await Receiver.open(shop), shop.assembly.bank.db
    arrival = receiver.told(100)

    async def block() -> None:
        async with db.transaction() as tx:
            await tx.execute(
                update(Account).where(Account.id == receiver.account_id).values(status=AccountStatus.BLOCKED)
            )

    _meanwhile(monkeypatch, db, block)

    with pytest.raises(Overtaken):
        await verdicts(shop, [arrival])
    assert await receiver.history() == []
    assert await verdicts(shop, [arrival]) == ["AC06"]


async def test_an_account_that_is_filled_meanwhile_is_judged_again(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    receiver, db = await Receiver.open(shop, holding=MAX_CENTAVOS - 100), shop.assembly.bank.db
    first, second = receiver.told(100), receiver.told(1)

    async def fill() -> None:
        assert await verdicts(shop, [first]) == [None]

    _meanwhile(monkeypatch, db, fill)

    with pytest.raises(Overtaken):
        await verdicts(shop, [second])
    assert await verdicts(shop, [second]) == ["AM02"]
    assert len(await receiver.history()) == 1


async def test_a_charge_that_is_paid_meanwhile_is_not_paid_twice(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    receiver, db = await Receiver.open(shop), shop.assembly.bank.db
    await receiver.charge("charge1")
    first, second = (receiver.told(CHARGED, txid="charge1") for _ in range(2))

    async def pay() -> None:
        assert await verdicts(shop, [first]) == [None]

    _meanwhile(monkeypatch, db, pay)

    with pytest.raises(Overtaken):
        await verdicts(shop, [second])
    assert await verdicts(shop, [second]) == ["DUPL"]
    assert len(await receiver.history()) == 1


async def test_a_message_that_is_judged_meanwhile_keeps_its_verdict(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    receiver, db = await Receiver.open(shop), shop.assembly.bank.db
    told, neighbour = receiver.told(100), receiver.told(100)

    async def hear() -> None:
        assert await verdicts(shop, [told]) == [None]

    _meanwhile(monkeypatch, db, hear)

    with pytest.raises(Overtaken):
        await verdicts(shop, [neighbour, told])
    assert len(await receiver.history()) == 1
    assert await verdicts(shop, [neighbour, told]) == [None, None]
    assert len(await receiver.history()) == 2
