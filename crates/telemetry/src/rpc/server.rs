use std::sync::Arc;
use std::task::{Context as TaskContext, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body::Body;
use opentelemetry::trace::{Link, SpanBuilder, SpanKind, TraceContextExt, Tracer};
use opentelemetry::{Context, KeyValue};
use tonic::Status;
use tonic::transport::server::TcpConnectInfo;
use tower_layer::Layer;
use tower_service::Service;

use crate::deadline::{self, Deadline};
use crate::handle::Telemetry;
use crate::rpc::body::ResponseBody;
use crate::rpc::call::Call;
use crate::rpc::future::ResponseFuture;
use crate::rpc::methods::{Method, Methods};
use crate::rpc::outcome::Side;
use crate::scope::Scope;
use crate::semconv;
use crate::trust::TrustTrace;

/// Makes every call that a tonic server takes one SERVER span, from its first byte to its trailers.
///
/// The outermost layer of the server: `Server::builder().layer(telemetry.rpc_server())`. It also keeps the caller's
/// deadline (or a default one), answers a handler's panic with INTERNAL, and makes the span current while the handler
/// and its response stream run, so that `#[tracing::instrument]` spans and outgoing calls nest under it. What a call has
/// left when it arrives is its span's `grpc.timeout_ms`. Health and reflection calls make no span.
#[derive(Clone, Debug)]
pub struct RpcServerLayer {
    telemetry: Telemetry,
    methods: Methods,
    trust: TrustTrace,
    default_deadline: Duration,
    trace_headers: bool,
}

/// The service that [`RpcServerLayer`] makes.
#[derive(Clone, Debug)]
pub struct RpcServer<S> {
    inner: S,
    layer: Arc<RpcServerLayer>,
}

// === impl RpcServerLayer ===

impl RpcServerLayer {
    pub(crate) fn new(telemetry: Telemetry) -> Self {
        Self {
            telemetry,
            methods: Methods::default(),
            trust: TrustTrace::default(),
            default_deadline: Duration::from_secs(10),
            trace_headers: false,
        }
    }

    /// Names the methods of an encoded `FileDescriptorSet` as known; all others become `_OTHER`, so that invented paths
    /// make no names. Without any descriptors every path is taken as it comes.
    ///
    /// # Panics
    /// If `descriptors` is no encoded `FileDescriptorSet`.
    pub fn methods(mut self, descriptors: &[u8]) -> Self {
        self.methods.add(descriptors).expect("the descriptors are an encoded FileDescriptorSet");
        self
    }

    /// Whose trace to continue; nobody's unless said.
    pub fn trust(self, trust: TrustTrace) -> Self {
        Self { trust, ..self }
    }

    /// How long a call may take that carries no `grpc-timeout`; 10 s unless said. Health and reflection calls that
    /// carry none have no limit.
    pub fn default_deadline(self, limit: Duration) -> Self {
        Self { default_deadline: limit, ..self }
    }

    /// Answers every call with its trace: `traceresponse` (W3C Trace Context draft) and `x-trace-id`, in the headers,
    /// and in the trailers of an error.
    pub fn answer_trace_headers(self) -> Self {
        Self { trace_headers: true, ..self }
    }
}

impl<S> Layer<S> for RpcServerLayer {
    type Service = RpcServer<S>;

    fn layer(&self, inner: S) -> RpcServer<S> {
        RpcServer { inner, layer: Arc::new(self.clone()) }
    }
}

// === impl RpcServer ===

impl<S, B, R> Service<Request<B>> for RpcServer<S>
where
    S: Service<Request<B>, Response = Response<R>>,
    S::Error: Into<tonic::codegen::StdError>,
    R: Body<Data = Bytes>,
{
    type Response = Response<ResponseBody<R>>;
    type Error = Status;
    type Future = ResponseFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut TaskContext<'_>) -> Poll<Result<(), Status>> {
        self.inner.poll_ready(cx).map_err(|error| Status::from_error(error.into()))
    }

    fn call(&mut self, request: Request<B>) -> ResponseFuture<S::Future> {
        let call = self.layer.observe(&request);
        let trace_headers = self.layer.trace_headers && call.context().has_active_span();
        ResponseFuture::new(call, trace_headers, || self.inner.call(request))
    }
}

impl RpcServerLayer {
    /// Starts observing a call: reads its caller's context, decides on the deadline and starts the span.
    fn observe<B>(&self, request: &Request<B>) -> Call {
        let method = self.methods.resolve(request.uri().path());
        let left = deadline::requested(request.headers()).or(method.is_some().then_some(self.default_deadline));
        let deadline = left.map(Deadline::after);
        let tracer = Some(self.telemetry.tracer().clone());
        let scope = Context::new().with_value(Scope { tracer, deadline });
        let caller = self.telemetry.propagation().extract(request.headers(), &scope);
        let parent = match self.trust {
            TrustTrace::All => caller.clone(),
            TrustTrace::None => scope,
        };
        let Some(method) = method else {
            return Call::quiet(Side::Server, parent, deadline);
        };
        let span = span_of(&method, request, left);
        let span = match self.trust {
            TrustTrace::All => span,
            TrustTrace::None => linked(span, &caller),
        };
        let span = self.telemetry.tracer().build_with_context(span, &parent);
        Call::start(Side::Server, parent.with_span(span), deadline)
    }
}

/// The span of a call with all that a sampler may want to see.
fn span_of<B>(method: &Method<'_>, request: &Request<B>, left: Option<Duration>) -> SpanBuilder {
    let mut attributes = Vec::with_capacity(8);
    attributes.push(KeyValue::new(semconv::RPC_SYSTEM_NAME, "grpc"));
    let builder = match *method {
        Method::Known(name) => {
            attributes.push(KeyValue::new(semconv::RPC_METHOD, name.to_owned()));
            SpanBuilder::from_name(name.to_owned())
        }
        Method::Unknown(name) => {
            attributes.push(KeyValue::new(semconv::RPC_METHOD, semconv::OTHER));
            attributes.push(KeyValue::new(semconv::RPC_METHOD_ORIGINAL, super::outcome::shortened(name)));
            SpanBuilder::from_name("grpc")
        }
    };
    if let Some(authority) = request.uri().authority() {
        attributes.push(KeyValue::new(semconv::SERVER_ADDRESS, authority.host().trim_matches(['[', ']']).to_owned()));
        attributes.extend(authority.port_u16().map(|port| KeyValue::new(semconv::SERVER_PORT, i64::from(port))));
    }
    if let Some(peer) = request.extensions().get::<TcpConnectInfo>().and_then(TcpConnectInfo::remote_addr) {
        attributes.push(KeyValue::new(semconv::NETWORK_PEER_ADDRESS, peer.ip().to_string()));
        attributes.push(KeyValue::new(semconv::NETWORK_PEER_PORT, i64::from(peer.port())));
    }
    attributes.extend(left.map(deadline::attribute));
    builder.with_kind(SpanKind::Server).with_attributes(attributes)
}

/// A caller who is not believed is still named: by a link.
fn linked(span: SpanBuilder, caller: &Context) -> SpanBuilder {
    let context = caller.span().span_context().clone();
    if context.is_valid() { span.with_links(vec![Link::with_context(context)]) } else { span }
}
