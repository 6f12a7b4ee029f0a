"""The KYC desk approves complete documents after a moment, unless a tester decides; it keeps hashes, not images."""

import asyncio
import hashlib
from base64 import b64encode
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import text

from simulator.world import COMPANY, OUR_ISPB, World, eventually

COMPANYS = ("RG", "SELFIE", "PROOF_OF_ADDRESS", "ARTICLES_OF_INCORPORATION")


def side(content: bytes = b"a face") -> dict[str, str]:
    sha256 = hashlib.sha256(content).hexdigest()
    return {"mediaType": "image/png", "sha256": sha256, "content": b64encode(content).decode()}


def submission(*kinds: str, **changes: Any) -> dict[str, Any]:
    return {
        "requestId": str(uuid4()),
        "accountId": str(uuid4()),
        "providerId": str(uuid4()),
        "ispb": OUR_ISPB,
        "holder": {"name": "Empresa ABC Ltda", "taxId": COMPANY},
        "documents": [{"type": kind, "front": side(), "back": None} for kind in kinds or COMPANYS],
    } | changes


async def brought(world: World, body: dict[str, Any]) -> Any:
    answer = await world.network.post("/office/kyc", json=body)
    assert answer.status_code == 202, answer.text
    return answer.json()


def reviews(world: World, body: dict[str, Any]) -> list[Any]:
    return [each["review"] for each in world.lastro.about(body["requestId"])]


async def test_complete_documents_are_approved_after_a_moment(world: World) -> None:
    body = submission()

    assert await brought(world, body) == {"requestId": body["requestId"], "status": "IN_PROGRESS"}

    assert reviews(world, body) == []
    await eventually(lambda: reviews(world, body))
    assert reviews(world, body) == [
        {
            "accountId": body["accountId"],
            "requestId": body["requestId"],
            "status": "APPROVED",
            "reviewNote": None,
            "documents": [],
        }
    ]
    assert world.lastro.paths[-1] == f"/network/{body['providerId']}/notifications"


@pytest.mark.parametrize(
    ("kinds", "tax_id", "missing"),
    [
        (COMPANYS[:-1], COMPANY, "ARTICLES_OF_INCORPORATION"),
        (COMPANYS[1:], COMPANY, "RG, CNH, PASSPORT ou RNE"),
        (("CNH", "SELFIE"), "39053344705", "PROOF_OF_ADDRESS"),
    ],
)
async def test_incomplete_ones_are_sent_back(world: World, kinds: tuple[str, ...], tax_id: str, missing: str) -> None:
    body = submission(*kinds, holder={"name": "Ana", "taxId": tax_id})
    await brought(world, body)

    await eventually(lambda: reviews(world, body))

    (review,) = reviews(world, body)
    assert (review["status"], review["reviewNote"]) == ("REQUIRES_UPDATE", f"Faltam documentos: {missing}.")


async def test_a_tester_decides_at_once_and_nothing_comes_by_itself(world: World) -> None:
    body = submission()
    await brought(world, body)
    decision = {
        "status": "REJECTED",
        "reviewNote": "Ilegível.",
        "documents": [{"type": "SELFIE", "status": "REQUIRES_UPDATE"}],
    }

    answer = await world.steering.post(f"/kyc/{body['accountId']}", json=decision)

    expected = {"accountId": body["accountId"], "requestId": body["requestId"]}
    assert (answer.status_code, answer.json()) == (200, {**expected, "status": "REJECTED"})
    await asyncio.sleep(1)
    assert reviews(world, body) == [{**expected, **decision}]


async def test_nobody_decides_about_what_was_not_sent(world: World) -> None:
    assert (await world.steering.post(f"/kyc/{uuid4()}", json={"status": "APPROVED"})).status_code == 409


@pytest.mark.parametrize(
    "decision",
    [{}, {"status": "PENDING"}, {"status": "APPROVED", "note": "x"}, {"status": "APPROVED", "reviewNote": ""}],
)
async def test_a_decision_that_makes_no_sense_is_refused(world: World, decision: Any) -> None:
    assert (await world.steering.post(f"/kyc/{uuid4()}", json=decision)).status_code == 400


async def test_brought_twice_it_is_one_and_other_documents_are_refused(world: World) -> None:
    body = submission()
    answers = await asyncio.gather(*(brought(world, body) for _ in range(4)))
    other = await world.network.post("/office/kyc", json=body | {"documents": body["documents"][:1]})

    assert answers.count(answers[0]) == 4
    assert (other.status_code, other.json()["type"]) == (409, "RequestIdAlreadyUsed")
    await eventually(lambda: reviews(world, body))
    await asyncio.sleep(0.7)
    assert len(reviews(world, body)) == 1


async def test_a_newer_submission_takes_the_place_of_the_older(world: World) -> None:
    old = submission()
    new = submission(accountId=old["accountId"])
    await brought(world, old)
    await brought(world, new)

    await eventually(lambda: reviews(world, new))

    assert reviews(world, old) == []
    await world.steering.post(f"/kyc/{old['accountId']}", json={"status": "REJECTED"})
    assert [each["status"] for each in reviews(world, new)] == ["APPROVED", "REJECTED"]


@pytest.mark.parametrize(
    "flaw",
    [
        {"documents": []},
        {"documents": [{"type": "RG", "front": side() | {"sha256": "0" * 64}}]},
        {"documents": [{"type": "RG", "front": side() | {"content": "..."}}]},
        {"documents": [{"type": "RG", "front": side() | {"mediaType": "image/gif"}}]},
        {"documents": [{"type": "RG", "front": side()}] * 2},
        {"documents": [{"type": "DIPLOMA", "front": side()}]},
        {"holder": {"name": "Ana"}},
        {"colour": "blue"},
    ],
)
async def test_a_submission_that_makes_no_sense_is_refused(world: World, flaw: dict[str, Any]) -> None:
    answer = await world.network.post("/office/kyc", json=submission(**flaw))
    assert (answer.status_code, answer.json()["type"]) == (400, "BadRequest")


async def test_only_a_participant_brings_documents(world: World) -> None:
    answer = await world.network.post("/office/kyc", json=submission(), headers={"authorization": "Bearer x"})
    assert answer.status_code == 401


async def test_the_book_keeps_hashes_and_no_image(world: World) -> None:
    body = submission()
    await brought(world, body)

    async with world.simulator.book.transaction() as tx:
        query = text("SELECT documents::text FROM kyc_case WHERE request_id = :id")
        kept = (await tx.execute(query, {"id": body["requestId"]})).scalar_one()

    assert side()["sha256"] in kept
    assert side()["content"] not in kept
