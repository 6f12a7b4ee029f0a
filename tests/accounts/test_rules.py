"""Facts in, a refusal or nothing out: no database, no network."""

from dataclasses import replace
from uuid import UUID

import pytest

from lastro.accounts import rules
from lastro.accounts.order import Application
from lastro.accounts.states import AccountStatus
from lastro.errors import BankError, Conflict, Unprocessable, Validation
from lastro.providers.features import Feature
from lastro.providers.offer import Offer
from lastro.providers.states import ProviderStatus
from lastro.values.bank_account import AccountType
from lastro.values.tax_id import TaxId

GOOD, BAD = TaxId.parse("11222333000181"), TaxId.parse("12345678000190")
EVERYTHING = Offer(ProviderStatus.ACTIVE, frozenset(Feature), frozenset(AccountType))


def application(document: TaxId = GOOD, kind: AccountType = AccountType.CHECKING) -> Application:
    return Application(UUID(int=1), "Loja de Teste Ltda", document, kind, None)


def pointers(refusal: BankError | None) -> list[str | None]:
    assert refusal is not None
    return [flaw.pointer for flaw in refusal.flaws]


@pytest.mark.parametrize("strict", [True, False])
@pytest.mark.parametrize("kind", AccountType)
def test_what_the_provider_offers_may_open(kind: AccountType, strict: bool) -> None:
    assert rules.may_open(application(kind=kind), EVERYTHING, strict=strict) is None


def test_where_customers_were_reviewed_before_no_desk_is_needed() -> None:
    offer = replace(EVERYTHING, features=EVERYTHING.features - {Feature.KYC}, reviewed_elsewhere=True)

    assert rules.may_open(application(), offer, strict=False) is None


def test_a_type_that_the_provider_lacks_may_not() -> None:
    offer = replace(EVERYTHING, account_types=EVERYTHING.account_types - {AccountType.SAVINGS})

    refusal = rules.may_open(application(kind=AccountType.SAVINGS), offer, strict=False)

    assert isinstance(refusal, Unprocessable)
    assert pointers(refusal) == ["/data/attributes/type"]


@pytest.mark.parametrize(
    "offer",
    [
        replace(EVERYTHING, status=ProviderStatus.INACTIVE),
        replace(EVERYTHING, status=ProviderStatus.SUSPENDED),
        replace(EVERYTHING, features=EVERYTHING.features - {Feature.ACCOUNTS}),
        replace(EVERYTHING, features=EVERYTHING.features - {Feature.KYC}),  # nobody would ever approve the holder
    ],
)
def test_a_provider_that_opens_nothing_is_the_flaw(offer: Offer) -> None:
    refusal = rules.may_open(application(), offer, strict=False)

    assert isinstance(refusal, Unprocessable)
    assert pointers(refusal) == ["/data/attributes/providerId"]


def test_a_strict_provider_counts_the_check_digits() -> None:
    refusal = rules.may_open(application(BAD), EVERYTHING, strict=True)

    assert isinstance(refusal, Validation)
    assert pointers(refusal) == ["/data/attributes/holderDocument"]


def test_a_lenient_provider_does_not() -> None:
    assert rules.may_open(application(BAD), EVERYTHING, strict=False) is None


def test_a_wrong_document_is_told_before_a_wrong_type() -> None:
    assert isinstance(
        rules.may_open(application(BAD), replace(EVERYTHING, account_types=frozenset()), strict=True), Validation
    )


@pytest.mark.parametrize("status", AccountStatus)
def test_only_a_closed_account_may_not_change(status: AccountStatus) -> None:
    refusal = rules.may_change(status)

    assert isinstance(refusal, Conflict) == (status is AccountStatus.CLOSED)


@pytest.mark.parametrize("empty", [True, False])
@pytest.mark.parametrize("status", AccountStatus)
def test_an_empty_account_may_close_that_is_active_or_not_yet_opened(status: AccountStatus, empty: bool) -> None:
    refusal = rules.may_close(status, empty=empty, opening=False)

    assert (refusal is None) == (status in {AccountStatus.ACTIVE, AccountStatus.PENDING} and empty)
    assert refusal is None or isinstance(refusal, Conflict)


def test_each_refusal_to_close_has_its_own_words() -> None:
    refusals = [
        rules.may_close(AccountStatus.CLOSED, empty=True, opening=False),
        rules.may_close(AccountStatus.BLOCKED, empty=True, opening=False),
        rules.may_close(AccountStatus.ACTIVE, empty=False, opening=False),
        rules.may_close(AccountStatus.PENDING, empty=True, opening=True),
    ]

    assert len({str(refusal) for refusal in refusals}) == len(refusals)
