//! A backend asked over HTTP.

use std::time::Duration;

use anyhow::{Context, bail};
use reqwest::{Client, RequestBuilder, Response, StatusCode};
use serde_json::Value;

use crate::columns::printable;
use crate::shop::nothing_answers;

/// A server that answers questions in JSON.
#[derive(Clone, Debug)]
pub(crate) struct Backend {
    base: String,
    http: Client,
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
    /// When nothing answers. A status is not an error here.
    pub(crate) async fn get(&self, path: &str, query: &[(&str, &str)]) -> anyhow::Result<Response> {
        self.send(self.http.get(format!("{}{path}", self.base)).query(query)).await
    }

    /// The JSON that `path` answers with.
    ///
    /// # Errors
    /// When nothing answers, with a failure, or with something that is not JSON.
    pub(crate) async fn json(&self, path: &str, query: &[(&str, &str)]) -> anyhow::Result<Value> {
        let response = self.get(path, query).await?;
        self.read(response).await
    }

    /// The same; `None` when the backend answers that it knows nothing of it.
    pub(crate) async fn find(&self, path: &str, query: &[(&str, &str)]) -> anyhow::Result<Option<Value>> {
        let response = self.get(path, query).await?;
        if response.status() == StatusCode::NOT_FOUND {
            return Ok(None);
        }
        self.read(response).await.map(Some)
    }

    /// The answer as it was written; `None` when the backend answers that it knows nothing of it.
    ///
    /// # Errors
    /// When nothing answers, or with a failure.
    pub(crate) async fn text(&self, path: &str, query: &[(&str, &str)]) -> anyhow::Result<Option<String>> {
        let response = self.get(path, query).await?;
        let status = response.status();
        if status == StatusCode::NOT_FOUND {
            return Ok(None);
        }
        let text = response.text().await.with_context(|| format!("{} broke off its answer", self.base))?;
        if !status.is_success() {
            bail!("{}{path} answered {status}: {}", self.base, printable(text.trim()));
        }
        Ok(Some(text))
    }

    /// Sends JSON to `path`.
    ///
    /// # Errors
    /// When it is not accepted.
    pub(crate) async fn post(&self, path: &str, body: &Value) -> anyhow::Result<()> {
        let response = self.send(self.http.post(format!("{}{path}", self.base)).json(body)).await?;
        let status = response.status();
        if !status.is_success() {
            bail!("{}{path} answered {status}", self.base);
        }
        Ok(())
    }

    async fn send(&self, request: RequestBuilder) -> anyhow::Result<Response> {
        match request.send().await {
            Err(error) if error.is_connect() => bail!(nothing_answers(&self.base)),
            answer => answer.with_context(|| format!("failed to ask {}", self.base)),
        }
    }

    async fn read(&self, response: Response) -> anyhow::Result<Value> {
        let status = response.status();
        if !status.is_success() {
            bail!("{} answered {status}", self.base);
        }
        response.json().await.with_context(|| format!("{} answered something that is not JSON", self.base))
    }
}
