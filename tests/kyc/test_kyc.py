"""KYC through the API: documents are sent, kept and reviewed; an approval opens the account, a new name reopens it."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import select, text

from accounts.test_accounts import the_office_is_slow
from build import ALL_PAPERS, TINY_PICTURE, Account, Answered, Tenant, World, a_cpf, until
from kyc.pictures import PDF, bomb, picture
from kyc.pictures import text as base64
from lastro import demo
from lastro.errors import Unavailable
from lastro.isolated import Isolated
from lastro.kyc import safe
from lastro.kyc.models import KycImage
from lastro.kyc.resources import file_id
from lastro.values.text import Invalid, Text
from meeting import all_wait, held

FILE = "SELECT 1 FROM kyc_files WHERE account_id = :account FOR UPDATE"
PERSONS_PAPERS = ("RG", "SELFIE", "PROOF_OF_ADDRESS")


async def applied(tenant: Tenant, **changes: Any) -> Account:
    """An account that is yet to be opened."""
    made = await tenant.post("/accounts", "accounts", tenant.application(**changes))
    assert made.status == 201, made.body
    return Account(tenant, made.id)


async def a_person(tenant: Tenant, name: str = "Ana Lima") -> Account:
    return await applied(tenant, holderName=name, holderDocument=a_cpf(), holderDocumentType="CPF")


async def send(account: Account, *documents: Any, **more: Any) -> Answered:
    return await account.tenant.post(f"/accounts/{account.id}/kyc", "kyc", {"documents": list(documents)}, **more)


def paper(kind: str, front: Any = TINY_PICTURE, **more: Any) -> dict[str, Any]:
    return {"type": kind, "front": front, **more}


async def rows(world: World, query: str, **parameters: Any) -> list[Any]:
    async with world.bank.db.transaction() as tx:
        return list((await tx.execute(text(query), parameters)).all())


async def news_of(account: Account) -> list[str]:
    """What was announced of the account's file, in order."""
    query = "SELECT type FROM events WHERE resource_id = :id ORDER BY resource_version"
    return [row.type for row in await rows(account.tenant.world, query, id=file_id(UUID(account.id)))]


async def becomes(account: Account, status: str) -> Any:
    async def is_there() -> bool:
        return bool((await account.kyc())["status"] == status)

    await until(is_there)
    return await account.kyc()


def statuses(attributes: Any) -> dict[str, str]:
    return {each["type"]: each["status"] for each in attributes["documents"]}


@asynccontextmanager
async def the_desk_is_slow(world: World) -> AsyncIterator[None]:
    """The network's desk takes nothing in meanwhile, because nobody can write into its table."""
    from lastro.simulator.book import Book

    assert world.settings.simulator_database_url is not None
    book = Book(world.settings.simulator_database_url)
    try:
        async with book.transaction() as tx:
            await tx.execute(text("LOCK TABLE kyc_case IN SHARE MODE"))
            yield
    finally:
        await book.close()


# Sending


async def test_who_sent_nothing_has_not_started(tenant: Tenant) -> None:
    account = await applied(tenant)

    read = await tenant.get(f"/accounts/{account.id}/kyc")

    created = (await account.attributes())["createdAt"]
    assert read.status == 200
    assert read.body == {
        "data": {
            "type": "kyc",
            "id": str(file_id(UUID(account.id))),
            "attributes": {
                "accountId": account.id,
                "status": "NOT_STARTED",
                "documents": [],
                "reviewNote": None,
                "createdAt": created,
                "updatedAt": created,
            },
        }
    }


async def test_an_application_can_be_withdrawn_and_made_again(tenant: Tenant, world: World) -> None:
    account = await applied(tenant)
    document = (await account.attributes())["holderDocument"]
    await send(account, paper("SELFIE"))

    closed = await tenant.post(f"/accounts/{account.id}/close")
    again = await tenant.post("/accounts", "accounts", tenant.application(holderDocument=document))
    late = await send(account, paper("RG"))

    assert (closed.status, closed.attributes["status"]) == (200, "CLOSED")
    assert (again.status, late.status) == (201, 409)
    assert (await account.attributes())["accountNumber"] is None
    told = await rows(world, "SELECT type FROM events WHERE resource_id = :id", id=UUID(account.id))
    assert [row.type for row in told] == ["account.closed"]


async def test_an_application_that_is_withdrawn_under_review_stays_closed(tenant: Tenant) -> None:
    account = await applied(tenant)
    await account.sends()

    closed = await tenant.post(f"/accounts/{account.id}/close")
    await becomes(account, "APPROVED")

    assert closed.status == 200
    assert await account.has_status("CLOSED")


async def test_an_account_does_not_open_without_documents(tenant: Tenant) -> None:
    account = await applied(tenant)
    await asyncio.sleep(0.5)

    assert await account.has_status("PENDING")
    assert not await rows(tenant.world, "SELECT 1 FROM outbox WHERE account_id = :id", id=UUID(account.id))


async def test_complete_documents_are_approved_by_themselves_and_the_account_opens(tenant: Tenant) -> None:
    account = await a_person(tenant)

    sent = await account.sends(*PERSONS_PAPERS)

    assert sent.status == 200
    assert sent.id == str(file_id(UUID(account.id)))
    assert sent.attributes["status"] == "PENDING"
    assert [each["type"] for each in sent.attributes["documents"]] == list(PERSONS_PAPERS)
    assert {(each["status"], each["reviewedAt"]) for each in sent.attributes["documents"]} == {("PENDING", None)}
    approved = await becomes(account, "APPROVED")
    await until(lambda: account.has_status("ACTIVE"))
    assert set(statuses(approved).values()) == {"APPROVED"}
    assert all(each["reviewedAt"] >= each["uploadedAt"] for each in approved["documents"])
    assert approved["reviewNote"] is None
    assert approved["updatedAt"] >= approved["createdAt"]
    assert await news_of(account) == ["account.kyc.approved"]


async def test_an_incomplete_file_is_kept_and_says_what_is_missing(tenant: Tenant) -> None:
    account = await applied(tenant)

    first = await account.sends("SELFIE", "RG")
    second = await account.sends("PROOF_OF_ADDRESS")
    third = await account.sends("ARTICLES_OF_INCORPORATION")

    assert [each.attributes["status"] for each in (first, second, third)] == ["REQUIRES_UPDATE"] * 2 + ["PENDING"]
    assert "PROOF_OF_ADDRESS" in first.attributes["reviewNote"]
    assert "contrato social (ARTICLES_OF_INCORPORATION): não enviado" in first.attributes["reviewNote"]
    assert "PROOF_OF_ADDRESS" not in second.attributes["reviewNote"]
    assert third.attributes["reviewNote"] is None
    assert statuses(first.attributes) == {"RG": "PENDING", "SELFIE": "PENDING"}
    assert first.id == second.id == third.id
    await becomes(account, "APPROVED")
    assert await news_of(account) == ["account.kyc.requires_update"] * 2 + ["account.kyc.approved"]


async def test_a_newer_document_takes_the_place_of_the_older(tenant: Tenant) -> None:
    account = await applied(tenant)
    await send(account, paper("RG", back=TINY_PICTURE))

    again = await send(account, paper("RG", base64(PDF)))

    assert statuses(again.attributes) == {"RG": "PENDING"}
    query = "SELECT superseded_at IS NULL AS counts, side, media_type FROM kyc_documents d"
    query += " JOIN kyc_images i ON i.account_id = d.account_id AND i.document_id = d.id"
    query += " WHERE d.account_id = :id ORDER BY uploaded_at, side DESC"
    kept = [tuple(row) for row in await rows(tenant.world, query, id=UUID(account.id))]
    assert kept == [
        (False, "FRONT", "image/png"),
        (False, "BACK", "image/png"),
        (True, "FRONT", "application/pdf"),
    ]


async def test_an_approved_file_wants_nothing_more(tenant: Tenant) -> None:
    account = await tenant.account()

    refused = await account.sends()

    assert (refused.status, refused.code) == (409, "CONFLICT")
    # Not even looked at:
    assert (await send(account, paper("RG", "..."))).status == 409


async def test_a_closed_account_takes_no_documents(tenant: Tenant) -> None:
    account = await tenant.account()
    await tenant.patch(f"/accounts/{account.id}", "accounts", {"holderName": "Outro Nome"})
    await tenant.post(f"/accounts/{account.id}/close")

    assert (await account.sends()).status == 409
    assert (await account.kyc())["status"] == "REQUIRES_UPDATE"


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_a_strangers_account_is_as_unknown_as_any(tenant: Tenant, stranger: Tenant, method: str) -> None:
    account = await applied(tenant)
    body = {"data": {"type": "kyc", "attributes": {"documents": [paper("RG", "...")]}}} if method == "POST" else None

    foreign = await stranger.call(method, f"/accounts/{account.id}/kyc", body)
    nobodys = await stranger.call(method, f"/accounts/{uuid4()}/kyc", body)

    assert foreign.status == nobodys.status == 404
    assert (await account.kyc())["status"] == "NOT_STARTED"


@pytest.mark.parametrize(
    ("attributes", "pointer"),
    [
        ({}, "/data/attributes/documents"),
        ({"documents": None}, "/data/attributes/documents"),
        ({"documents": []}, "/data/attributes/documents"),
        ({"documents": {"type": "RG"}}, "/data/attributes/documents"),
        ({"documents": [paper("RG")] * 9}, "/data/attributes/documents"),
        ({"documents": [paper("RG"), paper("RG")]}, "/data/attributes/documents"),
        ({"documents": [{"type": "RG"}]}, "/data/attributes/documents/0/front"),
        ({"documents": [{"front": TINY_PICTURE}]}, "/data/attributes/documents/0/type"),
        ({"documents": [paper("RG", 7)]}, "/data/attributes/documents/0/front"),
        ({"documents": [paper("RG", None)]}, "/data/attributes/documents/0/front"),
        ({"documents": [paper("RG", back=7)]}, "/data/attributes/documents/0/back"),
        ({"documents": [paper("rg")]}, "/data/attributes/documents/0/type"),
        ({"documents": [paper("DIPLOMA")]}, "/data/attributes/documents/0/type"),
        ({"documents": [paper("RG", side="front")]}, "/data/attributes/documents/0/side"),
        ({"documents": [paper("RG")], "status": "APPROVED"}, "/data/attributes/status"),
    ],
    ids=lambda case: json.dumps(case)[:40] if isinstance(case, dict) else "",
)
async def test_what_makes_no_sense_is_refused_where_it_stands(tenant: Tenant, attributes: Any, pointer: str) -> None:
    account = await applied(tenant)

    refused = await tenant.post(f"/accounts/{account.id}/kyc", "kyc", attributes)

    assert (refused.status, refused.code) == (400, "VALIDATION"), refused.body
    assert refused.pointers == [pointer]


async def test_every_side_that_is_no_picture_is_named_at_once_and_nothing_is_kept(tenant: Tenant) -> None:
    account = await applied(tenant)

    refused = await send(
        account,
        paper("RG", "...", back="data:image/png;base64,AAAA"),
        paper("PROOF_OF_ADDRESS"),
        paper("SELFIE", base64(PDF)),
        paper("CNH", base64(bomb(6_000))),
        paper("PASSPORT", "A" * 7_000_000),
    )

    assert (refused.status, refused.code) == (422, "UNPROCESSABLE"), refused.body
    places = ("0/front", "0/back", "2/front", "3/front", "4/front")
    assert refused.pointers == [f"/data/attributes/documents/{each}" for each in places]
    assert "5 MB" in refused.body["errors"][4]["detail"]
    assert len(refused.response.content) < 5_000
    assert (await account.kyc())["status"] == "NOT_STARTED"
    assert not await rows(tenant.world, "SELECT 1 FROM kyc_images WHERE account_id = :id", id=UUID(account.id))


async def test_eight_documents_of_megabytes_are_taken_together(tenant: Tenant) -> None:
    account = await applied(tenant)
    large = picture("PNG", (1_000, 1_000)) + bytes(2_100_000)
    kinds = ("RG", "CNH", "PASSPORT", "RNE", "SELFIE", "PROOF_OF_ADDRESS", "PROOF_OF_INCOME")

    sent = await send(account, *(paper(kind, base64(large)) for kind in kinds), paper("ARTICLES_OF_INCORPORATION"))

    assert sent.status == 200, sent.body
    assert (await becomes(account, "APPROVED"))["documents"][0]["type"] == "RG"


async def test_a_repetition_gets_the_same_answer_and_sends_nothing_twice(tenant: Tenant) -> None:
    account = await a_person(tenant)
    headers = {"idempotency-key": uuid4().hex}

    first = await account.sends(*PERSONS_PAPERS, headers=headers)
    await becomes(account, "APPROVED")
    again = await account.sends(*PERSONS_PAPERS, headers=headers)
    other = await account.sends("RG", headers=headers)

    assert (first.status, again.status, other.status) == (200, 200, 422)
    assert again.response.content == first.response.content
    assert again.response.headers["idempotency-replayed"] == "true"
    query = "SELECT submission FROM kyc_files WHERE account_id = :id"
    assert (await rows(tenant.world, query, id=UUID(account.id)))[0].submission == 1


async def test_of_eight_who_send_at_once_each_is_taken_and_one_file_comes_of_it(tenant: Tenant) -> None:
    account = await a_person(tenant)

    async with the_desk_is_slow(tenant.world):
        answers = await asyncio.gather(*(account.sends(*PERSONS_PAPERS) for _ in range(8)))

        assert {each.status for each in answers} == {200}
        assert len({each.id for each in answers}) == 1
    await becomes(account, "APPROVED")
    counted = await rows(
        tenant.world,
        "SELECT count(*) FILTER (WHERE superseded_at IS NULL) AS good, count(*) AS sent FROM kyc_documents"
        " WHERE account_id = :id",
        id=UUID(account.id),
    )
    assert tuple(counted[0]) == (3, 24)
    assert await news_of(account) == ["account.kyc.approved"]


async def test_a_decoder_that_is_away_is_nobodys_fault(tenant: Tenant, monkeypatch: pytest.MonkeyPatch) -> None:
    account = await applied(tenant)

    async def never(_: Isolated, __: bytes, **___: Any) -> bytes:
        raise Unavailable(Text("", ""), retry_after=5)

    monkeypatch.setattr(Isolated, "ask", never)
    refused = await account.sends()

    assert (refused.status, refused.code) == (503, "UNAVAILABLE")
    assert refused.response.headers["retry-after"] == "5"


# Keeping


async def test_images_lie_sealed_and_nothing_else_holds_them(tenant: Tenant) -> None:
    account = await applied(tenant)
    shade = picture("PNG", (64, 64), "L")
    await send(account, paper("SELFIE", base64(shade)), headers={"idempotency-key": uuid4().hex})
    bank = tenant.world.bank

    async with bank.db.transaction() as tx:
        query = select(KycImage).where(KycImage.account_id == UUID(account.id))
        (image,) = (await tx.execute(query)).scalars()

    content = safe.content_of(bank.key_ring, image)
    assert content.startswith(b"\x89PNG")
    assert (image.width, image.height, image.size) == (64, 64, len(content))
    assert b"PNG" not in image.sealed
    assert image.key_id == "tests"
    for table, column in (("idempotency", "body"), ("events", "body")):
        found = await rows(tenant.world, f"SELECT {column} AS body FROM {table} WHERE tenant_id = :id", id=tenant.id)
        assert found
        for row in found:
            assert base64(content).encode() not in row.body
            assert base64(shade)[:60].encode() not in row.body


async def test_an_image_opens_in_its_own_row_alone(tenant: Tenant) -> None:
    account = await applied(tenant)
    await send(account, paper("RG", back=TINY_PICTURE))
    bank = tenant.world.bank
    async with bank.db.transaction() as tx:
        query = select(KycImage).where(KycImage.account_id == UUID(account.id))
        front, back = (await tx.execute(query)).scalars()

    front.sealed, back.sealed = back.sealed, front.sealed

    for moved in (front, back):
        with pytest.raises(ValueError, match="not sealed for this place"):
            safe.content_of(bank.key_ring, moved)


# Reviewing


async def test_a_rejected_file_may_be_sent_again(tenant: Tenant) -> None:
    account = await a_person(tenant)
    await account.sends(*PERSONS_PAPERS)

    await account.is_decided("REJECTED", reviewNote="Documento vencido.")

    rejected = await account.kyc()
    assert (rejected["status"], rejected["reviewNote"]) == ("REJECTED", "Documento vencido.")
    assert set(statuses(rejected).values()) == {"REJECTED"}
    assert await account.has_status("PENDING")
    partly = await account.sends("SELFIE")
    assert partly.attributes["status"] == "REQUIRES_UPDATE"
    assert "RNE): recusado" in partly.attributes["reviewNote"]
    whole = await account.sends("CNH", "PROOF_OF_ADDRESS")
    assert whole.attributes["status"] == "PENDING"
    await account.is_decided("APPROVED")
    approved = await account.kyc()
    assert statuses(approved) == {
        "RG": "REJECTED",
        "CNH": "APPROVED",
        "SELFIE": "APPROVED",
        "PROOF_OF_ADDRESS": "APPROVED",
    }
    await until(lambda: account.has_status("ACTIVE"))
    assert await news_of(account) == [
        "account.kyc.rejected",
        "account.kyc.requires_update",
        "account.kyc.approved",
    ]


async def test_a_document_that_is_sent_back_is_enough_to_resume(tenant: Tenant) -> None:
    account = await a_person(tenant)
    await account.sends(*PERSONS_PAPERS)

    await account.is_decided("REQUIRES_UPDATE", documents=[{"type": "SELFIE", "status": "REQUIRES_UPDATE"}])

    sent_back = await account.kyc()
    assert sent_back["status"] == "REQUIRES_UPDATE"
    assert statuses(sent_back)["SELFIE"] == "REQUIRES_UPDATE"
    assert sent_back["reviewNote"] == "Envie: selfie do titular (SELFIE): precisa ser reenviado."
    reviewed = {each["type"]: each["reviewedAt"] is not None for each in sent_back["documents"]}
    assert reviewed == {"RG": False, "SELFIE": True, "PROOF_OF_ADDRESS": False}
    assert (await account.sends("SELFIE")).attributes["status"] == "PENDING"
    await becomes(account, "APPROVED")


async def test_a_desk_may_say_that_it_began_and_then_decide(tenant: Tenant) -> None:
    account = await a_person(tenant)
    await account.sends(*PERSONS_PAPERS)

    await account.is_decided("IN_PROGRESS", documents=[{"type": "RG", "status": "APPROVED"}])

    begun = await account.kyc()
    assert begun["status"] == "IN_PROGRESS"
    assert statuses(begun)["RG"] == "APPROVED"
    await asyncio.sleep(1)
    assert (await account.kyc())["status"] == "IN_PROGRESS", "decided by hand, nothing comes by itself"
    await account.is_decided("APPROVED")
    assert (await account.kyc())["status"] == "APPROVED"


async def test_a_decision_told_twice_counts_once_and_another_one_is_for_a_human(tenant: Tenant) -> None:
    account = await tenant.account()

    await account.is_decided("APPROVED")
    await account.is_decided("IN_PROGRESS")
    await account.is_decided("REJECTED")

    assert (await account.kyc())["status"] == "APPROVED"
    assert await news_of(account) == ["account.kyc.approved"]
    alerts = await rows(tenant.world, "SELECT kind, detail FROM alerts WHERE account_id = :id", id=UUID(account.id))
    assert [tuple(row) for row in alerts] == [("contradiction", "the KYC desk decided APPROVED, then REJECTED")]


async def test_sending_again_voids_what_was_under_review(tenant: Tenant) -> None:
    account = await a_person(tenant)
    await account.sends(*PERSONS_PAPERS)
    await account.is_decided("IN_PROGRESS")
    (old,) = await rows(tenant.world, "SELECT id FROM kyc_submissions WHERE account_id = :id", id=UUID(account.id))

    async with the_desk_is_slow(tenant.world):
        again = await account.sends("SELFIE")
        assert again.attributes["status"] == "PENDING"
        assert set(statuses(again.attributes).values()) == {"PENDING"}

        heard = await hear(tenant, account.id, str(old.id), "REJECTED")

        assert heard == {"status": "ACSP", "reason": None}
        assert (await account.kyc())["status"] == "PENDING"
    assert (await becomes(account, "APPROVED"))["reviewNote"] is None
    assert await news_of(account) == ["account.kyc.approved"]


async def hear(
    tenant: Tenant, account_id: str, request_id: str, status: str, *, provider_id: Any = None, **more: Any
) -> Any:
    """The network says something about a submission."""
    import time

    from lastro.simulator.delivery import signature

    review = {"accountId": account_id, "requestId": request_id, "status": status, "documents": [], **more}
    body = json.dumps({"id": str(uuid4()), "type": "kyc.reviewed", "review": review}).encode()
    timestamp = str(int(time.time()))
    secret = tenant.world.settings.network_secret.get_secret_value()
    response = await tenant.world.http.post(
        f"/network/{provider_id or tenant.provider_id}/notifications",
        content=body,
        headers={"network-timestamp": timestamp, "network-signature": signature(secret, timestamp, body)},
    )
    return response.json()


async def test_a_decision_about_nothing_that_this_provider_has_is_refused(tenant: Tenant, stranger: Tenant) -> None:
    account = await a_person(tenant)
    untouched = await applied(tenant)
    async with the_desk_is_slow(tenant.world):
        await account.sends(*PERSONS_PAPERS)
        query = "SELECT id FROM kyc_submissions WHERE account_id = :id"
        (submission,) = await rows(tenant.world, query, id=UUID(account.id))
        refused = {"status": "RJCT", "reason": "AC03"}

        assert await hear(tenant, str(uuid4()), str(uuid4()), "APPROVED") == refused
        assert await hear(tenant, account.id, str(uuid4()), "APPROVED") == refused
        assert await hear(tenant, untouched.id, str(submission.id), "APPROVED") == refused
        assert (
            await hear(tenant, account.id, str(submission.id), "APPROVED", provider_id=stranger.provider_id) == refused
        )
        assert (await account.kyc())["status"] == "PENDING"
        for nonsense in ({"status": "PENDING"}, {"accountId": "x"}, {"reviewNote": "a\x00b"}, {"reviewNote": ""}):
            answered = await hear(tenant, account.id, str(submission.id), **{"status": "APPROVED", **nonsense})
            assert answered["code"] == "VALIDATION"

        # Faster than its own receipt, but right:
        assert (await hear(tenant, account.id, str(submission.id), "APPROVED"))["status"] == "ACSP"
        assert (await account.kyc())["status"] == "APPROVED"
    await until(lambda: account.has_status("ACTIVE"))


async def test_while_the_desk_is_away_the_promise_waits(tenant: Tenant) -> None:
    account = await a_person(tenant)

    async with the_desk_is_slow(tenant.world):
        await account.sends(*PERSONS_PAPERS)
        await asyncio.sleep(0.3)
        assert (await account.kyc())["status"] == "PENDING"

    await becomes(account, "APPROVED")
    await until(lambda: account.has_status("ACTIVE"))


async def test_a_blocked_account_stays_blocked_when_its_holder_is_approved(tenant: Tenant) -> None:
    account = await tenant.account()
    await tenant.patch(f"/accounts/{account.id}", "accounts", {"holderName": "Novo Nome Ltda"})
    await tenant.post(f"/accounts/{account.id}/block")

    await account.sends("ARTICLES_OF_INCORPORATION")
    await account.is_decided("APPROVED")

    assert (await account.kyc())["status"] == "APPROVED"
    assert await account.has_status("BLOCKED")


async def test_a_review_goes_on_although_the_account_was_closed(tenant: Tenant) -> None:
    account = await tenant.account()
    await tenant.patch(f"/accounts/{account.id}", "accounts", {"holderName": "Novo Nome Ltda"})
    await account.sends("ARTICLES_OF_INCORPORATION")

    assert (await tenant.post(f"/accounts/{account.id}/close")).status == 200

    await becomes(account, "APPROVED")
    assert await account.has_status("CLOSED")


# Another name


async def rename(account: Account, name: str) -> Answered:
    return await account.tenant.patch(f"/accounts/{account.id}", "accounts", {"holderName": name})


@pytest.mark.parametrize(("kind", "paper_of_name"), [("CPF", "RG"), ("CNPJ", "ARTICLES_OF_INCORPORATION")])
async def test_another_name_opens_an_approved_file_again(tenant: Tenant, kind: str, paper_of_name: str) -> None:
    person = {"holderDocument": a_cpf(), "holderDocumentType": "CPF"} if kind == "CPF" else {}
    account = await tenant.account(**person)

    assert (await rename(account, "Outro Nome")).status == 200

    reopened = await account.kyc()
    assert reopened["status"] == "REQUIRES_UPDATE"
    assert "O nome do titular mudou" in reopened["reviewNote"]
    assert paper_of_name in reopened["reviewNote"]
    expected = {each: "REQUIRES_UPDATE" if each == paper_of_name else "APPROVED" for each in ALL_PAPERS}
    assert statuses(reopened) == expected
    assert await account.has_status("ACTIVE")
    assert (await account.sends("SELFIE")).attributes["status"] == "REQUIRES_UPDATE"
    assert (await account.sends(paper_of_name)).attributes["status"] == "PENDING"
    await becomes(account, "APPROVED")
    assert [*(await news_of(account))][:2] == ["account.kyc.approved", "account.kyc.requires_update"]


async def test_the_same_name_and_other_changes_open_nothing(tenant: Tenant) -> None:
    account = await tenant.account()
    before = await account.kyc()

    await rename(account, "Loja de Teste Ltda")
    await tenant.patch(f"/accounts/{account.id}", "accounts", {"metadata": {"a": 1}})

    assert await account.kyc() == before


async def test_a_review_under_way_begins_again_under_another_name(tenant: Tenant) -> None:
    account = await a_person(tenant)
    await account.sends(*PERSONS_PAPERS)
    await account.is_decided("IN_PROGRESS")
    query = "SELECT id, holder_name FROM kyc_submissions WHERE account_id = :id ORDER BY number"
    (old,) = await rows(tenant.world, query, id=UUID(account.id))

    await rename(account, "Ana Souza")

    assert (await hear(tenant, account.id, str(old.id), "APPROVED"))["status"] == "ACSP"
    assert (await account.kyc())["status"] in {"PENDING", "IN_PROGRESS"}
    assert await account.has_status("PENDING")
    await becomes(account, "APPROVED")
    submissions = await rows(tenant.world, query, id=UUID(account.id))
    assert [row.holder_name for row in submissions] == ["Ana Lima", "Ana Souza"]


async def test_a_new_name_voids_what_was_good_in_a_file_that_waits(tenant: Tenant) -> None:
    account = await tenant.account()
    await rename(account, "Dois")
    await account.sends("ARTICLES_OF_INCORPORATION")
    good = [{"type": "ARTICLES_OF_INCORPORATION", "status": "APPROVED"}, {"type": "SELFIE", "status": "REJECTED"}]
    await account.is_decided("REQUIRES_UPDATE", documents=good)
    assert statuses(await account.kyc())["ARTICLES_OF_INCORPORATION"] == "APPROVED"

    await rename(account, "Três")

    waiting = await account.kyc()
    assert statuses(waiting)["ARTICLES_OF_INCORPORATION"] == "REQUIRES_UPDATE"
    assert "SELFIE): recusado" in waiting["reviewNote"]
    assert "ARTICLES_OF_INCORPORATION" in waiting["reviewNote"]


async def test_a_name_that_changes_while_it_is_approved_is_approved_under_neither_or_the_new_one(
    tenant: Tenant,
) -> None:
    account = await a_person(tenant)
    await account.sends(*PERSONS_PAPERS)
    await account.is_decided("IN_PROGRESS")

    async with asyncio.TaskGroup() as group, held(tenant.world, FILE, account=UUID(account.id)):
        renamed = group.create_task(rename(account, "Ana Souza"))
        await all_wait(tenant.world, 1, renamed)
        approved = group.create_task(account.is_decided("APPROVED"))
        await all_wait(tenant.world, 2, approved)

    assert renamed.result().status == 200
    await becomes(account, "APPROVED")
    names = await rows(
        tenant.world,
        "SELECT holder_name FROM kyc_submissions WHERE account_id = :id AND verdict = 'APPROVED'",
        id=UUID(account.id),
    )
    assert [row.holder_name for row in names] == ["Ana Souza"]


# The demo


async def test_the_demo_is_due_for_its_yearly_renewal(world: World) -> None:
    told = await rows(
        world,
        "SELECT type, body FROM events WHERE resource_id = :id ORDER BY resource_version LIMIT 2",
        id=demo.KYC_FILE,
    )

    assert [row.type for row in told] == ["account.kyc.approved", "account.kyc.requires_update"]
    attributes = json.loads(told[1].body)["data"]["attributes"]
    assert statuses(attributes) == {
        "RG": "REQUIRES_UPDATE",
        "SELFIE": "REQUIRES_UPDATE",
        "PROOF_OF_ADDRESS": "REQUIRES_UPDATE",
        "ARTICLES_OF_INCORPORATION": "APPROVED",
    }
    assert attributes["reviewNote"].startswith("Atualização cadastral anual. Envie: documento de identidade")


def test_a_refusal_never_repeats_what_was_sent() -> None:
    from lastro.kyc.images import decoded

    with pytest.raises(Invalid) as raised:
        decoded("U0VHUkVETw===")
    assert "U0VH" not in str(raised.value)


async def test_an_account_opens_under_the_name_that_was_approved(tenant: Tenant, world: World) -> None:
    """The answer of the office to the first try was lost, and the holder has another name by now."""
    account = await applied(tenant)
    async with the_office_is_slow(world):
        await account.is_approved()
        renamed = await tenant.patch(f"/accounts/{account.id}", "accounts", {"holderName": "Outro Nome Ltda"})
        assert renamed.status == 200

    await until(lambda: account.has_status("ACTIVE"))
    book = await rows(world, "SELECT approved_name FROM accounts WHERE id = :id", id=account.id)
    assert book[0].approved_name == "Loja de Teste Ltda"
