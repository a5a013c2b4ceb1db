-- Cancelling, and finishing what a crash has left. A binary of the version before reads and writes on as it did.

-- An order that is to be cancelled: its money is to come back ('REQUESTED'), or is back ('DONE').
ALTER TABLE orders ADD COLUMN cancellation TEXT CHECK (cancellation IN ('REQUESTED', 'DONE'));
-- Until when the order belongs to whoever works on it, and how often somebody took it: what they write carries that number.
ALTER TABLE orders ADD COLUMN lease_until INTEGER NOT NULL DEFAULT 0;
ALTER TABLE orders ADD COLUMN fence INTEGER NOT NULL DEFAULT 0;
-- When work that is left is to be taken up, and how often that came to nothing.
ALTER TABLE orders ADD COLUMN due_at INTEGER NOT NULL DEFAULT 0;
ALTER TABLE orders ADD COLUMN attempts INTEGER NOT NULL DEFAULT 0;

CREATE INDEX open_orders ON orders (due_at) WHERE state = 'PAYMENT_PENDING' OR cancellation = 'REQUESTED';

ALTER TABLE idempotency_keys ADD COLUMN answered_cancellation TEXT CHECK (answered_cancellation = 'REQUESTED');
CREATE UNIQUE INDEX key_of_order ON idempotency_keys (order_id);

-- Each state that an order was in, written with it.
CREATE TABLE order_events (
    id             TEXT    NOT NULL PRIMARY KEY,
    order_id       TEXT    NOT NULL REFERENCES orders (id),
    -- 1, 2, 3 within an order.
    sequence       INTEGER NOT NULL,
    state          TEXT    NOT NULL CHECK (state IN ('PAYMENT_PENDING', 'PAID', 'DECLINED', 'CANCEL_PENDING', 'CANCELLED')),
    decline_reason TEXT,
    created_at     INTEGER NOT NULL,
    -- The context of the trace in which it happened, by W3C Trace Context.
    traceparent    TEXT,
    tracestate     TEXT,
    UNIQUE (order_id, sequence)
) STRICT, WITHOUT ROWID;
