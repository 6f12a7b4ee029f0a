"""The people of the demo: a friend with a key at another bank, and a company with an open account and two keys."""

from datetime import UTC, datetime
from uuid import UUID

from sqlalchemy.dialects.postgresql import insert

from lastro.simulator.book import Book, CustomerAccount, DirectoryEntry

DEMO_ACCOUNT_ID = UUID("550e8400-e29b-41d4-a716-446655440100")
DEMO_PROVIDER_ID = UUID("550e8400-e29b-41d4-a716-446655440001")
# Not the id of any request that Lastro makes: it only has to be the same each time.
_ENTRY_ID = UUID("550e8400-e29b-41d4-a716-446655440900")
# These are: Lastro's demo knows its two keys by them.
_COMPANYS_KEYS = (
    (UUID("550e8400-e29b-41d4-a716-446655440901"), "PHONE", "+5511987654321"),
    (UUID("550e8400-e29b-41d4-a716-446655440902"), "CNPJ", "73592014000115"),
)


async def seed_demo(book: Book) -> None:
    """Write the demo into the book; what is there already stays as it is."""
    joao = {
        "request_id": _ENTRY_ID,
        "key": "12345678901",
        "key_type": "CPF",
        "ispb": "18236120",
        "branch": "0001",
        "number": "987654",
        "type": "CACC",
        "opened_at": datetime(2023, 6, 15, 3, tzinfo=UTC),
        "owner_name": "João Silva",
        "owner_tax_id": "12345678901",
        "created_at": datetime(2023, 6, 15, 10, 30, tzinfo=UTC),
    }
    company = {
        "request_id": DEMO_ACCOUNT_ID,
        "provider_id": DEMO_PROVIDER_ID,
        "ispb": "00000000",
        "branch": "0001",
        "number": "123456",
        "type": "CACC",
        "holder_name": "Empresa ABC Ltda",
        "holder_tax_id": "73592014000115",
        "opened_at": datetime(2024, 1, 15, 10, 30, tzinfo=UTC),
    }
    place = {name: company[name] for name in ("ispb", "branch", "number", "type", "opened_at")}
    owner = {"owner_name": company["holder_name"], "owner_tax_id": company["holder_tax_id"]}
    companys_keys = [
        {"request_id": request_id, "key_type": kind, "key": key, **place, **owner, "created_at": company["opened_at"]}
        for request_id, kind, key in _COMPANYS_KEYS
    ]
    async with book.transaction() as tx:
        await tx.execute(insert(DirectoryEntry).values([joao, *companys_keys]).on_conflict_do_nothing())
        await tx.execute(insert(CustomerAccount).values(company).on_conflict_do_nothing())
