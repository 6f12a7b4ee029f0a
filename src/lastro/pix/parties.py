"""A side of a Pix as a column: frozen when the payment was accepted, so that every message about it is the same."""

from typing import Any

from sqlalchemy import Dialect, TypeDecorator
from sqlalchemy.dialects.postgresql import JSONB

from lastro.providers.protocol import Party
from lastro.values.bank_account import AccountType, BankAccount
from lastro.values.tax_id import DocumentType, TaxId


def packed(party: Party) -> dict[str, str]:
    """The party as a flat JSON object."""
    return {
        "name": party.name,
        "document": party.tax_id.value,
        "documentType": party.tax_id.kind,
        "ispb": party.account.ispb,
        "branch": party.account.branch,
        "number": party.account.number,
        "type": party.account.kind,
    }


def unpacked(facts: dict[str, str]) -> Party:
    """What `packed` packed."""
    return Party(
        name=facts["name"],
        tax_id=TaxId(facts["document"], DocumentType(facts["documentType"])),
        account=BankAccount(facts["ispb"], facts["branch"], facts["number"], AccountType(facts["type"])),
    )


class PartyColumn(TypeDecorator[Party]):
    """A `Party` as JSONB."""

    impl = JSONB
    cache_ok = True

    def process_bind_param(self, value: Party | None, _dialect: Dialect) -> Any:
        return None if value is None else packed(value)

    def process_result_value(self, value: Any, _dialect: Dialect) -> Party | None:
        return None if value is None else unpacked(value)
