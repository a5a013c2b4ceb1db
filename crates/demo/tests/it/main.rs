//! The whole chain: gateway, order, payment and the bank on real sockets and files, in one process and in their own.

#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, reason = "tests")]

mod shop;
mod calls;
mod recorder;
mod process;
mod collected;

mod trees;
mod context;
mod answers;
mod validation;
mod keys;
mod secrets;
mod survival;
mod exporting;
mod once;
mod up;
mod load;
mod verify;
mod doctor;
mod explain;
mod readme;
mod markdown;
mod shell;
mod grpcurl;
mod compose;
