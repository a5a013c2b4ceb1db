//! Propagation only: a service that passes the caller's trace on and makes no spans of its own, by two tonic
//! interceptors and no set-up at all.
//!
//! ```sh
//! cargo run -p telemetry --example interceptors
//! ```
//!
//! A caller with a trace asks `front`, `front` asks `back`, and `back` says which trace it was asked in. Nothing is
//! exported: the spans are those of the services around.
#![expect(clippy::print_stdout, reason = "an example talks to whoever runs it")]

#[path = "greeter/greeter.rs"]
mod greeter;

use std::error::Error;

use telemetry::{ExtractContext, InjectContext, in_context};
use tokio::net::TcpListener;
use tonic::service::interceptor::InterceptedService;
use tonic::transport::server::TcpIncoming;
use tonic::transport::{Endpoint, Server};
use tonic::{Request, Response, Status};

use greeter::{Greeter, GreeterClient, GreeterServer, HelloReply, HelloRequest};

const TRACEPARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

/// Asks the next service.
struct Front {
    back: Endpoint,
}

/// Says which trace it was asked in.
struct Back;

// === impl Front ===

impl Greeter for Front {
    async fn say_hello(&self, request: Request<HelloRequest>) -> Result<Response<HelloReply>, Status> {
        let channel = InterceptedService::new(self.back.connect_lazy(), InjectContext::default());
        let name = request.get_ref().name.clone();
        // An interceptor is done before the handler begins, so the handler's own work is put into the trace here.
        in_context(&request, async { GreeterClient::new(channel).say_hello(name).await }).await
    }
}

// === impl Back ===

impl Greeter for Back {
    async fn say_hello(&self, request: Request<HelloRequest>) -> Result<Response<HelloReply>, Status> {
        let trace = in_context(&request, async { telemetry::trace_id() }).await;
        let sent = request.metadata().get("traceparent").and_then(|sent| sent.to_str().ok()).unwrap_or("nothing");
        let trace = trace.unwrap_or_else(|| "none".to_owned());
        Ok(Response::new(HelloReply { greeting: format!("back received {sent}\nback is in trace {trace}") }))
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let back = serve(Back).await?;
    let front = serve(Front { back }).await?;

    println!("the caller sends {TRACEPARENT}");
    let with_trace = |mut request: Request<()>| {
        request.metadata_mut().insert("traceparent", tonic::metadata::MetadataValue::from_static(TRACEPARENT));
        Ok(request)
    };
    let channel = InterceptedService::new(front.connect_lazy(), with_trace);
    let answer = GreeterClient::new(channel).say_hello("Ada").await?;
    println!("{}", answer.into_inner().greeting);
    Ok(())
}

/// Serves on a free port, and tells where.
async fn serve(greeter: impl Greeter) -> Result<Endpoint, Box<dyn Error>> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let endpoint = Endpoint::from_shared(format!("http://{}", listener.local_addr()?))?;
    let service = InterceptedService::new(GreeterServer::new(greeter), ExtractContext::default());
    let server = Server::builder().add_service(service);
    telemetry::spawn(server.serve_with_incoming(TcpIncoming::from(listener).with_nodelay(Some(true))));
    Ok(endpoint)
}
