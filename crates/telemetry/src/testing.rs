//! Traces in tests: collected per test, without globals, and compared as whole trees.
//!
//! ```
//! # async fn example() {
//! use telemetry::{Service, testing::Spans};
//!
//! let spans = Spans::new();
//! let orders = spans.service(Service::new("order", "1.0.0"));
//! // Serve with `orders.rpc_server()`, call it, take the trace id from the answer's `x-trace-id`, then:
//! # let trace_id = String::new();
//! spans.trace(&trace_id).await.assert_tree("
//!     order SERVER shop.order.v1.OrderService/GetOrder
//!       order INTERNAL get_order
//! ");
//! # }
//! ```

mod collect;
mod trace;

pub use collect::Spans;
pub use trace::{SpanRecord, Trace};
