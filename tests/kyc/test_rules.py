"""Which documents a holder needs, and what becomes of each when a desk decides."""

from itertools import product

import pytest

from lastro.accounts.states import AccountStatus
from lastro.errors import Conflict
from lastro.kyc import rules
from lastro.kyc.states import EDGES, VERDICTS, DocumentKind, KycStatus
from lastro.values.tax_id import DocumentType

K, S = DocumentKind, KycStatus
PERSON, COMPANY = DocumentType.CPF, DocumentType.CNPJ


def names(holder: DocumentType, documents: dict[DocumentKind, KycStatus]) -> list[rules.Requirement]:
    return list(rules.lacking(holder, documents))


@pytest.mark.parametrize("identity", [K.RG, K.CNH, K.PASSPORT, K.RNE])
def test_a_person_needs_one_identity_a_selfie_and_an_address(identity: DocumentKind) -> None:
    documents = dict.fromkeys((identity, K.SELFIE, K.PROOF_OF_ADDRESS), S.PENDING)

    assert names(PERSON, documents) == []
    for kind in documents:
        rest = {each: status for each, status in documents.items() if each is not kind}
        assert [kind in each.kinds for each in names(PERSON, rest)] == [True]


def test_a_company_needs_its_articles_too_and_nobody_needs_an_income() -> None:
    documents = dict.fromkeys((K.CNH, K.SELFIE, K.PROOF_OF_ADDRESS, K.PROOF_OF_INCOME), S.APPROVED)

    assert names(PERSON, documents) == []
    assert names(COMPANY, documents) == [rules.ARTICLES]
    assert names(COMPANY, documents | {K.ARTICLES_OF_INCORPORATION: S.IN_PROGRESS}) == []


@pytest.mark.parametrize("status", [S.REJECTED, S.REQUIRES_UPDATE])
def test_what_was_refused_is_there_and_does_not_count(status: KycStatus) -> None:
    documents = dict.fromkeys((K.RG, K.PROOF_OF_ADDRESS), S.PENDING) | {K.SELFIE: status}

    assert names(PERSON, documents) == [rules.SELFIE]
    assert names(PERSON, documents | {K.RG: status, K.CNH: S.PENDING}) == [rules.SELFIE]


def test_the_note_names_each_and_says_why() -> None:
    documents = {K.SELFIE: S.REJECTED, K.PROOF_OF_ADDRESS: S.REQUIRES_UPDATE}

    note = rules.note(rules.lacking(COMPANY, documents), documents)

    assert note == (
        "Envie: documento de identidade (RG, CNH, PASSPORT ou RNE): não enviado; selfie do titular (SELFIE): recusado;"
        " comprovante de endereço (PROOF_OF_ADDRESS): precisa ser reenviado;"
        " contrato social (ARTICLES_OF_INCORPORATION): não enviado."
    )


@pytest.mark.parametrize(("account", "file"), list(product(AccountStatus, KycStatus)))
def test_more_may_be_sent_unless_the_file_is_approved_or_the_account_closed(
    account: AccountStatus, file: KycStatus
) -> None:
    refusal = rules.may_send(account, file)

    assert (refusal is None) == (account is not AccountStatus.CLOSED and file is not S.APPROVED)
    assert refusal is None or isinstance(refusal, Conflict)


ALL = {K.RG: S.IN_PROGRESS, K.SELFIE: S.IN_PROGRESS, K.PROOF_OF_ADDRESS: S.APPROVED, K.PROOF_OF_INCOME: S.REJECTED}


@pytest.mark.parametrize("decision", [S.APPROVED, S.REJECTED, S.REQUIRES_UPDATE])
def test_documents_follow_the_decision_but_those_that_were_refused_before(decision: KycStatus) -> None:
    assert rules.reviewed(decision, {}, ALL) == dict.fromkeys((K.RG, K.SELFIE, K.PROOF_OF_ADDRESS), decision)


def test_a_documents_own_verdict_comes_first() -> None:
    named = {K.SELFIE: S.REJECTED, K.PASSPORT: S.REJECTED}

    assert rules.reviewed(S.APPROVED, named, ALL) == {
        K.RG: S.APPROVED,
        K.SELFIE: S.REJECTED,
        K.PROOF_OF_ADDRESS: S.APPROVED,
    }


def test_an_update_that_names_documents_leaves_the_others_alone() -> None:
    assert rules.reviewed(S.REQUIRES_UPDATE, {K.SELFIE: S.REQUIRES_UPDATE}, ALL) == {K.SELFIE: S.REQUIRES_UPDATE}


def test_a_review_that_begins_takes_up_what_waits() -> None:
    assert rules.reviewed(S.IN_PROGRESS, {}, ALL | {K.RG: S.PENDING}) == {K.RG: S.IN_PROGRESS}


def test_every_verdict_is_news_and_nothing_else_is() -> None:
    for (_, to), edge in EDGES.items():
        assert edge.emits == (f"account.kyc.{to.lower()}" if to in VERDICTS else None)


def test_nothing_leads_back_to_the_beginning_and_everything_is_reached() -> None:
    assert {to for _, to in EDGES} == set(S) - {S.NOT_STARTED}
    assert {come_from for come_from, _ in EDGES} == set(S)


@pytest.mark.parametrize(("holder", "kind"), [(PERSON, K.PASSPORT), (COMPANY, K.ARTICLES_OF_INCORPORATION)])
def test_a_name_is_proved_by_the_identity_of_a_person_and_the_articles_of_a_company(
    holder: DocumentType, kind: DocumentKind
) -> None:
    assert kind in rules.bears_the_name(holder).kinds
    assert rules.bears_the_name(holder).name in rules.note_of_another_name(holder)
