//! A public endpoint: whoever calls may send any trace it likes, so the edge starts one of its own and links the
//! caller's. Behind it callers are known, and the edge's trace goes on.
//!
//! ```sh
//! OTEL_TRACES_EXPORTER=console cargo run -p telemetry --example edge
//! ```
//!
//! Without the variable, spans go to an OpenTelemetry collector at localhost:4317, such as the one that
//! `cargo run -p demo` starts. If none listens, the program says so on stderr and works all the same. The trace:
//!
//! ```text
//! edge SERVER GET /hello/{name}   (linked to 4bf92f3577b34da6a3ce929d0e0e4736 00f067aa0ba902b7)
//!   edge CLIENT greeter.v1.Greeter/SayHello
//!     greeter SERVER greeter.v1.Greeter/SayHello
//! ```
#![expect(clippy::print_stdout, reason = "an example talks to whoever runs it")]

#[path = "greeter/greeter.rs"]
mod greeter;

use std::error::Error;
use std::net::SocketAddr;
use std::time::Duration;

use axum::Router;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::routing::get;
use telemetry::{Environment, RpcChannel, Service, Telemetry, TrustTrace};
use tokio::net::TcpListener;
use tonic::transport::server::TcpIncoming;
use tonic::transport::{Endpoint, Server};
use tonic::{Request, Response, Status};

use greeter::{Greeter, GreeterClient, GreeterServer, HelloReply, HelloRequest};

/// What a stranger sends: a trace id of its choice, and the demand to record it.
const TRACEPARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

struct Hello;

// === impl Hello ===

impl Greeter for Hello {
    async fn say_hello(&self, request: Request<HelloRequest>) -> Result<Response<HelloReply>, Status> {
        Ok(Response::new(HelloReply { greeting: format!("hello {}", request.into_inner().name) }))
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let environment = Environment::from_process();
    let edge = telemetry::init(Service::new("edge", "1.0.0"), environment.clone())?;
    // The second service of the same process: by `new`, for `init` sets up the process.
    let inside = Telemetry::new(&Service::new("greeter", "1.0.0"), &environment)?;
    let greeter = serve_greeter(&inside).await?;
    let address = serve_edge(&edge, greeter).await?;

    println!("a stranger sends {TRACEPARENT}");
    let request = reqwest::Client::new().get(format!("http://{address}/hello/Ada"));
    let answer = request.header("traceparent", TRACEPARENT).send().await?;
    let trace_id = answer.headers().get("x-trace-id").and_then(|id| id.to_str().ok());
    println!("the edge answers in trace {}", trace_id.unwrap_or("none"));
    println!("{}", answer.text().await?);

    for telemetry in [edge, inside] {
        let report = telemetry.shutdown(Duration::from_secs(3)).await;
        println!("spans: {} ended, {} exported", report.spans.ended, report.spans.exported);
    }
    Ok(())
}

/// Serves HTTP to the world on a free port, and tells where.
async fn serve_edge(telemetry: &Telemetry, greeter: Endpoint) -> Result<SocketAddr, Box<dyn Error>> {
    let channel = telemetry.rpc_client(&greeter).layer(greeter.connect_lazy());
    // `TrustTrace::None` is also what a layer does that nothing is said to. The answer names the trace, so that a caller
    // can tell us which one to look at.
    let observed = telemetry.http_server().trust(TrustTrace::None).answer_trace_headers();
    let router =
        Router::new().route("/hello/{name}", get(hello)).with_state(GreeterClient::new(channel)).layer(observed);
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let service = router.into_make_service_with_connect_info::<SocketAddr>();
    telemetry::spawn(axum::serve(listener, service).into_future());
    Ok(address)
}

async fn hello(
    State(mut greeter): State<GreeterClient<RpcChannel>>,
    Path(name): Path<String>,
) -> Result<String, StatusCode> {
    let answer = greeter.say_hello(name).await.map_err(|_| StatusCode::BAD_GATEWAY)?;
    Ok(answer.into_inner().greeting)
}

/// Serves gRPC to the edge on a free port, and tells where.
async fn serve_greeter(telemetry: &Telemetry) -> Result<Endpoint, Box<dyn Error>> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let endpoint = Endpoint::from_shared(format!("http://{}", listener.local_addr()?))?;
    // Only the edge can reach it.
    let observed = telemetry.rpc_server().trust(TrustTrace::All);
    let server = Server::builder().layer(observed).add_service(GreeterServer::new(Hello));
    telemetry::spawn(server.serve_with_incoming(TcpIncoming::from(listener).with_nodelay(Some(true))));
    Ok(endpoint)
}
