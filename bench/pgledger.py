"""Transfers in bare SQL after pgledger (two balances, one transfer, two entries): a ledger with nothing around it.

The tables, keys, indexes and steps are pgledger's (github.com/pgr0ss/pgledger, MIT), written anew with its costs taken
out: native UUIDs instead of ULIDs as text, BIGINT instead of NUMERIC, no dynamic SQL, one transfer instead of arrays.
It is therefore faster than pgledger itself; what it is compared with writes more rows.
"""

import asyncpg

from bench.place import Place

ACCOUNTS = 10_000
OPENING = 1_000_000_000

SPREAD = f"""\\set source random(1, {ACCOUNTS})
\\set target random(1, {ACCOUNTS - 1})
SELECT create_transfer(:source, :target + (:target >= :source)::int, 100);
"""

TABLES = f"""
CREATE TABLE accounts (
    id uuid PRIMARY KEY, name text NOT NULL, currency text NOT NULL, balance bigint NOT NULL,
    version bigint NOT NULL DEFAULT 0, allow_negative_balance boolean NOT NULL, allow_positive_balance boolean NOT NULL,
    created_at timestamptz NOT NULL, updated_at timestamptz NOT NULL
);
CREATE TABLE transfers (
    id uuid PRIMARY KEY DEFAULT uuidv7(), from_account_id uuid NOT NULL REFERENCES accounts (id),
    to_account_id uuid NOT NULL REFERENCES accounts (id), amount bigint NOT NULL, created_at timestamptz NOT NULL,
    event_at timestamptz NOT NULL, metadata jsonb, CHECK (amount > 0 AND from_account_id <> to_account_id)
);
CREATE INDEX ON transfers (from_account_id);
CREATE INDEX ON transfers (to_account_id);
CREATE INDEX ON transfers (event_at);
CREATE TABLE entries (
    id uuid PRIMARY KEY DEFAULT uuidv7(), account_id uuid NOT NULL REFERENCES accounts (id),
    transfer_id uuid NOT NULL REFERENCES transfers (id), amount bigint NOT NULL,
    account_previous_balance bigint NOT NULL, account_current_balance bigint NOT NULL, account_version bigint NOT NULL,
    created_at timestamptz NOT NULL
);
CREATE INDEX ON entries (account_id);
CREATE INDEX ON entries (transfer_id);
INSERT INTO accounts (id, name, currency, balance, allow_negative_balance, allow_positive_balance, created_at,
                      updated_at)
SELECT lpad(to_hex(number), 32, '0')::uuid, 'account ' || number, 'BRL', {OPENING}, false, true, now(), now()
  FROM generate_series(1, {ACCOUNTS}) AS number;
"""

CREATE_TRANSFER = """
CREATE FUNCTION create_transfer(source integer, target integer, amount bigint) RETURNS uuid LANGUAGE plpgsql AS $body$
DECLARE
    from_id CONSTANT uuid := lpad(to_hex(source), 32, '0')::uuid;
    to_id CONSTANT uuid := lpad(to_hex(target), 32, '0')::uuid;
    made CONSTANT uuid := uuidv7();
    from_account accounts;
    to_account accounts;
BEGIN
    -- Both locks in the order of the ids, so that opposite transfers can not wait for each other.
    PERFORM id FROM accounts WHERE id = least(from_id, to_id) FOR UPDATE;
    PERFORM id FROM accounts WHERE id = greatest(from_id, to_id) FOR UPDATE;
    UPDATE accounts SET balance = balance - amount, version = version + 1, updated_at = now()
     WHERE id = from_id RETURNING * INTO STRICT from_account;
    IF NOT from_account.allow_negative_balance AND from_account.balance < 0 THEN
        RAISE EXCEPTION 'account % does not allow a negative balance', from_id;
    END IF;
    UPDATE accounts SET balance = balance + amount, version = version + 1, updated_at = now()
     WHERE id = to_id RETURNING * INTO STRICT to_account;
    IF NOT to_account.allow_positive_balance AND to_account.balance > 0 THEN
        RAISE EXCEPTION 'account % does not allow a positive balance', to_id;
    END IF;
    IF from_account.currency <> to_account.currency THEN
        RAISE EXCEPTION 'different currencies';
    END IF;
    INSERT INTO transfers (id, from_account_id, to_account_id, amount, created_at, event_at)
    VALUES (made, from_id, to_id, amount, now(), now());
    INSERT INTO entries (account_id, transfer_id, amount, account_previous_balance, account_current_balance,
                         account_version, created_at)
    VALUES (from_id, made, -amount, from_account.balance + amount, from_account.balance, from_account.version, now());
    INSERT INTO entries (account_id, transfer_id, amount, account_previous_balance, account_current_balance,
                         account_version, created_at)
    VALUES (to_id, made, amount, to_account.balance - amount, to_account.balance, to_account.version, now());
    RETURN made;
END $body$
"""

_FLAWS = f"""
SELECT 'transfers and entries do not match'
 WHERE (SELECT count(*) * 2 FROM transfers) <> (SELECT count(*) FROM entries)
UNION ALL
SELECT 'entries do not sum to zero' WHERE (SELECT coalesce(sum(amount), 0) FROM entries) <> 0
UNION ALL
SELECT 'account ' || id || ' does not follow from its entries'
  FROM accounts LEFT JOIN (SELECT account_id, sum(amount) AS moved, count(*) AS times FROM entries GROUP BY account_id)
       AS history ON history.account_id = id
 WHERE balance <> {OPENING} + coalesce(moved, 0) OR version <> coalesce(times, 0)
"""


async def build(place: Place, database: str) -> None:
    """A database of its own in the same Postgres, with ten thousand accounts."""
    await place.run("postgres", f"CREATE DATABASE {database}")
    await place.run(database, TABLES, CREATE_TRANSFER, "VACUUM ANALYZE", "CHECKPOINT")


async def flaws(place: Place, database: str, *, answered: int) -> list[str]:
    """What is wrong with these books."""
    connection = await asyncpg.connect(place.owners_url(database))
    try:
        found = [str(row[0]) for row in await connection.fetch(_FLAWS)]
        made = int(await connection.fetchval("SELECT count(*) FROM transfers"))
    finally:
        await connection.close()
    return found if made == answered else [*found, f"{made} transfers were made, {answered} were answered"]
