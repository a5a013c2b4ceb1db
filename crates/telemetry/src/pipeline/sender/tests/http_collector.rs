use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::response::Response;
use bytes::Bytes;
use http::{HeaderMap, header};
use http_body_util::BodyExt;

use super::{Script, bound};

/// Takes whatever is sent to it by HTTP.
#[derive(Clone)]
pub(super) struct HttpCollector(Arc<Shared>);

struct Shared {
    script: Script<Response>,
    received: Mutex<Vec<Received>>,
}

/// One request.
#[derive(Clone, Debug)]
pub(super) struct Received {
    pub(super) line: String,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
}

// === impl HttpCollector ===

impl HttpCollector {
    /// Answers by these statuses and texts. A text of figures is what it wants to be waited for, in seconds.
    pub(super) fn answering(script: impl IntoIterator<Item = (u16, &'static str)>) -> Self {
        Self::with(script.into_iter().map(|(status, text)| {
            let answer = Response::builder().status(status).header(header::CONTENT_TYPE, "text/plain");
            let is_time = text.parse::<u64>().is_ok();
            let answer = if is_time { answer.header(header::RETRY_AFTER, text) } else { answer };
            answer.body(Body::from(text)).unwrap()
        }))
    }

    /// Answers "OK" with these contents.
    pub(super) fn saying(content_type: &str, body: impl Into<Body>) -> Self {
        let answer = Response::builder().header(header::CONTENT_TYPE, content_type);
        Self::with([answer.body(body.into()).unwrap()])
    }

    pub(super) fn with(script: impl IntoIterator<Item = Response>) -> Self {
        Self(Arc::new(Shared { script: Script::new(script), received: Mutex::default() }))
    }

    /// Takes requests on a free port for as long as the test runs.
    pub(super) async fn serve(&self) -> SocketAddr {
        let (listener, address) = bound().await;
        self.serve_on(listener);
        address
    }

    pub(super) fn serve_on<L>(&self, listener: L)
    where
        L: axum::serve::Listener,
        L::Addr: std::fmt::Debug,
    {
        let server = axum::serve(listener, Router::new().fallback(take).with_state(self.clone()));
        #[expect(clippy::disallowed_methods, reason = "belongs to no request")]
        tokio::spawn(server.into_future());
    }

    pub(super) fn received(&self) -> Vec<Received> {
        self.0.received.lock().unwrap().clone()
    }
}

async fn take(State(collector): State<HttpCollector>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let line = format!("{} {} {:?}", parts.method, parts.uri, parts.version);
    let body = body.collect().await.unwrap().to_bytes();
    collector.0.received.lock().unwrap().push(Received { line, headers: parts.headers, body });
    collector.0.script.next().unwrap_or_default()
}
