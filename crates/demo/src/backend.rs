//! A backend asked over HTTP.

use std::time::Duration;

use anyhow::{Context, ensure};
use reqwest::{Client, RequestBuilder, StatusCode};
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::columns::printable;
use crate::shop::nothing_answers;

/// The longest answer that is read: a page of traces takes some megabytes, and what is longer may never end.
const LONGEST: usize = 32 << 20;

/// How much of a refusal is repeated.
const REPEATED: usize = 200;

/// A server that answers questions in JSON.
#[derive(Clone, Debug)]
pub(crate) struct Backend {
    base: String,
    http: Client,
}

/// What a backend answered, with whatever status.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    /// What was asked, without its query.
    asked: String,
    /// Whether and how it went.
    pub(crate) status: StatusCode,
    /// The answer as it was written.
    pub(crate) text: String,
}

/// Why there is no answer to make use of.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// Nobody listens.
    #[error("{}", nothing_answers(.0))]
    Nobody(String),
    /// The answer is a failure.
    #[error("{asked} answered {status}{said}")]
    Refused {
        /// What was asked.
        asked: String,
        /// The answer's status.
        status: StatusCode,
        /// The beginning of its text, after a colon.
        said: String,
    },
}

// === impl Backend ===

impl Backend {
    /// The backend at `base`, for example `http://127.0.0.1:8787`.
    pub(crate) fn new(base: &str) -> anyhow::Result<Self> {
        // No proxy: it would be asked for 127.0.0.1 too.
        let http = Client::builder().no_proxy().timeout(Duration::from_secs(10)).build();
        Ok(Self { base: base.to_owned(), http: http.context("failed to set up an HTTP client")? })
    }

    /// Its address.
    pub(crate) fn base(&self) -> &str {
        &self.base
    }

    /// Asks for `path` with `query`.
    ///
    /// # Errors
    /// When nothing answers, or too much. A status is not an error here.
    pub(crate) async fn get(&self, path: &str, query: &[(&str, &str)]) -> anyhow::Result<Answer> {
        self.send(path, self.http.get(format!("{}{path}", self.base)).query(query)).await
    }

    /// The JSON that `path` answers with.
    ///
    /// # Errors
    /// When nothing answers, with a failure, or with something that is not JSON.
    pub(crate) async fn json(&self, path: &str, query: &[(&str, &str)]) -> anyhow::Result<Value> {
        self.get(path, query).await?.accepted()?.read()
    }

    /// The same; `None` when the backend answers that it knows nothing of it.
    pub(crate) async fn find(&self, path: &str, query: &[(&str, &str)]) -> anyhow::Result<Option<Value>> {
        let answer = self.get(path, query).await?;
        if answer.status == StatusCode::NOT_FOUND { Ok(None) } else { answer.accepted()?.read().map(Some) }
    }

    /// The answer as it was written; `None` when the backend answers that it knows nothing of it.
    ///
    /// # Errors
    /// When nothing answers, or with a failure.
    pub(crate) async fn text(&self, path: &str, query: &[(&str, &str)]) -> anyhow::Result<Option<String>> {
        let answer = self.get(path, query).await?;
        if answer.status == StatusCode::NOT_FOUND { Ok(None) } else { Ok(Some(answer.accepted()?.text)) }
    }

    /// Sends JSON to `path`.
    ///
    /// # Errors
    /// When it is not accepted.
    pub(crate) async fn post(&self, path: &str, body: &Value) -> anyhow::Result<()> {
        self.send(path, self.http.post(format!("{}{path}", self.base)).json(body)).await?.accepted().map(drop)
    }

    async fn send(&self, path: &str, request: RequestBuilder) -> anyhow::Result<Answer> {
        let mut response = match request.send().await {
            Err(error) if error.is_connect() => return Err(Failure::Nobody(self.base.clone()).into()),
            response => response.with_context(|| format!("failed to ask {}", self.base))?,
        };
        let asked = format!("{}{path}", self.base);
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.with_context(|| format!("{asked} broke off its answer"))? {
            body.extend_from_slice(&chunk);
            ensure!(body.len() <= LONGEST, "{asked} answered more than {} MiB, which is not read", LONGEST >> 20);
        }
        let text = String::from_utf8_lossy(&body).into_owned();
        Ok(Answer { asked, status: response.status(), text })
    }
}

// === impl Answer ===

impl Answer {
    /// The answer, if it is not a failure.
    ///
    /// # Errors
    /// With [`Failure::Refused`].
    pub(crate) fn accepted(self) -> anyhow::Result<Self> {
        if self.status.is_success() { Ok(self) } else { Err(self.refused().into()) }
    }

    /// The answer as the failure that it is.
    pub(crate) fn refused(&self) -> Failure {
        let text = self.text.trim();
        let mut said: String = text.chars().take(REPEATED).collect();
        if said.len() < text.len() {
            said.push('…');
        }
        let said = if said.is_empty() { said } else { format!(": {}", printable(&said)) };
        Failure::Refused { asked: self.asked.clone(), status: self.status, said }
    }

    /// The JSON that was answered.
    ///
    /// # Errors
    /// When it is none, or of another shape.
    pub(crate) fn read<T: DeserializeOwned>(&self) -> anyhow::Result<T> {
        serde_json::from_str(&self.text).with_context(|| format!("{} answered something unexpected", self.asked))
    }
}

// === impl Failure ===

impl Failure {
    /// Whether an error is of a backend that is still starting, or that somebody else answers for meanwhile.
    pub(crate) fn may_pass(error: &anyhow::Error) -> bool {
        match error.downcast_ref() {
            Some(Self::Nobody(_)) => true,
            Some(Self::Refused { status, .. }) => {
                matches!(*status, StatusCode::NOT_FOUND | StatusCode::BAD_GATEWAY | StatusCode::SERVICE_UNAVAILABLE)
            }
            None => false,
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use axum::Router;
    use axum::body::Body;
    use axum::extract::Path;
    use axum::routing::get;
    use tokio::net::TcpListener;

    use super::*;

    /// Where a server with these routes listens.
    pub(crate) async fn serve(routes: Router) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        drop(telemetry::spawn(axum::serve(listener, routes).into_future()));
        format!("http://{address}")
    }

    /// A backend that answers every question with this text.
    pub(crate) async fn answering(text: &'static str) -> Backend {
        Backend::new(&serve(Router::new().fallback(async move || text)).await).unwrap()
    }

    #[tokio::test]
    async fn an_answer_without_an_end_is_not_read_to_its_end() {
        let chunk = [b' '; 1 << 16];
        let endless = async move || {
            let chunks = futures_util::stream::repeat_with(move || Ok::<_, std::convert::Infallible>(chunk.to_vec()));
            Body::from_stream(chunks)
        };
        let backend = Backend::new(&serve(Router::new().route("/", get(endless))).await).unwrap();
        let said = backend.json("/", &[]).await.unwrap_err().to_string();
        assert!(said.ends_with("answered more than 32 MiB, which is not read"), "{said}");
    }

    #[tokio::test]
    async fn a_long_refusal_is_cut_and_cannot_colour_the_screen() {
        let refuse = async || (StatusCode::INTERNAL_SERVER_ERROR, format!("\u{1b}[31m{}", "é".repeat(10_000)));
        let backend = Backend::new(&serve(Router::new().fallback(refuse)).await).unwrap();
        for said in [backend.json("/a", &[]).await.map(drop), backend.post("/a", &Value::Null).await] {
            let said = said.unwrap_err();
            assert!(!Failure::may_pass(&said));
            let said = said.to_string();
            assert!(said.ends_with(&format!(": \u{fffd}[31m{}…", "é".repeat(REPEATED - 5))), "{said}");
        }
    }

    #[tokio::test]
    async fn only_what_may_be_starting_may_pass() {
        let answer = async |Path(status): Path<u16>| StatusCode::from_u16(status).unwrap();
        let backend = Backend::new(&serve(Router::new().route("/{status}", get(answer))).await).unwrap();
        for (path, passes) in [("/404", true), ("/502", true), ("/503", true), ("/500", false), ("/200", false)] {
            assert_eq!(Failure::may_pass(&backend.json(path, &[]).await.unwrap_err()), passes, "{path}");
        }
    }
}
