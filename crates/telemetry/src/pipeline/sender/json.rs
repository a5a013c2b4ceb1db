//! OTLP/JSON (OTLP specification, "JSON Protobuf Encoding").

use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use prost::Message;
use serde::Serialize;
use serde_json::Value;

use crate::error_chain::error_chain;
use crate::pipeline::signal::Signal;

/// The protobuf request as JSON.
///
/// # Errors
/// When it is none.
pub(super) fn of_protobuf(signal: Signal, body: &[u8]) -> Result<Vec<u8>, String> {
    match signal {
        Signal::Traces => of_request::<ExportTraceServiceRequest>(body),
        Signal::Logs => of_request::<ExportLogsServiceRequest>(body),
        Signal::Metrics => of_request::<ExportMetricsServiceRequest>(body),
    }
}

fn of_request<R: Message + Default + Serialize>(body: &[u8]) -> Result<Vec<u8>, String> {
    let request = R::decode(body).map_err(|error| error_chain(&error))?;
    let mut json = serde_json::to_value(&request).map_err(|error| error_chain(&error))?;
    leave_nulls_out(&mut json);
    serde_json::to_vec(&json).map_err(|error| error_chain(&error))
}

/// What is not there is written as `null`, and so is a number that JSON has none for, such as NaN. A collector that reads
/// a number would refuse either, and with it the whole request.
fn leave_nulls_out(json: &mut Value) {
    match json {
        Value::Object(fields) => {
            fields.retain(|_, value| !value.is_null());
            fields.values_mut().for_each(leave_nulls_out);
        }
        Value::Array(values) => values.iter_mut().for_each(leave_nulls_out),
        _ => {}
    }
}
