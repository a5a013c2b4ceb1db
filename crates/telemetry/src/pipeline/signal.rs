use http::uri::PathAndQuery;

/// One of the kinds of telemetry that OTLP carries, each by requests of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Signal {
    Traces,
    Logs,
    Metrics,
}

// === impl Signal ===

impl Signal {
    /// Its part of the names of variables.
    pub(crate) fn variable(self) -> &'static str {
        match self {
            Self::Traces => "TRACES",
            Self::Logs => "LOGS",
            Self::Metrics => "METRICS",
        }
    }

    /// What requests of it hold, for people.
    pub(crate) fn items(self) -> &'static str {
        match self {
            Self::Traces => "spans",
            Self::Logs => "log records",
            Self::Metrics => "metric points",
        }
    }

    /// Its part of `otel.component.type`.
    pub(crate) fn component(self) -> &'static str {
        match self {
            Self::Traces => "span",
            Self::Logs => "log",
            Self::Metrics => "metric",
        }
    }

    /// Where OTLP/gRPC takes it.
    pub(super) fn grpc_path(self) -> PathAndQuery {
        PathAndQuery::from_static(match self {
            Self::Traces => "/opentelemetry.proto.collector.trace.v1.TraceService/Export",
            Self::Logs => "/opentelemetry.proto.collector.logs.v1.LogsService/Export",
            Self::Metrics => "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export",
        })
    }

    /// Where OTLP/HTTP takes it, behind the endpoint of all signals.
    pub(super) fn http_path(self) -> &'static str {
        match self {
            Self::Traces => "/v1/traces",
            Self::Logs => "/v1/logs",
            Self::Metrics => "/v1/metrics",
        }
    }

    /// Its part of the names of an exporter's metrics.
    pub(super) fn metric(self) -> &'static str {
        match self {
            Self::Traces => "span",
            Self::Logs => "log",
            Self::Metrics => "metric_data_point",
        }
    }
}
