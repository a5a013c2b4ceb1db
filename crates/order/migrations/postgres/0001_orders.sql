-- Times are microseconds since 1970 (UTC); ids are UUIDs as text, version 7 where they must sort by time, which they do
-- byte by byte.

CREATE TABLE orders (
    id             TEXT   COLLATE "C" PRIMARY KEY,
    state          TEXT   NOT NULL CHECK (state IN ('PAYMENT_PENDING', 'PAID', 'DECLINED')),
    decline_reason TEXT   CHECK (decline_reason IN ('CARD_DECLINED', 'INSUFFICIENT_FUNDS', 'CARD_EXPIRED')),
    customer_email TEXT   NOT NULL,
    total_minor    BIGINT NOT NULL CHECK (total_minor >= 0),
    currency       TEXT   NOT NULL CHECK (length(currency) = 3),
    payment_id     TEXT,
    created_at     BIGINT NOT NULL,
    updated_at     BIGINT NOT NULL,
    CHECK ((state = 'DECLINED') = (decline_reason IS NOT NULL))
);

-- Prices are those of the day of the order, in the order's currency.
CREATE TABLE order_lines (
    order_id         TEXT   COLLATE "C" REFERENCES orders (id),
    position         BIGINT,
    sku              TEXT   NOT NULL,
    quantity         BIGINT NOT NULL CHECK (quantity BETWEEN 1 AND 1000),
    unit_price_minor BIGINT NOT NULL CHECK (unit_price_minor >= 0),
    PRIMARY KEY (order_id, position)
);

-- What the shop set out to do for an order: written before it is tried, so that whoever finds it can finish it.
CREATE TABLE order_steps (
    order_id        TEXT   COLLATE "C" REFERENCES orders (id),
    name            TEXT   CHECK (name IN ('CHARGE')),
    state           TEXT   NOT NULL CHECK (state IN ('PENDING', 'SUCCEEDED', 'FAILED')),
    -- The key this step is asked for with, at every try.
    idempotency_key TEXT   NOT NULL UNIQUE,
    -- Needed to try again; nothing keeps it once the step has ended.
    payment_token   TEXT,
    created_at      BIGINT NOT NULL,
    updated_at      BIGINT NOT NULL,
    PRIMARY KEY (order_id, name),
    CHECK ((state = 'PENDING') = (payment_token IS NOT NULL))
);

-- Whose repetition is which request. The answer is what the caller was told: the order's state and update time of then;
-- the rest of a settled order never changes.
CREATE TABLE idempotency_keys (
    key            TEXT   COLLATE "C" PRIMARY KEY,
    -- SHA-256 of the encoded request.
    fingerprint    BYTEA  NOT NULL CHECK (length(fingerprint) = 32),
    -- Checked at commit: the key is claimed first.
    order_id       TEXT   COLLATE "C" NOT NULL REFERENCES orders (id) DEFERRABLE INITIALLY DEFERRED,
    created_at     BIGINT NOT NULL,
    answered_state TEXT   CHECK (answered_state IN ('PAID', 'DECLINED')),
    answered_at    BIGINT,
    CHECK ((answered_state IS NULL) = (answered_at IS NULL))
);
