//! A plain HTTP/2 connection to a gRPC server, in place of tonic's own channel.
//!
//! That one gives up at the very moment of the deadline, so the gateway's answer to a call that timed out, and the trace id
//! with it, would always come too late. And it reads whatever is answered as gRPC, also where somebody else listens.

use std::error::Error;
use std::iter;
use std::task::{Context, Poll};

use futures_util::future::BoxFuture;
use http::header::CONTENT_TYPE;
use http::{Request, Response, StatusCode};
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::{self, Client};
use hyper_util::rt::TokioExecutor;
use tonic::Status;
use tonic::body::Body;
use tonic::client::GrpcService;

use crate::columns::printable;

type Http = Client<HttpConnector, Body>;
type Answer = <Http as GrpcService<Body>>::ResponseBody;
type BoxError = Box<dyn Error + Send + Sync>;

/// The connection; made when it is first needed.
#[derive(Clone, Debug)]
pub(crate) struct Connection(Http);

/// What somebody answers who speaks no gRPC.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Foreign {
    /// HTTP/2 all the same.
    #[error("{status} ({content_type})")]
    Http {
        /// The answer's status.
        status: StatusCode,
        /// The answer's content type, or that it names none.
        content_type: String,
    },
    /// Something else, HTTP/1 for example.
    #[error("something other than HTTP/2")]
    Unknown,
}

// === impl Connection ===

impl Connection {
    pub(crate) fn new() -> Self {
        let mut connector = HttpConnector::new();
        // A request's head and body are two writes: with Nagle's algorithm the second waits 40 ms for the first one's echo.
        connector.set_nodelay(true);
        Self(Client::builder(TokioExecutor::new()).http2_only(true).build(connector))
    }
}

impl GrpcService<Body> for Connection {
    type ResponseBody = Answer;
    type Error = BoxError;
    type Future = BoxFuture<'static, Result<Response<Answer>, BoxError>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let answer = self.0.request(request);
        Box::pin(async move {
            match answer.await {
                Ok(answer) => Ok(Foreign::refuse(answer)?),
                Err(error) if breaks_http2(&error) => Err(Foreign::Unknown.into()),
                Err(error) => Err(error.into()),
            }
        })
    }
}

// === impl Foreign ===

impl Foreign {
    /// What a call failed with, if it is this.
    pub(crate) fn of(status: &Status) -> Option<&Self> {
        causes(status).find_map(|cause| cause.downcast_ref())
    }

    fn refuse<B>(answer: Response<B>) -> Result<Response<B>, Self> {
        let content_type = answer.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
        if content_type.is_some_and(|content_type| content_type.starts_with("application/grpc")) {
            return Ok(answer);
        }
        let content_type = printable(content_type.unwrap_or("of no content type"));
        Err(Self::Http { status: answer.status(), content_type })
    }
}

/// Whether a call failed because nobody listens.
pub(crate) fn is_unreachable(status: &Status) -> bool {
    let mut causes = causes(status).filter_map(|cause| cause.downcast_ref::<legacy::Error>());
    causes.any(legacy::Error::is_connect)
}

/// How it is told that a connection ended before the request was sent.
const NEVER_SENT: [&str; 2] = ["operation was canceled", "channel closed"];

/// Whether the other side's bytes are no HTTP/2, or it hung up on ours before the request was sent. The libraries tell so
/// in their words only.
fn breaks_http2(error: &legacy::Error) -> bool {
    let mut causes = iter::successors(error.source(), |cause| (*cause).source());
    causes.any(|cause| {
        let said = cause.to_string();
        said.starts_with("connection error detected") || NEVER_SENT.contains(&said.as_str())
    })
}

/// Why this side could not make or finish a call; nothing where the other side answered it.
pub(crate) fn causes(status: &Status) -> impl Iterator<Item = &(dyn Error + 'static)> {
    iter::successors(status.source(), |cause| (*cause).source())
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use axum::Router;
    use axum::routing::get;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    use crate::shop::{Gateway, NewOrder};

    async fn listen() -> (TcpListener, SocketAddr) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        (listener, address)
    }

    /// What an order at `address` is answered, while `server` runs.
    async fn refusal(address: SocketAddr, server: impl Future) -> String {
        let gateway = Gateway::new(&format!("http://{address}")).unwrap();
        tokio::select! {
            placed = gateway.place(NewOrder::example()) => placed.unwrap_err().to_string(),
            _ = server => unreachable!("the server ended"),
        }
    }

    #[tokio::test]
    async fn a_web_server_is_no_gateway() {
        let (listener, address) = listen().await;
        let server = axum::serve(listener, Router::new().route("/", get("hello"))).into_future();
        let said = refusal(address, server).await;
        assert!(said.contains("not a gateway: it answered 404 Not Found"), "{said}");
    }

    #[tokio::test]
    async fn what_speaks_http_1_only_is_no_gateway() {
        let (listener, address) = listen().await;
        let server = async {
            let (mut connection, _) = listener.accept().await.unwrap();
            connection.read_u8().await.unwrap();
            connection.write_all(b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n").await.unwrap();
            std::future::pending::<()>().await;
        };
        let said = refusal(address, server).await;
        assert!(said.contains("not a gateway: it answered something other than HTTP/2"), "{said}");
    }

    #[tokio::test]
    async fn where_nobody_listens_the_demo_may_not_run() {
        let (listener, address) = listen().await;
        drop(listener);
        let said = refusal(address, std::future::pending::<()>()).await;
        assert!(said.contains("nothing answers at"), "{said}");
    }
}
