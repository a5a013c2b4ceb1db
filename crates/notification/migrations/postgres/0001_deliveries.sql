-- Times are microseconds since 1970 (UTC); ids are UUIDs as text.

-- Each event that was taken over, in the order in which it was. The customer's address is kept nowhere.
CREATE TABLE deliveries (
    position    BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    event_id    TEXT   NOT NULL UNIQUE,
    order_id    TEXT   NOT NULL,
    -- 1, 2, 3 within an order.
    sequence    BIGINT NOT NULL CHECK (sequence > 0),
    state       TEXT   NOT NULL CHECK (state IN ('PAYMENT_PENDING', 'PAID', 'DECLINED', 'CANCEL_PENDING', 'CANCELLED')),
    happened_at BIGINT NOT NULL,
    taken_at    BIGINT NOT NULL
);

CREATE INDEX deliveries_of_order ON deliveries (order_id, position);
