use std::str::FromStr;

use opentelemetry::propagation::{Extractor, Injector};
use opentelemetry::{Context, global};
use tokio_stream::Stream;
use tonic::metadata::{MetadataKey, MetadataMap, MetadataValue};
use tonic::service::interceptor::InterceptedService;
use tonic::transport::{Channel, Endpoint, Server};
use tonic::{Code, Request, Response, Status};
use tracing::field::Empty;
use tracing::{Instrument, Span, info_span};
use tracing_opentelemetry::OpenTelemetrySpanExt;

use crate::run::Run;
use crate::shop::{Order, Place, Receipt, Shop};
use crate::variants::stock::Stock;
use crate::variants::{Connection, Serving, Variant};
use crate::{Error, wire};

type Intercept = fn(Request<()>) -> Result<Request<()>, Status>;

/// What tutorials write by hand, with their fault mended (`set_parent` inside `#[instrument]` comes too late): one
/// interceptor per side for the header, and a span around each handler and each call.
pub(crate) struct Tutorial {
    stock: Stock,
}

/// A handler in its span.
#[derive(Clone, Debug)]
struct Handled<P>(P);

/// A client whose calls have their span.
#[derive(Clone, Debug)]
pub(crate) struct Called<P>(P);

struct Carrier<M>(M);

// === impl Tutorial ===

impl Tutorial {
    pub(crate) fn install(run: &Run) -> Result<Self, Error> {
        Ok(Self { stock: Stock::install(run)? })
    }
}

impl Variant for Tutorial {
    type Caller = Called<wire::Client<InterceptedService<Channel, Intercept>>>;

    fn serve<I: Connection>(
        &self,
        shop: Shop<Self::Caller>,
        incoming: impl Stream<Item = std::io::Result<I>> + Send + 'static,
    ) -> Serving {
        let service = InterceptedService::new(wire::Server::new(Handled(shop)), extract as Intercept);
        Box::pin(Server::builder().add_service(service).serve_with_incoming(incoming))
    }

    fn caller(&self, _: &Endpoint, channel: Channel, _: usize) -> Self::Caller {
        Called(wire::Client::new(InterceptedService::new(channel, inject as Intercept)))
    }

    async fn flush(&self) -> u64 {
        self.stock.flush().await
    }
}

/// Leaves the caller's context in the request's extensions.
fn extract(mut request: Request<()>) -> Result<Request<()>, Status> {
    let caller = global::get_text_map_propagator(|propagator| propagator.extract(&Carrier(request.metadata())));
    request.extensions_mut().insert(caller);
    Ok(request)
}

/// Writes the current span's context into the request.
fn inject(mut request: Request<()>) -> Result<Request<()>, Status> {
    let cx = Span::current().context();
    global::get_text_map_propagator(|propagator| {
        propagator.inject_context(&cx, &mut Carrier(request.metadata_mut()));
    });
    Ok(request)
}

fn span_of_call(kind: &'static str) -> Span {
    info_span!(
        "call",
        otel.name = "versus.v1.Shop/Place",
        otel.kind = kind,
        rpc.system = "grpc",
        rpc.service = wire::SERVICE,
        rpc.method = wire::METHOD,
        rpc.grpc.status_code = Empty,
    )
}

fn record_status<T>(span: &Span, answer: &Result<T, Status>) {
    let code = answer.as_ref().err().map_or(Code::Ok, Status::code);
    span.record("rpc.grpc.status_code", i32::from(code));
}

// === impl Handled ===

impl<P: Place> Place for Handled<P> {
    async fn place(&self, mut request: Request<Order>) -> Result<Response<Receipt>, Status> {
        let span = span_of_call("server");
        if let Some(caller) = request.extensions_mut().remove::<Context>() {
            // Fails only once the span has been entered.
            let _ = span.set_parent(caller);
        }
        let answer = self.0.place(request).instrument(span.clone()).await;
        record_status(&span, &answer);
        answer
    }
}

// === impl Called ===

impl<P: Place> Place for Called<P> {
    async fn place(&self, request: Request<Order>) -> Result<Response<Receipt>, Status> {
        let span = span_of_call("client");
        let answer = self.0.place(request).instrument(span.clone()).await;
        record_status(&span, &answer);
        answer
    }
}

// === impl Carrier ===

impl Extractor for Carrier<&MetadataMap> {
    fn get(&self, key: &str) -> Option<&str> {
        self.0.get(key).and_then(|value| value.to_str().ok())
    }

    fn keys(&self) -> Vec<&str> {
        self.0.as_ref().keys().map(http::HeaderName::as_str).collect()
    }
}

impl Injector for Carrier<&mut MetadataMap> {
    fn set(&mut self, key: &str, value: String) {
        if let (Ok(key), Ok(value)) = (MetadataKey::from_str(key), MetadataValue::try_from(value)) {
            self.0.insert(key, value);
        }
    }
}
