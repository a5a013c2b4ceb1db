//! The cases of W3C's own harness (github.com/w3c/trace-context, `test/test.py`) at `STRICT_LEVEL=2 SPEC_LEVEL=2`, each
//! under the harness's name: what comes in, and what a service that makes spans sends on.

use std::collections::HashSet;

use super::{TRACE, forwarded, ids, lines};

/// Trace id and parent id, as the harness sends them.
const IDS: &str = "12345678901234567890123456789012-1234567890123456";

#[test]
fn a_valid_traceparent_is_continued() {
    continued("traceparent_included_tracestate_missing", "traceparent", &format!("00-{IDS}-01"));
    continued("traceparent_header_name_valid_casing", "TraceParent", &format!("00-{IDS}-01"));
    continued("traceparent_header_name_valid_casing", "TrAcEpArEnT", &format!("00-{IDS}-01"));
    continued("traceparent_header_name_valid_casing", "TRACEPARENT", &format!("00-{IDS}-01"));
    continued("traceparent_version_0xcc", "traceparent", &format!("cc-{IDS}-01"));
    continued("traceparent_version_0xcc", "traceparent", &format!("cc-{IDS}-01-what-the-future-will-be-like"));
    continued("traceparent_ows_handling", "traceparent", &format!(" 00-{IDS}-01"));
    continued("traceparent_ows_handling", "traceparent", &format!("\t00-{IDS}-01"));
    continued("traceparent_ows_handling", "traceparent", &format!("00-{IDS}-01 "));
    continued("traceparent_ows_handling", "traceparent", &format!("00-{IDS}-01\t"));
    continued("traceparent_ows_handling", "traceparent", &format!("\t 00-{IDS}-01 \t"));
}

#[test]
fn an_invalid_traceparent_starts_a_new_trace() {
    let (trace, parent) = IDS.split_once('-').unwrap();
    restarted("both_traceparent_and_tracestate_missing", &[]);
    restarted("traceparent_header_name", &[("trace-parent", &format!("00-{IDS}-01"))]);
    restarted("traceparent_header_name", &[("trace.parent", &format!("00-{IDS}-01"))]);
    let duplicated = [("traceparent", &*format!("00-{IDS}-01")), ("traceparent", &format!("00-{IDS}-01"))];
    restarted("traceparent_duplicated", &duplicated);
    let invalid = [
        ("traceparent_version_0x00", format!("00-{IDS}-01.")),
        ("traceparent_version_0x00", format!("00-{IDS}-01-what-the-future-will-be-like")),
        ("traceparent_version_0xcc", format!("cc-{IDS}-01.what-the-future-will-be-like")),
        ("traceparent_version_0xff", format!("ff-{IDS}-01")),
        ("traceparent_version_illegal_characters", format!(".0-{IDS}-01")),
        ("traceparent_version_illegal_characters", format!("0.-{IDS}-01")),
        ("traceparent_version_too_long", format!("000-{IDS}-01")),
        ("traceparent_version_too_long", format!("0000-{IDS}-01")),
        ("traceparent_version_too_short", format!("0-{IDS}-01")),
        ("traceparent_trace_id_all_zero", format!("00-{:032}-{parent}-01", 0)),
        ("traceparent_trace_id_illegal_characters", format!("00-.{}-{parent}-01", &trace[1..])),
        ("traceparent_trace_id_illegal_characters", format!("00-{}.-{parent}-01", &trace[..31])),
        ("traceparent_trace_id_too_long", format!("00-{trace}3-{parent}-01")),
        ("traceparent_trace_id_too_short", format!("00-{}-{parent}-01", &trace[..31])),
        ("traceparent_parent_id_all_zero", format!("00-{trace}-{:016}-01", 0)),
        ("traceparent_parent_id_illegal_characters", format!("00-{trace}-.{}-01", &parent[1..])),
        ("traceparent_parent_id_illegal_characters", format!("00-{trace}-{}.-01", &parent[..15])),
        ("traceparent_parent_id_too_long", format!("00-{trace}-{parent}7-01")),
        ("traceparent_parent_id_too_short", format!("00-{trace}-{}-01", &parent[..15])),
        ("traceparent_trace_flags_illegal_characters", format!("00-{IDS}-.0")),
        ("traceparent_trace_flags_illegal_characters", format!("00-{IDS}-0.")),
        ("traceparent_trace_flags_too_long", format!("00-{IDS}-001")),
        ("traceparent_trace_flags_too_short", format!("00-{IDS}-1")),
    ];
    for (case, value) in &invalid {
        restarted(case, &[("traceparent", value)]);
    }
    restarted("tracestate_included_traceparent_missing", &[("tracestate", "foo=1,bar=2")]);
}

#[test]
fn a_valid_tracestate_is_inherited() {
    inherited("tracestate_included_traceparent_included", &["foo=1,bar=2"], "foo=1,bar=2");
    inherited("tracestate_empty_header", &["foo=1", ""], "foo=1");
    inherited("tracestate_empty_header", &["", "foo=1"], "foo=1");
    let different_keys = ["foo=1,bar=2", "rojo=1,congo=2", "baz=3"];
    inherited("tracestate_multiple_headers_different_keys", &different_keys, "foo=1,bar=2,rojo=1,congo=2,baz=3");
    inherited("tracestate_duplicated_keys", &["foo=1,foo=1"], "foo=1,foo=1");
    inherited("tracestate_duplicated_keys", &["foo=1,foo=2"], "foo=1,foo=2");
    inherited("tracestate_duplicated_keys", &["foo=1", "foo=1"], "foo=1,foo=1");
    inherited("tracestate_duplicated_keys", &["foo=1", "foo=2"], "foo=1,foo=2");
    let value: String = (' '..='~').filter(|c| !",=".contains(*c)).collect();
    for key in ["abcdefghijklmnopqrstuvwxyz0123456789_-*/", "abcdefghijklmnopqrstuvwxyz0123456789_-*/@a-z0-9_-*/"] {
        let list = format!("{key}={value}");
        inherited("tracestate_all_allowed_characters", &[&list], &list);
    }
    for list in ["foo=1 \t , \t bar=2, \t baz=3", "foo=1\t \t,\t \tbar=2,\t \tbaz=3"] {
        inherited("tracestate_ows_handling", &[list], list);
    }
    for list in [" foo=1", "\tfoo=1", "foo=1 ", "foo=1\t", "\t foo=1 \t"] {
        inherited("tracestate_ows_handling", &[list], "foo=1");
    }
    for list in ["foo@=1,bar=2", "foo@@bar=1,bar=2", "foo@bar@baz=1,bar=2"] {
        inherited("tracestate_key_illegal_vendor_format", &[list], list);
    }
    for key in
        ["z".repeat(256), "t".repeat(241) + "@" + &"v".repeat(14), "t".repeat(242) + "@v", format!("t@{:v<15}", "")]
    {
        let list = format!("{key}=1");
        inherited("tracestate_key_length_limit", &["foo=1", &list], &format!("foo=1,{list}"));
    }
    let members: Vec<String> = (1..=32).map(|i| format!("bar{i:02}={i:02}")).collect();
    let split: Vec<String> = members.chunks(10).map(|line| line.join(",")).collect();
    let split: Vec<&str> = split.iter().map(String::as_str).collect();
    inherited("tracestate_member_count_limit", &split, &members.join(","));
}

#[test]
fn the_name_of_tracestate_matches_in_any_case() {
    for name in ["TraceState", "TrAcEsTaTe", "TRACESTATE"] {
        let sent = forwarded(&[("traceparent", &format!("00-{IDS}-00")), (name, "foo=1")]);
        assert_eq!(lines(&sent, "tracestate"), ["foo=1"], "tracestate_header_name_valid_casing");
    }
    for name in ["trace-state", "trace.state"] {
        let sent = forwarded(&[("traceparent", &format!("00-{IDS}-00")), (name, "foo=1")]);
        assert!(lines(&sent, "tracestate").is_empty(), "tracestate_header_name");
    }
}

#[test]
fn an_invalid_tracestate_is_discarded_alone() {
    discarded("tracestate_empty_header", &[""]);
    discarded("tracestate_key_illegal_characters", &["foo =1"]);
    discarded("tracestate_key_illegal_characters", &["FOO=1"]);
    discarded("tracestate_key_illegal_characters", &["foo.bar=1"]);
    discarded("tracestate_key_illegal_vendor_format", &["@foo=1,bar=2"]);
    discarded("tracestate_key_length_limit", &["foo=1", &format!("{}=1", "z".repeat(257))]);
    discarded("tracestate_value_illegal_characters", &["foo=bar=baz"]);
    discarded("tracestate_value_illegal_characters", &["foo=,bar=3"]);
    let members: Vec<String> = (1..=33).map(|i| format!("bar{i:02}={i:02}")).collect();
    discarded("tracestate_member_count_limit", &[&members[..30].join(","), &members[30..].join(",")]);
}

#[test]
fn the_random_flag_is_passed_on_with_the_decision_not_to_record() {
    let sent = forwarded(&[("traceparent", &format!("00-{IDS}-02"))]);
    assert!(lines(&sent, "traceparent")[0].ends_with("-02"), "propagates_random_flag");
}

#[test]
fn each_request_has_a_parent_id_of_its_own() {
    let cases = [
        ("multiple_requests_with_valid_traceparent", format!("00-{IDS}-01"), true),
        ("multiple_requests_without_traceparent", String::new(), false),
        ("multiple_requests_with_illegal_traceparent", format!("00-{:032}-1234567890123456-01", 0), false),
    ];
    for (case, traceparent, same_trace) in &cases {
        let sent: Vec<_> = (0..3).map(|_| ids(&forwarded(&[("traceparent", traceparent)]))).collect();
        let parents: HashSet<_> = sent.iter().map(|(_, parent)| parent).collect();
        assert_eq!(parents.len(), 3, "{case}");
        assert!(sent.iter().all(|(trace, _)| (trace == TRACE) == *same_trace), "{case}");
    }
}

#[track_caller]
fn continued(case: &str, name: &str, value: &str) {
    let (trace, parent) = ids(&forwarded(&[(name, value)]));
    assert_eq!(trace, TRACE, "{case}: {value:?}");
    assert_ne!(parent, "1234567890123456", "{case}: {value:?}");
}

#[track_caller]
fn restarted(case: &str, headers: &[(&str, &str)]) {
    let mut headers = headers.to_vec();
    headers.push(("tracestate", "foo=1"));
    let sent = forwarded(&headers);
    let (trace, _) = ids(&sent);
    assert!(!trace.contains(&TRACE[1..31]), "{case}: {headers:?} gave {trace}");
    assert!(lines(&sent, "tracestate").is_empty(), "{case}: a new trace has no tracestate");
}

#[track_caller]
fn inherited(case: &str, tracestate: &[&str], expected: &str) {
    assert_eq!(tracestate_of(tracestate), [expected], "{case}: {tracestate:?}");
}

#[track_caller]
fn discarded(case: &str, tracestate: &[&str]) {
    assert!(tracestate_of(tracestate).is_empty(), "{case}: {tracestate:?}");
}

/// The `tracestate` that is sent on when these lines came with a valid traceparent.
#[track_caller]
fn tracestate_of(lines_in: &[&str]) -> Vec<String> {
    let traceparent = format!("00-{IDS}-00");
    let mut headers = vec![("traceparent", traceparent.as_str())];
    headers.extend(lines_in.iter().map(|line| ("tracestate", *line)));
    let sent = forwarded(&headers);
    assert_eq!(ids(&sent).0, TRACE);
    lines(&sent, "tracestate")
}
