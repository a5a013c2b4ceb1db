//! Traces, metrics and log records in tests: collected per test, without globals, and compared as a whole.
//!
//! ```
//! # async fn example() {
//! use telemetry::{Service, testing::Spans};
//!
//! let spans = Spans::new();
//! let orders = spans.service(Service::new("order", "1.0.0"));
//! // Serve with `orders.rpc_server()` on a free port, call it, then:
//! spans.assert_one_trace().await.assert_tree("
//!     order SERVER shop.order.v1.OrderService/GetOrder
//!       order INTERNAL get_order
//! ");
//! let served = [("rpc.method", "shop.order.v1.OrderService/GetOrder"), ("rpc.status_code", "OK")];
//! assert_eq!(spans.metrics().await.count("rpc.server.call.duration", &served), 1);
//!
//! // What the test has sent as tokens and passwords has gone nowhere.
//! spans.assert_no_secrets(&["tok_4242"]).await;
//! // And nothing of it stands beside its trace. Of several, `trace(id)` gives the one that an answer's `x-trace-id` names.
//! spans.assert_one_trace().await.assert_no_orphans();
//! # }
//! ```
//!
//! [`Trace::render`] and [`Metrics::render`] give the same text from run to run, without ids and times, so a snapshot of it
//! can be kept and reviewed, with insta for one:
//!
//! ```
//! # use telemetry::testing::SpanRecord;
//! # fn example(trace: &telemetry::testing::Trace) {
//! insta::assert_snapshot!(trace.render(&["rpc.status_code"]), @r"
//! order SERVER shop.order.v1.OrderService/GetOrder [rpc.status_code=OK]
//!   order INTERNAL get_order
//! ");
//! # }
//! ```

mod collect;
mod logs;
mod assertions;
mod metrics;
pub(crate) mod reader;
mod trace;

pub use collect::Spans;
pub use metrics::Metrics;
pub use trace::{SpanRecord, Trace};
