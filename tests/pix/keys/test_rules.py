"""The rules alone: facts in, a refusal or nothing out."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest

from lastro.accounts.states import AccountStatus
from lastro.errors import Conflict, RateLimited, Unprocessable
from lastro.pix.keys import rules
from lastro.pix.keys.order import Registration
from lastro.pix.keys.rules import KeyAccount
from lastro.pix.keys.states import KeyStage
from lastro.values.pix_key import KeyType, PixKey
from lastro.values.tax_id import TaxId

NOW = datetime(2026, 7, 1, 12, tzinfo=UTC)
COMPANY = TaxId.parse("73592014000115")
ACCOUNT = KeyAccount(uuid4(), AccountStatus.ACTIVE, COMPANY, live_keys=0, codes=())


def wanted(kind: KeyType, value: str | None = None) -> Registration:
    return Registration(ACCOUNT.id, kind, PixKey.parse(kind, value) if value else None)


EVP, MAIL = wanted(KeyType.EVP), wanted(KeyType.EMAIL, "a@b.c")


def refusal(
    order: Registration, account: KeyAccount = ACCOUNT, *, held_by: UUID | None = None, strict: bool = False
) -> object:
    return rules.may_register(order, account, held_by=held_by, strict=strict, now=NOW)


@pytest.mark.parametrize(
    "order", [EVP, MAIL, wanted(KeyType.CNPJ, COMPANY.value), wanted(KeyType.PHONE, "+5511987654321")]
)
def test_an_active_account_may_have_a_key(order: Registration) -> None:
    assert refusal(order) is None
    assert refusal(order, strict=True) is None


@pytest.mark.parametrize("status", set(AccountStatus) - {AccountStatus.ACTIVE})
def test_no_other_account_may(status: AccountStatus) -> None:
    assert isinstance(refusal(EVP, replace(ACCOUNT, status=status)), Conflict)


def test_a_document_is_the_holders_or_nobodys() -> None:
    assert isinstance(refusal(wanted(KeyType.CNPJ, "11222333000181")), Unprocessable)
    # The fourteen characters of a company's document say nothing about a person's eleven.
    assert isinstance(refusal(wanted(KeyType.CPF, "73592014000")), Unprocessable)


def test_letters_of_a_document_count() -> None:
    account = replace(ACCOUNT, document=TaxId.parse("12ABC34501DE35"))
    assert refusal(wanted(KeyType.CNPJ, "12.abc.345/01de-35"), account, strict=True) is None
    assert isinstance(refusal(wanted(KeyType.CNPJ, "12ABC34501DF35"), account), Unprocessable)


def test_check_digits_are_demanded_where_documents_are_taken_seriously() -> None:
    account = replace(ACCOUNT, document=TaxId.parse("12345678901"))
    order = wanted(KeyType.CPF, "12345678901")
    assert refusal(order, account) is None
    assert isinstance(refusal(order, account, strict=True), Unprocessable)


def test_what_somebody_has_nobody_else_gets() -> None:
    own, others = refusal(MAIL, held_by=ACCOUNT.id), refusal(MAIL, held_by=uuid4())
    assert isinstance(own, Conflict)
    assert isinstance(others, Conflict)
    assert (own.text.pt, others.text.pt) == (
        "Chave Pix já registrada nesta conta.",
        "Chave Pix já registrada em outra conta.",
    )


@pytest.mark.parametrize(("document", "most"), [("39053344705", 5), ("73592014000115", 20)])
def test_a_person_has_five_keys_and_a_company_twenty(document: str, most: int) -> None:
    account = replace(ACCOUNT, document=TaxId.parse(document))
    assert refusal(EVP, replace(account, live_keys=most - 1)) is None
    full = refusal(EVP, replace(account, live_keys=most))
    assert isinstance(full, Conflict)
    assert str(most) in full.text.pt


def test_ten_codes_an_hour_are_enough() -> None:
    codes = [NOW - timedelta(minutes=59, seconds=30) + timedelta(seconds=n) for n in range(10)]
    too_many = refusal(MAIL, replace(ACCOUNT, codes=codes))
    assert isinstance(too_many, RateLimited)
    assert too_many.retry_after == 30
    assert refusal(MAIL, replace(ACCOUNT, codes=codes[1:])) is None
    assert refusal(EVP, replace(ACCOUNT, codes=codes)) is None


def test_a_code_may_be_tried_until_its_last_moment() -> None:
    def may(stage: KeyStage, at: datetime, account: AccountStatus = AccountStatus.ACTIVE) -> object:
        return rules.may_confirm(stage, NOW, account, now=at)

    assert may(KeyStage.AWAITING_CODE, NOW - timedelta(microseconds=1)) is None
    assert isinstance(may(KeyStage.AWAITING_CODE, NOW), Conflict)
    assert isinstance(may(KeyStage.AWAITING_CODE, NOW - timedelta(seconds=1), AccountStatus.BLOCKED), Conflict)
    for stage in set(KeyStage) - {KeyStage.AWAITING_CODE}:
        assert isinstance(may(stage, NOW - timedelta(seconds=1)), Conflict)


def test_a_wrong_code_says_how_many_tries_are_left() -> None:
    assert [rules.wrong_code(tries).text.en for tries in (1, 4, 5)] == [
        "Wrong code. Tries left: 4.",
        "Wrong code. Tries left: 1.",
        "Wrong code. No tries are left: register the key again.",
    ]
