-- Times are microseconds since 1970, UTC. Ids are UUIDs as text. A payment token is never stored: an intent that a
-- crash left open is resumed with the token of the repeated request.

-- What is to be paid, and how far that has come.
CREATE TABLE payments (
    id             TEXT   PRIMARY KEY,
    order_id       TEXT   NOT NULL,
    amount_minor   BIGINT NOT NULL CHECK (amount_minor > 0),
    currency       TEXT   NOT NULL CHECK (length(currency) = 3),
    state          TEXT   NOT NULL CHECK (state IN ('pending', 'captured', 'declined', 'refund_pending', 'refunded')),
    -- The bank's own id of the transaction, and why the bank refused: each set once, by the bank's answer.
    transaction_id TEXT,
    decline_reason TEXT,
    created_at     BIGINT NOT NULL,
    updated_at     BIGINT NOT NULL,
    CHECK ((decline_reason IS NOT NULL) = (state = 'declined')),
    CHECK ((transaction_id IS NOT NULL) = (state IN ('captured', 'refund_pending', 'refunded')))
);

-- What the bank was asked to do: committed before it is asked, finished by the transaction that keeps its answer.
-- A step that stays 'started' is one whose answer is not known.
CREATE TABLE payment_steps (
    payment_id  TEXT   NOT NULL REFERENCES payments (id),
    step        TEXT   NOT NULL CHECK (step IN ('charge', 'refund')),
    -- The idempotency key we give the bank: the same on every attempt, so that the money moves once.
    bank_key    TEXT   NOT NULL UNIQUE,
    state       TEXT   NOT NULL CHECK (state IN ('started', 'done', 'declined')),
    started_at  BIGINT NOT NULL,
    finished_at BIGINT,
    PRIMARY KEY (payment_id, step),
    CHECK ((finished_at IS NULL) = (state = 'started'))
);

-- Whose repetition is which request. The answer is what the caller was told: the payment's state and update time of
-- then; the rest of a payment never changes.
CREATE TABLE idempotency_keys (
    method         TEXT   NOT NULL CHECK (method IN ('charge', 'refund')),
    key            TEXT   NOT NULL,
    -- SHA-256 of the encoded request.
    fingerprint    BYTEA  NOT NULL CHECK (length(fingerprint) = 32),
    -- Checked at commit: the key is claimed first.
    payment_id     TEXT   NOT NULL REFERENCES payments (id) DEFERRABLE INITIALLY DEFERRED,
    created_at     BIGINT NOT NULL,
    answered_state TEXT,
    answered_at    BIGINT,
    PRIMARY KEY (method, key),
    CHECK ((answered_state IS NULL) = (answered_at IS NULL))
);
