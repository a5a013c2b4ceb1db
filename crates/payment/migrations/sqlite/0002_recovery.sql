-- Finishing what a crash has left, and the history of a payment. A binary of the version before reads and writes on as it
-- did.

-- Until when a step belongs to whoever works on it, and how often somebody took it: what they write carries that number.
ALTER TABLE payment_steps ADD COLUMN lease_until INTEGER NOT NULL DEFAULT 0;
ALTER TABLE payment_steps ADD COLUMN fence INTEGER NOT NULL DEFAULT 0;
-- When a step that was left is to be taken up, and how often that came to nothing.
ALTER TABLE payment_steps ADD COLUMN due_at INTEGER NOT NULL DEFAULT 0;
ALTER TABLE payment_steps ADD COLUMN attempts INTEGER NOT NULL DEFAULT 0;
-- The context of the trace in which it was asked for, by W3C Trace Context.
ALTER TABLE payment_steps ADD COLUMN traceparent TEXT;
ALTER TABLE payment_steps ADD COLUMN tracestate TEXT;

CREATE INDEX key_of_step ON idempotency_keys (payment_id, method);
CREATE INDEX open_steps ON payment_steps (due_at) WHERE state = 'started';

-- Each state that a payment was in, written with it.
CREATE TABLE payment_history (
    payment_id     TEXT    NOT NULL REFERENCES payments (id),
    -- 1, 2, 3 within a payment.
    sequence       INTEGER NOT NULL,
    state          TEXT    NOT NULL,
    decline_reason TEXT,
    created_at     INTEGER NOT NULL,
    PRIMARY KEY (payment_id, sequence)
) STRICT;
