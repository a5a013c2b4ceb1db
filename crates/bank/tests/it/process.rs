//! The real binary, ended by real signals.

use std::{
    fs,
    process::{ExitStatus, Output, Stdio},
};

use sqlx::SqlitePool;
use tempfile::TempDir;
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, BufReader},
    process::{Child, Command},
    task::JoinSet,
    time,
};

use crate::{Client, PATIENCE, database_url, until, wish};

struct Process {
    child: Child,
    address: String,
    client: Client,
    /// What it has logged since it is open, once it has ended.
    log: JoinSet<String>,
}

#[tokio::test]
async fn kill_9_loses_and_doubles_no_money() {
    let folder = tempfile::tempdir().unwrap();
    let mut process = start(&folder, "1h").await;
    let paid = process.client.authorise("paid", "tok_visa").await;
    let mut open_calls = JoinSet::new();
    for (key, token) in [("silent", "tok_timeout"), ("slow", "tok_slow")] {
        let client = process.client.clone();
        let body = wish(token).to_string();
        open_calls.spawn(async move { client.try_post("/v1/authorisations", key, body).await });
        process.client.until_claimed(key).await;
    }
    process.child.kill().await.unwrap();

    let Process { client, .. } = &start(&folder, "1ms").await;
    assert_eq!(client.authorise("paid", "tok_visa").await.body, paid.body);
    assert!(client.authorise("silent", "tok_timeout").await.is_replay());
    assert!(!client.authorise("slow", "tok_slow").await.is_replay());
    for (key, token) in [("paid", "tok_visa"), ("silent", "tok_timeout"), ("slow", "tok_slow")] {
        let movements = client.movements(token).await;
        assert_eq!(movements, [format!("authorise 4200 {key}"), format!("capture 4200 {key}")]);
    }
}

#[tokio::test]
async fn sigterm_ends_with_success_while_a_call_is_never_answered() {
    let folder = tempfile::tempdir().unwrap();
    let mut process = start(&folder, "1h").await;
    let mut silent = JoinSet::new();
    let client = process.client.clone();
    silent.spawn(async move { client.try_post("/v1/authorisations", "k", wish("tok_timeout").to_string()).await });
    until(async || (process.client.movements("tok_timeout").await.len() == 2).then_some(())).await;

    assert!(terminate(&mut process.child).await.success());
    assert!(silent.join_next().await.unwrap().unwrap().is_err());
}

#[tokio::test]
async fn a_token_is_in_no_log_no_refusal_and_no_file() {
    let folder = tempfile::tempdir().unwrap();
    let mut process = start(&folder, "1ms").await;
    let of = |token: &str| {
        let mut wish = wish(token);
        wish["reference"] = "an order".into();
        wish
    };
    let mut bad = of("tok_4242");
    bad["amount"] = "tok_4242".into();
    for (body, status) in [
        (of("tok_visa").to_string(), 201),
        (of("tok_4242").to_string(), 402),
        (of("tok_flaky").to_string(), 503),
        (bad.to_string(), 400),
        (r#"{"token": "tok_4242""#.to_owned(), 400),
    ] {
        let answer = process.client.post("/v1/authorisations", &status.to_string(), body).await;
        assert_eq!(answer.status, status);
        assert!(!answer.body.contains("tok_"), "{answer:?}");
    }

    assert!(terminate(&mut process.child).await.success());
    let log = process.log.join_next().await.unwrap().unwrap();
    assert!(log.contains("INSERT INTO ledger") && log.contains("declined"), "this is not the whole log: {log}");
    assert!(!log.contains("tok_"), "{log}");
    for file in fs::read_dir(folder.path()).unwrap() {
        let kept = fs::read(file.unwrap().path()).unwrap();
        assert!(!kept.windows(4).any(|window| window == b"tok_"));
    }
}

#[tokio::test]
async fn healthcheck_tells_by_its_exit_code_whether_the_bank_is_well() {
    let folder = tempfile::tempdir().unwrap();
    let mut process = start(&folder, "1ms").await;
    let address = process.address.clone();
    assert_eq!(healthcheck(&address).await, (Some(0), String::new()));
    let everywhere = address.replace("127.0.0.1", "0.0.0.0");
    assert_eq!(healthcheck(&everywhere).await, (Some(0), String::new()));

    let ledger = SqlitePool::connect(&database_url(&folder)).await.unwrap();
    sqlx::query("ALTER TABLE ledger RENAME TO lost").execute(&ledger).await.unwrap();
    let (code, said) = healthcheck(&address).await;
    assert_eq!(code, Some(1), "{said}");
    assert!(
        said.starts_with(&format!("Error: http://{address}/healthz answered 500 Internal Server Error: {{")),
        "{said}"
    );

    process.child.kill().await.unwrap();
    let (code, said) = healthcheck(&address).await;
    assert_eq!(code, Some(1), "{said}");
    assert!(said.starts_with(&format!("Error: cannot connect to http://{address}/healthz\n")), "{said}");
}

/// What `healthcheck` ends with and says, asking the bank at `address`.
async fn healthcheck(address: &str) -> (Option<i32>, String) {
    let mut check = Command::new(env!("CARGO_BIN_EXE_bank"));
    check.args(["--listen", address, "healthcheck"]).env("RUST_LOG", "trace").env("RUST_BACKTRACE", "0");
    let Output { status, stdout, stderr } = time::timeout(PATIENCE, check.output()).await.unwrap().unwrap();
    (status.code(), String::from_utf8(stdout).unwrap() + &String::from_utf8(stderr).unwrap())
}

/// Starts the bank on a free port, which its log tells, with everything logged that can be.
async fn start(folder: &TempDir, slow: &str) -> Process {
    let mut child = Command::new(env!("CARGO_BIN_EXE_bank"))
        .args(["--listen", "127.0.0.1:0", "--slow", slow, "--drain", "1h", "--database-url", &database_url(folder)])
        .env("RUST_LOG", "trace")
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
    let address = loop {
        let line = lines.next_line().await.unwrap().expect("the bank ended before it was open");
        if let Some((_, address)) = line.split_once("the bank is open address=") {
            break address.to_owned();
        }
    };
    // Read on, or the bank would block once the pipe is full.
    let mut log = JoinSet::new();
    log.spawn(async move {
        let mut text = String::new();
        lines.into_inner().read_to_string(&mut text).await.unwrap();
        text
    });
    let client = Client::new(format!("http://{address}"));
    Process { child, address, client, log }
}

async fn terminate(child: &mut Child) -> ExitStatus {
    let kill = format!("kill -TERM {}", child.id().unwrap());
    assert!(Command::new("sh").args(["-c", &kill]).status().await.unwrap().success());
    time::timeout(PATIENCE, child.wait()).await.expect("the bank does not stop").unwrap()
}
