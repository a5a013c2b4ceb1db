//! What is on disk when a process is killed, when two name the same directory, and when the disk fails.

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader, Lines};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Stdio};

use telemetry::ExportState;
use tempfile::TempDir;

use super::faults::{Fault, Faulty, end_numbered, numbers, patient, until};
use super::*;
use crate::examples::example;

/// The example `outage`, whose spans nobody takes.
struct Outage {
    process: Child,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Outage {
    fn start(spool: &Path, collector: SocketAddr) -> Self {
        let endpoint = format!("http://{collector}");
        let environment = [
            ("TELEMETRY_SPOOL_DIR", spool.to_str().unwrap()),
            ("OTEL_EXPORTER_OTLP_ENDPOINT", &endpoint),
            ("OTEL_BSP_SCHEDULE_DELAY", "50"),
            ("RUST_LOG", "off"),
        ];
        let mut command = example("outage", &environment);
        let mut process = command.args(["3000", "600"]).stdout(Stdio::piped()).spawn().unwrap();
        let lines = BufReader::new(process.stdout.take().unwrap()).lines();
        Self { process, lines }
    }

    /// Ends it as `kill -9` does, once it has said that something is on disk. Says how much.
    fn killed(mut self) -> u64 {
        let told = |line: &str| line.split_once(" + spooled ")?.1.split_once(' ')?.0.parse::<u64>().ok();
        let mut spooled = self.lines.map_while(|line| told(&line.unwrap()));
        let spooled = spooled.find(|spooled| *spooled > 0).expect("nothing is spooled");
        self.process.kill().unwrap();
        self.process.wait().unwrap();
        spooled
    }
}

/// Sends all that is left in the directory of `service`. Says how much that was.
async fn sent(service: &str, spool: &Path, collector: SocketAddr) -> u64 {
    let endpoint = format!("http://{collector}");
    let settings = [
        ("OTEL_SERVICE_NAME", service),
        ("OTEL_LOGS_EXPORTER", "none"),
        ("OTEL_METRICS_EXPORTER", "none"),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", &endpoint),
        ("TELEMETRY_SPOOL_DIR", spool.to_str().unwrap()),
    ];
    let telemetry = Telemetry::new(&Service::new(service, "0"), &settings.into_iter().collect()).unwrap();
    let left = telemetry.report().spans.replayed;
    until(&telemetry, "not all is sent", |report| report.spans.replayed.waiting == 0).await;
    let account = telemetry.shutdown(LIMIT).await.spans;
    assert!(account.replayed.exported >= left.waiting && account.ended == 0, "{account:?}");
    account.replayed.exported
}

/// How often each number has arrived.
fn arrived(collector: &Collector) -> BTreeMap<u64, u64> {
    let mut arrived = BTreeMap::new();
    numbers(collector).into_iter().for_each(|number| *arrived.entry(number).or_default() += 1);
    arrived
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kill_9_keeps_all_that_is_on_disk() {
    let (well, spool) = (Collector::default(), TempDir::new().unwrap());
    let faulty = Faulty::start(Fault::Unavailable, &well).await;
    let told = Outage::start(spool.path(), faulty.address).killed();
    let address = faulty.address;
    faulty.put_right(Fault::Unavailable, &well).await;
    let sent = sent("outage", spool.path(), address).await;
    assert!(sent >= told, "{told} were on disk, {sent} are sent");
    // The first ones, each once, without a gap.
    let arrived = arrived(&well);
    assert!(arrived.values().all(|times| *times == 1) && arrived.into_keys().eq(0..sent));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_processes_with_one_directory_keep_out_of_each_others_way() {
    let (well, spool) = (Collector::default(), TempDir::new().unwrap());
    let faulty = Faulty::start(Fault::Unavailable, &well).await;
    let both = [(); 2].map(|()| Outage::start(spool.path(), faulty.address));
    let told: u64 = both.map(Outage::killed).iter().sum();
    let address = faulty.address;
    faulty.put_right(Fault::Unavailable, &well).await;
    let sent = sent("outage", spool.path(), address).await;
    assert!(sent >= told, "{told} were on disk, {sent} are sent");
    let arrived = arrived(&well);
    assert_eq!(arrived.values().sum::<u64>(), sent);
    // Both have counted from 0; what the one has kept longer comes once.
    assert!(arrived.values().all(|times| *times <= 2) && arrived[&0] == 2);
}

/// The one segment in the directory.
fn segment(spool: &Path) -> PathBuf {
    let mut files = fs::read_dir(spool.join("sender-0/traces")).unwrap();
    files.next().unwrap().unwrap().path()
}

/// A directory in which a process has left 300 spans, in three requests at least.
async fn left_over(faulty: &Faulty) -> TempDir {
    let spool = TempDir::new().unwrap();
    let settings = [("TELEMETRY_SPOOL_DIR", spool.path().to_str().unwrap()), ("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "100")];
    let first = patient(faulty.address, &settings);
    end_numbered(&first, 0..300).await;
    assert_eq!(first.shutdown(LIMIT).await.spans.spooled, 300);
    spool
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_disk_that_fails_for_a_while_is_asked_again() {
    let well = Collector::default();
    let faulty = Faulty::start(Fault::Unavailable, &well).await;
    let spool = left_over(&faulty).await;
    let (segment, aside) = (segment(spool.path()), spool.path().join("aside"));
    let second = patient(faulty.address, &[("TELEMETRY_SPOOL_DIR", spool.path().to_str().unwrap())]);
    // By then it has read one request. The others are replaced by what nobody can open, and is there all the same.
    until(&second, "nothing is tried", |_| second.exports().spans.state == ExportState::Failing).await;
    let circle = spool.path().join("circle");
    symlink(&segment, &circle).unwrap();
    fs::hard_link(&segment, &aside).unwrap();
    fs::rename(&circle, &segment).unwrap();
    faulty.put_right(Fault::Unavailable, &well).await;
    until(&second, "what was read is not sent", |report| report.spans.replayed.exported > 0).await;
    fs::rename(&aside, &segment).unwrap();
    until(&second, "the rest is not sent", |report| report.spans.replayed.exported == 300).await;
    let arrived = arrived(&well);
    assert!(arrived.values().all(|times| *times == 1) && arrived.into_keys().eq(0..300));
}
