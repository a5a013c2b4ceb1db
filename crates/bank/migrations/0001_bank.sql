-- Every changing call, by the merchant's own idempotency key. `status` and `body` are empty until the bank has decided.
CREATE TABLE idempotency_keys (
    idempotency_key TEXT NOT NULL PRIMARY KEY,
    fingerprint     BLOB NOT NULL CHECK (length(fingerprint) = 32),
    calls           INTEGER NOT NULL,
    status          INTEGER,
    body            TEXT,
    CHECK ((status IS NULL) = (body IS NULL))
) STRICT;

-- What the bank has agreed to. One key makes one authorisation, whatever the code above believes.
CREATE TABLE authorisations (
    id              TEXT NOT NULL PRIMARY KEY,
    idempotency_key TEXT NOT NULL UNIQUE REFERENCES idempotency_keys (idempotency_key),
    state           TEXT NOT NULL CHECK (state IN ('authorised', 'captured', 'refunded')),
    minor_units     INTEGER NOT NULL CHECK (minor_units > 0),
    currency_code   TEXT NOT NULL CHECK (length(currency_code) = 3),
    reference       TEXT NOT NULL
) STRICT;

-- The movements of money, in the order they were booked. An authorisation is made, captured and refunded at most once.
CREATE TABLE ledger (
    entry            INTEGER PRIMARY KEY AUTOINCREMENT,
    kind             TEXT NOT NULL CHECK (kind IN ('authorise', 'capture', 'refund')),
    authorisation_id TEXT NOT NULL REFERENCES authorisations (id),
    minor_units      INTEGER NOT NULL CHECK (minor_units > 0),
    currency_code    TEXT NOT NULL CHECK (length(currency_code) = 3),
    reference        TEXT NOT NULL,
    idempotency_key  TEXT NOT NULL REFERENCES idempotency_keys (idempotency_key),
    booked_at        TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now')),
    UNIQUE (authorisation_id, kind)
) STRICT;

CREATE INDEX ledger_by_reference ON ledger (reference);

CREATE TRIGGER ledger_is_never_rewritten BEFORE UPDATE ON ledger
BEGIN
    SELECT RAISE(ABORT, 'the ledger is append-only');
END;

CREATE TRIGGER ledger_is_never_shortened BEFORE DELETE ON ledger
BEGIN
    SELECT RAISE(ABORT, 'the ledger is append-only');
END;
