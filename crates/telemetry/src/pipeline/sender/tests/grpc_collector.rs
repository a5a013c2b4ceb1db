use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use http::HeaderMap;
use opentelemetry_proto::tonic::collector::{logs::v1 as logs, metrics::v1 as metrics, trace::v1 as trace};
use prost::Message;
use tokio::net::TcpListener;
use tokio_stream::wrappers::TcpListenerStream;
use tonic::codec::CompressionEncoding;
use tonic::transport::{Server, ServerTlsConfig};
use tonic::{Request, Response, Status};

use super::{Script, bound};

/// What is rejected, and why; or what is answered instead.
type Answer = Result<(i64, &'static str), Status>;

/// Takes all signals by gRPC.
#[derive(Clone)]
pub(super) struct GrpcCollector(Arc<Shared>);

struct Shared {
    script: Script<Answer>,
    received: Mutex<Vec<(HeaderMap, Vec<u8>)>>,
}

// === impl GrpcCollector ===

impl GrpcCollector {
    pub(super) fn answering(script: impl IntoIterator<Item = Answer>) -> Self {
        Self(Arc::new(Shared { script: Script::new(script), received: Mutex::default() }))
    }

    /// Takes requests on a free port for as long as the test runs.
    pub(super) async fn serve(&self) -> SocketAddr {
        let (listener, address) = bound().await;
        self.serve_on(listener, None);
        address
    }

    pub(super) fn serve_on(&self, listener: TcpListener, tls: Option<ServerTlsConfig>) {
        let server = tls.into_iter().fold(Server::builder(), |server, tls| server.tls_config(tls).unwrap());
        let gzip = CompressionEncoding::Gzip;
        let routes = tonic::service::Routes::new(
            trace::trace_service_server::TraceServiceServer::new(self.clone()).accept_compressed(gzip),
        );
        let logs = logs::logs_service_server::LogsServiceServer::new(self.clone()).accept_compressed(gzip);
        let metrics = metrics::metrics_service_server::MetricsServiceServer::new(self.clone()).accept_compressed(gzip);
        let server = { server }.add_routes(routes.add_service(logs).add_service(metrics));
        #[expect(clippy::disallowed_methods, reason = "belongs to no request")]
        tokio::spawn(server.serve_with_incoming(TcpListenerStream::new(listener)));
    }

    /// The requests with their headers.
    pub(super) fn received(&self) -> Vec<(HeaderMap, Vec<u8>)> {
        self.0.received.lock().unwrap().clone()
    }

    fn take<R: Message>(&self, request: Request<R>) -> Result<Option<(i64, String)>, Status> {
        let (metadata, _, request) = request.into_parts();
        self.0.received.lock().unwrap().push((metadata.into_headers(), request.encode_to_vec()));
        let Some(answer) = self.0.script.next() else { return Ok(None) };
        answer.map(|(items, message)| Some((items, message.to_owned())))
    }
}

#[tonic::async_trait]
impl trace::trace_service_server::TraceService for GrpcCollector {
    async fn export(
        &self,
        request: Request<trace::ExportTraceServiceRequest>,
    ) -> Result<Response<trace::ExportTraceServiceResponse>, Status> {
        let partial = self
            .take(request)?
            .map(|(rejected_spans, error_message)| trace::ExportTracePartialSuccess { rejected_spans, error_message });
        Ok(Response::new(trace::ExportTraceServiceResponse { partial_success: partial }))
    }
}

#[tonic::async_trait]
impl logs::logs_service_server::LogsService for GrpcCollector {
    async fn export(
        &self,
        request: Request<logs::ExportLogsServiceRequest>,
    ) -> Result<Response<logs::ExportLogsServiceResponse>, Status> {
        let partial = self.take(request)?.map(|(rejected_log_records, error_message)| logs::ExportLogsPartialSuccess {
            rejected_log_records,
            error_message,
        });
        Ok(Response::new(logs::ExportLogsServiceResponse { partial_success: partial }))
    }
}

#[tonic::async_trait]
impl metrics::metrics_service_server::MetricsService for GrpcCollector {
    async fn export(
        &self,
        request: Request<metrics::ExportMetricsServiceRequest>,
    ) -> Result<Response<metrics::ExportMetricsServiceResponse>, Status> {
        let partial = self.take(request)?.map(|(rejected_data_points, error_message)| {
            metrics::ExportMetricsPartialSuccess { rejected_data_points, error_message }
        });
        Ok(Response::new(metrics::ExportMetricsServiceResponse { partial_success: partial }))
    }
}
