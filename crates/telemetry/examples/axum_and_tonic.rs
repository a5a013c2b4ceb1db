//! HTTP in, gRPC out: an axum server whose handler asks a tonic server twice, for the first attempt fails, and one whose
//! handler panics. All of it is one trace.
//!
//! ```sh
//! OTEL_TRACES_EXPORTER=console cargo run -p telemetry --example axum_and_tonic
//! ```
//!
//! Without the variable, spans go to an OpenTelemetry collector at localhost:4317, such as the one that
//! `cargo run -p demo` starts. If none listens, the program says so on stderr and works all the same. The trace:
//!
//! ```text
//! INTERNAL visit
//!   CLIENT GET /hello/{name}
//!     SERVER GET /hello/{name}
//!       CLIENT greeter.v1.Greeter/SayHello ERROR
//!         SERVER greeter.v1.Greeter/SayHello ERROR
//!       CLIENT greeter.v1.Greeter/SayHello
//!         SERVER greeter.v1.Greeter/SayHello
//!   CLIENT GET /panic ERROR
//!     SERVER GET /panic ERROR
//! ```
#![expect(clippy::print_stdout, reason = "an example talks to whoever runs it")]

#[path = "greeter/greeter.rs"]
mod greeter;

use std::error::Error;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use axum::Router;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::routing::get;
use telemetry::{Environment, HttpCall, HttpClient, Propagate, RpcChannel, Service, Telemetry, TrustTrace};
use tokio::net::TcpListener;
use tonic::transport::server::TcpIncoming;
use tonic::transport::{Endpoint, Server};
use tonic::{Code, Request, Response, Status};

use greeter::{Greeter, GreeterClient, GreeterServer, HelloReply, HelloRequest};

/// How often the web server asks the greeter at most.
const ATTEMPTS: u32 = 3;

/// Is not ready when it is first asked.
#[derive(Default)]
struct SlowStarter {
    is_ready: AtomicBool,
}

// === impl SlowStarter ===

impl Greeter for SlowStarter {
    async fn say_hello(&self, request: Request<HelloRequest>) -> Result<Response<HelloReply>, Status> {
        if !self.is_ready.swap(true, Ordering::Relaxed) {
            return Err(Status::unavailable("still starting"));
        }
        Ok(Response::new(HelloReply { greeting: format!("hello {}", request.into_inner().name) }))
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let telemetry = telemetry::init(Service::new("axum-and-tonic", "1.0.0"), Environment::from_process())?;
    let greeter = serve_greeter(&telemetry).await?;
    let web = serve_web(&telemetry, greeter).await?;

    // It sends no trace headers unless told to: most of HTTP is other people's.
    let browser = telemetry.http_client(reqwest::Client::new()).propagate(Propagate::TraceParent);
    visit(&browser, web).await?;

    let report = telemetry.shutdown(Duration::from_secs(3)).await;
    println!("spans: {} ended, {} exported", report.spans.ended, report.spans.exported);
    Ok(())
}

/// Asks the web server for both of its pages, in one span.
#[tracing::instrument(skip_all)]
async fn visit(browser: &HttpClient, web: SocketAddr) -> Result<(), reqwest::Error> {
    for (path, url_template) in [("/hello/Ada", "/hello/{name}"), ("/panic", "/panic")] {
        let request = browser.get_ref().get(format!("http://{web}{path}")).build()?;
        let answer = browser.execute(request, HttpCall { url_template, resend_count: 0 }).await?;
        println!("GET {path}: {} {}", answer.status().as_u16(), answer.text().await?);
    }
    Ok(())
}

/// Serves HTTP on a free port, and tells where.
async fn serve_web(telemetry: &Telemetry, greeter: Endpoint) -> Result<SocketAddr, Box<dyn Error>> {
    let channel = telemetry.rpc_client(&greeter).layer(greeter.connect_lazy());
    let router = Router::new()
        .route("/hello/{name}", get(hello))
        .route("/panic", get(panics))
        .with_state(GreeterClient::new(channel))
        // Added last, so it stands around the routes and yet knows which of them is asked for.
        .layer(telemetry.http_server().trust(TrustTrace::All));
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let service = router.into_make_service_with_connect_info::<SocketAddr>();
    telemetry::spawn(axum::serve(listener, service).into_future());
    Ok(address)
}

/// Asks the greeter, and again while it is not there: every attempt is a span.
async fn hello(
    State(mut greeter): State<GreeterClient<RpcChannel>>,
    Path(name): Path<String>,
) -> Result<String, StatusCode> {
    for attempt in 1..=ATTEMPTS {
        match greeter.say_hello(&name).await {
            Ok(answer) => return Ok(answer.into_inner().greeting),
            Err(status) if status.code() == Code::Unavailable => {
                tracing::warn!(attempt, code = ?status.code(), "the greeter is not there");
            }
            Err(_) => return Err(StatusCode::BAD_GATEWAY),
        }
    }
    Err(StatusCode::SERVICE_UNAVAILABLE)
}

/// Is answered with a 500; its message is an event of the request's span.
async fn panics() -> StatusCode {
    panic!("the handler's own")
}

/// Serves gRPC on a free port, and tells where.
async fn serve_greeter(telemetry: &Telemetry) -> Result<Endpoint, Box<dyn Error>> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let endpoint = Endpoint::from_shared(format!("http://{}", listener.local_addr()?))?;
    let service = GreeterServer::new(SlowStarter::default());
    let server = Server::builder().layer(telemetry.rpc_server().trust(TrustTrace::All)).add_service(service);
    telemetry::spawn(server.serve_with_incoming(TcpIncoming::from(listener).with_nodelay(Some(true))));
    Ok(endpoint)
}
