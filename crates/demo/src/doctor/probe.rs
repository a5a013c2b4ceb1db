//! Calls that leave spans and change nothing: one of each service, all in one trace.

use std::time::Duration;

use proto::gateway::v1::GetOrderRequest as OrderAtGateway;
use proto::gateway::v1::shop_service_client::ShopServiceClient;
use proto::order::v1::GetOrderRequest;
use proto::order::v1::order_service_client::OrderServiceClient;
use proto::payment::v1::GetPaymentRequest;
use proto::payment::v1::payment_service_client::PaymentServiceClient;
use serde_json::{Value, json};
use tokio::time::timeout;
use tonic::metadata::{MetadataMap, MetadataValue};
use tonic::{Code, Request, Response, Status};
use uuid::Uuid;

use super::service::Service;
use crate::columns::printable;
use crate::connection::{Connection, Foreign, is_unreachable};
use crate::order::code_name;
use crate::probe::now;
use crate::shop::{kept, nothing_answers};

/// How long a service may take to answer.
const PATIENCE: Duration = Duration::from_secs(5);

/// The calls' trace, and the span that is their parent.
#[derive(Clone, Debug)]
pub(super) struct Probe {
    pub(super) trace_id: String,
    pub(super) span_id: String,
}

/// What a service answered.
#[derive(Clone, Debug)]
pub(super) struct Answered {
    /// The trace that its span is in. It is another than the probe's if the service does not believe its caller.
    pub(super) trace_id: String,
    /// Whether that span is exported.
    pub(super) is_sampled: bool,
    /// What went wrong behind the service; nothing, if it has looked for what the probe asks and not found it.
    pub(super) failure: Option<String>,
}

// === impl Probe ===

impl Probe {
    /// A probe that never was before.
    pub(super) fn new() -> Self {
        let span_id = format!("{:016x}", Uuid::new_v4().as_u64_pair().1);
        Self { trace_id: Uuid::new_v4().simple().to_string(), span_id }
    }

    /// Asks the service for something that does not exist.
    ///
    /// # Errors
    /// When it does not answer, or not as a service of the shop; with what to tell.
    pub(super) async fn call(&self, service: Service, address: &str) -> Result<Answered, String> {
        let origin = address.parse().map_err(|error| format!("{address}: {error}"))?;
        let id = Uuid::now_v7().to_string();
        let call = async {
            Ok(match service {
                Service::Gateway => {
                    let request = self.request(OrderAtGateway { order_id: id })?;
                    metadata(ShopServiceClient::with_origin(Connection::new(), origin).get_order(request).await)
                }
                Service::Order => {
                    let request = self.request(GetOrderRequest { order_id: id })?;
                    metadata(OrderServiceClient::with_origin(Connection::new(), origin).get_order(request).await)
                }
                Service::Payment => {
                    let request = self.request(GetPaymentRequest { payment_id: id })?;
                    metadata(PaymentServiceClient::with_origin(Connection::new(), origin).get_payment(request).await)
                }
            })
        };
        let silent = |_| format!("{address} has not answered in {PATIENCE:?}");
        let answer: Result<_, String> = timeout(PATIENCE, call).await.map_err(silent)?;
        Answered::new(service, address, answer?)
    }

    /// The span that is the calls' parent, as OTLP's JSON.
    pub(super) fn span(&self) -> Value {
        let time = now();
        let span = json!({
            "traceId": self.trace_id,
            "spanId": self.span_id,
            "name": "demo doctor",
            "kind": 1,
            "startTimeUnixNano": time,
            "endTimeUnixNano": time,
            "attributes": [{"key": "demo.keep", "value": {"boolValue": true}}],
        });
        let resource = json!({"attributes": [{"key": "service.name", "value": {"stringValue": SERVICE}}]});
        json!({"resourceSpans": [{"resource": resource, "scopeSpans": [{"spans": [span]}]}]})
    }

    fn request<T>(&self, message: T) -> Result<Request<T>, String> {
        let mut request = Request::new(message);
        let traceparent = format!("00-{}-{}-01", self.trace_id, self.span_id);
        let value = MetadataValue::try_from(traceparent).map_err(|error| error.to_string())?;
        request.metadata_mut().insert("traceparent", value);
        Ok(kept(request))
    }
}

// === impl Answered ===

impl Answered {
    fn new(service: Service, address: &str, answer: Result<MetadataMap, Status>) -> Result<Self, String> {
        let failed = answer.as_ref().err();
        if failed.is_some_and(is_unreachable) {
            return Err(nothing_answers(address));
        }
        if let Some(foreign) = failed.and_then(Foreign::of) {
            return Err(format!("{address} is no service of the shop: it answered {foreign}"));
        }
        // Of what is behind the gateway it says INTERNAL.
        if failed.is_some_and(|status| status.code() == Code::Unimplemented) {
            return Err(format!("{address} is another service than {}: it answered UNIMPLEMENTED", service.name()));
        }
        let (trace_id, is_sampled) = trace(answer.as_ref().unwrap_or_else(Status::metadata))
            .ok_or_else(|| format!("{address} names no trace in its answer: is telemetry's layer in its server?"))?;
        let unexpected = failed.filter(|status| status.code() != Code::NotFound);
        Ok(Self { trace_id, is_sampled, failure: unexpected.map(described) })
    }
}

/// The `service.name` of the doctor's own span.
pub(super) const SERVICE: &str = "doctor";

/// The metadata of an answer.
fn metadata<T>(answer: Result<Response<T>, Status>) -> Result<MetadataMap, Status> {
    answer.map(|response| response.into_parts().0)
}

/// The trace and the sampled flag of `traceresponse` (W3C Trace Context 2, section 4).
fn trace(metadata: &MetadataMap) -> Option<(String, bool)> {
    let text = metadata.get("traceresponse")?.to_str().ok()?;
    let [_, trace_id, _, flags] = text.split('-').collect::<Vec<_>>()[..] else { return None };
    Some((trace_id.to_owned(), u8::from_str_radix(flags, 16).ok()? & 1 == 1))
}

fn described(status: &Status) -> String {
    match status.message() {
        "" => code_name(status.code()),
        message => format!("{}: {}", code_name(status.code()), printable(message)),
    }
}
