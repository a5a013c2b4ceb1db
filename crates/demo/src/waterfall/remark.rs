//! What is worth noting of a span beside its time: how it failed, and which attempt it was.

use crate::trace::Span;

/// The gRPC code's attribute: today's name and the one of conventions 1.39 to 1.44, which other services still send.
const RPC_CODES: [&str; 2] = ["rpc.status_code", "rpc.response.status_code"];

/// `! UNAVAILABLE`, `NOT_FOUND` (a code that the server does not count as its failure), `retry 2`, …; mostly empty.
pub(super) fn remark(span: &Span) -> String {
    let code = RPC_CODES.iter().find_map(|key| span.attribute(key)).filter(|code| *code != "OK");
    let http = span.attribute("http.response.status_code").filter(|code| code.starts_with(['4', '5']));
    let error = span.attribute("error.type").filter(|_| span.failed);
    let code = match (code.or(http).or(error), span.failed) {
        (Some(code), true) => Some(format!("! {code}")),
        (None, true) => Some("! ERROR".to_owned()),
        (code, false) => code.map(str::to_owned),
    };
    let retry = span.attribute("http.request.resend_count").map(|count| format!("retry {count}"));
    [code, retry].into_iter().flatten().collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(failed: bool, attributes: &[(&str, &str)], expected: &str) {
        let attributes = attributes.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        assert_eq!(remark(&Span { failed, attributes, ..Span::default() }), expected);
    }

    #[test]
    fn remarks() {
        check(false, &[("rpc.status_code", "OK")], "");
        check(false, &[("rpc.status_code", "NOT_FOUND")], "NOT_FOUND");
        check(true, &[("rpc.status_code", "UNAVAILABLE"), ("error.type", "UNAVAILABLE")], "! UNAVAILABLE");
        check(true, &[("rpc.response.status_code", "INTERNAL")], "! INTERNAL");
        check(true, &[("http.response.status_code", "503"), ("http.request.resend_count", "2")], "! 503, retry 2");
        check(false, &[("http.response.status_code", "201"), ("http.request.resend_count", "1")], "retry 1");
        check(true, &[("error.type", "timeout")], "! timeout");
        check(true, &[], "! ERROR");
    }
}
