-- Telling others what happened to an order. A binary of the version before writes events that wait until one of this version
-- sends them.

ALTER TABLE order_events ADD COLUMN delivered_at BIGINT;
-- An event that is refused again and again is parked, and with it the later ones of its order, until somebody asks for it.
ALTER TABLE order_events ADD COLUMN parked_at BIGINT;
-- Until when an event belongs to whoever sends it, when it is to be sent again, and how often it was refused.
ALTER TABLE order_events ADD COLUMN lease_until BIGINT NOT NULL DEFAULT 0;
ALTER TABLE order_events ADD COLUMN due_at BIGINT NOT NULL DEFAULT 0;
ALTER TABLE order_events ADD COLUMN refusals BIGINT NOT NULL DEFAULT 0;

CREATE INDEX waiting_events ON order_events (order_id, sequence) WHERE delivered_at IS NULL;
