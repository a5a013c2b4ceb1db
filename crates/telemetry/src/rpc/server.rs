use std::sync::Arc;
use std::task::{Context as TaskContext, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::request::Parts;
use http::{Request, Response};
use http_body::Body;
use opentelemetry::KeyValue;
use opentelemetry::trace::{SpanBuilder, SpanKind, TraceContextExt};
use tonic::Status;
use tonic::transport::server::TcpConnectInfo;
use tower_layer::Layer;
use tower_service::Service;

use crate::attributes::{shortened, without_brackets};
use crate::capture::{Captured, captured};
use crate::clock::Started;
use crate::deadline::{self, Deadline};
use crate::handle::Telemetry;
use crate::rpc::body::ResponseBody;
use crate::rpc::call::{Answered, Call, Measured, USUAL_ATTRIBUTES};
use crate::rpc::future::ResponseFuture;
use crate::rpc::methods::{Method, Methods, Standing};
use crate::rpc::metrics::ServerMeter;
use crate::rpc::outcome::Side;
use crate::trust::{Admission, TrustTrace};
use crate::{repeated, semconv};

/// Makes every call that a tonic server takes one SERVER span, from its first byte to its trailers.
///
/// The outermost layer of the server: `Server::builder().layer(telemetry.rpc_server())`. It also keeps the caller's
/// deadline (or a default one), answers a handler's panic with INTERNAL, and makes the span current while the handler
/// and its response stream run, so that `#[tracing::instrument]` spans and outgoing calls nest under it. What a call has
/// left when it arrives is its span's `grpc.timeout_ms`. Health and reflection calls make no span.
///
/// Every call counts in `rpc.server.call.duration` (semantic conventions 1.45, `docs/rpc/rpc-metrics.md`), also one that
/// makes no span or whose span is not sampled: with `rpc.system.name`, `rpc.method`, `rpc.status_code` and, where the
/// span has one, the same `error.type`, for as long as the span. `rpc.server.active_calls` says how many are in flight.
#[derive(Clone, Debug)]
pub struct RpcServerLayer {
    telemetry: Telemetry,
    meter: Option<Arc<ServerMeter>>,
    methods: Methods,
    admission: Admission,
    default_deadline: Option<Duration>,
    trace_headers: bool,
    request_headers: Captured,
    answered: Option<Arc<Answered>>,
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
        let meter = telemetry.meter().map(|meter| Arc::new(ServerMeter::server(meter)));
        Self {
            telemetry,
            meter,
            methods: Methods::default(),
            admission: Admission::default(),
            default_deadline: Some(Duration::from_secs(10)),
            trace_headers: false,
            request_headers: Captured::default(),
            answered: None,
        }
    }

    /// Names the methods of an encoded `FileDescriptorSet` as known; all others become `_OTHER`, so that invented paths
    /// make no names. Without any descriptors spans take every path as it comes, and metrics call a method `_OTHER`
    /// until it has once answered OK.
    ///
    /// # Panics
    /// If `descriptors` is no encoded `FileDescriptorSet`.
    pub fn methods(mut self, descriptors: &[u8]) -> Self {
        self.methods.add(descriptors).expect("the descriptors are an encoded FileDescriptorSet");
        self
    }

    /// Whose trace to continue; nobody's unless said.
    pub fn trust(self, trust: TrustTrace) -> Self {
        Self { admission: self.admission.trust(trust), ..self }
    }

    /// Decides of each request by its head whose trace to continue: by what a layer above has left in its extensions of the
    /// caller's identity, say.
    ///
    /// ```no_run
    /// use telemetry::TrustTrace;
    /// use tonic::transport::server::{TcpConnectInfo, TlsConnectInfo};
    ///
    /// # fn example(telemetry: telemetry::Telemetry) -> telemetry::RpcServerLayer {
    /// // Whoever has shown a certificate of ours.
    /// telemetry.rpc_server().trust_by(|request| {
    ///     let tls = request.extensions.get::<TlsConnectInfo<TcpConnectInfo>>();
    ///     let is_known = tls.is_some_and(|tls| tls.peer_certs().is_some_and(|shown| !shown.is_empty()));
    ///     if is_known { TrustTrace::All } else { TrustTrace::None }
    /// })
    /// # }
    /// ```
    ///
    /// A caller whose request makes `policy` panic is not believed.
    pub fn trust_by(self, policy: impl Fn(&Parts) -> TrustTrace + Send + Sync + 'static) -> Self {
        Self { admission: self.admission.trust_by(policy), ..self }
    }

    /// Lets in, of callers' baggage, the members with these keys only, of those who are believed and of those who are not.
    /// Unless said, all of it is let in of those who are believed, and nothing of the others.
    pub fn baggage(self, keys: impl IntoIterator<Item = impl Into<String>>) -> Self {
        Self { admission: self.admission.baggage(keys), ..self }
    }

    /// How long a call may take that carries no `grpc-timeout`, streams included; 10 s unless said, and `None` is as long as
    /// it likes. Health and reflection calls that carry none have no limit.
    pub fn default_deadline(self, limit: impl Into<Option<Duration>>) -> Self {
        Self { default_deadline: limit.into(), ..self }
    }

    /// Answers every call with its trace: `traceresponse` (W3C Trace Context draft) and `x-trace-id`, in the headers,
    /// and in the trailers of an error.
    pub fn answer_trace_headers(self) -> Self {
        Self { trace_headers: true, ..self }
    }

    /// Shows these keys of a request's metadata, where it has them, as `rpc.request.header.<key>`: a list of its values,
    /// those of `-bin` keys in base64 (semantic conventions 1.45, `docs/rpc/rpc-spans.md`). Nothing is shown that is not
    /// listed.
    ///
    /// What may hold a secret by its name is never shown, listed or not, and warned of: `authorization`, `cookie`, and all
    /// that has `token`, `secret`, `password`, `api-key` and the like in it. A value that is marked as sensitive
    /// ([`http::HeaderValue::set_sensitive`]) is shown as `[secret]`.
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
        let (head, body) = request.into_parts();
        let call = self.layer.observe(&head);
        let request = Request::from_parts(head, body);
        let trace_headers = self.layer.trace_headers && call.context().has_active_span();
        ResponseFuture::new(call, trace_headers, || self.inner.call(request))
    }
}

impl RpcServerLayer {
    /// Starts observing a call: reads its caller's context, decides on the deadline and starts the span.
    fn observe(&self, request: &Parts) -> Call {
        let started = Started::now();
        let method = self.methods.resolve(request.uri.path());
        let in_flight = self.meter.as_ref().map(|meter| ServerMeter::count(meter, &method));
        let measured = Measured { started, in_flight };
        let left = deadline::requested(&request.headers).or(self.default_deadline.filter(|_| !method.is_quiet));
        let deadline = left.map(Deadline::after);
        let (caller, link) = self.admission.admit(self.telemetry.propagation(), request);
        if method.is_quiet {
            return Call::quiet(Side::Server, caller.context(self.telemetry.base()), deadline, measured);
        }
        let (name, other_name) = match method.standing {
            Standing::Unknown => ("grpc", Some(semconv::OTHER)),
            Standing::Known(_) | Standing::Unproven => (method.name, None),
        };
        let cx = self.telemetry.start_for(caller, name, other_name, || {
            let span = span_of(&method, request, left).with_start_time(started.time());
            captured(span.with_links(link.into_iter().collect()), &self.request_headers, &request.headers)
        });
        Call::start(Side::Server, cx, deadline, measured).showing(&self.answered)
    }
}

/// The span of a call.
fn span_of(method: &Method<'_>, request: &Parts, left: Option<Duration>) -> SpanBuilder {
    let mut attributes = Vec::with_capacity(USUAL_ATTRIBUTES);
    attributes.push(KeyValue::new(semconv::RPC_SYSTEM_NAME, "grpc"));
    let builder = match method.standing {
        Standing::Known(name) => {
            attributes.push(KeyValue::new(semconv::RPC_METHOD, name));
            SpanBuilder::from_name(name)
        }
        Standing::Unproven => {
            attributes.push(KeyValue::new(semconv::RPC_METHOD, method.name.to_owned()));
            SpanBuilder::from_name(method.name.to_owned())
        }
        Standing::Unknown => {
            attributes.push(KeyValue::new(semconv::RPC_METHOD, semconv::OTHER));
            attributes.push(KeyValue::new(semconv::RPC_METHOD_ORIGINAL, shortened(method.name)));
            SpanBuilder::from_name("grpc")
        }
    };
    if let Some(authority) = request.uri.authority() {
        let host = repeated::name(without_brackets(authority.host()));
        attributes.push(KeyValue::new(semconv::SERVER_ADDRESS, host));
        attributes.extend(authority.port_u16().map(|port| KeyValue::new(semconv::SERVER_PORT, i64::from(port))));
    }
    if let Some(peer) = request.extensions.get::<TcpConnectInfo>().and_then(TcpConnectInfo::remote_addr) {
        attributes.push(KeyValue::new(semconv::NETWORK_PEER_ADDRESS, repeated::address(peer.ip())));
        attributes.push(KeyValue::new(semconv::NETWORK_PEER_PORT, i64::from(peer.port())));
    }
    attributes.extend(left.map(deadline::attribute));
    builder.with_kind(SpanKind::Server).with_attributes(attributes)
}
