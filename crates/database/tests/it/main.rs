//! Real files of SQLite's and a real server of PostgreSQL's, where there is one.
#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, reason = "tests")]

mod stage;
mod opening;
mod writing;
mod groups;
mod conflicts;
mod trace;
