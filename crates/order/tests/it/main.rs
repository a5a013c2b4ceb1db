#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, reason = "tests")]

mod stage;
mod fake_payment;
mod fake_notification;
mod line;
mod placing;
mod validation;
mod idempotency;
mod resuming;
mod recovering;
mod cancelling;
mod telling;
mod payment_faults;
mod away;
mod listing;
mod secrets;
mod store_faults;
mod trace;
mod metrics;
mod health;
mod process;
mod postgres;
