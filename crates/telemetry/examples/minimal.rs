//! The least there is to do: one layer around a tonic server, one around a client's channel, and both are in one trace.
//!
//! ```sh
//! OTEL_TRACES_EXPORTER=console cargo run -p telemetry --example minimal
//! ```
//!
//! Without the variable, spans, metrics and logs go to an OpenTelemetry collector at localhost:4317, such as the one
//! that `cargo run -p demo` starts. If none listens, the program says so on stderr and works all the same.
#![expect(clippy::print_stdout, reason = "an example talks to whoever runs it")]

#[path = "greeter/greeter.rs"]
mod greeter;

use std::error::Error;
use std::time::Duration;

use telemetry::{Environment, Service, TrustTrace};
use tokio::net::TcpListener;
use tonic::transport::server::TcpIncoming;
use tonic::transport::{Endpoint, Server};
use tonic::{Request, Response, Status};

use greeter::{Greeter, GreeterClient, GreeterServer, HelloReply, HelloRequest};

struct Hello;

impl Greeter for Hello {
    async fn say_hello(&self, request: Request<HelloRequest>) -> Result<Response<HelloReply>, Status> {
        Ok(Response::new(HelloReply { greeting: format!("hello {}", request.into_inner().name) }))
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let telemetry = telemetry::init(Service::new("minimal", "1.0.0"), Environment::from_process())?;

    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let endpoint = Endpoint::from_shared(format!("http://{}", listener.local_addr()?))?;
    // Its callers are services of ours, so their traces are continued.
    let observed = telemetry.rpc_server().trust(TrustTrace::All);
    let server = Server::builder().layer(observed).add_service(GreeterServer::new(Hello));
    telemetry::spawn(server.serve_with_incoming(TcpIncoming::from(listener).with_nodelay(Some(true))));

    let channel = telemetry.rpc_client(&endpoint).layer(endpoint.connect_lazy());
    let answer = GreeterClient::new(channel).say_hello("Ada").await?;
    println!("{}", answer.into_inner().greeting);

    let report = telemetry.shutdown(Duration::from_secs(3)).await;
    println!("spans: {} ended, {} exported", report.spans.ended, report.spans.exported);
    Ok(())
}
