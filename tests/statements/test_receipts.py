"""Receipts: what either side may show of a concluded Pix, as JSON and on paper."""

import io
from dataclasses import replace
from datetime import datetime
from typing import Any
from uuid import uuid4

import pypdf
import pytest
from sqlalchemy import update

from build import Account, Tenant, a_cpf
from lastro.auth.caller import Caller
from lastro.auth.permissions import Permission
from lastro.errors import Conflict, NotFound
from lastro.pix.refunds.states import RefundStatus
from lastro.pix.transfers.models import PixTransfer
from lastro.statements import receipts
from lastro.values.money import Money
from lastro.wiring import Assembly
from pix.payments.test_acceptance import Shop
from pix.payments.test_inside import evp_of
from statements.ledger_book import LedgerBook


async def receipt(tenant: Tenant, kind: str, id_: str, **more: Any) -> Any:
    found = await tenant.get(f"/pix/{kind}/{id_}/receipt", **more)
    assert found.status == 200, found.body
    return found.attributes


async def paid(account: Account, amount: float = 10.00, **more: Any) -> Any:
    """A payment that settled."""
    sent = await account.pays(amount, **more)
    return sent.id, await account.payment_becomes(sent.id, "COMPLETED")


@pytest.fixture
async def account(tenant: Tenant) -> Account:
    return await tenant.account(available="100.00")


async def test_of_a_payment_it_says_who_paid_whom_how_much_and_when(tenant: Tenant, account: Account) -> None:
    payment_id, done = await paid(account, 12.34, extra={"description": "Almoço"})
    own = await account.attributes()

    found = await receipt(tenant, "payments", payment_id)

    local = datetime.fromisoformat(found.pop("localCompletedAt"))
    assert local.utcoffset() is not None
    assert local.isoformat().endswith("-03:00")
    assert local == datetime.fromisoformat(done["completedAt"])
    assert len(found.pop("authentication")) == 32
    assert found == {
        "accountId": account.id,
        "direction": "DEBIT",
        "status": "COMPLETED",
        "amount": 12.34,
        "returnedAmount": 0.0,
        "completedAt": done["completedAt"],
        "e2eId": done["e2eId"],
        "txid": None,
        "keyValue": "***456789**",
        "description": "Almoço",
        "payer": {
            "name": "Loja de Teste Ltda",
            "document": own["holderDocument"],
            "documentType": "CNPJ",
            "bankCode": "001",
            "bankName": "Banco do Brasil",
            "ispb": "00000000",
            "branch": own["branch"],
            "accountNumber": own["accountNumber"],
        },
        "payee": {
            "name": "João Silva",
            "document": "***456789**",
            "documentType": "CPF",
            "bankCode": found["payee"]["bankCode"],
            "bankName": found["payee"]["bankName"],
            "ispb": found["payee"]["ispb"],
            "branch": None,
            "accountNumber": None,
        },
    }
    assert found["payee"]["ispb"] != "00000000"


async def test_it_is_the_same_each_time(tenant: Tenant, account: Account) -> None:
    payment_id, _ = await paid(account)
    other_id, _ = await paid(account)
    first = await receipt(tenant, "payments", payment_id)
    assert await receipt(tenant, "payments", payment_id) == first
    assert (await receipt(tenant, "payments", other_id))["authentication"] != first["authentication"]


async def test_there_is_none_of_what_failed(tenant: Tenant, account: Account) -> None:
    failed = await account.pays(1.00, "ac03@rejeita.example", "EMAIL")
    await account.payment_becomes(failed.id, "FAILED")
    for query in ("", "?format=pdf"):
        found = await tenant.get(f"/pix/payments/{failed.id}/receipt{query}")
        assert (found.status, found.code) == (409, "CONFLICT")
        assert "FAILED" in found.body["message"]


async def test_there_is_none_before_the_end(quiet: Assembly) -> None:
    shop = await Shop.open(quiet)
    order = shop.order(await shop.account(100), 10)
    await shop.accept(order)
    caller = Caller(shop.tenant_id, "token", frozenset(Permission))
    async with quiet.bank.db.reading() as tx:
        with pytest.raises(Conflict) as refused:
            await receipts.of_payment(tx, caller, order.id)
    assert "PROCESSING" in refused.value.text.pt


async def test_what_came_back_is_told(tenant: Tenant, account: Account) -> None:
    payment_id, done = await paid(account, 30.00)
    await tenant.world.simulate("POST", "/returns", {"endToEndId": done["e2eId"], "amount": 10.00})
    part = await receipt(tenant, "payments", payment_id)
    assert (part["status"], part["returnedAmount"], part["amount"]) == ("COMPLETED", 10.00, 30.00)
    await tenant.world.simulate("POST", "/returns", {"endToEndId": done["e2eId"]})
    whole = await receipt(tenant, "payments", payment_id)
    assert (whole["status"], whole["returnedAmount"]) == ("REVERSED", 30.00)
    assert whole["authentication"] == part["authentication"]
    assert "Devolvido integralmente: R$ 30,00" in await paper(tenant, "payments", payment_id)


async def test_inside_the_bank_each_side_has_its_own(tenant: Tenant, stranger: Tenant, account: Account) -> None:
    payee = await stranger.account()
    payment_id, _ = await paid(account, 20.00, key=await evp_of(payee), kind="EVP")
    (transfer,) = (await stranger.get("/pix/transfers")).data

    sent = await receipt(tenant, "payments", payment_id)
    received = await receipt(stranger, "transfers", transfer["id"])

    assert (sent["direction"], received["direction"]) == ("DEBIT", "CREDIT")
    for name in ("amount", "e2eId", "status"):
        assert sent[name] == received[name]
    for side in ("payer", "payee"):
        assert sent[side]["name"] == received[side]["name"]
        assert sent[side]["document"] == received[side]["document"]
    assert (sent["payer"]["branch"], sent["payee"]["branch"]) == ("0001", None)
    assert (received["payer"]["branch"], received["payee"]["branch"]) == (None, "0001")
    assert (await stranger.get(f"/pix/payments/{payment_id}/receipt")).status == 404
    assert (await tenant.get(f"/pix/transfers/{transfer['id']}/receipt")).status == 404


async def test_of_a_received_pix_only_refunds_that_arrived_count(quiet: Assembly) -> None:
    ledger = await LedgerBook.open(quiet)
    transfer_id = await ledger.receives(10_00)
    async with quiet.bank.db.transaction() as tx:
        for centavos, status in ((1_00, "COMPLETED"), (2_00, "COMPLETED"), (4_00, "PROCESSING")):
            tx.add(ledger.refund(transfer_id, centavos, RefundStatus(status)))
        await tx.execute(update(PixTransfer).where(PixTransfer.id == transfer_id).values(refunded=Money(7_00)))

    async with quiet.bank.db.reading() as tx:
        found = await receipts.of_transfer(tx, ledger.caller, transfer_id)

    assert (found.returned, found.status) == (Money(3_00), "COMPLETED")
    assert found.issuer.number is not None


async def test_a_bound_token_sees_receipts_of_its_accounts_alone(quiet: Assembly) -> None:
    ledger = await LedgerBook.open(quiet)
    transfer_id, payment_id = await ledger.receives(10_00), await ledger.pays(1_00)
    near, far = (replace(ledger.caller, accounts=frozenset({each})) for each in (ledger.account_id, uuid4()))
    async with quiet.bank.db.reading() as tx:
        assert (await receipts.of_transfer(tx, near, transfer_id)).resource_id == transfer_id
        assert (await receipts.of_payment(tx, near, payment_id)).resource_id == payment_id
        with pytest.raises(NotFound):
            await receipts.of_transfer(tx, far, transfer_id)
        with pytest.raises(NotFound):
            await receipts.of_payment(tx, far, payment_id)


async def test_a_persons_document_is_masked_on_both_sides(tenant: Tenant) -> None:
    cpf = a_cpf()
    person = await tenant.account(holderDocument=cpf, holderDocumentType="CPF", holderName="Ana Souza")
    await person.receives("5.00")
    transfers = (await tenant.get(f"/pix/transfers?filter[accountId]={person.id}")).data
    found = await receipt(tenant, "transfers", transfers[0]["id"])
    assert found["payee"]["document"] == f"***{cpf[3:9]}**"
    assert cpf not in str(found).replace(".", "").replace("-", "")


async def paper(tenant: Tenant, kind: str, id_: str) -> str:
    """The words of the PDF."""
    found = await tenant.get(f"/pix/{kind}/{id_}/receipt?format=pdf")
    assert found.status == 200
    assert found.response.headers["content-type"] == "application/pdf"
    name = f"comprovante-{(await receipt(tenant, kind, id_))['e2eId']}.pdf"
    assert found.response.headers["content-disposition"] == f'attachment; filename="{name}"'
    (page,) = pypdf.PdfReader(io.BytesIO(found.response.content)).pages
    return page.extract_text()


async def test_paper_says_what_json_says(tenant: Tenant, account: Account) -> None:
    payment_id, _ = await paid(account, 1.50, extra={"description": "Café — ação"})
    found = await receipt(tenant, "payments", payment_id)
    words = await paper(tenant, "payments", payment_id)
    for each in (
        "Comprovante de Pix enviado",
        "R$ 1,50",
        found["e2eId"],
        found["authentication"],
        "João Silva",
        "***456789**",
        "Loja de Teste Ltda",
        found["payer"]["document"],
        "Café - ação",
        f"{datetime.fromisoformat(found['localCompletedAt']):%d/%m/%Y às %H:%M:%S}",
    ):
        assert each in words, each
    (transfer,) = (await tenant.get("/pix/transfers")).data
    assert "Comprovante de Pix recebido" in await paper(tenant, "transfers", transfer["id"])


async def test_paper_can_be_asked_for_by_accept(tenant: Tenant, account: Account) -> None:
    payment_id, _ = await paid(account)
    path = f"/pix/payments/{payment_id}/receipt"
    found = await tenant.get(path, headers={"accept": "application/pdf"})
    assert found.response.content.startswith(b"%PDF-")
    for wrong in (
        await tenant.get(path, headers={"accept": "text/csv"}),
        await tenant.get(f"{path}?format=csv"),
        await tenant.get(f"{path}?page[size]=1"),
    ):
        assert (wrong.status, wrong.code) == (400, "VALIDATION")


async def test_a_strangers_receipt_is_nobodys(tenant: Tenant, stranger: Tenant, account: Account) -> None:
    payment_id, _ = await paid(account)
    (transfer,) = (await tenant.get("/pix/transfers")).data
    assert (await stranger.get(f"/pix/payments/{payment_id}/receipt")).status == 404
    assert (await stranger.get(f"/pix/transfers/{transfer['id']}/receipt?format=pdf")).status == 404
