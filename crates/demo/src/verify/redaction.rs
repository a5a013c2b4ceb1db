//! Secrets that were told to the shop, or to the Collector, reach no backend.

use std::collections::BTreeSet;
use std::time::{Duration, SystemTime};

use anyhow::{Context, bail, ensure};

use super::chain::in_loki;
use super::run::{Run, Verdict};
use crate::backend::Backend;
use crate::loki::Loki;
use crate::patience::{PATIENCE, eventually};
use crate::probe::Probe;
use crate::secrets::Secrets;
use crate::shop::NewOrder;

/// How much earlier than the run's begin is looked: clocks differ.
const MARGIN: Duration = Duration::from_secs(10);

/// What the services are told in fields, in metadata and in malformed requests is in no trace and in no log record.
pub(super) async fn services_hold_back(run: &Run) -> anyhow::Result<Verdict> {
    let secrets = Secrets::invented();
    let mut traces = Vec::new();
    for order in refused(&secrets)? {
        let (placed, id) = run.place(order).await?;
        ensure!(!placed.succeeded(), "an order that should be refused was paid (trace {id})");
        traces.push(id);
    }
    // The last one, so that what the others left behind arrives no later.
    let order = NewOrder { email: secrets.email.clone(), ..NewOrder::example() };
    traces.push(run.succeed(overladen(order, &secrets)?.kept()).await?.1);
    let places = arrived(run, &traces).await?;

    let mut texts = Vec::new();
    for id in &traces {
        texts.extend(told_of(run, id).await?);
    }
    ensure_clean(&secrets, &texts)?;
    if let Some(loki) = &run.backends.loki {
        no_log_record_holds(&secrets, loki, run.began() - MARGIN).await?;
    }
    // Where there is a Collector, what the services sent is seen only after it.
    let behind = if run.backends.collector.is_some() { ", behind the Collector's redaction" } else { "" };
    Verdict::held(format!("0 hits for 4 secrets of {} requests in {places}{behind}", traces.len()))
}

/// Orders that the shop refuses, each for another reason, with the secrets wherever somebody might put them.
fn refused(secrets: &Secrets) -> anyhow::Result<[NewOrder; 3]> {
    let key = format!("{} {} {}", secrets.email, secrets.password, NewOrder::example().key);
    let stranger = || NewOrder { email: secrets.email.clone(), key: key.clone(), ..NewOrder::example() };
    let declined = NewOrder { token: secrets.card.clone(), ..stranger() };
    let reused = NewOrder { token: secrets.grouped_card("-"), ..stranger() };
    let malformed = NewOrder {
        items: vec![(secrets.password.clone(), 1), (secrets.grouped_card(" "), -1)],
        email: secrets.told(),
        token: format!("Bearer {}\n", secrets.bearer),
        ..NewOrder::example()
    };
    Ok([overladen(declined, secrets)?, overladen(reused, secrets)?, overladen(malformed, secrets)?].map(NewOrder::kept))
}

/// The order with the secrets in its metadata besides.
fn overladen(mut order: NewOrder, secrets: &Secrets) -> anyhow::Result<NewOrder> {
    let Secrets { card, bearer, email, password } = secrets;
    for (key, value) in [
        ("authorization", format!("Bearer {bearer}")),
        ("cookie", format!("session={bearer}; password={password}")),
        ("x-password", password.clone()),
        ("x-card-number", card.clone()),
        ("baggage", format!("card={card},user.email={email},password={password},authorization={bearer}")),
    ] {
        order.metadata.insert(key, value.parse().with_context(|| format!("{key} cannot hold a secret"))?);
    }
    Ok(order)
}

/// Waits until each backend holds what it gets of the traces, and names the backends.
async fn arrived(run: &Run, traces: &[String]) -> anyhow::Result<String> {
    let mut places = vec!["the view"];
    for id in traces {
        run.trace(id, |_| true).await?;
    }
    if let Some(tempo) = &run.backends.tempo {
        places.push("Tempo");
        for id in traces {
            let there = eventually(PATIENCE, async || tempo.trace(id).await).await?;
            ensure!(there.is_some(), "trace {id} has not arrived at Tempo in {PATIENCE:?}");
        }
    }
    if let (Some(loki), Some(last)) = (&run.backends.loki, traces.last()) {
        places.push("Loki");
        let logs = async || Ok(Some(in_loki(loki, last).await?).filter(|logs| !logs.is_empty()));
        ensure!(eventually(PATIENCE, logs).await?.is_some(), "no log record of trace {last} has arrived at Loki");
    }
    Ok(places.join(", "))
}

/// Whatever the backends hold of a trace, as they write it. Each has it by then: what is not there would be clean too.
async fn told_of(run: &Run, id: &str) -> anyhow::Result<Vec<(&'static str, String)>> {
    let view = &run.backends.view;
    let lost = |place: &str| format!("{place} has trace {id} no more");
    let mut texts = vec![("the view", view.raw(id).await?.with_context(|| lost("the view"))?)];
    texts.push(("the view's logs", view.raw_logs(id).await?.unwrap_or_default()));
    if let Some(tempo) = &run.backends.tempo {
        texts.push(("Tempo", tempo.raw(id).await?.with_context(|| lost("Tempo"))?));
    }
    if let Some(loki) = &run.backends.loki {
        texts.push(("Loki", loki.raw(id).await?));
    }
    Ok(texts)
}

/// Says which secrets are where, if any is anywhere.
fn ensure_clean(secrets: &Secrets, texts: &[(&'static str, String)]) -> anyhow::Result<()> {
    let found = texts.iter().map(|(place, text)| (place, secrets.found_in(text)));
    let leaks = found.filter(|(_, names)| !names.is_empty());
    let leaks: BTreeSet<_> = leaks.map(|(place, names)| format!("{place} holds {}", names.join(", "))).collect();
    if !leaks.is_empty() {
        bail!(Vec::from_iter(leaks).join("; "));
    }
    Ok(())
}

/// The same for log records that belong to no trace: for their lines, and for what else Loki keeps of them.
async fn no_log_record_holds(secrets: &Secrets, loki: &Loki, since: SystemTime) -> anyhow::Result<()> {
    for (name, ways) in secrets.written() {
        for way in ways {
            let found = loki.query(&format!(r#"{{service_name=~".+"}} |= "{way}""#)).await?;
            ensure!(found.is_empty(), "Loki holds the {name} of a request");
        }
    }
    let found = secrets.found_in(&loki.raw_since(since).await?);
    ensure!(found.is_empty(), "Loki holds the {} of a request", found.join(", the "));
    Ok(())
}

/// A span and log records full of secrets arrive, sent past the services, and the Collector has taken the secrets out.
pub(super) async fn a_probe_is_redacted(run: &Run) -> anyhow::Result<Verdict> {
    let Some(collector) = &run.backends.collector else { return Verdict::skipped("no --collector") };
    let probe = Probe::new();
    probe.send(collector).await?;
    let places = probe_arrived(run, &probe, collector).await?;
    ensure_clean(&probe.secrets, &told_of(run, &probe.trace_id).await?)?;
    Verdict::held(format!("a probe with 4 secrets arrived in {places}, none of them did"))
}

/// Waits until the probe's marker is in every backend: what did not arrive would be clean too.
async fn probe_arrived(run: &Run, probe: &Probe, collector: &Backend) -> anyhow::Result<String> {
    let Probe { trace_id: id, marker, .. } = probe;
    let missing = |place| format!("the probe sent to {} has not arrived in {place} in {PATIENCE:?}", collector.base());
    let mut places = vec!["the view"];
    let marked = |text: Option<String>| Ok(text.filter(|text| text.contains(marker)));
    let view = async || marked(run.backends.view.raw(id).await?);
    eventually(PATIENCE, view).await?.with_context(|| missing("the view"))?;
    if let Some(tempo) = &run.backends.tempo {
        places.push("Tempo");
        eventually(PATIENCE, async || marked(tempo.raw(id).await?)).await?.with_context(|| missing("Tempo"))?;
    }
    if let Some(loki) = &run.backends.loki {
        places.push("Loki");
        eventually(PATIENCE, async || marked(Some(loki.raw(id).await?))).await?.with_context(|| missing("Loki"))?;
    }
    Ok(places.join(", "))
}
