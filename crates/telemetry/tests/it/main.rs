//! The crate's promises, over real tonic servers and channels on real sockets.
#![allow(clippy::unwrap_used, reason = "tests")]

mod kinds;
mod outcomes;
mod metrics;
mod parenting;
mod context;
mod answers;
mod export;
mod feedback;
mod pipeline;
mod corners;
mod http_server;
mod jobs;
mod messaging;
mod sampling;
mod unsampled;
mod examples;
mod exceptions;
mod secrets;
mod warnings;
mod manual;
