//! Real files of SQLite's and a real server of PostgreSQL's, where there is one.

mod stage;
mod opening;
mod writing;
mod groups;
mod conflicts;
mod trace;
