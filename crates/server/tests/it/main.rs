//! The promises of `server`, kept over real sockets.
#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, reason = "tests")]

mod running;
mod frames;
mod connections;
mod http2;
mod guard;
mod shed;
mod health;
mod reflection;
mod admin;
mod drain;
mod unreadable;
