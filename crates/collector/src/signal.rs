use opentelemetry_proto::tonic::collector::logs::v1 as logs;
use opentelemetry_proto::tonic::collector::metrics::v1 as metrics;
use opentelemetry_proto::tonic::collector::trace::v1 as trace;
use prost::Message;
use serde::de::DeserializeOwned;

use crate::body::{self, MetricsRequest, Shape};
use crate::store::{Rejected, Store};

/// One of OTLP's kinds of data: the message it arrives in, the message it is answered with.
pub(crate) trait Signal: 'static {
    type Request: Message + Default;

    /// The request as it is read from JSON.
    type Json: DeserializeOwned + Into<Self::Request>;

    type Answer: Message;

    /// The request on the wire.
    const SHAPE: &'static Shape;

    /// What the count of rejected items is called in a partial success in JSON.
    const REJECTED: &'static str;

    /// Keeps what `request` holds.
    fn keep(store: &Store, request: Self::Request) -> Rejected;

    /// The answer to a request, with a partial success when some of it was rejected.
    fn answer(rejected: Rejected) -> Self::Answer;
}

pub(crate) enum Traces {}

pub(crate) enum Metrics {}

pub(crate) enum Logs {}

// === impl Traces ===

impl Signal for Traces {
    type Request = trace::ExportTraceServiceRequest;
    type Json = Self::Request;
    type Answer = trace::ExportTraceServiceResponse;

    const SHAPE: &'static Shape = &body::TRACES;
    const REJECTED: &'static str = "rejectedSpans";

    fn keep(store: &Store, request: Self::Request) -> Rejected {
        store.keep_spans(request.resource_spans)
    }

    fn answer(rejected: Rejected) -> Self::Answer {
        let partial_success = rejected
            .into_parts()
            .map(|(rejected_spans, error_message)| trace::ExportTracePartialSuccess { rejected_spans, error_message });
        trace::ExportTraceServiceResponse { partial_success }
    }
}

// === impl Metrics ===

impl Signal for Metrics {
    type Request = metrics::ExportMetricsServiceRequest;
    type Json = MetricsRequest;
    type Answer = metrics::ExportMetricsServiceResponse;

    const SHAPE: &'static Shape = &body::METRICS;
    const REJECTED: &'static str = "rejectedDataPoints";

    fn keep(store: &Store, request: Self::Request) -> Rejected {
        store.count_points(&request.resource_metrics);
        Rejected::default()
    }

    fn answer(rejected: Rejected) -> Self::Answer {
        let partial_success = rejected.into_parts().map(|(rejected_data_points, error_message)| {
            metrics::ExportMetricsPartialSuccess { rejected_data_points, error_message }
        });
        metrics::ExportMetricsServiceResponse { partial_success }
    }
}

// === impl Logs ===

impl Signal for Logs {
    type Request = logs::ExportLogsServiceRequest;
    type Json = Self::Request;
    type Answer = logs::ExportLogsServiceResponse;

    const SHAPE: &'static Shape = &body::LOGS;
    const REJECTED: &'static str = "rejectedLogRecords";

    fn keep(store: &Store, request: Self::Request) -> Rejected {
        store.keep_logs(request.resource_logs)
    }

    fn answer(rejected: Rejected) -> Self::Answer {
        let partial_success = rejected.into_parts().map(|(rejected_log_records, error_message)| {
            logs::ExportLogsPartialSuccess { rejected_log_records, error_message }
        });
        logs::ExportLogsServiceResponse { partial_success }
    }
}
