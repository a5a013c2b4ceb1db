//! The bank's promises, kept on a real socket and a real file.

#![allow(clippy::unwrap_used, reason = "tests")]
#![forbid(unsafe_code)]

mod cards;
mod keys;
mod changes;
mod input;
mod stops;
mod process;

use std::{path::PathBuf, time::Duration};

use clap::Parser;
use reqwest::header::HeaderMap;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::{net::TcpListener, sync::oneshot, task::JoinSet, time};

const FOR_EVER: Duration = Duration::from_secs(3600);
/// How long a stop may take before a test gives up on it; shorter than any caller waits for its answer.
const PATIENCE: Duration = Duration::from_secs(30);

/// A bank on a port and a file of its own. Dropped, it is gone as after a crash.
struct TestBank {
    client: Client,
    folder: TempDir,
    stop: oneshot::Sender<()>,
    serving: JoinSet<Result<(), bank::Error>>,
}

/// A merchant of one bank.
#[derive(Clone)]
struct Client {
    http: reqwest::Client,
    url: String,
}

/// What the bank said.
#[derive(Debug)]
struct Answer {
    status: u16,
    headers: HeaderMap,
    body: String,
}

/// Opens a new bank whose `tok_slow` is quick.
async fn open() -> TestBank {
    open_slow(Duration::from_millis(1)).await
}

/// Opens a new bank whose `tok_slow` takes `slow`.
async fn open_slow(slow: Duration) -> TestBank {
    open_in(tempfile::tempdir().unwrap(), slow).await
}

/// Opens a bank on the file in `folder`, with an endless drain: no test may lean on the hard limit unknowingly.
async fn open_in(folder: TempDir, slow: Duration) -> TestBank {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let client = Client::new(format!("http://{}", listener.local_addr().unwrap()));
    let config = bank::Config {
        database_url: database_url(&folder),
        slow,
        drain: FOR_EVER,
        ..bank::Config::parse_from(["bank"])
    };
    let (stop, stopped) = oneshot::channel::<()>();
    let mut serving = JoinSet::new();
    serving.spawn(bank::serve(listener, config, async {
        let _ = stopped.await;
    }));
    TestBank { client, folder, stop, serving }
}

fn database_url(folder: &TempDir) -> String {
    format!("sqlite://{}", file(folder).display())
}

fn file(folder: &TempDir) -> PathBuf {
    folder.path().join("bank.db")
}

/// A good request for `token`, its reference named after the token.
fn wish(token: &str) -> Value {
    json!({
        "amount": { "minor_units": 4200, "currency_code": "EUR" },
        "token": token,
        "capture": true,
        "reference": format!("order of {token}"),
    })
}

/// Asks again until `ask` gives something; a test that waits for what never comes fails here.
async fn until<T, F: Future<Output = Option<T>>>(mut ask: impl FnMut() -> F) -> T {
    for _ in 0..3000 {
        if let Some(found) = ask().await {
            return found;
        }
        time::sleep(Duration::from_millis(10)).await;
    }
    panic!("waited in vain");
}

// === impl TestBank ===

impl TestBank {
    /// Stops as asked to, and hands back the folder with the file.
    async fn stop(mut self) -> TempDir {
        self.stop.send(()).unwrap();
        let served = time::timeout(PATIENCE, self.serving.join_next()).await.expect("the bank does not stop");
        served.unwrap().unwrap().unwrap();
        self.folder
    }

    /// Ends in the middle of whatever it does, and hands back the folder with the file.
    async fn crash(mut self) -> TempDir {
        self.serving.shutdown().await;
        self.folder
    }
}

impl std::ops::Deref for TestBank {
    type Target = Client;

    fn deref(&self) -> &Client {
        &self.client
    }
}

// === impl Client ===

impl Client {
    fn new(url: String) -> Self {
        let http = reqwest::Client::builder().no_proxy().timeout(2 * PATIENCE).build().unwrap();
        Self { http, url }
    }

    /// Sends a good authorisation for `token` and waits for its answer.
    async fn authorise(&self, key: &str, token: &str) -> Answer {
        self.post("/v1/authorisations", key, wish(token).to_string()).await
    }

    /// Authorises with `tok_visa` and gives the id.
    async fn authorised(&self, key: &str, capture: bool) -> String {
        let mut wish = wish("tok_visa");
        wish["capture"] = capture.into();
        self.post("/v1/authorisations", key, wish.to_string()).await.field("/id")
    }

    async fn post(&self, path: &str, key: &str, body: impl Into<reqwest::Body>) -> Answer {
        self.try_post(path, key, body).await.unwrap()
    }

    async fn try_post(&self, path: &str, key: &str, body: impl Into<reqwest::Body>) -> reqwest::Result<Answer> {
        let request = self.http.post(format!("{}{path}", self.url)).header("idempotency-key", key).body(body);
        Answer::read(request).await
    }

    async fn get(&self, path: &str) -> Answer {
        Answer::read(self.http.get(format!("{}{path}", self.url))).await.unwrap()
    }

    /// The statement of `token`'s order, one line per movement.
    async fn movements(&self, token: &str) -> Vec<String> {
        let ledger = self.get(&format!("/v1/ledger?reference=order+of+{token}")).await.json();
        let entries = ledger["entries"].as_array().unwrap();
        let line = |entry: &Value| {
            let key = entry["idempotency_key"].as_str().unwrap();
            format!("{} {} {key}", entry["kind"].as_str().unwrap(), entry["minor_units"])
        };
        entries.iter().map(line).collect()
    }

    /// Waits until a call with `key` is running or done. A request of nothing tells: it is refused as invalid while the
    /// key is free, and claims nothing.
    async fn until_claimed(&self, key: &str) {
        let claimed = async || (self.post("/v1/authorisations", key, "{}").await.status == 422).then_some(());
        until(claimed).await;
    }
}

// === impl Answer ===

impl Answer {
    async fn read(request: reqwest::RequestBuilder) -> reqwest::Result<Self> {
        let response = request.send().await?;
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        Ok(Self { status, headers, body: response.text().await? })
    }

    fn json(&self) -> Value {
        assert_eq!(self.headers["content-type"], "application/json", "{self:?}");
        serde_json::from_str(&self.body).unwrap()
    }

    fn field(&self, pointer: &str) -> String {
        self.json().pointer(pointer).unwrap_or_else(|| panic!("no {pointer} in {self:?}")).as_str().unwrap().to_owned()
    }

    fn is_replay(&self) -> bool {
        self.headers.get("idempotent-replayed").is_some_and(|value| value == "true")
    }

    #[track_caller]
    fn assert_refused(&self, status: u16, code: &str) {
        assert_eq!((self.status, self.field("/error/code").as_str()), (status, code), "{self:?}");
        assert!(!self.field("/error/message").is_empty());
    }
}
