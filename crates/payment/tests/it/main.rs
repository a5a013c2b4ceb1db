#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, reason = "tests")]

mod stage;
mod charge;
mod idempotency;
mod away;
mod refund;
mod recovering;
mod bank_faults;
mod validation;
mod trace;
mod metrics;
mod process;
mod postgres;
