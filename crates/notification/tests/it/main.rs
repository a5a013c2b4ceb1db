#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, reason = "tests")]

mod stage;
mod delivering;
mod listing;
mod validation;
mod process;
mod postgres;
