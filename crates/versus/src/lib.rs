//! What telemetry costs a tonic call: this project's, beside bare tonic and beside the peers.
//!
//! ```text
//! cargo bench -p versus --features peers --bench calls
//! cargo bench -p versus --features peers --bench instructions     # where valgrind is installed
//! cargo bench -p versus --features peers --bench pipeline
//! cargo bench -p versus --features peers --bench outage
//! ```
//!
//! All take options after `--`; `--help` lists them. Without the feature the crate is empty, so that no other build
//! of the workspace sees the peers.
//!
//! Every candidate serves the same unary call with the same messages, one HTTP/2 connection per hop, client and server
//! in one process; samples by the same rule; exports to the same sink, a process of its own that counts what arrives;
//! and has the same number of attributes on each span of a call, filled up to ten (`--attributes own`: as they come).
//! No peer measures calls or keeps their deadlines, so `ours` is compared without; what it costs as it comes stands below it.
//! Bare tonic is the same without telemetry, so a ratio of 1.25 means a quarter more than the whole call, both sides.
//!
//! `calls` runs over loopback on two worker threads. Each measurement is a process of its own; within a round every
//! candidate has its turn, in an order that rotates, and is compared with the bare run of that round only. A cell is
//! the median of the rounds, in brackets the least and the most. CPU time and allocations contain the export of
//! everything; the time per call ends with the last answer. Allocations are those of one run of a second program whose
//! allocator counts, so that counting costs no time. `spans` and `traces` are what the sink has received per call made.
//!
//! `instructions` runs each candidate under callgrind, the calls on one thread and connected in memory, twice: with the
//! warm-up only, and with the calls to be counted. The difference is what these cost in user space, export included.
//!
//! `pipeline` measures what spans go through from their end to a collector, ours and the one that all peers have. One
//! thread makes spans of twelve attributes (some 450 bytes), each millisecond as many as are due, and nothing else; the
//! collector, a process of its own, counts them. The first table is the highest rate at which no turn has lost a span,
//! found by halving; the second what becomes of spans at given rates. CPU time is that of the whole process, the making
//! of the spans included: `spans alone` is what that costs.
//!
//! `outage` makes calls while the collector misbehaves, each time beside the same calls with one that answers. The
//! latencies are those of calls whose callers rest between them, so that the machine is not full.
//!
//! For a profile run the program by hand, built with `CARGO_PROFILE_BENCH_STRIP=none`: `candidate '"sink"'` prints an
//! address, and its counts once its input ends; `candidate '{"calls": {"otlp": ADDRESS, ..}}'` does one `Run` and prints
//! its cost.
#![cfg(feature = "peers")]
#![forbid(unsafe_code)]
#![warn(missing_docs)]

mod error;
mod run;
mod selection;
mod candidate;
mod shop;
mod wire;
mod variants;
mod load;
mod otlp;
mod sink;
mod collector;
mod flood;
mod latency;
mod task;
mod processes;
mod calls;
mod instructions;
mod search;
mod pipeline;
mod outage;
mod report;

pub use calls::calls;
pub use candidate::{AllocationCount, candidate};
pub use error::Error;
pub use instructions::instructions;
pub use outage::outage;
pub use pipeline::pipeline;
pub use run::{Attributes, Candidate, Pipeline, Run, Sampling, Scenario, Transport};
