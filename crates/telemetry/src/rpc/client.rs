use std::borrow::Cow;
use std::sync::Arc;
use std::task::{Context as TaskContext, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response, Uri};
use http_body::Body;
use opentelemetry::trace::{SpanBuilder, SpanKind};
use opentelemetry::{Context, KeyValue};
use tonic::Status;
use tonic::transport::Endpoint;
use tower_layer::Layer;
use tower_service::Service;

use crate::attributes::without_brackets;
use crate::capture::{Captured, captured};
use crate::clock::Started;
use crate::deadline::{self, Deadline, GRPC_TIMEOUT};
use crate::handle::Telemetry;
use crate::rpc::body::ResponseBody;
use crate::rpc::call::{Answered, Call, Measured, USUAL_ATTRIBUTES};
use crate::rpc::future::ResponseFuture;
use crate::rpc::methods::is_quiet;
use crate::rpc::metrics::ClientMeter;
use crate::rpc::names::Generated;
use crate::rpc::outcome::{Side, status_of};
use crate::rpc::request_body::RequestBody;
use crate::scope::Place;
use crate::semconv;

/// Makes every call of a generated client one CLIENT span and sends its context and deadline along.
///
/// Made by [`Telemetry::rpc_client`] for one endpoint; wraps that endpoint's channel. The deadline sent is the nearest
/// of the request's own, what is left of the call being served, and [`max_deadline`](Self::max_deadline); the span shows
/// it as `grpc.timeout_ms`. A call that passes it fails with DEADLINE_EXCEEDED. Health and reflection calls make no span.
///
/// Every call counts in `rpc.client.call.duration` (semantic conventions 1.45, `docs/rpc/rpc-metrics.md`), also one that
/// makes no span or whose span is not sampled: with `rpc.system.name`, `rpc.method`, `server.address`, `server.port`,
/// `rpc.status_code` and, where the span has one, the same `error.type`, for as long as the span. The method of a call
/// that no generated client makes is `_OTHER` there. `rpc.client.active_calls` says how many are in flight.
#[derive(Clone, Debug)]
pub struct RpcClientLayer {
    telemetry: Telemetry,
    meter: Option<Arc<ClientMeter>>,
    address: Vec<KeyValue>,
    max_deadline: Option<Duration>,
    request_headers: Captured,
    answered: Option<Arc<Answered>>,
}

/// The service that [`RpcClientLayer`] makes: give it to a generated client.
#[derive(Clone, Debug)]
pub struct RpcClient<S> {
    inner: S,
    layer: Arc<RpcClientLayer>,
}

// === impl RpcClientLayer ===

impl RpcClientLayer {
    pub(crate) fn new(telemetry: Telemetry, endpoint: &Endpoint) -> Self {
        let (request_headers, answered) = (Captured::default(), None);
        let address = address_of(endpoint.uri());
        Self { telemetry, meter: None, address: Vec::new(), max_deadline: None, request_headers, answered }.of(address)
    }

    /// The same for a server at `address`.
    fn of(self, address: Vec<KeyValue>) -> Self {
        let meter = self.telemetry.meter().map(|meter| Arc::new(ClientMeter::client(meter, &address)));
        Self { meter, address, ..self }
    }

    /// The longest that a call may take, whatever its caller allows.
    pub fn max_deadline(self, limit: Duration) -> Self {
        Self { max_deadline: Some(limit), ..self }
    }

    /// Names the server where the endpoint cannot: the path of a Unix socket, say.
    pub fn server_address(self, address: impl Into<String>) -> Self {
        self.of(vec![KeyValue::new(semconv::SERVER_ADDRESS, Arc::<str>::from(address.into()))])
    }

    /// Shows these keys of a request's metadata, where it has them, as `rpc.request.header.<key>`: a list of its values,
    /// those of `-bin` keys in base64. Those that may hold secrets never: see
    /// [`RpcServerLayer::capture_request_headers`](crate::RpcServerLayer::capture_request_headers).
    ///
    /// # Panics
    /// If one of the keys is none that metadata can have.
    pub fn capture_request_headers(self, keys: impl IntoIterator<Item = impl AsRef<str>>) -> Self {
        Self { request_headers: self.request_headers.and(semconv::RPC_REQUEST_HEADER, keys), ..self }
    }

    /// Shows these keys of an answer's metadata as `rpc.response.header.<key>` if they come in its head, as those of an
    /// error without any message do, and as `rpc.response.trailer.<key>` if they come in its trailers; see
    /// [`capture_request_headers`](Self::capture_request_headers).
    ///
    /// # Panics
    /// As there.
    pub fn capture_response_headers(self, keys: impl IntoIterator<Item = impl AsRef<str>>) -> Self {
        Self { answered: Answered::and(self.answered, keys), ..self }
    }

    /// Wraps the endpoint's channel; [`Layer::layer`] without the trait in scope.
    pub fn layer<S>(&self, channel: S) -> RpcClient<S> {
        RpcClient { inner: channel, layer: Arc::new(self.clone()) }
    }

    /// Starts observing a call: starts the span, and writes context and deadline into the request.
    fn observe<B>(&self, request: &mut Request<B>) -> Call {
        let started = Started::now();
        let method = Generated::of(request);
        let in_flight = self.meter.as_ref().map(|meter| meter.count(method.as_ref()));
        let measured = Measured { started, in_flight };
        let parent = Context::current();
        let limit = self.max_deadline.map(Deadline::after);
        let asked = deadline::requested(request.headers()).map(Deadline::after);
        let deadline = [Deadline::current(), asked, limit].into_iter().flatten().min();
        let left = deadline.map(|deadline| deadline.remaining());
        if let Some(left) = left {
            request.headers_mut().insert(GRPC_TIMEOUT, deadline::header(left));
        }
        let name = match &method {
            Some(method) => Cow::Borrowed(method.name()),
            None => Cow::Owned(request.uri().path().trim_start_matches('/').to_owned()),
        };
        if is_quiet(&name) {
            self.telemetry.propagation().inject(&parent, request.headers_mut());
            return Call::quiet(Side::Client, parent, deadline, measured);
        }
        let cx = self.telemetry.start(&parent, &name, None, || {
            let span = self.span_of(name.clone(), left).with_start_time(started.time());
            captured(span, &self.request_headers, request.headers())
        });
        self.telemetry.propagation().inject(&cx, request.headers_mut());
        Call::start(Side::Client, cx, deadline, measured).showing(&self.answered)
    }

    fn span_of(&self, name: Cow<'static, str>, left: Option<Duration>) -> SpanBuilder {
        let mut attributes = Vec::with_capacity(USUAL_ATTRIBUTES);
        attributes.push(KeyValue::new(semconv::RPC_SYSTEM_NAME, "grpc"));
        attributes.push(KeyValue::new(semconv::RPC_METHOD, name.clone()));
        attributes.extend_from_slice(&self.address);
        attributes.extend(left.map(deadline::attribute));
        SpanBuilder::from_name(name).with_kind(SpanKind::Client).with_attributes(attributes)
    }
}

impl<S> Layer<S> for RpcClientLayer {
    type Service = RpcClient<S>;

    fn layer(&self, inner: S) -> RpcClient<S> {
        self.layer(inner)
    }
}

// === impl RpcClient ===

impl<S, B, R> Service<Request<B>> for RpcClient<S>
where
    S: Service<Request<tonic::body::Body>, Response = Response<R>>,
    B: Body<Data = Bytes> + Send + 'static,
    B::Error: Into<tonic::codegen::StdError>,
    S::Error: Into<tonic::codegen::StdError>,
    R: Body<Data = Bytes>,
{
    type Response = Response<ResponseBody<R>>;
    type Error = Status;
    type Future = ResponseFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut TaskContext<'_>) -> Poll<Result<(), Status>> {
        self.inner.poll_ready(cx).map_err(|error| status_of(error.into()))
    }

    fn call(&mut self, mut request: Request<B>) -> ResponseFuture<S::Future> {
        let call = self.layer.observe(&mut request);
        // The transport polls the body on a task of its own.
        let place = Place::within(call.context().clone(), call.deadline());
        let request = request.map(|body| tonic::body::Body::new(RequestBody::new(body, place)));
        ResponseFuture::new(call, false, || self.inner.call(request))
    }
}

/// `server.address` and `server.port`: the target as it was configured, never a resolved peer.
fn address_of(target: &Uri) -> Vec<KeyValue> {
    let host = target.host().map_or_else(|| target.to_string(), |host| without_brackets(host).to_owned());
    let port = target.port_u16().map(|port| KeyValue::new(semconv::SERVER_PORT, i64::from(port)));
    [KeyValue::new(semconv::SERVER_ADDRESS, Arc::<str>::from(host))].into_iter().chain(port).collect()
}
