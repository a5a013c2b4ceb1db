//! Collectors that refuse, hang, talk nonsense, are slow or away, and come back: with a spool nothing is lost, without one
//! everything is counted.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};

use opentelemetry_proto::tonic::common::v1::any_value::Value;
use telemetry::Report;
use tempfile::TempDir;
use tokio::io::AsyncWriteExt;

use super::*;

/// How many spans end during a fault, and how many at once: a second's at 3000 a second, in steps of 10 ms.
const SPANS: u64 = 3000;
const STEP: u64 = 30;

/// What may wait, and be on its way besides: sixteen requests.
const MOST_QUEUED: u64 = 2048 + 16 * 512;

/// What is wrong with a collector.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// Nobody listens.
    Refused,
    /// Connections are taken, and nothing is ever said on them.
    Silent,
    /// What is said is not HTTP.
    Nonsense,
    /// It is full, and says when to come again.
    Throttled,
    Unavailable,
    /// It wants to know who asks.
    Unauthenticated,
    /// It takes spans, 20 ms later.
    Slow,
}

const FAULTS: [Fault; 7] = [
    Fault::Refused,
    Fault::Silent,
    Fault::Nonsense,
    Fault::Throttled,
    Fault::Unavailable,
    Fault::Unauthenticated,
    Fault::Slow,
];

/// A collector with a fault, at an address that stays the same when it is put right.
pub(super) struct Faulty {
    pub(super) address: SocketAddr,
    serving: Option<JoinHandle<()>>,
    /// What a collector that answers is cured by: its connections stay.
    is_cured: Arc<AtomicBool>,
}

/// Answers like a collector with a fault.
#[derive(Clone)]
struct Sick {
    fault: Fault,
    is_cured: Arc<AtomicBool>,
    well: Collector,
}

#[tonic::async_trait]
impl TraceService for Sick {
    async fn export(
        &self,
        request: Request<ExportTraceServiceRequest>,
    ) -> Result<Response<ExportTraceServiceResponse>, Status> {
        let again = ErrorDetails::with_retry_info(Some(Duration::from_millis(20)));
        match self.fault {
            _ if self.is_cured.load(Ordering::Relaxed) => self.well.export(request).await,
            Fault::Throttled => Err(Status::with_error_details(Code::ResourceExhausted, "full", again)),
            Fault::Unavailable => Err(Status::unavailable("starting")),
            Fault::Unauthenticated => Err(Status::unauthenticated("who are you?")),
            _ => {
                tokio::time::sleep(Duration::from_millis(20)).await;
                self.well.export(request).await
            }
        }
    }
}

impl Faulty {
    pub(super) async fn start(fault: Fault, well: &Collector) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (address, is_cured) = (listener.local_addr().unwrap(), Arc::new(AtomicBool::new(false)));
        let serving = match fault {
            Fault::Refused => None,
            Fault::Silent => Some(spawn(async move {
                let mut open = Vec::new();
                while let Ok(connection) = listener.accept().await {
                    open.push(connection);
                }
            })),
            Fault::Nonsense => Some(spawn(async move {
                while let Ok((mut connection, _)) = listener.accept().await {
                    // Whoever does not want to hear it has gone already.
                    let _ = connection.write_all(b"220 mail.example.com ESMTP\r\n").await;
                }
            })),
            _ => {
                let sick = Sick { fault, is_cured: Arc::clone(&is_cured), well: well.clone() };
                let server = Server::builder().add_service(TraceServiceServer::new(sick));
                spawn(async move { server.serve_with_incoming(TcpListenerStream::new(listener)).await.unwrap() });
                return Self { address, serving: None, is_cured };
            }
        };
        Self { address, serving, is_cured }
    }

    /// From now on there is a collector that works.
    pub(super) async fn put_right(self, fault: Fault, well: &Collector) {
        self.is_cured.store(true, Ordering::Relaxed);
        if let Some(serving) = self.serving {
            serving.abort();
            let _ = serving.await;
        }
        if [Fault::Refused, Fault::Silent, Fault::Nonsense].contains(&fault) {
            well.serve_on(listening_again(self.address).await);
        }
    }
}

/// The port is free again as soon as all that was accepted on it is closed.
async fn listening_again(address: SocketAddr) -> TcpListener {
    let listening = async {
        loop {
            match TcpListener::bind(address).await {
                Ok(listener) => return listener,
                Err(_) => tokio::task::yield_now().await,
            }
        }
    };
    tokio::time::timeout(LIMIT, listening).await.unwrap()
}

pub(super) fn patient(address: SocketAddr, settings: &[(&str, &str)]) -> Telemetry {
    // A collector that does not answer is given up soon, and what ends leaves soon.
    let common = [("OTEL_EXPORTER_OTLP_TIMEOUT", "1000"), ("OTEL_BSP_SCHEDULE_DELAY", "50")];
    exporting_to(address, &common.into_iter().chain(settings.iter().copied()).collect::<Vec<_>>())
}

/// Ends numbered spans, no faster than 3000 a second, and looks at what is queued meanwhile.
pub(super) async fn end_numbered(telemetry: &Telemetry, numbers: std::ops::Range<u64>) {
    let subscriber = tracing_subscriber::registry().with(telemetry.tracing_layer());
    let subscriber = tracing::Dispatch::new(subscriber);
    let mut steps = tokio::time::interval(Duration::from_millis(10));
    for from in numbers.clone().step_by(STEP as usize) {
        steps.tick().await;
        tracing::dispatcher::with_default(&subscriber, || {
            for number in from..(from + STEP).min(numbers.end) {
                drop(tracing::info_span!("numbered", number));
            }
        });
        let queued = telemetry.report().spans.queued;
        assert!(queued <= MOST_QUEUED, "{queued} are queued");
    }
}

/// The numbers that have arrived, each as often as it has.
pub(super) fn numbers(collector: &Collector) -> Vec<u64> {
    let received = collector.received.lock().unwrap();
    let scopes = received.iter().flat_map(|request| &request.resource_spans).flat_map(|from| &from.scope_spans);
    let attributes = scopes.flat_map(|scope| &scope.spans).flat_map(|span| &span.attributes);
    let number = |value: &_| match value {
        Value::IntValue(number) => u64::try_from(*number).unwrap(),
        Value::StringValue(number) => number.parse().unwrap(),
        other => panic!("{other:?}"),
    };
    let numbers = attributes.filter(|attribute| attribute.key == "number");
    numbers.map(|attribute| number(attribute.value.as_ref().unwrap().value.as_ref().unwrap())).collect()
}

/// Waits until the report is as wanted.
pub(super) async fn until(telemetry: &Telemetry, what: &str, is_so: impl Fn(Report) -> bool) {
    let waiting = async {
        while !is_so(telemetry.report()) {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    let waited = tokio::time::timeout(LIMIT, waiting).await;
    waited.unwrap_or_else(|_| panic!("{what}: {:#?}", telemetry.exports().spans));
}

async fn nothing_is_lost(fault: Fault) {
    let (well, spool) = (Collector::default(), TempDir::new().unwrap());
    let faulty = Faulty::start(fault, &well).await;
    let telemetry = patient(faulty.address, &[("TELEMETRY_SPOOL_DIR", spool.path().to_str().unwrap())]);
    end_numbered(&telemetry, 0..SPANS).await;
    if fault != Fault::Slow {
        until(&telemetry, "nothing is spooled", |report| report.spans.spooled > 0).await;
    }
    faulty.put_right(fault, &well).await;
    end_numbered(&telemetry, SPANS..SPANS + 100).await;
    let all = SPANS + 100;
    until(&telemetry, "not all arrives", |report| report.spans.exported == all).await;
    let account = telemetry.shutdown(LIMIT).await.spans;
    assert_eq!((account, account.lost()), (exported(all), 0), "{fault:?}");
    let arrived = numbers(&well);
    assert_eq!(arrived.iter().collect::<BTreeSet<_>>().len() as u64, all, "{fault:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_a_spool_nothing_is_lost_whatever_is_wrong_with_the_collector() {
    futures_util::future::join_all(FAULTS.map(nothing_is_lost)).await;
}

async fn everything_is_counted(fault: Fault) {
    let well = Collector::default();
    let faulty = Faulty::start(fault, &well).await;
    let telemetry = patient(faulty.address, &[]);
    end_numbered(&telemetry, 0..SPANS).await;
    telemetry.flush(LIMIT).await;
    let meanwhile = telemetry.report().spans;
    assert!(meanwhile.adds_up() && meanwhile.queued == 0, "{fault:?}: {meanwhile:?}");
    let expected = if fault == Fault::Slow { 0 } else { SPANS };
    assert_eq!(meanwhile.dropped.queue_full + meanwhile.dropped.export_failed, expected, "{fault:?}: {meanwhile:?}");
    faulty.put_right(fault, &well).await;
    // It may take one more failure to see that the old connection is dead.
    let mut number = SPANS;
    while telemetry.report().spans.exported == meanwhile.exported {
        end_numbered(&telemetry, number..number + 1).await;
        telemetry.flush(LIMIT).await;
        number += 1;
    }
    let account = telemetry.shutdown(LIMIT).await.spans;
    assert!(account.adds_up() && account.queued == 0, "{fault:?}: {account:?}");
    assert_eq!(numbers(&well).len() as u64, account.exported, "{fault:?}: {account:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_spool_everything_is_counted_whatever_is_wrong_with_the_collector() {
    futures_util::future::join_all(FAULTS.map(everything_is_counted)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_one_process_leaves_on_disk_the_next_one_sends() {
    let (well, spool) = (Collector::default(), TempDir::new().unwrap());
    let settings = [("TELEMETRY_SPOOL_DIR", spool.path().to_str().unwrap())];
    let faulty = Faulty::start(Fault::Unavailable, &well).await;
    let first = patient(faulty.address, &settings);
    end_numbered(&first, 0..300).await;
    let left = first.shutdown(LIMIT).await;
    assert_eq!((left.spans.spooled, left.lost()), (300, None), "{left:?}");
    drop(first);
    let address = faulty.address;
    faulty.put_right(Fault::Unavailable, &well).await;
    let second = patient(address, &settings);
    until(&second, "the rest does not arrive", |report| report.spans.replayed.exported == 300).await;
    end_numbered(&second, 300..310).await;
    let account = second.shutdown(LIMIT).await.spans;
    assert_eq!((account.ended, account.exported, account.replayed.waiting), (10, 10, 0));
    assert!(account.adds_up(), "{account:?}");
    // Each once. Requests that are on their way together may overtake one another.
    let mut arrived = numbers(&well);
    arrived.sort_unstable();
    assert_eq!(arrived, (0..310).collect::<Vec<_>>());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_shutdown_leaves_on_disk_what_a_silent_collector_does_not_take() {
    let (well, spool) = (Collector::default(), TempDir::new().unwrap());
    let faulty = Faulty::start(Fault::Silent, &well).await;
    let settings = [("TELEMETRY_SPOOL_DIR", spool.path().to_str().unwrap()), ("OTEL_EXPORTER_OTLP_TIMEOUT", "600000")];
    let telemetry = patient(faulty.address, &settings);
    end_numbered(&telemetry, 0..300).await;
    let report = telemetry.shutdown(Duration::from_millis(300)).await;
    assert_eq!((report.spans.spooled, report.lost()), (300, None), "{report:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn calls_do_not_wait_for_a_collector_that_is_silent() {
    let (well, is_over) = (Collector::default(), Arc::new(AtomicBool::new(false)));
    let faulty = Faulty::start(Fault::Silent, &well).await;
    let telemetry = patient(faulty.address, &[("OTEL_EXPORTER_OTLP_TIMEOUT", "600000")]);
    end_here(&telemetry, 1, 10);
    let flushing = {
        let (telemetry, is_over) = (telemetry.clone(), Arc::clone(&is_over));
        spawn(async move {
            telemetry.flush(LIMIT).await;
            is_over.store(true, Ordering::Relaxed);
        })
    };
    end_here(&telemetry, 100_000, 10);
    assert!(!is_over.load(Ordering::Relaxed), "the collector has answered");
    let account = telemetry.report().spans;
    assert!(account.ended == 100_001 && account.queued <= MOST_QUEUED && account.adds_up(), "{account:?}");
    flushing.abort();
}
