//! Stands between two hops: passes everything on, and keeps the headers of what was asked.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, Version};
use axum::response::Response;
use axum::serve::ListenerExt;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use tokio::sync::watch;

use crate::shop::{PATIENCE, bind};

/// A server that hands each request to another one.
pub(crate) struct Recorder {
    pub(crate) address: SocketAddr,
    tape: Arc<Tape>,
}

struct Tape {
    target: SocketAddr,
    http1: Client<HttpConnector, Body>,
    http2: Client<HttpConnector, Body>,
    /// Path and headers of each request, in the order they came.
    asked: watch::Sender<Vec<(String, HeaderMap)>>,
    held: watch::Sender<bool>,
}

// === impl Recorder ===

impl Recorder {
    pub(crate) async fn before(target: SocketAddr) -> Self {
        let mut connector = HttpConnector::new();
        connector.set_nodelay(true);
        let tape = Arc::new(Tape {
            target,
            http1: Client::builder(TokioExecutor::new()).build(connector.clone()),
            http2: Client::builder(TokioExecutor::new()).http2_only(true).build(connector),
            asked: watch::Sender::default(),
            held: watch::Sender::default(),
        });
        let listener = bind().await;
        let address = listener.local_addr().unwrap();
        let listener = listener.tap_io(|stream| stream.set_nodelay(true).unwrap());
        let routes = Router::new().fallback(pass_on).with_state(Arc::clone(&tape));
        telemetry::spawn(async { axum::serve(listener, routes).await.unwrap() });
        Self { address, tape }
    }

    /// The headers of the one request for `path`.
    #[track_caller]
    pub(crate) fn headers(&self, path: &str) -> HeaderMap {
        let asked = self.tape.asked.borrow();
        let mut of_path = asked.iter().filter(|(asked, _)| asked == path);
        let (Some((_, headers)), None) = (of_path.next(), of_path.next()) else { panic!("{asked:?}") };
        headers.clone()
    }

    /// Lets requests wait here until they are released.
    pub(crate) fn hold(&self) {
        self.tape.held.send_replace(true);
    }

    pub(crate) fn release(&self) {
        self.tape.held.send_replace(false);
    }

    /// Waits until `path` has been asked for.
    pub(crate) async fn reached(&self, path: &str) {
        let mut asked = self.tape.asked.subscribe();
        let reached = asked.wait_for(|asked| asked.iter().any(|(asked, _)| asked == path));
        drop(tokio::time::timeout(PATIENCE, reached).await.unwrap().unwrap());
    }
}

async fn pass_on(State(tape): State<Arc<Tape>>, mut request: Request) -> Response {
    let path = request.uri().path().to_owned();
    tape.asked.send_modify(|asked| asked.push((path, request.headers().clone())));
    drop(tape.held.subscribe().wait_for(|held| !held).await.unwrap());

    let rest = request.uri().path_and_query().unwrap();
    *request.uri_mut() = format!("http://{}{rest}", tape.target).parse().unwrap();
    let client = if request.version() == Version::HTTP_2 { &tape.http2 } else { &tape.http1 };
    client.request(request).await.unwrap().map(Body::new)
}
