"""Which documents a holder needs, whether more may be sent, what a review makes of each: facts in, verdicts out."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from lastro.accounts.rules import CLOSED
from lastro.accounts.states import AccountStatus
from lastro.errors import BankError, Conflict
from lastro.kyc.states import UNDER_REVIEW, VERDICTS, DocumentKind, KycStatus
from lastro.values.tax_id import DocumentType
from lastro.values.text import Text

_APPROVED = Text("KYC já aprovado: reenvio desnecessário.", "The KYC is approved already: nothing more is needed.")

K, S = DocumentKind, KycStatus

_GOOD = UNDER_REVIEW | {S.APPROVED}
"""A document that was refused is there, and does not count."""


@dataclass(frozen=True, slots=True)
class Requirement:
    """One of these kinds must be there; `name` is how a holder calls it."""

    kinds: frozenset[DocumentKind]
    name: str


IDENTITY = Requirement(
    frozenset({K.RG, K.CNH, K.PASSPORT, K.RNE}), "documento de identidade (RG, CNH, PASSPORT ou RNE)"
)
SELFIE = Requirement(frozenset({K.SELFIE}), "selfie do titular (SELFIE)")
ADDRESS = Requirement(frozenset({K.PROOF_OF_ADDRESS}), "comprovante de endereço (PROOF_OF_ADDRESS)")
ARTICLES = Requirement(frozenset({K.ARTICLES_OF_INCORPORATION}), "contrato social (ARTICLES_OF_INCORPORATION)")

_REQUIRED: Mapping[DocumentType, Sequence[Requirement]] = {
    DocumentType.CPF: (IDENTITY, SELFIE, ADDRESS),
    DocumentType.CNPJ: (IDENTITY, SELFIE, ADDRESS, ARTICLES),
}
_BEARS_THE_NAME: Mapping[DocumentType, Requirement] = {DocumentType.CPF: IDENTITY, DocumentType.CNPJ: ARTICLES}

_WHY = {None: "não enviado", S.REJECTED: "recusado", S.REQUIRES_UPDATE: "precisa ser reenviado"}


def may_send(account: AccountStatus, file: KycStatus) -> BankError | None:
    """An approved file wants nothing more, and a closed account neither."""
    if account is AccountStatus.CLOSED:
        return Conflict(CLOSED)
    return Conflict(_APPROVED) if file is S.APPROVED else None


def lacking(holder: DocumentType, documents: Mapping[DocumentKind, KycStatus]) -> Sequence[Requirement]:
    """What this holder still has to send, given the documents that lie there. Nothing: the file is complete."""
    good = {kind for kind, status in documents.items() if status in _GOOD}
    return [each for each in _REQUIRED[holder] if not each.kinds & good]


def note(wanted: Sequence[Requirement], documents: Mapping[DocumentKind, KycStatus]) -> str:
    """What is missing, and why, for the holder to read."""
    reasons = [f"{each.name}: {_why(each, documents)}" for each in wanted]
    return f"Envie: {'; '.join(reasons)}."


def _why(wanted: Requirement, documents: Mapping[DocumentKind, KycStatus]) -> str:
    there = [documents[kind] for kind in K if kind in wanted.kinds and kind in documents]
    return _WHY.get(there[-1] if there else None, "não enviado")


def bears_the_name(holder: DocumentType) -> Requirement:
    """By which documents a holder proves a name."""
    return _BEARS_THE_NAME[holder]


def note_of_another_name(holder: DocumentType) -> str:
    """Why an approved file is open again."""
    return f"O nome do titular mudou. Envie de novo, com o novo nome: {_BEARS_THE_NAME[holder].name}."


def counts(status: KycStatus) -> bool:
    """Whether a document of this status is part of what is reviewed."""
    return status in _GOOD


def reviewed(
    decision: KycStatus, named: Mapping[DocumentKind, KycStatus], documents: Mapping[DocumentKind, KycStatus]
) -> Mapping[DocumentKind, KycStatus]:
    """What becomes of each document that a decision touches: its own verdict, else that of the whole file.

    When an update is asked of documents by name, the others are left as they were. What was refused before and not
    sent again is no part of the decision.
    """
    own = {kind: status for kind, status in named.items() if kind in documents}
    if decision is S.REQUIRES_UPDATE and own:
        return own
    follow = {kind: decision for kind, status in documents.items() if counts(status)}
    if decision not in VERDICTS:
        follow = {kind: decision for kind in follow if documents[kind] is S.PENDING}
    return {**follow, **own}
