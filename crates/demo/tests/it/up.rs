//! `demo up`: it comes up, beside another one too, and leaves nothing behind however it ends.

use std::collections::{HashMap, HashSet};
use std::fs::{self, File, TryLockError};
use std::net::SocketAddr;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use proto::gateway::v1::ListOrdersRequest;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::Command;
use tokio::time::timeout;

use crate::calls::{caller, order};
use crate::process::{Process, demo};
use crate::shop::{PATIENCE, bind};

/// The last line of what it says when it is up.
const UP: &str = "Ctrl-C lets calls finish, flushes and stops.";

/// How often a test looks whether something is gone.
const INTERVAL: Duration = Duration::from_millis(10);

/// A demo that is up.
pub(crate) struct Up {
    process: Process,
    /// All that it has said.
    pub(crate) screen: String,
    /// Where each of its processes listens, as the screen says.
    pub(crate) addresses: HashMap<String, Vec<SocketAddr>>,
}

// === impl Up ===

impl Up {
    /// Starts a demo whose data are in `data`, and waits until it is up.
    pub(crate) async fn start(data: &Path) -> Self {
        Self::of(up().await.arg("--data").arg(data)).await
    }

    async fn of(command: &mut Command) -> Self {
        let mut process = Process::spawn(command.stdout(Stdio::piped()));
        let mut lines = BufReader::new(process.process.stdout.take().unwrap()).lines();
        let mut screen = String::new();
        let shown = async {
            while !screen.ends_with(&format!("{UP}\n")) {
                let line = lines.next_line().await.unwrap().unwrap_or_else(|| panic!("it ended after\n{screen}"));
                screen += &(line + "\n");
            }
        };
        timeout(PATIENCE, shown).await.unwrap();
        Self { process, addresses: addresses(&screen), screen }
    }

    fn gateway(&self) -> SocketAddr {
        self.addresses["gateway"][0]
    }

    /// Ctrl-C.
    pub(crate) async fn interrupt(mut self) {
        self.process.signal("INT").await;
        assert_eq!(self.process.ended().await.code(), Some(0));
    }

    /// Ends the demo's own process, and nothing else, without a chance to do anything.
    async fn kill(mut self) {
        self.process.signal("KILL").await;
        self.process.ended().await;
    }
}

async fn up() -> Command {
    let mut command = demo();
    command.args(["up", "--port-base", &ports().await]);
    command
}

/// Where a demo may look for its ports: somewhere else for each test. One that is taken all the same it replaces.
async fn ports() -> String {
    let free = bind().await.local_addr().unwrap().port();
    (20_000 + free % 20_000).to_string()
}

/// The lines of the screen that tell who listens where.
fn addresses(screen: &str) -> HashMap<String, Vec<SocketAddr>> {
    let members = ["gateway", "order", "payment", "bank", "collector"];
    let lines = screen.lines().filter_map(|line| line.strip_prefix("  ")?.split_once(' '));
    let told = lines.filter(|(name, rest)| members.contains(name) && rest.contains("process"));
    let words = |rest: &str| {
        let words = rest.split(' ').map(|word| word.trim_start_matches("http://").trim_end_matches([',', ';']));
        words.filter_map(|word| word.parse().ok()).collect()
    };
    told.map(|(name, rest)| (name.to_owned(), words(rest))).collect()
}

/// Whether no process uses the folder: each holds its log for as long as it lives, and the demo itself holds the lock.
fn is_unused(data: &Path) -> bool {
    let logs = fs::read_dir(data.join("logs")).unwrap().map(|entry| entry.unwrap().path());
    let mut held = logs.chain([data.join("lock")]).map(|path| File::open(path).unwrap().try_lock());
    held.all(|locked| !matches!(locked, Err(TryLockError::WouldBlock)))
}

/// Waits until no process uses the folder.
async fn until_unused(data: &Path) {
    let unused = async {
        while !is_unused(data) {
            tokio::time::sleep(INTERVAL).await;
        }
    };
    timeout(PATIENCE, unused).await.expect("a process is left");
}

/// Asserts that the demo takes orders, and remembers `orders` of them besides its own.
async fn assert_serves(demo: &Up, orders: usize) {
    let mut client = caller(demo.gateway());
    client.place_order(order("tok_visa")).await.unwrap();
    let kept = client.list_orders(ListOrdersRequest::default()).await.unwrap().into_inner().orders;
    assert_eq!(kept.len(), orders + 2);
}

#[tokio::test]
async fn ctrl_c_leaves_no_process_and_no_lock() {
    let data = tempfile::tempdir().unwrap();
    let demo = Up::start(data.path()).await;
    assert!(!is_unused(data.path()));
    assert_serves(&demo, 0).await;
    demo.interrupt().await;
    assert!(is_unused(data.path()));
}

#[tokio::test]
async fn kill_9_leaves_no_process_and_no_lock() {
    let data = tempfile::tempdir().unwrap();
    let demo = Up::start(data.path()).await;
    assert_eq!(demo.addresses.len(), 5, "{}", demo.screen);
    demo.kill().await;
    until_unused(data.path()).await;
}

#[tokio::test]
async fn kill_9_while_it_starts_leaves_no_process_and_no_lock() {
    let data = tempfile::tempdir().unwrap();
    let mut starting = Process::spawn(up().await.arg("--data").arg(data.path()).stdout(Stdio::null()));
    let half_way = async {
        while !data.path().join("logs/payment.log").exists() {
            tokio::time::sleep(INTERVAL).await;
        }
    };
    timeout(PATIENCE, half_way).await.unwrap();
    starting.signal("KILL").await;
    starting.ended().await;
    until_unused(data.path()).await;
}

#[tokio::test]
async fn a_second_start_goes_on_where_a_killed_one_was() {
    let data = tempfile::tempdir().unwrap();
    let first = Up::start(data.path()).await;
    assert_serves(&first, 0).await;
    first.kill().await;
    let second = Up::start(data.path()).await;
    assert_serves(&second, 2).await;
    second.interrupt().await;
}

#[tokio::test]
async fn two_demos_beside_each_other_have_ports_and_folders_of_their_own() {
    let workspace = tempfile::tempdir().unwrap();
    let ports = ports().await;
    let beside = async || {
        let mut command = demo();
        // Where the demo takes its folder from when cargo runs it.
        command.env("CARGO_MANIFEST_DIR", workspace.path().join("crates/demo"));
        Up::of(command.args(["--port-base", &ports])).await
    };
    let (first, second) = (beside().await, beside().await);
    assert_serves(&first, 0).await;
    assert_serves(&second, 0).await;
    let all = |demo: &Up| demo.addresses.values().flatten().copied().collect::<HashSet<_>>();
    assert!(all(&first).is_disjoint(&all(&second)));

    let folder = |name: &str| workspace.path().join("target").join(name).canonicalize().unwrap();
    for (demo, folder) in [(first, folder("demo")), (second, folder("demo-2"))] {
        assert!(demo.screen.contains(&format!("data       {}", folder.display())), "{}", demo.screen);
        demo.interrupt().await;
        assert!(is_unused(&folder));
    }
}
