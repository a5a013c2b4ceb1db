use std::future::Future;
use std::time::Duration;

use opentelemetry_proto::tonic::collector::logs::v1::logs_service_server::{LogsService, LogsServiceServer};
use opentelemetry_proto::tonic::collector::logs::v1::{ExportLogsServiceRequest, ExportLogsServiceResponse};
use opentelemetry_proto::tonic::collector::metrics::v1::metrics_service_server::{
    MetricsService, MetricsServiceServer,
};
use opentelemetry_proto::tonic::collector::metrics::v1::{ExportMetricsServiceRequest, ExportMetricsServiceResponse};
use opentelemetry_proto::tonic::collector::trace::v1::trace_service_server::{TraceService, TraceServiceServer};
use opentelemetry_proto::tonic::collector::trace::v1::{ExportTraceServiceRequest, ExportTraceServiceResponse};
use tokio::net::TcpListener;
use tonic::codec::CompressionEncoding::Gzip;
use tonic::transport::Server;
use tonic::transport::server::TcpIncoming;
use tonic::{Request, Response, Status};
use tower::util::MapResponseLayer;

use crate::error::{Error, in_otlp_codes};
use crate::signal::{Logs, Metrics, Signal, Traces};
use crate::store::Store;

/// The three OTLP/gRPC services. No call of theirs fails: what can't be kept is told as a partial success.
#[derive(Clone)]
struct Rpc {
    store: Store,
}

/// Serves OTLP/gRPC until `stopping` resolves and the calls under way have ended.
///
/// Gzip is accepted and answered. A message may have 4 MiB once inflated, as tonic has it when nobody says otherwise.
pub(crate) async fn serve(
    listener: TcpListener,
    store: Store,
    stopping: impl Future<Output = ()>,
) -> Result<(), Error> {
    let rpc = Rpc { store };
    let traces = TraceServiceServer::new(rpc.clone()).accept_compressed(Gzip).send_compressed(Gzip);
    let metrics = MetricsServiceServer::new(rpc.clone()).accept_compressed(Gzip).send_compressed(Gzip);
    let logs = LogsServiceServer::new(rpc).accept_compressed(Gzip).send_compressed(Gzip);

    bounded()
        // A request that can't be read never reaches the services; here its refusal gets the code OTLP names.
        .layer(MapResponseLayer::new(in_otlp_codes))
        .add_service(traces)
        .add_service(metrics)
        .add_service(logs)
        .serve_with_incoming_shutdown(TcpIncoming::from(listener).with_nodelay(Some(true)), stopping)
        .await
        .map_err(Error::Grpc)
}

/// HTTP/2 with the limits that tonic leaves open, and windows wide enough for a batch of spans.
fn bounded() -> Server {
    Server::builder()
        .max_concurrent_streams(128)
        .http2_max_local_error_reset_streams(Some(1024))
        .http2_max_pending_accept_reset_streams(Some(20))
        .http2_max_header_list_size(16 * 1024)
        .initial_stream_window_size(1024 * 1024)
        .initial_connection_window_size(4 * 1024 * 1024)
        .http2_keepalive_interval(Some(Duration::from_secs(10)))
        .http2_keepalive_timeout(Some(Duration::from_secs(5)))
}

// === impl Rpc ===

#[tonic::async_trait]
impl TraceService for Rpc {
    async fn export(
        &self,
        request: Request<ExportTraceServiceRequest>,
    ) -> Result<Response<ExportTraceServiceResponse>, Status> {
        let rejected = Traces::keep(&self.store, request.into_inner());
        Ok(Response::new(Traces::answer(rejected)))
    }
}

#[tonic::async_trait]
impl MetricsService for Rpc {
    async fn export(
        &self,
        request: Request<ExportMetricsServiceRequest>,
    ) -> Result<Response<ExportMetricsServiceResponse>, Status> {
        let rejected = Metrics::keep(&self.store, request.into_inner());
        Ok(Response::new(Metrics::answer(rejected)))
    }
}

#[tonic::async_trait]
impl LogsService for Rpc {
    async fn export(
        &self,
        request: Request<ExportLogsServiceRequest>,
    ) -> Result<Response<ExportLogsServiceResponse>, Status> {
        let rejected = Logs::keep(&self.store, request.into_inner());
        Ok(Response::new(Logs::answer(rejected)))
    }
}
