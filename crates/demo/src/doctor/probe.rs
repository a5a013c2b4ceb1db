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
            match service {
                Service::Gateway => {
                    let request = self.request(OrderAtGateway { order_id: id })?;
                    told(ShopServiceClient::with_origin(Connection::new(), origin).get_order(request).await)
                }
                Service::Order => {
                    let request = self.request(GetOrderRequest { order_id: id })?;
                    told(OrderServiceClient::with_origin(Connection::new(), origin).get_order(request).await)
                }
                Service::Payment => {
                    let request = self.request(GetPaymentRequest { payment_id: id })?;
                    told(PaymentServiceClient::with_origin(Connection::new(), origin).get_payment(request).await)
                }
            }
        };
        let answer = timeout(PATIENCE, call).await;
        let status = answer.map_err(|_| format!("{address} has not answered in {PATIENCE:?}"))??;
        self.answered(address, &status)
    }

    /// The span that is the calls' parent, as OTLP's JSON.
    pub(super) fn span(&self) -> Value {
        let (time, text) = (now(), |text: &str| json!({"stringValue": text}));
        let span = json!({
            "traceId": self.trace_id,
            "spanId": self.span_id,
            "name": "demo doctor",
            "kind": 1,
            "startTimeUnixNano": time,
            "endTimeUnixNano": time,
            "attributes": [{"key": "demo.keep", "value": {"boolValue": true}}],
        });
        let resource = json!({"attributes": [{"key": "service.name", "value": text(SERVICE)}]});
        json!({"resourceSpans": [{"resource": resource, "scopeSpans": [{"spans": [span]}]}]})
    }

    fn request<T>(&self, message: T) -> Result<Request<T>, String> {
        let mut request = Request::new(message);
        let traceparent = format!("00-{}-{}-01", self.trace_id, self.span_id);
        let value = MetadataValue::try_from(traceparent).map_err(|error| error.to_string())?;
        request.metadata_mut().insert("traceparent", value);
        Ok(kept(request))
    }

    fn answered(&self, address: &str, status: &Status) -> Result<Answered, String> {
        if is_unreachable(status) {
            return Err(nothing_answers(address));
        }
        if let Some(foreign) = Foreign::of(status) {
            return Err(format!("{address} is no service of the shop: it answered {foreign}"));
        }
        let traced = trace(status.metadata());
        let (trace_id, is_sampled) = traced.ok_or_else(|| {
            format!("{address} answered {} and named no trace: is telemetry's layer in its server?", told_of(status))
        })?;
        let failure = (status.code() != Code::NotFound).then(|| told_of(status));
        Ok(Answered { trace_id, is_sampled, failure })
    }
}

/// The `service.name` of the doctor's own span.
pub(super) const SERVICE: &str = "doctor";

/// How a call ended, with the answer's metadata.
fn told<T>(answer: Result<Response<T>, Status>) -> Result<Status, String> {
    Ok(match answer {
        Err(status) => status,
        Ok(response) => Status::with_metadata(Code::Ok, "", response.into_parts().0),
    })
}

/// The trace and the sampled flag of `traceresponse` (W3C Trace Context 2, section 4).
fn trace(metadata: &MetadataMap) -> Option<(String, bool)> {
    let text = metadata.get("traceresponse")?.to_str().ok()?;
    let [_, trace_id, _, flags] = text.split('-').collect::<Vec<_>>()[..] else { return None };
    Some((trace_id.to_owned(), u8::from_str_radix(flags, 16).ok()? & 1 == 1))
}

fn told_of(status: &Status) -> String {
    match status.message() {
        "" => code_name(status.code()),
        message => format!("{}: {}", code_name(status.code()), printable(message)),
    }
}
