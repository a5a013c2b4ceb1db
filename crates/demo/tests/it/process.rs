//! The demo's program, as processes of their own.

use std::fs::{self, File};
use std::path::PathBuf;
use std::process::{ExitStatus, Stdio};

use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{self, ChildStdin, Command};
use tokio::time::timeout;

use crate::calls::{Caller, caller};
use crate::shop::{PATIENCE, database};

/// A process of the demo. Killed if it is dropped before it has ended.
pub(crate) struct Process {
    pub(crate) process: process::Child,
    /// Its end would end the process too.
    _stdin: ChildStdin,
}

/// The shop's servers, a process each, as `demo up` starts them; they export to where the test says.
pub(crate) struct Servers {
    pub(crate) client: Caller,
    running: Vec<(&'static str, Process)>,
    files: Files,
}

/// The databases and logs of servers.
struct Files {
    dir: TempDir,
}

/// The program, with nothing of this process's environment.
pub(crate) fn demo() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_demo"));
    command.env_clear().stdin(Stdio::piped()).kill_on_drop(true);
    command
}

// === impl Process ===

impl Process {
    pub(crate) fn spawn(command: &mut Command) -> Self {
        let mut process = command.spawn().unwrap();
        Self { _stdin: process.stdin.take().unwrap(), process }
    }

    pub(crate) async fn signal(&self, signal: &str) {
        let id = self.process.id().unwrap().to_string();
        assert!(Command::new("kill").args(["-s", signal, &id]).status().await.unwrap().success());
    }

    /// Waits for it to end by itself.
    pub(crate) async fn ended(&mut self) -> ExitStatus {
        timeout(PATIENCE, self.process.wait()).await.expect("the process has not ended").unwrap()
    }
}

// === impl Servers ===

impl Servers {
    /// The whole shop. Gateway, order and payment export to `otlp`, after so many milliseconds.
    pub(crate) async fn start(otlp: &str, delay: &str) -> Self {
        let files = Files { dir: tempfile::tempdir().unwrap() };
        let exporting = [("OTEL_EXPORTER_OTLP_ENDPOINT", otlp), ("OTEL_BSP_SCHEDULE_DELAY", delay)];
        let start = async |name, command: &mut Command| files.start(name, command.envs(exporting)).await;

        let (bank, bank_url) = start("bank", demo().args(["serve", "bank", "--port=0", "--"])).await;
        let (payment, payment_url) = start("payment", service("payment").args(["--bank", &bank_url])).await;
        let (order, order_url) = start("order", service("order").args(["--payment", &payment_url])).await;
        let (gateway, gateway_url) = start("gateway", service("gateway").args(["--order", &order_url])).await;
        let running = vec![("gateway", gateway), ("order", order), ("payment", payment), ("bank", bank)];
        Self { client: caller(gateway_url.strip_prefix("http://").unwrap().parse().unwrap()), running, files }
    }

    /// Sends SIGTERM to every server and asserts that each ends well.
    pub(crate) async fn terminate(self) {
        for (_, process) in &self.running {
            process.signal("TERM").await;
        }
        for (name, mut process) in self.running {
            assert_eq!(process.ended().await.code(), Some(0), "{name}: {}", self.files.logged(name));
        }
    }
}

fn service(name: &str) -> Command {
    let mut command = demo();
    command.args(["serve", name, "--port=0", "--port=0", "--"]);
    if name == "gateway" {
        command.args(["--trust-trace", "all"]);
    }
    command
}

// === impl Files ===

impl Files {
    /// Starts a server and waits until it listens, at the URL that is told.
    async fn start(&self, name: &str, command: &mut Command) -> (Process, String) {
        if name != "gateway" {
            command.args(["--database-url", &database(&self.dir, &format!("{name}.db"))]);
        }
        command.stdout(Stdio::piped()).stderr(File::create(self.log(name)).unwrap());
        let mut process = Process::spawn(command);
        let mut lines = BufReader::new(process.process.stdout.take().unwrap()).lines();
        let line = timeout(PATIENCE, lines.next_line()).await.unwrap().unwrap();
        let line = line.unwrap_or_else(|| panic!("{name} did not start: {}", self.logged(name)));
        let listening: serde_json::Value = serde_json::from_str(&line).unwrap();
        (process, format!("http://{}", listening["addresses"][0].as_str().unwrap()))
    }

    fn log(&self, name: &str) -> PathBuf {
        self.dir.path().join(format!("{name}.log"))
    }

    fn logged(&self, name: &str) -> String {
        fs::read_to_string(self.log(name)).unwrap()
    }
}
