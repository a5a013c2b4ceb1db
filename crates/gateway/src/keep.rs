//! Traces that a caller asks to be kept whatever the sampling says.

use telemetry::TrustTrace;
use tonic::metadata::MetadataMap;
use tonic::service::Interceptor;
use tonic::{Request, Status};

/// By this metadata a caller asks for it. Only the value `1` counts.
const HEADER: &str = "x-demo-keep";

/// The mark on the call's span that a Collector's tail sampling looks for.
const ATTRIBUTE: &str = "demo.keep";

/// Marks the calls whose traces are to be kept. It goes no further than the gateway: one span decides for the trace.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Keep {
    /// A caller who is not believed could fill the store of traces with his own.
    pub(crate) trust: TrustTrace,
}

// === impl Keep ===

impl Interceptor for Keep {
    fn call(&mut self, request: Request<()>) -> Result<Request<()>, Status> {
        if self.trust == TrustTrace::All && asks_for_it(request.metadata()) {
            telemetry::set_attribute(ATTRIBUTE, true);
        }
        Ok(request)
    }
}

fn asks_for_it(metadata: &MetadataMap) -> bool {
    metadata.get(HEADER).is_some_and(|value| value == "1")
}
