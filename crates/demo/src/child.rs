//! The parent's side of one child process.

use std::fs::{self, File};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;
use std::{env, io};

use anyhow::{Context, anyhow};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::process::{self, ChildStdin, ChildStdout, Command};
use tokio::sync::oneshot;
use tokio::time::{Instant, sleep, timeout, timeout_at};

use crate::member::Member;
use crate::serve::{DRAINED, Listening};

/// How long a child may take to hold its ports, and then to be ready.
const START_LIMIT: Duration = Duration::from_secs(30);

/// How often a child is asked whether it is ready.
const ASK_INTERVAL: Duration = Duration::from_millis(10);

/// How long a child's calls may take to end: the services' drain of 8 s, a second for what is cut, and some air.
const DRAIN_LIMIT: Duration = Duration::from_secs(10);

/// How many lines of a dead child's log are shown.
const LAST_LINES: usize = 8;

/// A running process of the demo. Killed if it is dropped before it was stopped.
#[derive(Debug)]
pub(crate) struct Child {
    pub(crate) member: Member,
    /// Where it listens, in the order of its ports.
    pub(crate) addresses: Vec<SocketAddr>,
    process: process::Child,
    /// The pipe whose end stops the child; the kernel closes it too if this process is killed.
    stdin: Option<ChildStdin>,
    /// Resolves when the child's calls have ended; closed when all of it has.
    drained: Option<oneshot::Receiver<()>>,
    log: PathBuf,
    running: bool,
}

/// How a child is started.
pub(crate) struct Start<'a> {
    pub(crate) member: Member,
    pub(crate) ports: Vec<u16>,
    /// The member's own flags.
    pub(crate) settings: Vec<String>,
    pub(crate) variables: Vec<(&'static str, String)>,
    /// Which of this process's own variables the child does not see.
    pub(crate) hidden: &'a [String],
    /// Where its stderr goes.
    pub(crate) log: (PathBuf, File),
}

// === impl Start ===

impl Start<'_> {
    /// Starts the child and waits until it holds its ports.
    ///
    /// # Errors
    /// With the last lines of its log when it ends instead.
    pub(crate) async fn run(self) -> anyhow::Result<Child> {
        let member = self.member;
        let (path, log) = self.log;
        let program = env::current_exe().context("failed to find the demo's own program")?;
        let mut command = Command::new(program);
        command.args(["serve", member.name()]);
        command.args(self.ports.iter().flat_map(|port| ["--port".to_owned(), port.to_string()]));
        command.arg("--").args(&self.settings);
        for name in self.hidden {
            command.env_remove(name);
        }
        command.envs(self.variables);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(log.try_clone()?).kill_on_drop(true);

        let mut process = command.spawn().with_context(|| format!("failed to start {member}"))?;
        let stdin = process.stdin.take();
        let stdout = process.stdout.take().context("a child without stdout")?;
        let mut child =
            Child { member, addresses: Vec::new(), process, stdin, drained: None, log: path, running: true };
        child.listening(BufReader::new(stdout).lines(), log).await?;
        Ok(child)
    }
}

// === impl Child ===

impl Child {
    pub(crate) fn id(&self) -> Option<u32> {
        self.process.id()
    }

    /// Waits until `url` answers with success.
    ///
    /// # Errors
    /// When the child ends or the limit passes first, with the last lines of its log.
    pub(crate) async fn ready(&mut self, http: &reqwest::Client, url: &str) -> anyhow::Result<()> {
        let ready = async {
            while !http.get(url).send().await.is_ok_and(|answer| answer.status().is_success()) {
                sleep(ASK_INTERVAL).await;
            }
        };
        tokio::select! {
            () = ready => return Ok(()),
            status = self.process.wait() => {
                self.running = false;
                return Err(self.failure(&format!("{} ended while starting: {}", self.member, status?)));
            }
            () = sleep(START_LIMIT) => {}
        }
        Err(self.failure(&format!("{} is not ready after {START_LIMIT:?}", self.member)))
    }

    /// Waits until the child ends by itself; forever if it already has.
    pub(crate) async fn ended(&mut self) -> anyhow::Error {
        if !self.running {
            std::future::pending::<()>().await;
        }
        let status = self.process.wait().await;
        self.running = false;
        self.failure(&format!("{} ended: {}", self.member, describe(status)))
    }

    /// Closes the pipe and waits until the child's calls have ended, for a limited time. Its last spans may still be
    /// leaving then; [`Child::stop`] waits for them.
    pub(crate) async fn drain(&mut self) {
        self.stdin = None;
        if let Some(drained) = self.drained.take() {
            // What it does not do in time is told when it is stopped.
            let _ = timeout(DRAIN_LIMIT, drained).await;
        }
    }

    /// Closes the pipe and waits for the child to finish; kills it when it has not by `deadline`.
    ///
    /// # Errors
    /// When it had to be killed or did not end well, with the last lines of its log.
    pub(crate) async fn stop(&mut self, deadline: Instant) -> anyhow::Result<()> {
        self.stdin = None;
        if !self.running {
            return Ok(());
        }
        let ended = timeout_at(deadline, self.process.wait()).await;
        let failure = match ended {
            Ok(Ok(status)) if status.success() => None,
            Ok(status) => Some(format!("{} did not stop well: {}", self.member, describe(status))),
            Err(_) => {
                self.kill().await;
                Some(format!("{} did not stop in time and was killed", self.member))
            }
        };
        self.running = false;
        failure.map_or(Ok(()), |failure| Err(self.failure(&failure)))
    }

    /// Ends the child at once.
    pub(crate) async fn kill(&mut self) {
        // Fails only for a process that has ended.
        let _ = self.process.kill().await;
        self.running = false;
    }

    /// Reads where the child listens, and from then on when its calls have ended; all else it writes to stdout goes to its
    /// log.
    async fn listening(&mut self, mut lines: Lines<BufReader<ChildStdout>>, log: File) -> anyhow::Result<()> {
        let line = timeout(START_LIMIT, lines.next_line()).await;
        match line {
            Ok(Ok(Some(line))) => {
                let listening: Listening =
                    serde_json::from_str(&line).with_context(|| format!("{} said {line:?}", self.member))?;
                self.addresses = listening.addresses;
                let (sender, drained) = oneshot::channel();
                self.drained = Some(drained);
                drop(telemetry::spawn(copy(lines, log, sender)));
                Ok(())
            }
            Ok(_) => {
                let status = self.process.wait().await;
                self.running = false;
                Err(self.failure(&format!("{} ended while starting: {}", self.member, describe(status))))
            }
            Err(_) => Err(self.failure(&format!("{} holds no ports after {START_LIMIT:?}", self.member))),
        }
    }

    fn failure(&self, what: &str) -> anyhow::Error {
        match last_lines(&self.log) {
            Some(lines) => anyhow!("{what}; the last lines of {}:\n{lines}", self.log.display()),
            None => anyhow!("{what}; its log is empty"),
        }
    }
}

fn describe(status: io::Result<ExitStatus>) -> String {
    status.map_or_else(|error| error.to_string(), |status| status.to_string())
}

async fn copy(mut lines: Lines<BufReader<ChildStdout>>, log: File, drained: oneshot::Sender<()>) {
    let mut log = tokio::fs::File::from_std(log);
    let mut drained = Some(drained);
    while let Ok(Some(line)) = lines.next_line().await {
        if line == DRAINED {
            drop(drained.take());
            continue;
        }
        // A full disk must not keep the child from writing on.
        let _ = log.write_all(format!("{line}\n").as_bytes()).await;
    }
}

fn last_lines(log: &Path) -> Option<String> {
    let text = fs::read(log).ok()?;
    let text = String::from_utf8_lossy(&text);
    let lines: Vec<_> = text.lines().collect();
    let last = &lines[lines.len().saturating_sub(LAST_LINES)..];
    (!last.is_empty()).then(|| last.iter().map(|line| format!("  {line}")).collect::<Vec<_>>().join("\n"))
}
