//! Why a trace was kept, told by the trace itself.

use super::Sample;
use crate::columns::printable;
use crate::trace::Trace;
use crate::view::View;
use crate::waterfall::duration;

/// Why the first of the traces that the view holds was kept.
pub(super) async fn of(view: &View, sample: &Sample) -> anyhow::Result<String> {
    for id in &sample.trace_ids {
        if let Some(recorded) = view.trace(id).await? {
            return Ok(told(&recorded.trace));
        }
    }
    Ok("-".to_owned())
}

/// What speaks for keeping the trace, the strongest first.
fn told(trace: &Trace) -> String {
    let (start, end) = trace.extent();
    let failed = trace.spans.iter().filter(|span| span.failed).min_by_key(|span| span.start);
    if let Some(failed) = failed {
        let code = failed.attribute("rpc.status_code").map(|code| format!(", {code}")).unwrap_or_default();
        return format!(
            "a span failed: {}",
            printable(&format!("{} {} {}{code}", failed.service, failed.kind, method(&failed.name)))
        );
    }
    if let Some(asked) = trace.spans.iter().find(|span| span.attribute("demo.keep") == Some("true")) {
        return format!("demo.keep is set on {}'s span", printable(&asked.service));
    }
    let took = duration(end - start);
    if end - start >= 1_000_000_000 {
        format!("it took {took}")
    } else {
        format!("chance: no span failed, it took {took}")
    }
}

/// `PlaceOrder` of `shop.gateway.v1.ShopService/PlaceOrder`.
fn method(name: &str) -> &str {
    name.rsplit('/').next().unwrap_or(name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trace::{Kind, Span};

    fn span(end: u64, attributes: &[(&str, &str)]) -> Span {
        let attributes = attributes.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        let (service, name) = ("gateway".to_owned(), "shop.v1.Shop/Place".to_owned());
        Span { service, name, kind: Kind::Client, end, attributes, ..Span::default() }
    }

    #[track_caller]
    fn check(span: Span, expected: &str) {
        assert_eq!(told(&Trace { spans: vec![span], logs: Vec::new() }), expected);
    }

    #[test]
    fn a_trace_tells_why_it_was_kept() {
        let refused = span(5_000_000, &[("rpc.status_code", "FAILED_PRECONDITION")]);
        check(Span { failed: true, ..refused }, "a span failed: gateway CLIENT Place, FAILED_PRECONDITION");
        check(span(3_020_000_000, &[]), "it took 3.02 s");
        check(span(5_000_000, &[("demo.keep", "true")]), "demo.keep is set on gateway's span");
        check(span(5_000_000, &[]), "chance: no span failed, it took 5.0 ms");
    }
}
