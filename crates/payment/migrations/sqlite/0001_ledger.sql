-- Times are microseconds since 1970, UTC. Ids are UUIDs as text. A payment token is never stored: an intent that a
-- crash left open is resumed with the token of the repeated request.

-- What is to be paid, and how far that has come.
CREATE TABLE payments (
    id             TEXT    NOT NULL PRIMARY KEY,
    order_id       TEXT    NOT NULL,
    amount_minor   INTEGER NOT NULL CHECK (amount_minor > 0),
    currency       TEXT    NOT NULL CHECK (length(currency) = 3),
    state          TEXT    NOT NULL CHECK (state IN ('pending', 'captured', 'declined', 'refund_pending', 'refunded')),
    -- The bank's own id of the transaction, and why the bank refused: each set once, by the bank's answer.
    transaction_id TEXT,
    decline_reason TEXT,
    created_at     INTEGER NOT NULL,
    updated_at     INTEGER NOT NULL,
    CHECK ((decline_reason IS NOT NULL) = (state = 'declined')),
    CHECK ((transaction_id IS NOT NULL) = (state IN ('captured', 'refund_pending', 'refunded')))
) STRICT;

-- What the bank was asked to do: committed before it is asked, finished by the transaction that keeps its answer.
-- A step that stays 'started' is one whose answer is not known.
CREATE TABLE payment_steps (
    payment_id  TEXT    NOT NULL REFERENCES payments (id),
    step        TEXT    NOT NULL CHECK (step IN ('charge', 'refund')),
    -- The idempotency key we give the bank: the same on every attempt, so that the money moves once.
    bank_key    TEXT    NOT NULL UNIQUE,
    state       TEXT    NOT NULL CHECK (state IN ('started', 'done', 'declined')),
    started_at  INTEGER NOT NULL,
    finished_at INTEGER,
    PRIMARY KEY (payment_id, step),
    CHECK ((finished_at IS NULL) = (state = 'started'))
) STRICT;

-- Whose repetition is which request. The answer is what the caller was told: the payment's state and update time of
-- then; the rest of a payment never changes.
CREATE TABLE idempotency_keys (
    method         TEXT    NOT NULL CHECK (method IN ('charge', 'refund')),
    key            TEXT    NOT NULL,
    -- SHA-256 of the encoded request.
    fingerprint    BLOB    NOT NULL CHECK (length(fingerprint) = 32),
    -- Checked at commit: the key is claimed first.
    payment_id     TEXT    NOT NULL REFERENCES payments (id) DEFERRABLE INITIALLY DEFERRED,
    created_at     INTEGER NOT NULL,
    answered_state TEXT,
    answered_at    INTEGER,
    PRIMARY KEY (method, key),
    CHECK ((answered_state IS NULL) = (answered_at IS NULL))
) STRICT;
