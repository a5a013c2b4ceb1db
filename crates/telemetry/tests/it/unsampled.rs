//! Calls that are not sampled: what is below them, beside them and on the same thread.

mod below;
mod subscribers;
mod mixed;
mod scopes;
mod admitted;
mod counted;

use std::convert::Infallible;
use std::future::Future;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};

use futures_util::FutureExt;
use futures_util::future::Map;
use telemetry::testing::Spans;
use telemetry::{Environment, RpcServerLayer, Service, Telemetry, TrustTrace};
use tonic::body::Body;
use tonic::{Request, Status};
use tower_layer::Layer;

use crate::context::{CALLER, TRACE, plain, request};
use crate::kinds::{Handler, client, handler, messages, serve};

const OFF: (&str, &str) = ("OTEL_TRACES_SAMPLER", "parentbased_always_off");

fn service(spans: &Spans, name: &'static str, settings: &[(&str, &str)]) -> Telemetry {
    let environment: Environment = settings.iter().copied().collect();
    spans.service_in(Service::new(name, "0"), &environment)
}

fn parent(flags: &str) -> String {
    format!("00-{TRACE}-{CALLER}-{flags}")
}

/// Has `telemetry` serve one call with `work` on the task that awaits this, for a caller whose trace has these flags.
fn serve_here<F: Future<Output = ()>>(
    telemetry: &Telemetry,
    flags: &str,
    work: F,
) -> impl Future<Output = ()> + use<F> {
    serve_by(telemetry.rpc_server().trust(TrustTrace::All), &[("traceparent", &parent(flags))], work)
}

fn serve_by<F: Future<Output = ()>>(
    layer: RpcServerLayer,
    headers: &[(&str, &str)],
    work: F,
) -> impl Future<Output = ()> + use<F> {
    let mut request = http::Request::new(Body::empty());
    *request.uri_mut() = "/test.v1.Kinds/Unary".parse().unwrap();
    for (name, value) in headers {
        let name: http::HeaderName = name.parse().unwrap();
        request.headers_mut().append(name, value.parse().unwrap());
    }
    let answer = tower_service::Service::call(&mut layer.layer(Once(Some(work))), request);
    answer.map(|answer| assert_eq!(answer.unwrap().status(), 200))
}

/// Serves one call, with this work.
struct Once<F>(Option<F>);

type Answer = Result<http::Response<Body>, Infallible>;

impl<F: Future<Output = ()>> tower_service::Service<http::Request<Body>> for Once<F> {
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = Map<F, fn(()) -> Answer>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: http::Request<Body>) -> Self::Future {
        self.0.take().unwrap().map(|()| Ok(Status::ok("").into_http()))
    }
}

#[tracing::instrument(skip_all, fields(otel.name = name))]
async fn step(name: &'static str) {}

/// The service, kind and name of each span that was exported.
async fn exported(spans: &Spans) -> Vec<String> {
    let of = |trace: &telemetry::testing::Trace| {
        trace.spans().iter().map(|span| format!("{} {} {}", span.service, span.kind, span.name)).collect::<Vec<_>>()
    };
    let mut all: Vec<_> = spans.traces().await.iter().flat_map(of).collect();
    all.sort();
    all
}
