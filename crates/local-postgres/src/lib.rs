//! A PostgreSQL server of this process's own, for all of its tests: without a TCP port, and gone when the process is.
#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, reason = "tests")]

use std::io::{BufRead, BufReader};
use std::os::unix::fs::{MetadataExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{ChildStdin, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, Executor};
use tempfile::TempDir;

/// A server that runs.
pub struct Server {
    /// Where its socket and its data are.
    folder: PathBuf,
    /// The server ends with this pipe, and so with the process, however that ends.
    _life: ChildStdin,
}

/// PostgreSQL's programs.
struct Programs {
    initdb: PathBuf,
    postgres: PathBuf,
}

/// Says that a test process is to keep what its tests keep in PostgreSQL.
const STORE: &str = "TEST_STORE";

/// Runs the program `$1` with its data and its socket in `$2` until standard input ends, and leaves nothing of either.
/// Who reads standard error learns from its end that the server has ended.
const KEEPER: &str = r#"
"$1" -D "$2/data" -k "$2" -c listen_addresses= -c fsync=off -c max_connections=400 </dev/null &
exec 2>/dev/null
cat
kill -QUIT $!
wait $!
rm -rf "$2"
"#;

/// Nobody, by number: PostgreSQL does not run as root.
const NOBODY: u32 = 65534;

// === impl Server ===

impl Server {
    /// The server, started by whoever asks first; `None` where there is no PostgreSQL.
    ///
    /// # Panics
    /// If there is none although `TEST_POSTGRES=required` says so.
    #[expect(clippy::print_stderr, reason = "a test that did not run must not look as if it had")]
    pub fn shared() -> Option<&'static Self> {
        static SERVER: OnceLock<Option<Server>> = OnceLock::new();
        let server = SERVER.get_or_init(|| Programs::find().map(|programs| Self::start(&programs))).as_ref();
        if server.is_none() {
            assert!(std::env::var_os("TEST_POSTGRES").is_none_or(|value| value != "required"), "no PostgreSQL here");
            eprintln!("skipped: no PostgreSQL here");
        }
        server
    }

    /// How its own database is connected to.
    pub fn options(&self) -> PgConnectOptions {
        PgConnectOptions::new_without_pgpass().socket(&self.folder).port(5432).username("postgres").database("postgres")
    }

    /// The URL of a database that nobody else has.
    ///
    /// # Panics
    /// If the server makes none.
    pub async fn new_database(&self) -> String {
        static MADE: AtomicU32 = AtomicU32::new(0);
        let name = format!("test_{}", MADE.fetch_add(1, Ordering::Relaxed));
        let mut connection: PgConnection = self.options().connect().await.unwrap();
        connection.execute(AssertSqlSafe(format!("CREATE DATABASE {name}"))).await.unwrap();
        connection.close().await.unwrap();
        format!("postgres:///{name}?host={}&user=postgres", self.folder.display())
    }

    fn start(programs: &Programs) -> Self {
        let folder = tempfile::tempdir().unwrap();
        // Those of a folder just made are those of this process.
        let is_root = folder.path().metadata().unwrap().uid() == 0;
        if is_root {
            chown(folder.path(), Some(NOBODY), Some(NOBODY)).unwrap();
        }
        let command = |program: &Path| {
            let mut command = Command::new(program);
            command.current_dir(folder.path());
            if is_root {
                command.uid(NOBODY).gid(NOBODY)
            } else {
                &mut command
            };
            command
        };
        let mut initdb = command(&programs.initdb);
        initdb.args([
            "--username=postgres",
            "--auth=trust",
            "--encoding=UTF8",
            "--locale=C",
            "--no-sync",
            "--pgdata=data",
        ]);
        let made = initdb.output().unwrap();
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));

        let mut keeper = command(Path::new("sh"));
        keeper.args(["-c", KEEPER, "sh"]).arg(&programs.postgres).arg(folder.path());
        Self::started(keeper, folder)
    }

    /// Returns when the server takes connections.
    fn started(mut keeper: Command, folder: TempDir) -> Self {
        // Nobody's Ctrl-C: it ends with this process, in order.
        keeper.process_group(0).stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut keeper = keeper.spawn().unwrap();
        let server = Self { folder: folder.keep(), _life: keeper.stdin.take().unwrap() };
        let mut log = BufReader::new(keeper.stderr.take().unwrap());
        let mut said = String::new();
        while !said.contains("ready to accept connections") {
            assert_ne!(log.read_line(&mut said).unwrap(), 0, "PostgreSQL did not start: {said}");
        }
        // Read on, or the server would wait for someone to.
        std::thread::spawn(move || std::io::copy(&mut log, &mut std::io::sink()).and_then(|_| keeper.wait()));
        server
    }
}

/// The URL of a store for one test: `sqlite`, or, in a process that [`again_on_postgres`] has started, a new database of
/// PostgreSQL's.
pub async fn store(sqlite: String) -> String {
    if std::env::var_os(STORE).is_none() {
        return sqlite;
    }
    Server::shared().expect("whoever chose PostgreSQL has seen it").new_database().await
}

/// Runs all tests of this program again with PostgreSQL as their [`store`], without those whose names contain one of
/// `skipped` and without the caller, whose name is `caller`.
///
/// # Panics
/// If one of them fails. Where there is no PostgreSQL, none is run.
#[expect(clippy::print_stdout, reason = "a test tells what it has run")]
pub fn again_on_postgres(caller: &str, skipped: &[&str]) {
    if Server::shared().is_none() {
        return;
    }
    let mut again = Command::new(std::env::current_exe().unwrap());
    again.env(STORE, "postgres").args(skipped.iter().chain([&caller]).flat_map(|name| ["--skip", name]));
    let ran = again.output().unwrap();
    let told = String::from_utf8_lossy(&ran.stdout);
    assert!(ran.status.success(), "on PostgreSQL:\n{told}\n{}", String::from_utf8_lossy(&ran.stderr));
    let passed = told.lines().filter(|line| line.starts_with("test ") && line.ends_with("ok")).count();
    assert!(passed > 0, "on PostgreSQL nothing ran:\n{told}");
    println!("{passed} tests on PostgreSQL");
}

// === impl Programs ===

impl Programs {
    /// Those of the search path, or Debian's newest.
    fn find() -> Option<Self> {
        let path = std::env::var_os("PATH").unwrap_or_default();
        let versions = Path::new("/usr/lib/postgresql").read_dir().into_iter().flatten();
        let mut versions: Vec<_> = versions.map(|version| version.unwrap().path()).collect();
        versions.sort_by_key(|version| version.file_name()?.to_str()?.parse::<u32>().ok());
        let folders = std::env::split_paths(&path).chain(versions.into_iter().rev().map(|version| version.join("bin")));
        folders
            .map(|folder| Self { initdb: folder.join("initdb"), postgres: folder.join("postgres") })
            .find(Self::exist)
    }

    fn exist(&self) -> bool {
        self.initdb.is_file() && self.postgres.is_file()
    }
}
