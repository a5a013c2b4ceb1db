//! What becomes of ended spans, by what a collector answers.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use opentelemetry_proto::tonic::collector::trace::v1::trace_service_server::{TraceService, TraceServiceServer};
use opentelemetry_proto::tonic::collector::trace::v1::{
    ExportTracePartialSuccess, ExportTraceServiceRequest, ExportTraceServiceResponse,
};
use telemetry::{Account, Dropped, Service, Telemetry};
use tokio::net::TcpListener;
use tokio::sync::Barrier;
use tokio::task::JoinHandle;
use tokio_stream::wrappers::TcpListenerStream;
use tonic::transport::{Endpoint, Server};
use tonic::{Code, Request, Response, Status};
use tonic_types::{ErrorDetails, StatusExt};
use tracing_subscriber::layer::SubscriberExt;

mod faults;
mod flushes;
mod large;
mod lost;
mod restarts;
mod spools;
mod told;

/// Answers as the script says, then OK, and keeps what it was sent.
#[derive(Clone, Default)]
struct Collector {
    script: Arc<Mutex<VecDeque<Result<ExportTraceServiceResponse, Status>>>>,
    received: Arc<Mutex<Vec<ExportTraceServiceRequest>>>,
    /// Before it answers for the first time, so many requests must have come.
    together: usize,
    /// Before it answers, all parties must be there.
    meeting: Option<Arc<Barrier>>,
    /// Never answers.
    hangs: bool,
}

#[tonic::async_trait]
impl TraceService for Collector {
    async fn export(
        &self,
        request: Request<ExportTraceServiceRequest>,
    ) -> Result<Response<ExportTraceServiceResponse>, Status> {
        self.received.lock().unwrap().push(request.into_inner());
        if self.hangs {
            std::future::pending::<()>().await;
        }
        self.has_received(self.together).await;
        if let Some(meeting) = &self.meeting {
            meeting.wait().await;
        }
        let answer = self.script.lock().unwrap().pop_front();
        answer.unwrap_or_else(|| Ok(ExportTraceServiceResponse::default())).map(Response::new)
    }
}

impl Collector {
    fn answering(script: impl IntoIterator<Item = Result<ExportTraceServiceResponse, Status>>) -> Self {
        Self { script: Arc::new(Mutex::new(script.into_iter().collect())), ..Self::default() }
    }

    /// Takes requests on a free port for as long as the test runs.
    async fn serve(&self) -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        self.serve_on(listener);
        address
    }

    fn serve_on(&self, listener: TcpListener) {
        // What is too large for a collector by default is looked at here.
        let service = TraceServiceServer::new(self.clone()).max_decoding_message_size(usize::MAX);
        let server = Server::builder().add_service(service);
        spawn(async move { server.serve_with_incoming(TcpListenerStream::new(listener)).await.unwrap() });
    }

    /// Waits until so many requests have come.
    async fn has_received(&self, requests: usize) {
        let received = async {
            while self.requests() < requests {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(LIMIT, received).await.unwrap();
    }

    fn requests(&self) -> usize {
        self.received.lock().unwrap().len()
    }

    /// The names of all spans, and of the services they came from.
    fn spans(&self) -> Vec<(String, String)> {
        let received = self.received.lock().unwrap();
        let of_service = received.iter().flat_map(|request| &request.resource_spans).flat_map(|from| {
            let resource = from.resource.as_ref().unwrap();
            let name = resource.attributes.iter().find(|attribute| attribute.key == "service.name").unwrap();
            let name = format!("{:?}", name.value);
            from.scope_spans.iter().flat_map(|scope| &scope.spans).map(move |span| (name.clone(), span.name.clone()))
        });
        of_service.collect()
    }
}

fn spawn(serving: impl Future<Output = ()> + Send + 'static) -> JoinHandle<()> {
    #[expect(clippy::disallowed_methods, reason = "belongs to no request")]
    tokio::spawn(serving)
}

fn exporting_to(collector: SocketAddr, settings: &[(&str, &str)]) -> Telemetry {
    let endpoint = format!("http://{collector}");
    let general = [
        ("OTEL_EXPORTER_OTLP_ENDPOINT", &*endpoint),
        ("OTEL_LOGS_EXPORTER", "none"),
        ("OTEL_METRICS_EXPORTER", "none"),
        // Longer than any test: what leaves was flushed, or made a request full.
        ("OTEL_BSP_SCHEDULE_DELAY", "600000"),
    ];
    let environment = general.into_iter().chain(settings.iter().copied()).collect();
    Telemetry::new(&Service::new("sender", "0"), &environment).unwrap()
}

/// Ends so many spans: those of calls that nobody answers.
async fn end(telemetry: &Telemetry, spans: usize) {
    let endpoint = Endpoint::from_static("http://127.0.0.1:1");
    let mut client = tonic::client::Grpc::new(telemetry.rpc_client(&endpoint).layer(endpoint.connect_lazy()));
    for _ in 0..spans {
        client.ready().await.unwrap();
        let path = http::uri::PathAndQuery::from_static("/test.v1.Nobody/Call");
        let codec = tonic_prost::ProstCodec::<(), ()>::default();
        client.unary(Request::new(()), path, codec).await.unwrap_err();
    }
}

/// Ends so many spans on this thread, each with so much text.
fn end_here(telemetry: &Telemetry, spans: usize, text: usize) {
    let subscriber = tracing_subscriber::registry().with(telemetry.tracing_layer());
    tracing::subscriber::with_default(subscriber, || {
        for _ in 0..spans {
            drop(tracing::info_span!("here", text = "x".repeat(text)));
        }
    });
}

const LIMIT: Duration = Duration::from_secs(20);

async fn after(collector: &Collector, spans: usize) -> Account {
    let telemetry = exporting_to(collector.serve().await, &[]);
    end(&telemetry, spans).await;
    telemetry.flush(LIMIT).await.spans
}

/// Of so many spans that were all exported.
fn exported(spans: u64) -> Account {
    Account { ended: spans, exported: spans, ..Account::default() }
}

/// Of so many spans that the collector refused.
fn rejected(spans: u64) -> Account {
    Account { ended: spans, rejected: spans, ..Account::default() }
}

/// Of so many spans that could not be sent.
fn failed(spans: u64) -> Account {
    let dropped = Dropped { export_failed: spans, ..Dropped::default() };
    Account { ended: spans, dropped, ..Account::default() }
}

#[tokio::test]
async fn spans_of_many_ends_arrive_in_one_request_with_their_resource() {
    let collector = Collector::default();
    assert_eq!(after(&collector, 3).await, exported(3));
    assert_eq!(collector.requests(), 1);
    let spans = collector.spans();
    assert_eq!(spans.len(), 3);
    assert!(
        spans.iter().all(|(service, span)| service.contains("sender") && span == "test.v1.Nobody/Call"),
        "{spans:?}"
    );
}

#[tokio::test]
async fn what_can_be_sent_again_is_and_what_cannot_is_not() {
    let with_time = |code| {
        let details = ErrorDetails::with_retry_info(Some(Duration::from_millis(1)));
        Status::with_error_details(code, "later", details)
    };
    for again in [
        Status::unavailable("starting"),
        Status::cancelled("starting"),
        Status::aborted("starting"),
        with_time(Code::ResourceExhausted),
    ] {
        let collector = Collector::answering([Err(again)]);
        assert_eq!(after(&collector, 1).await, exported(1));
        assert_eq!(collector.requests(), 2);
    }
    for (for_good, expected) in [
        (Status::invalid_argument("no"), rejected(1)),
        (Status::unauthenticated("no"), failed(1)),
        (Status::unimplemented("no"), failed(1)),
        (Status::resource_exhausted("full, and does not say until when"), failed(1)),
    ] {
        let collector = Collector::answering([Err(for_good)]);
        assert_eq!(after(&collector, 1).await, expected);
        assert_eq!(collector.requests(), 1);
    }
}

#[tokio::test]
async fn what_a_collector_takes_in_part_is_counted_and_not_sent_again() {
    let partial = ExportTracePartialSuccess { rejected_spans: 2, error_message: "too old".to_owned() };
    let collector = Collector::answering([Ok(ExportTraceServiceResponse { partial_success: Some(partial) })]);
    assert_eq!(after(&collector, 3).await, Account { ended: 3, exported: 1, ..rejected(2) });
    assert_eq!(collector.requests(), 1);
}

#[tokio::test]
async fn a_collector_that_does_not_answer_is_given_up_in_time() {
    let collector = Collector { hangs: true, ..Collector::default() };
    let telemetry = exporting_to(collector.serve().await, &[("OTEL_EXPORTER_OTLP_TIMEOUT", "50")]);
    end(&telemetry, 1).await;
    assert_eq!(telemetry.flush(LIMIT).await.spans, failed(1));
}

#[tokio::test]
async fn several_requests_are_on_their_way_at_once() {
    // Whoever sent one after the other would wait for ever.
    let collector = Collector { together: 4, ..Collector::default() };
    let settings = [("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "2")];
    let telemetry = exporting_to(collector.serve().await, &settings);
    end(&telemetry, 8).await;
    assert_eq!(telemetry.flush(LIMIT).await.spans, exported(8));
}

#[tokio::test]
async fn a_full_request_leaves_without_being_asked() {
    let collector = Collector { meeting: Some(Arc::new(Barrier::new(2))), ..Collector::default() };
    let settings = [("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "2")];
    let telemetry = exporting_to(collector.serve().await, &settings);
    end(&telemetry, 2).await;
    // The second party of the barrier: the request has come, though nothing was flushed.
    collector.meeting.as_ref().unwrap().wait().await;
    assert_eq!(collector.spans().len(), 2);
}

#[tokio::test]
async fn what_there_is_no_room_for_is_counted_and_room_comes_back() {
    let collector = Collector::default();
    let telemetry = exporting_to(collector.serve().await, &[("OTEL_BSP_MAX_QUEUE_SIZE", "2")]);
    // Two are a full request, so of three the third may find room or not.
    end(&telemetry, 3).await;
    let first = telemetry.flush(LIMIT).await.spans;
    assert_eq!((first.ended, first.exported + first.dropped.queue_full), (3, 3));
    end(&telemetry, 1).await;
    assert_eq!(telemetry.flush(LIMIT).await.spans.exported, first.exported + 1);

    let hanging = Collector { hangs: true, ..Collector::default() };
    let settings = [("OTEL_BSP_MAX_QUEUE_SIZE", "2"), ("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "1")];
    let telemetry = exporting_to(hanging.serve().await, &settings);
    // Sixteen are on their way, two wait, and there is room for no other.
    for already in 1..=16 {
        end(&telemetry, 1).await;
        hanging.has_received(already).await;
    }
    end(&telemetry, 5).await;
    let full = telemetry.report().spans;
    assert_eq!((full.ended, full.queued, full.dropped.queue_full), (21, 18, 3));
}
