//! `demo explain redaction`: what becomes of secrets on the way to the backends.

use std::collections::HashSet;

use anyhow::{Context, bail, ensure};
use serde_json::Value;
use tonic::metadata::MetadataMap;

use super::walk::{Walk, table, wrapped};
use super::{Scene, needed};
use crate::columns::{fit, printable, width};
use crate::json::list;
use crate::loki::Loki;
use crate::order::describe;
use crate::patience::{PATIENCE, until};
use crate::probe::Probe;
use crate::screen;
use crate::secrets::Secrets;
use crate::shop::NewOrder;
use crate::view::Recorded;

use self::places::{Places, of_log_records, of_spans, of_streams};

mod places;

/// What the Collector leaves where it took something away.
const MASK: &str = "****";

/// How wide the column of places is at most, and what stands between and before the columns.
const PLACE: usize = 26;
const MARGINS: usize = 7;

/// What the services say of an order.
const FACTS: [&str; 7] = [
    "order.id",
    "order.item_count",
    "order.total_minor",
    "order.currency",
    "payment.id",
    "payment.method",
    "payment.transaction_id",
];

pub(super) async fn walk(scene: &Scene) -> anyhow::Result<bool> {
    let why = "secrets are taken away by the OpenTelemetry Collector";
    let collector = needed(&scene.backends.collector, why, "--collector", "DEMO_COLLECTOR")?;
    let mut walk = Walk::begin("What becomes of secrets on the way to the backends")?;

    walk.step("An order full of secrets: what the services send")?;
    let mut as_told = services(scene, &walk).await?;

    walk.step("A careless program: a span and log records full of secrets, sent straight to the Collector")?;
    let probe = Probe::new();
    probe.send(collector).await?;
    walk.say(format!("trace {}, service {}, to {}", probe.trace_id, crate::probe::SERVICE, collector.base()))?;

    walk.step("The span: what was sent, and what the view holds")?;
    as_told &= span(scene, &walk, &probe).await?;

    walk.step("The log records: what was sent, and what Loki holds")?;
    match &scene.backends.loki {
        Some(loki) => as_told &= log_records(&walk, &probe, loki).await?,
        None => walk.say("not looked at: no Loki is given (--loki URL or DEMO_LOKI=URL)")?,
    }

    walk.step("Look at it")?;
    walk.say(scene.how_to_see(&probe.trace_id).await)?;
    walk.say("compose/otelcol.yaml says what is taken away: the processors attributes, redaction and transform.")?;
    Ok(as_told)
}

/// An order whose e-mail address and headers are secrets; its trace and its log records must hold none.
async fn services(scene: &Scene, walk: &Walk) -> anyhow::Result<bool> {
    let secrets = Secrets::invented();
    let order = NewOrder { email: secrets.email.clone(), metadata: headers(&secrets)?, ..NewOrder::example() };
    walk.say(format!("e-mail address  {}", secrets.email))?;
    walk.say(format!("authorization   Bearer {}", secrets.bearer))?;
    walk.say(format!("x-card          {}", secrets.card))?;
    walk.say(format!("cookie          password={}", secrets.password))?;
    walk.say("")?;

    let placed = scene.gateway.place(order.kept()).await?;
    walk.say(describe(&placed))?;
    let id = placed.trace_id.context("the gateway's answer names no trace")?;
    let view = &scene.backends.view;
    let Some(recorded) = view.settled(&id, None, PATIENCE).await? else {
        bail!("trace {} has not arrived after {PATIENCE:?}", printable(&id));
    };
    walk.say(format!("\nOf the order the trace says:\n\n{}", facts(&recorded)))?;

    walk.say(format!("\n{}", masked(&recorded)))?;

    let (records, logged) = logged(scene, &id, &recorded).await?;
    let text = view.raw(&id).await?.unwrap_or_default() + &logged;
    let (spans, named) = (recorded.trace.spans.len(), named(&secrets, &text));
    let none = format!("none of the secrets is in its {spans} spans and {records} log records{named}");
    walk.check(secrets.found_in(&text).is_empty(), &none)
}

/// How many log records there are of a trace, and their text; none where no backend for them is given.
async fn logged(scene: &Scene, id: &str, recorded: &Recorded) -> anyhow::Result<(usize, String)> {
    let view = &scene.backends.view;
    match &scene.backends.loki {
        Some(loki) => Ok((lines(&arrived(loki, id, 1).await?), loki.raw(id).await?)),
        None if view.keeps_logs().await => {
            Ok((recorded.trace.logs.len(), view.raw_logs(id).await?.unwrap_or_default()))
        }
        None => Ok((0, String::new())),
    }
}

/// What the Collector found in the services' spans that it took for a secret.
fn masked(recorded: &Recorded) -> String {
    let mut places = Vec::new();
    for span in &recorded.trace.spans {
        let masked = span.attributes.iter().filter(|(_, text)| text.contains(MASK));
        places.extend(masked.map(|(key, text)| printable(&format!("{} {}, {key}: {text}", span.service, span.name))));
    }
    match &places[..] {
        [] => "The Collector had nothing to mask in it.".to_owned(),
        places => format!("What the Collector took for a secret in it:\n  {}", places.join("\n  ")),
    }
}

fn headers(secrets: &Secrets) -> anyhow::Result<MetadataMap> {
    let mut metadata = MetadataMap::new();
    metadata.insert("authorization", format!("Bearer {}", secrets.bearer).parse()?);
    metadata.insert("x-card", secrets.card.parse()?);
    metadata.insert("cookie", format!("password={}", secrets.password).parse()?);
    Ok(metadata)
}

fn facts(recorded: &Recorded) -> String {
    let value = |key: &str| recorded.trace.spans.iter().find_map(|span| span.attribute(key));
    let rows: Vec<_> = FACTS.iter().filter_map(|key| Some([(*key).to_owned(), printable(value(key)?)])).collect();
    table(&rows)
}

async fn span(scene: &Scene, walk: &Walk, probe: &Probe) -> anyhow::Result<bool> {
    let view = &scene.backends.view;
    let arrived = view.awaited(&probe.trace_id, PATIENCE, |_| true).await?;
    let recorded = arrived.with_context(|| format!("the probe's trace has not arrived after {PATIENCE:?}"))?;
    walk.say(compared(&probe.secrets, &of_spans(&probe.spans()), &of_spans(&recorded.document)))?;
    let text = view.raw(&probe.trace_id).await?.unwrap_or_default();
    verdict(walk, probe, &text, "the view")
}

async fn log_records(walk: &Walk, probe: &Probe, loki: &Loki) -> anyhow::Result<bool> {
    let streams = arrived(loki, &probe.trace_id, 2).await?;
    walk.say(compared(&probe.secrets, &of_log_records(&probe.logs()), &of_streams(&streams)))?;
    verdict(walk, probe, &loki.raw(&probe.trace_id).await?, "Loki")
}

/// The log records of a trace, once so many are there.
async fn arrived(loki: &Loki, id: &str, least: usize) -> anyhow::Result<Vec<Value>> {
    let streams = until(PATIENCE, async || loki.of_trace(id).await, |streams| lines(streams) >= least).await?;
    let there = lines(&streams) >= least;
    ensure!(there, "the log records of trace {} have not arrived after {PATIENCE:?}", printable(id));
    Ok(streams)
}

fn lines(streams: &[Value]) -> usize {
    streams.iter().map(|stream| list(&stream["values"]).len()).sum()
}

/// Whether the probe is there and none of its secrets.
fn verdict(walk: &Walk, probe: &Probe, text: &str, backend: &str) -> anyhow::Result<bool> {
    let there = walk.check(
        text.contains(&probe.marker),
        &format!("{backend} holds the probe: its marker {} is there", probe.marker),
    )?;
    let none = probe.secrets.found_in(text).is_empty();
    let text = format!("and none of its secrets, in {} bytes{}", text.len(), named(&probe.secrets, text));
    Ok(walk.check(none, &text)? & there)
}

/// `: the card number, the password` of the secrets that the text holds.
fn named(secrets: &Secrets, text: &str) -> String {
    let found: Vec<_> = secrets.found_in(text).into_iter().map(|name| format!("the {name}")).collect();
    if found.is_empty() { String::new() } else { format!(": {}", found.join(", ")) }
}

/// Every place that was sent with a secret, beside what is held there; places that read the same are told once.
fn compared(secrets: &Secrets, sent: &Places, held: &Places) -> String {
    let mut told = HashSet::new();
    let mut rows = vec![["", "sent", "held"].map(str::to_owned)];
    let cells = (screen::width().saturating_sub(PLACE + MARGINS) / 2).max(20);
    for (place, text) in sent.iter().filter(|(_, text)| !secrets.found_in(text).is_empty()) {
        let held = held.get(place).map_or("(left out)", String::as_str);
        if told.insert((text, held)) {
            let columns = [place, text, held].map(|cell| printable(&cell.replace('\n', " ")));
            rows.extend(side_by_side(&columns, cells));
        }
    }
    table(&rows)
}

/// A row, of as many lines as its longest text takes.
fn side_by_side([place, sent, held]: &[String; 3], cells: usize) -> Vec<[String; 3]> {
    let columns = [vec![fit(place, PLACE.min(width(place)))], wrapped(sent, cells), wrapped(held, cells)];
    let lines = columns.iter().map(Vec::len).max().unwrap_or_default();
    let line = |line: usize| columns.each_ref().map(|column| column.get(line).cloned().unwrap_or_default());
    (0..lines).map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_sent_with_a_secret_stands_beside_what_is_held() {
        let secrets = Secrets::invented();
        let places = |pairs: &[(&str, &str)]| {
            pairs.iter().map(|(place, text)| ((*place).to_owned(), (*text).to_owned())).collect::<Places>()
        };
        let sent = places(&[("card", &secrets.card), ("note", &secrets.email), ("marker", "here")]);
        let table = compared(&secrets, &sent, &places(&[("card", MASK), ("marker", "here")]));
        let rows: Vec<Vec<_>> = table.lines().map(|line| line.split_whitespace().collect()).collect();
        assert_eq!(rows[0], ["sent", "held"]);
        assert_eq!(rows[1..], [vec!["card", &secrets.card, MASK], vec!["note", &secrets.email, "(left", "out)"]]);
    }

    #[test]
    fn secrets_that_got_through_are_named() {
        let secrets = Secrets::invented();
        assert_eq!(named(&secrets, "nothing"), "");
        assert_eq!(
            named(&secrets, &secrets.told()),
            ": the card number, the bearer token, the e-mail address, the password"
        );
    }
}
