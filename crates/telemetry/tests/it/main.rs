//! The crate's promises, over real tonic servers and channels on real sockets.
#![allow(clippy::unwrap_used, reason = "tests")]

mod kinds;
mod outcomes;
mod parenting;
mod context;
mod answers;
mod export;
mod corners;
