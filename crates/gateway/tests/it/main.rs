#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, reason = "tests")]

mod stage;
mod fake_order;
mod line;
mod answers;
mod failures;
mod trace;
mod keep;
mod health;
mod process;
