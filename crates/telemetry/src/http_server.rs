//! HTTP requests taken as SERVER spans: one tower layer for axum and any other HTTP server.

mod proxies;
mod asked;
mod serving;
mod future;
mod body;
mod metrics;

use std::fmt;
use std::sync::Arc;
use std::task::{Context as TaskContext, Poll};

use axum::extract::MatchedPath;
use http::request::Parts;
use http::{Method, Request, Response};
use http_body::Body;
use tower_layer::Layer;
use tower_service::Service;

use crate::capture::{Captured, captured};
use crate::clock::Started;
use crate::handle::Telemetry;
use crate::rule::Rule;
use crate::semconv;
use crate::trust::{Admission, TrustTrace};
use asked::Asked;
use metrics::RequestMeter;
use proxies::Proxies;
use serving::{Measured, Serving};

pub use body::HttpResponseBody;
pub use future::HttpResponseFuture;
pub use proxies::ProxyHeaders;

/// Makes every request that an HTTP server takes one SERVER span, from its first header to the last byte of its answer.
///
/// ```no_run
/// use axum::{Router, routing::get};
///
/// # async fn example(telemetry: telemetry::Telemetry) -> std::io::Result<()> {
/// let router: Router = Router::new()
///     .route("/orders/{id}", get(|| async { "paid" }))
///     .layer(telemetry.http_server());
/// let listener = tokio::net::TcpListener::bind("127.0.0.1:8080").await?;
/// // With the connection's address, spans know who called.
/// axum::serve(listener, router.into_make_service_with_connect_info::<std::net::SocketAddr>()).await
/// # }
/// ```
///
/// A span is named `GET /orders/{id}`: by the method and the route, which axum tells to a layer that is added with
/// `Router::layer` or `Router::route_layer` (another router's comes by [`route`](Self::route)). A request without a route
/// is named by its method alone, never by its path. The span carries (semantic conventions 1.45,
/// `docs/http/http-spans.md`) `http.request.method`, `http.route`, `url.scheme`, `url.path`, `url.query` without
/// signatures, `server.address` and `server.port` as the request names them, `client.address`, `network.peer.address`,
/// `network.peer.port`, `network.protocol.version`, `user_agent.original`, and at the end `http.response.status_code` and
/// `error.type`.
///
/// What counts as failed, and the `error.type` it has, on the span and in the metric alike:
///
/// | what happens | `error.type` | span status |
/// |---|---|---|
/// | an answer of 5xx | the code, such as `503` | Error |
/// | an answer of 4xx and below | | unset |
/// | a panic before the answer: it is answered with an empty 500, as an RPC is with INTERNAL | `panic` | Error |
/// | a panic in the body: too late for an answer, so it goes on and cuts the connection | `panic` | Error |
/// | a body that fails | `body` | Error |
/// | an error of the service in place of an answer | `_OTHER` | Error |
/// | the request or the body is dropped before its end: mostly, nobody waits for it any more | `cancelled` | unset |
///
/// The span is current while handler and body run, so `#[tracing::instrument]` spans and calls on nest under it. Every
/// request counts in `http.server.request.duration` for as long as its span, and in `http.server.active_requests`
/// (`docs/http/http-metrics.md`), also one that makes no span or whose span is not sampled.
#[derive(Clone)]
pub struct HttpServerLayer {
    telemetry: Telemetry,
    meter: Option<Arc<RequestMeter>>,
    admission: Admission,
    route: Rule<Option<String>>,
    quiet: Rule<bool>,
    proxies: Option<Proxies>,
    scheme: &'static str,
    trace_headers: bool,
    request_headers: Captured,
    response_headers: Captured,
}

/// The service that [`HttpServerLayer`] makes.
#[derive(Clone, Debug)]
pub struct HttpServer<S> {
    inner: S,
    layer: Arc<HttpServerLayer>,
}

// === impl HttpServerLayer ===

impl HttpServerLayer {
    pub(crate) fn new(telemetry: Telemetry) -> Self {
        let meter = telemetry.meter().map(|meter| Arc::new(RequestMeter::new(meter)));
        let matched = |request: &Parts| request.extensions.get().map(|path: &MatchedPath| path.as_str().to_owned());
        Self {
            telemetry,
            meter,
            admission: Admission::default(),
            route: Rule::new(matched),
            quiet: Rule::new(|_| false),
            proxies: None,
            scheme: "http",
            trace_headers: false,
            request_headers: Captured::default(),
            response_headers: Captured::default(),
        }
    }

    /// Whose trace to continue; nobody's unless said.
    pub fn trust(self, trust: TrustTrace) -> Self {
        Self { admission: self.admission.trust(trust), ..self }
    }

    /// Decides of each request by its head whose trace to continue: see
    /// [`RpcServerLayer::trust_by`](crate::RpcServerLayer::trust_by).
    pub fn trust_by(self, policy: impl Fn(&Parts) -> TrustTrace + Send + Sync + 'static) -> Self {
        Self { admission: self.admission.trust_by(policy), ..self }
    }

    /// Lets in, of callers' baggage, the members with these keys only: see
    /// [`RpcServerLayer::baggage`](crate::RpcServerLayer::baggage).
    pub fn baggage(self, keys: impl IntoIterator<Item = impl Into<String>>) -> Self {
        Self { admission: self.admission.baggage(keys), ..self }
    }

    /// Names a request's route where it is not axum's router that finds it: the template, such as `/orders/{id}`, or
    /// `None` for a request that has none. Never the path itself: its values would become names of spans and series.
    pub fn route(self, route: impl Fn(&Parts) -> Option<String> + Send + Sync + 'static) -> Self {
        Self { route: Rule::new(route), ..self }
    }

    /// Which requests make no span, such as probes; they are still measured, and their caller's context goes along.
    ///
    /// ```no_run
    /// # fn example(telemetry: telemetry::Telemetry) -> telemetry::HttpServerLayer {
    /// telemetry.http_server().quiet(|request| request.uri.path() == "/livez")
    /// # }
    /// ```
    pub fn quiet(self, quiet: impl Fn(&Parts) -> bool + Send + Sync + 'static) -> Self {
        Self { quiet: Rule::new(quiet), ..self }
    }

    /// Believes the proxies of one's own that stand before the server, `count` of them, in the headers that they write:
    /// what the outermost one says becomes `client.address`, `server.address` and `url.scheme`. What stood in the headers
    /// before it is its caller's claim and not believed. Unless said, no header is.
    pub fn behind_proxies(self, count: usize, headers: ProxyHeaders) -> Self {
        Self { proxies: (count > 0).then_some(Proxies { count, headers }), ..self }
    }

    /// Says that the server speaks TLS, which an HTTP/1 request does not tell: `url.scheme` is `https` where nothing else
    /// decides it.
    pub fn over_tls(self) -> Self {
        Self { scheme: "https", ..self }
    }

    /// Answers every request that has a span with its trace: `traceresponse` (W3C Trace Context draft) and `x-trace-id`.
    pub fn answer_trace_headers(self) -> Self {
        Self { trace_headers: true, ..self }
    }

    /// Shows these headers of a request, where it has them, as `http.request.header.<name>`: see
    /// [`RpcServerLayer::capture_request_headers`](crate::RpcServerLayer::capture_request_headers).
    ///
    /// # Panics
    /// If one of the names is none that a header can have.
    pub fn capture_request_headers(self, names: impl IntoIterator<Item = impl AsRef<str>>) -> Self {
        Self { request_headers: self.request_headers.and(semconv::HTTP_REQUEST_HEADER, names), ..self }
    }

    /// Shows these headers of an answer, where it has them, as `http.response.header.<name>`: see
    /// [`capture_request_headers`](Self::capture_request_headers).
    ///
    /// # Panics
    /// As there.
    pub fn capture_response_headers(self, names: impl IntoIterator<Item = impl AsRef<str>>) -> Self {
        Self { response_headers: self.response_headers.and(semconv::HTTP_RESPONSE_HEADER, names), ..self }
    }
}

impl fmt::Debug for HttpServerLayer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpServerLayer")
            .field("admission", &self.admission)
            .field("proxies", &self.proxies)
            .field("scheme", &self.scheme)
            .field("trace_headers", &self.trace_headers)
            .finish_non_exhaustive()
    }
}

impl<S> Layer<S> for HttpServerLayer {
    type Service = HttpServer<S>;

    fn layer(&self, inner: S) -> HttpServer<S> {
        HttpServer { inner, layer: Arc::new(self.clone()) }
    }
}

// === impl HttpServer ===

impl<S, B, R> Service<Request<B>> for HttpServer<S>
where
    S: Service<Request<B>, Response = Response<R>>,
    R: Body,
{
    type Response = Response<HttpResponseBody<R>>;
    type Error = S::Error;
    type Future = HttpResponseFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut TaskContext<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<B>) -> HttpResponseFuture<S::Future> {
        let (head, body) = request.into_parts();
        let serving = self.layer.observe(&head);
        let trace_headers = self.layer.trace_headers && serving.has_span();
        let request = Request::from_parts(head, body);
        HttpResponseFuture::new(serving, trace_headers, || self.inner.call(request))
    }
}

impl HttpServerLayer {
    /// Starts observing a request: reads its caller's context and starts the span.
    fn observe(&self, request: &Parts) -> Serving {
        let started = Started::now();
        let is_head = request.method == Method::HEAD;
        let asked = Asked::of(request, self);
        let in_flight = self.meter.as_ref().map(|meter| RequestMeter::count(meter, &asked));
        let measured = Measured { started, in_flight };

        let (caller, link) = self.admission.admit(self.telemetry.propagation(), request);
        if self.quiet.ask(request) {
            return Serving::quiet(caller.context(self.telemetry.base()), is_head, measured);
        }
        let name = asked.name();
        let cx = self.telemetry.start_for(caller, &name, asked.route.as_deref(), || {
            let span = asked.span(name.clone(), request).with_start_time(started.time());
            captured(span.with_links(link.into_iter().collect()), &self.request_headers, &request.headers)
        });
        Serving::start(cx, is_head, measured).showing(&self.response_headers)
    }
}
