//! The collector on real sockets: what it takes, what it refuses, what it keeps, what it answers.

#![allow(clippy::unwrap_used, reason = "tests")]
#![forbid(unsafe_code)]

mod bounds;
mod collector_under_test;
mod dependencies;
mod encodings;
mod fixtures;
mod logs_and_metrics;
mod query;
mod refusals;
mod stop;
