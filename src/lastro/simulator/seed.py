"""The people of the demo: a friend with a key at another bank, and a company whose account is already open."""

from datetime import UTC, datetime
from uuid import UUID

from sqlalchemy.dialects.postgresql import insert

from lastro.simulator.book import Book, CustomerAccount, DirectoryEntry

DEMO_ACCOUNT_ID = UUID("550e8400-e29b-41d4-a716-446655440100")
DEMO_PROVIDER_ID = UUID("550e8400-e29b-41d4-a716-446655440001")
# Not the id of any request that Lastro makes: it only has to be the same each time.
_ENTRY_ID = UUID("550e8400-e29b-41d4-a716-446655440900")


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
    async with book.transaction() as tx:
        await tx.execute(insert(DirectoryEntry).values(joao).on_conflict_do_nothing())
        await tx.execute(insert(CustomerAccount).values(company).on_conflict_do_nothing())
