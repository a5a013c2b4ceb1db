//! The names of the OpenTelemetry semantic conventions 1.45 that this crate emits, and a few of its own.
//!
//! The published constants crate stands at an older schema, in which the RPC status has another name.

/// The schema that the names below belong to.
pub(crate) const SCHEMA_URL: &str = "https://opentelemetry.io/schemas/1.45.0";

/// What stands for a value outside the known set, so that callers cannot invent series.
pub(crate) const OTHER: &str = "_OTHER";

pub(crate) const CLIENT_ADDRESS: &str = "client.address";

/// `docs/db/database-metrics.md`.
pub(crate) const DB_CLIENT_OPERATION_DURATION: &str = "db.client.operation.duration";
pub(crate) const DB_NAMESPACE: &str = "db.namespace";
pub(crate) const DB_QUERY_SUMMARY: &str = "db.query.summary";
pub(crate) const DB_QUERY_TEXT: &str = "db.query.text";
pub(crate) const DB_RESPONSE_RETURNED_ROWS: &str = "db.response.returned_rows";
pub(crate) const DB_RESPONSE_STATUS_CODE: &str = "db.response.status_code";
pub(crate) const DB_SYSTEM_NAME: &str = "db.system.name";

pub(crate) const ERROR_TYPE: &str = "error.type";

pub(crate) const EXCEPTION_EVENT: &str = "exception";
pub(crate) const EXCEPTION_MESSAGE: &str = "exception.message";
pub(crate) const EXCEPTION_TYPE: &str = "exception.type";

/// How long a call may still take, in milliseconds. Ours: the conventions name nothing for a deadline.
pub(crate) const GRPC_TIMEOUT_MS: &str = "grpc.timeout_ms";

/// `docs/http/http-metrics.md`.
pub(crate) const HTTP_CLIENT_ACTIVE_REQUESTS: &str = "http.client.active_requests";
/// `docs/http/http-metrics.md`.
pub(crate) const HTTP_CLIENT_REQUEST_DURATION: &str = "http.client.request.duration";
/// With the name of a header behind it, as the others of these.
pub(crate) const HTTP_REQUEST_HEADER: &str = "http.request.header";
pub(crate) const HTTP_REQUEST_METHOD: &str = "http.request.method";
pub(crate) const HTTP_REQUEST_METHOD_ORIGINAL: &str = "http.request.method_original";
pub(crate) const HTTP_REQUEST_RESEND_COUNT: &str = "http.request.resend_count";
pub(crate) const HTTP_RESPONSE_HEADER: &str = "http.response.header";
pub(crate) const HTTP_RESPONSE_STATUS_CODE: &str = "http.response.status_code";
pub(crate) const HTTP_ROUTE: &str = "http.route";
/// `docs/http/http-metrics.md`.
pub(crate) const HTTP_SERVER_ACTIVE_REQUESTS: &str = "http.server.active_requests";
/// `docs/http/http-metrics.md`.
pub(crate) const HTTP_SERVER_REQUEST_DURATION: &str = "http.server.request.duration";

pub(crate) const MESSAGING_BATCH_MESSAGE_COUNT: &str = "messaging.batch.message_count";
/// `docs/messaging/messaging-metrics.md`.
pub(crate) const MESSAGING_CLIENT_CONSUMED_MESSAGES: &str = "messaging.client.consumed.messages";
/// `docs/messaging/messaging-metrics.md`.
pub(crate) const MESSAGING_CLIENT_OPERATION_DURATION: &str = "messaging.client.operation.duration";
/// `docs/messaging/messaging-metrics.md`.
pub(crate) const MESSAGING_CLIENT_SENT_MESSAGES: &str = "messaging.client.sent.messages";
pub(crate) const MESSAGING_CONSUMER_GROUP_NAME: &str = "messaging.consumer.group.name";
pub(crate) const MESSAGING_DESTINATION_NAME: &str = "messaging.destination.name";
pub(crate) const MESSAGING_MESSAGE_ID: &str = "messaging.message.id";
pub(crate) const MESSAGING_OPERATION_NAME: &str = "messaging.operation.name";
pub(crate) const MESSAGING_OPERATION_TYPE: &str = "messaging.operation.type";
/// `docs/messaging/messaging-metrics.md`.
pub(crate) const MESSAGING_PROCESS_DURATION: &str = "messaging.process.duration";
pub(crate) const MESSAGING_SYSTEM: &str = "messaging.system";

pub(crate) const NETWORK_PEER_ADDRESS: &str = "network.peer.address";
pub(crate) const NETWORK_PEER_PORT: &str = "network.peer.port";
pub(crate) const NETWORK_PROTOCOL_VERSION: &str = "network.protocol.version";

/// Ours, after `http.client.active_requests`: the conventions count no RPCs that are in flight.
pub(crate) const RPC_CLIENT_ACTIVE_CALLS: &str = "rpc.client.active_calls";
/// `docs/rpc/rpc-metrics.md`.
pub(crate) const RPC_CLIENT_CALL_DURATION: &str = "rpc.client.call.duration";
pub(crate) const RPC_METHOD: &str = "rpc.method";
pub(crate) const RPC_METHOD_ORIGINAL: &str = "rpc.method_original";
pub(crate) const RPC_REQUEST_HEADER: &str = "rpc.request.header";
pub(crate) const RPC_RESPONSE_HEADER: &str = "rpc.response.header";
pub(crate) const RPC_RESPONSE_TRAILER: &str = "rpc.response.trailer";
/// Ours, after `http.server.active_requests`: the conventions count no RPCs that are in flight.
pub(crate) const RPC_SERVER_ACTIVE_CALLS: &str = "rpc.server.active_calls";
/// `docs/rpc/rpc-metrics.md`.
pub(crate) const RPC_SERVER_CALL_DURATION: &str = "rpc.server.call.duration";
pub(crate) const RPC_STATUS_CODE: &str = "rpc.status_code";
pub(crate) const RPC_SYSTEM_NAME: &str = "rpc.system.name";

pub(crate) const SERVER_ADDRESS: &str = "server.address";
pub(crate) const SERVER_PORT: &str = "server.port";

pub(crate) const SERVICE_INSTANCE_ID: &str = "service.instance.id";
pub(crate) const SERVICE_NAME: &str = "service.name";
pub(crate) const SERVICE_NAMESPACE: &str = "service.namespace";
pub(crate) const SERVICE_VERSION: &str = "service.version";

pub(crate) const TELEMETRY_DISTRO_NAME: &str = "telemetry.distro.name";
pub(crate) const TELEMETRY_DISTRO_VERSION: &str = "telemetry.distro.version";
pub(crate) const TELEMETRY_SDK_LANGUAGE: &str = "telemetry.sdk.language";
pub(crate) const TELEMETRY_SDK_NAME: &str = "telemetry.sdk.name";
pub(crate) const TELEMETRY_SDK_VERSION: &str = "telemetry.sdk.version";

pub(crate) const URL_FULL: &str = "url.full";
pub(crate) const URL_PATH: &str = "url.path";
pub(crate) const URL_QUERY: &str = "url.query";
pub(crate) const URL_SCHEME: &str = "url.scheme";
pub(crate) const URL_TEMPLATE: &str = "url.template";

pub(crate) const USER_AGENT_ORIGINAL: &str = "user_agent.original";
