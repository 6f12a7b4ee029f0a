"""What an invariant is: a sentence that must be true of the database, and the SQL that finds what breaks it."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Invariant:
    """One sentence. `sql` answers one text column that names an offender a row; no rows mean that it holds.

    `at_rest` marks what is only demanded when nothing is under way.
    """

    id: str
    statement: str
    sql: str
    at_rest: bool = False
