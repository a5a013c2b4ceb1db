use prost::Message;
use serde::de::Error;
use serde::{Deserialize, Deserializer};

/// What a collector has taken, but not as it was: the items that it did not want, which are not to be sent again, and why;
/// or, with none, what it has to say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Rejected {
    pub(crate) items: u64,
    pub(crate) message: String,
}

/// What a collector answers. All signals' look the same (`opentelemetry/proto/collector/*/v1/*_service.proto`), but for a
/// name in JSON.
#[derive(Clone, PartialEq, Message, Deserialize)]
#[serde(default)]
pub(super) struct Answer {
    #[prost(message, optional, tag = "1")]
    #[serde(rename = "partialSuccess", alias = "partial_success")]
    partial_success: Option<PartialSuccess>,
}

#[derive(Clone, PartialEq, Message, Deserialize)]
#[serde(default)]
struct PartialSuccess {
    #[prost(int64, tag = "1")]
    #[serde(alias = "rejectedSpans", alias = "rejectedLogRecords", alias = "rejectedDataPoints")]
    #[serde(alias = "rejected_spans", alias = "rejected_log_records", alias = "rejected_data_points")]
    #[serde(deserialize_with = "int64")]
    rejected: i64,
    #[prost(string, tag = "2")]
    #[serde(rename = "errorMessage", alias = "error_message")]
    error_message: String,
}

// === impl Answer ===

impl Answer {
    pub(super) fn rejected(self) -> Option<Rejected> {
        let PartialSuccess { rejected, error_message: message } = self.partial_success?;
        let items = u64::try_from(rejected).unwrap_or_default();
        (items > 0 || !message.is_empty()).then_some(Rejected { items, message })
    }
}

/// In JSON a number of 64 bits is text, mostly.
fn int64<'de, D: Deserializer<'de>>(deserializer: D) -> Result<i64, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Int64 {
        Number(i64),
        Text(String),
    }
    match Int64::deserialize(deserializer)? {
        Int64::Number(number) => Ok(number),
        Int64::Text(text) => text.parse().map_err(D::Error::custom),
    }
}
