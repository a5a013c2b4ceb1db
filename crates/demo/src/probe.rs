//! A span and a log record full of secrets, sent past the services straight to an OpenTelemetry Collector: what of them
//! still reaches a backend, the Collector has let through.

use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};
use uuid::Uuid;

use crate::backend::Backend;
use crate::secrets::{Secrets, word};

/// The `service.name` of the probe.
pub(crate) const SERVICE: &str = "probe";

/// One probe.
#[derive(Clone, Debug)]
pub(crate) struct Probe {
    /// The id of the trace that its span and its log record belong to.
    pub(crate) trace_id: String,
    /// In an attribute of the span and in the body of the log record, and no secret: where it is, the probe is.
    pub(crate) marker: String,
    /// What the probe holds and no backend may.
    pub(crate) secrets: Secrets,
    span_id: String,
    time: String,
}

// === impl Probe ===

impl Probe {
    /// A probe that never was before.
    pub(crate) fn new() -> Self {
        Self {
            trace_id: Uuid::new_v4().simple().to_string(),
            marker: word(20),
            secrets: Secrets::invented(),
            span_id: format!("{:016x}", Uuid::new_v4().as_u64_pair().1),
            time: now(),
        }
    }

    /// Sends both to the OTLP/HTTP receiver of a Collector.
    ///
    /// # Errors
    /// When it is not accepted.
    pub(crate) async fn send(&self, collector: &Backend) -> anyhow::Result<()> {
        collector.post("/v1/traces", &self.spans()).await?;
        collector.post("/v1/logs", &self.logs()).await
    }

    /// The span, as OTLP's JSON.
    pub(crate) fn spans(&self) -> Value {
        let exception = json!({
            "name": "exception",
            "timeUnixNano": self.time,
            "attributes": attributes([
                ("exception.type", text("LoginError")),
                ("exception.message", text(&self.secrets.told())),
                ("exception.stacktrace", text(&format!("LoginError: {}\n  at login", self.secrets.told()))),
            ]),
        });
        let note = json!({"name": "note", "timeUnixNano": self.time, "attributes": attributes(self.facts())});
        // Kept whatever the Collector samples.
        let own = [("demo.keep", json!({"boolValue": true})), ("probe.marker", text(&self.marker))];
        let span = json!({
            "traceId": self.trace_id,
            "spanId": self.span_id,
            "traceState": self.state(),
            "name": format!("POST /logins/{}", self.secrets.email),
            "kind": 1,
            "startTimeUnixNano": self.time,
            "endTimeUnixNano": self.time,
            "attributes": attributes(own.into_iter().chain(self.facts())),
            "events": [exception, note],
            "status": {"code": 2, "message": self.secrets.told()},
        });
        json!({"resourceSpans": [{"resource": self.resource(), "scopeSpans": [{"spans": [span]}]}]})
    }

    /// The log record, as OTLP's JSON.
    pub(crate) fn logs(&self) -> Value {
        let record = |body: Value| {
            json!({
                "traceId": self.trace_id,
                "spanId": self.span_id,
                "timeUnixNano": self.time,
                "severityText": format!("WARN for {}", self.secrets.email),
                "severityNumber": 13,
                "body": body,
                "attributes": attributes(self.facts()),
            })
        };
        let marker = ("marker", text(&self.marker));
        let fields = attributes([marker].into_iter().chain(self.facts()));
        let records = [
            record(text(&format!("{} {}", self.marker, self.secrets.told()))),
            record(json!({"kvlistValue": {"values": fields}})),
        ];
        json!({"resourceLogs": [{"resource": self.resource(), "scopeLogs": [{"logRecords": records}]}]})
    }

    /// What a caller may have put into `tracestate`, which every service passes on as it came.
    fn state(&self) -> String {
        let Secrets { card, bearer, email, password } = &self.secrets;
        format!("card={card},mail={email},login=password:{password},auth=bearer:{bearer}")
    }

    fn resource(&self) -> Value {
        let command = format!("login --password={} --user={}", self.secrets.password, self.secrets.email);
        json!({"attributes": attributes([("service.name", text(SERVICE)), ("process.command_line", text(&command))])})
    }

    /// Each secret under a key that tells of it and under one that does not; a password under the latter only where the
    /// text tells of it, for there is no other way to know one.
    fn facts(&self) -> Vec<(&'static str, Value)> {
        let Secrets { card, bearer, email, password } = &self.secrets;
        let header = format!("Bearer {bearer}");
        let query = format!("SELECT id FROM users WHERE email = '{email}' AND password = '{password}'");
        vec![
            ("card.number", text(card)),
            ("reference", text(&self.secrets.grouped_card("-"))),
            ("comment", text(&format!("paid with {}", self.secrets.grouped_card(" ")))),
            ("authorization", text(&header)),
            ("rpc.request.metadata.authorization", json!({"arrayValue": {"values": [text(&header)]}})),
            ("forwarded", text(&header)),
            ("user.email", text(email)),
            ("contact", text(&format!("Ada <{email}>"))),
            ("user.password", text(password)),
            ("url.query", text(&format!("user=ada&password={password}"))),
            ("db.query.text", text(&query)),
        ]
    }
}

/// Nanoseconds since 1970, as OTLP's JSON has them.
pub(crate) fn now() -> String {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_nanos().to_string()
}

fn text(text: &str) -> Value {
    json!({"stringValue": text})
}

fn attributes(pairs: impl IntoIterator<Item = (&'static str, Value)>) -> Value {
    pairs.into_iter().map(|(key, value)| json!({"key": key, "value": value})).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn span_and_log_record_hold_the_marker_and_every_secret() {
        let probe = Probe::new();
        for document in [probe.spans(), probe.logs()] {
            let document = document.to_string();
            assert_eq!(probe.secrets.found_in(&document).len(), 4, "{document}");
            assert!(document.contains(&probe.marker) && document.contains(&probe.trace_id), "{document}");
        }
    }
}
