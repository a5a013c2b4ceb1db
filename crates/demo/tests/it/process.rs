//! The demo's program, as processes of their own.

use std::fs::{self, File};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{ExitStatus, Stdio};

use futures_util::future::join_all;
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::net::TcpSocket;
use tokio::process::{self, ChildStdin, Command};
use tokio::time::timeout;

use crate::calls::{Caller, caller};
use crate::shop::{PATIENCE, database, hold};

/// A process of the demo. Killed if it is dropped before it has ended.
pub(crate) struct Process {
    pub(crate) process: process::Child,
    /// Its end would end the process too.
    _stdin: ChildStdin,
}

/// The shop's servers, a process each, as `demo up` starts them; they export to where the test says.
pub(crate) struct Servers {
    pub(crate) client: Caller,
    running: Vec<Server>,
    killed: Vec<Killed>,
    files: Files,
}

/// What is left of a killed server.
struct Killed {
    name: &'static str,
    addresses: Vec<SocketAddr>,
    /// Keep its ports from another test, and refuse.
    _graves: Vec<TcpSocket>,
}

/// One of the shop's servers.
struct Server {
    name: &'static str,
    process: Process,
    /// Where it listens, in the order of its ports.
    addresses: Vec<SocketAddr>,
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
        let exporting = [("OTEL_EXPORTER_OTLP_ENDPOINT", otlp), ("OTEL_BSP_SCHEDULE_DELAY", delay)];
        Self::start_with(|_| exporting.map(|(name, value)| (name, value.to_owned())).into()).await
    }

    /// The whole shop, each server with variables of its own.
    pub(crate) async fn start_with(variables: impl Fn(&str) -> Vec<(&'static str, String)>) -> Self {
        let files = Files { dir: tempfile::tempdir().unwrap() };
        let start = async |name, command: &mut Command| files.start(name, command.envs(variables(name))).await;

        let bank = start("bank", demo().args(["serve", "bank", "--port=0", "--"])).await;
        let payment = start("payment", service("payment").args(["--bank", &bank.url()])).await;
        let order = start("order", service("order").args(["--payment", &payment.url()])).await;
        let gateway = start("gateway", service("gateway").args(["--order", &order.url()])).await;
        let client = caller(gateway.addresses[0]);
        Self { client, running: vec![gateway, order, payment, bank], killed: Vec::new(), files }
    }

    /// Where a server listens, or has: for calls, and for an operator's questions if it has a port for these.
    pub(crate) fn addresses(&self, name: &str) -> &[SocketAddr] {
        let running = self.running.iter().map(|server| (server.name, &server.addresses));
        let mut all = running.chain(self.killed.iter().map(|killed| (killed.name, &killed.addresses)));
        all.find(|(of, _)| *of == name).unwrap().1
    }

    /// Ends a server as `kill -9` would. Its ports then refuse.
    pub(crate) async fn kill(&mut self, name: &str) {
        let place = self.running.iter().position(|server| server.name == name).unwrap();
        let Server { name, mut process, addresses } = self.running.remove(place);
        process.signal("KILL").await;
        process.ended().await;
        let _graves = join_all(addresses.iter().copied().map(hold)).await;
        self.killed.push(Killed { name, addresses, _graves });
    }

    /// Sends SIGTERM to every server and asserts that each ends well.
    pub(crate) async fn terminate(self) {
        for server in &self.running {
            server.process.signal("TERM").await;
        }
        for Server { name, mut process, .. } in self.running {
            assert_eq!(process.ended().await.code(), Some(0), "{name}: {}", self.files.logged(name));
        }
    }
}

// === impl Server ===

impl Server {
    fn url(&self) -> String {
        format!("http://{}", self.addresses[0])
    }
}

fn service(name: &str) -> Command {
    let mut command = demo();
    command.args(["serve", name, "--port=0", "--port=0", "--"]);
    if name == "gateway" {
        command.env("GATEWAY_TRUST_TRACE", "all");
    }
    command
}

// === impl Files ===

impl Files {
    /// Starts a server and waits until it listens.
    async fn start(&self, name: &'static str, command: &mut Command) -> Server {
        if name != "gateway" {
            command.args(["--database-url", &database(&self.dir, &format!("{name}.db"))]);
        }
        command.stdout(Stdio::piped()).stderr(File::create(self.log(name)).unwrap());
        let mut process = Process::spawn(command);
        let mut lines = BufReader::new(process.process.stdout.take().unwrap()).lines();
        let line = timeout(PATIENCE, lines.next_line()).await.unwrap().unwrap();
        let line = line.unwrap_or_else(|| panic!("{name} did not start: {}", self.logged(name)));
        let listening: serde_json::Value = serde_json::from_str(&line).unwrap();
        let addresses = listening["addresses"].as_array().unwrap().iter();
        let addresses = addresses.map(|address| address.as_str().unwrap().parse().unwrap()).collect();
        Server { name, process, addresses }
    }

    fn log(&self, name: &str) -> PathBuf {
        self.dir.path().join(format!("{name}.log"))
    }

    fn logged(&self, name: &str) -> String {
        fs::read_to_string(self.log(name)).unwrap()
    }
}
