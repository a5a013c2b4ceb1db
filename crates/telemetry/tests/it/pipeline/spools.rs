//! What is on disk when a process is killed, when two name the same directory, and when another version wrote it.

use std::fs;
use std::io::{BufRead, BufReader, Lines};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Stdio};

use opentelemetry_proto::tonic::common::v1::KeyValue;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use tempfile::TempDir;

use super::faults::{Fault, Faulty, end_numbered, numbers, patient, until};
use super::*;
use crate::examples::example;

/// The example `outage`, whose spans nobody takes at first.
struct Outage {
    process: Child,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Outage {
    /// Ends 3000 spans a second for so many seconds, which say that they are from `name`.
    fn start(name: &str, seconds: u64, spool: &Path, collector: SocketAddr) -> Self {
        let (endpoint, from) = (format!("http://{collector}"), format!("from={name}"));
        let environment = [
            ("TELEMETRY_SPOOL_DIR", spool.to_str().unwrap()),
            ("OTEL_EXPORTER_OTLP_ENDPOINT", &endpoint),
            ("OTEL_RESOURCE_ATTRIBUTES", &from),
            ("OTEL_BSP_SCHEDULE_DELAY", "50"),
            ("RUST_LOG", "off"),
        ];
        let mut command = example("outage", &environment);
        let mut process = command.args(["3000", &seconds.to_string()]).stdout(Stdio::piped()).spawn().unwrap();
        let lines = BufReader::new(process.stdout.take().unwrap()).lines();
        Self { process, lines }
    }

    /// Waits until it says that something is on disk. Says how much.
    fn spooled(&mut self) -> u64 {
        let mut told = self.lines.by_ref().map(|line| told(&line.unwrap(), " + spooled "));
        told.find(|spooled| *spooled > 0).expect("nothing is spooled")
    }

    /// Ends it as `kill -9` does.
    fn kill(mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }

    /// Waits for its end. Says how many spans it has ended.
    fn ended(mut self) -> u64 {
        let last = self.lines.last().unwrap().unwrap();
        assert!(self.process.wait().unwrap().success() && told(&last, " + dropped ") == 0, "{last}");
        told(&last, "ended ")
    }
}

/// The number behind `what` in a line.
fn told(line: &str, what: &str) -> u64 {
    let number: String = line.split_once(what).unwrap().1.chars().take_while(char::is_ascii_digit).collect();
    number.parse().unwrap()
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

/// How many spans have arrived from the process of this name: its first ones without a gap, each once.
fn arrived(collector: &Collector, name: &str) -> u64 {
    let is_from = |attribute: &KeyValue| {
        let value = attribute.value.as_ref().and_then(|value| value.value.as_ref());
        attribute.key == "from" && value == Some(&Value::StringValue(name.to_owned()))
    };
    let of_process = Collector::default();
    for mut request in collector.received.lock().unwrap().clone() {
        request.resource_spans.retain(|from| from.resource.as_ref().unwrap().attributes.iter().any(is_from));
        of_process.received.lock().unwrap().push(request);
    }
    let mut numbers = numbers(&of_process);
    numbers.sort_unstable();
    assert!(numbers.iter().copied().eq(0..numbers.len() as u64), "{name}: {numbers:?}");
    numbers.len() as u64
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kill_9_keeps_all_that_is_on_disk() {
    let (well, spool) = (Collector::default(), TempDir::new().unwrap());
    let faulty = Faulty::start(Fault::Unavailable, &well).await;
    let mut outage = Outage::start("killed", 600, spool.path(), faulty.address);
    let told = outage.spooled();
    outage.kill();
    let address = faulty.address;
    faulty.put_right(Fault::Unavailable, &well).await;
    let sent = sent("outage", spool.path(), address).await;
    assert!(sent >= told, "{told} were on disk, {sent} are sent");
    assert_eq!(arrived(&well, "killed"), sent);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_processes_with_one_directory_keep_out_of_each_others_way() {
    let (well, spool) = (Collector::default(), TempDir::new().unwrap());
    let faulty = Faulty::start(Fault::Unavailable, &well).await;
    let [mut killed, mut well_ended] = [("killed", 600), ("well ended", 3)]
        .map(|(name, seconds)| Outage::start(name, seconds, spool.path(), faulty.address));
    let told = killed.spooled();
    well_ended.spooled();
    killed.kill();
    let address = faulty.address;
    faulty.put_right(Fault::Unavailable, &well).await;
    let ended = well_ended.ended();
    sent("outage", spool.path(), address).await;
    assert_eq!(arrived(&well, "well ended"), ended);
    let of_killed = arrived(&well, "killed");
    assert!(of_killed >= told, "{told} were on disk, {of_killed} have arrived");
}

/// The one segment in the directory.
fn segment(spool: &Path) -> PathBuf {
    let mut files = fs::read_dir(spool.join("sender-0/traces")).unwrap();
    files.next().unwrap().unwrap().path()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_of_another_format_is_told_of_once_and_left_alone() {
    let (well, spool) = (Collector::default(), TempDir::new().unwrap());
    let faulty = Faulty::start(Fault::Unavailable, &well).await;
    let first = patient(faulty.address, &[("TELEMETRY_SPOOL_DIR", spool.path().to_str().unwrap())]);
    end_numbered(&first, 0..1).await;
    assert_eq!(first.shutdown(LIMIT).await.spans.spooled, 1);
    drop(first);
    let segment = segment(spool.path());
    // Its version stands behind eight bytes of magic.
    let mut bytes = fs::read(&segment).unwrap();
    bytes[8] += 1;
    fs::write(&segment, &bytes).unwrap();
    let endpoint = format!("http://{}", faulty.address);
    let settings = [
        ("OTEL_SERVICE_NAME", "sender"),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint.as_str()),
        ("OTEL_METRICS_EXPORTER", "none"),
        ("TELEMETRY_SPOOL_DIR", spool.path().to_str().unwrap()),
    ];
    let times_told = || {
        let told = example("outage", &settings).args(["0", "0"]).output().unwrap();
        let (stdout, stderr) = (String::from_utf8(told.stdout).unwrap(), String::from_utf8(told.stderr).unwrap());
        assert!(stdout.ends_with("of an earlier process: exported 0, waiting 0\n"), "{stdout}\n{stderr}");
        stderr.matches("TELEMETRY_SPOOL_DIR holds files of another format: 1 are not sent").count()
    };
    assert_eq!((times_told(), times_told()), (1, 0));
    let aside = segment.with_extension("segment.quarantined");
    assert_eq!(fs::read(&aside).unwrap(), bytes);
    fs::rename(aside, segment).unwrap();
    let second = patient(faulty.address, &[settings[3]]);
    assert_eq!(second.exports().spans.spool.unwrap().quarantined, 1);
}
