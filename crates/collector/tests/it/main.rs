//! The collector on real sockets: what it takes, what it refuses, what it keeps, what it answers.

#![allow(clippy::unwrap_used, reason = "tests")]
#![forbid(unsafe_code)]

mod any_bytes;
mod any_request;
mod arbitrary;
mod bounds;
mod collector_under_test;
mod dependencies;
mod encodings;
mod fixtures;
mod logs_and_metrics;
mod otlp_json;
mod query;
mod refusals;
mod stop;
