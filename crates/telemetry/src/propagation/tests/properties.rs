//! What holds of any headers, and of any number of them.

use http::{HeaderMap, HeaderValue};
use opentelemetry::baggage::BaggageExt;
use opentelemetry::propagation::TextMapPropagator;
use opentelemetry::trace::{SpanContext, TraceContextExt};
use opentelemetry::{Context, KeyValue};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;

use super::{CALLER, MetadataExtractor, Propagation, injected, lines};

/// Lines of `traceparent`, of `tracestate` and of `baggage`.
type Lines = (Vec<Vec<u8>>, Vec<Vec<u8>>, Vec<Vec<u8>>);

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(128) })]

    #[test]
    fn a_trace_is_joined_exactly_if_its_traceparent_is_valid(lines in any_lines(traceparents())) {
        let cx = Propagation::default().extract(&headers(&lines), &Context::new());
        let sent = injected(&cx);
        match valid(&received(&lines.0)) {
            Some((ids, flags)) => {
                prop_assert!(cx.span().span_context().is_remote());
                prop_assert_eq!(super::lines(&sent, "traceparent"), [format!("00-{ids}-{:02x}", flags & 3)]);
            }
            None => {
                prop_assert!(!cx.has_active_span());
                prop_assert_eq!(cx.span().span_context().clone(), SpanContext::NONE);
                prop_assert!(!sent.contains_key("traceparent") && !sent.contains_key("tracestate"));
            }
        }
    }

    #[test]
    fn a_valid_context_is_passed_on_as_it_came(
        (trace, span, flags) in (1..=u128::MAX, 1..=u64::MAX, 0..=3_u8),
        members in vec("[a-z0-9][a-z0-9_*/@-]{0,20}=[!-+.-<>-~ -]{0,20}[!-+>-~]", 1..=32),
        separator in select(vec![",", ", ", " ,\t"]),
    ) {
        let (traceparent, list) = (format!("00-{trace:032x}-{span:016x}-{flags:02x}"), members.join(separator));
        let received = (vec![traceparent.clone().into()], vec![list.clone().into()], Vec::new());
        let sent = injected(&Propagation::default().extract(&headers(&received), &Context::new()));
        prop_assert_eq!(lines(&sent, "traceparent"), [traceparent]);
        prop_assert_eq!(lines(&sent, "tracestate"), [list]);
    }

    #[test]
    fn what_is_read_twice_or_sent_on_is_the_same(lines in any_lines(one(CALLER))) {
        let headers = headers(&lines);
        let propagation = Propagation::default();
        let once = propagation.extract(&headers, &Context::new());
        let twice = propagation.extract(&headers, &once);
        prop_assert_eq!(once.span().span_context().clone(), twice.span().span_context().clone());
        prop_assert_eq!(injected(&once), injected(&twice));
        prop_assert_eq!(injected(&propagation.extract(&injected(&once), &Context::new())), injected(&once));
        if headers.values().all(|line| line.to_str().is_ok()) {
            let as_text = propagation.extract_with_context(&Context::new(), &MetadataExtractor(&headers));
            prop_assert_eq!(injected(&as_text), injected(&once));
        }
    }

    #[test]
    fn what_is_sent_keeps_the_limits(lines in any_lines(one(CALLER)), own in vec(("[a-z]{1,9}", "[ -~é]", 0..400_usize), 0..100)) {
        let cx = Propagation::default().extract(&headers(&lines), &Context::new());
        let own = own.into_iter().map(|(key, value, times)| KeyValue::new(key, value.repeat(times)));
        let received = cx.baggage().iter().map(|(key, (value, _))| KeyValue::new(key.clone(), value.clone()));
        let sent = injected(&cx.with_baggage(received.chain(own).collect::<Vec<_>>()));
        for (name, length, members) in [("traceparent", 55, 1), ("tracestate", 4096, 32), ("baggage", 8192, 64)] {
            let lines = super::lines(&sent, name);
            prop_assert!(lines.len() <= 1 && lines.iter().all(|line| !line.is_empty() && line.len() <= length));
            let all = lines.iter().flat_map(|line| line.split(',')).filter(|member| !member.trim().is_empty());
            prop_assert!(all.count() <= members, "{name}: {lines:?}");
        }
    }
}

/// The ids and the flags of the one valid `traceparent` among the lines: W3C Trace Context level 2, section 3.2, place
/// by place.
fn valid(lines: &[HeaderValue]) -> Option<(String, u8)> {
    let [line] = lines else { return None };
    let line = line.to_str().ok()?.trim_matches([' ', '\t']);
    let well_formed = line.len() >= 55
        && line.bytes().take(55).enumerate().all(|(at, byte)| match at {
            2 | 35 | 52 => byte == b'-',
            _ => byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte),
        });
    let ends = line.len() == 55 || (!line.starts_with("00") && line.as_bytes().get(55) == Some(&b'-'));
    if !well_formed || !ends || line.starts_with("ff") {
        return None;
    }
    let zero = |digits: &str| digits.bytes().all(|digit| digit == b'0');
    let flags = u8::from_str_radix(&line[53..55], 16).ok()?;
    (!zero(&line[3..35]) && !zero(&line[36..52])).then(|| (line[3..52].to_owned(), flags))
}

/// The lines that HTTP lets through.
fn received(lines: &[Vec<u8>]) -> Vec<HeaderValue> {
    lines.iter().filter_map(|line| HeaderValue::from_bytes(line).ok()).collect()
}

fn headers((traceparents, tracestates, baggage): &Lines) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, lines) in [("traceparent", traceparents), ("tracestate", tracestates), ("baggage", baggage)] {
        for line in received(lines) {
            headers.append(name, line);
        }
    }
    headers
}

/// These lines of `traceparent` with any others beside them.
fn any_lines(traceparents: impl Strategy<Value = Vec<Vec<u8>>>) -> impl Strategy<Value = Lines> {
    let tracestate = prop_oneof![
        3 => list("[a-z0-9][a-z0-9@]{0,5}=[a-z:; ]{0,9}[a-z]", 40),
        1 => long_list(vec!["v"], 250, 33),
        1 => noise(),
    ];
    let baggage = prop_oneof![
        3 => list("[a-z]{1,9}=[!-+.-~ -]{0,9}(;[a-z]=[a-z%é]{1,3})?", 100),
        1 => long_list(vec!["v", "%41", "%c3"], 3000, 9),
        1 => noise(),
    ];
    (traceparents, vec(tracestate, 0..3), vec(baggage, 0..3))
}

fn one(line: &'static str) -> impl Strategy<Value = Vec<Vec<u8>>> {
    Just(vec![line.into()])
}

/// No, one or two lines, most of them valid or with one fault.
fn traceparents() -> impl Strategy<Value = Vec<Vec<u8>>> {
    const ODD: [(usize, &str); 16] = [
        (0, "ff"),
        (0, "0A"),
        (0, "0"),
        (1, "00000000000000000000000000000000"),
        (1, "1234567890123456789012345678901"),
        (1, "ABCDEFABCDEFABCDEFABCDEFABCDEFAB"),
        (2, "0000000000000000"),
        (2, "12345678901234567"),
        (2, "123456789012345g"),
        (3, "0"),
        (3, "0G"),
        (3, "001"),
        (4, "-"),
        (4, "-x"),
        (4, "x"),
        (4, " \t"),
    ];
    let valid = ("(00|01|cc)", "[0-9a-f]{32}", "[0-9a-f]{16}", "[0-9a-f]{2}");
    let line = (valid, option::of(select(ODD.to_vec()))).prop_map(|((version, trace, span, flags), odd)| {
        let mut parts = [version, trace, span, flags, String::new()];
        odd.into_iter().for_each(|(at, part)| part.clone_into(&mut parts[at]));
        let [version, trace, span, flags, end] = parts;
        format!("{version}-{trace}-{span}-{flags}{end}").into_bytes()
    });
    let line = prop_oneof![6 => line, 1 => noise()];
    prop_oneof![6 => line.clone().prop_map(|line| vec![line]), 1 => vec(line, 0..3)]
}

fn list(member: &'static str, most: usize) -> impl Strategy<Value = Vec<u8>> {
    (vec(member, 0..most), select(vec![",", ", ", ",,"]))
        .prop_map(|(members, separator)| members.join(separator).into_bytes())
}

/// About as many members, whose values have about `length` times one of the characters.
fn long_list(characters: Vec<&'static str>, length: usize, most: usize) -> impl Strategy<Value = Vec<u8>> {
    let member = ("[a-z]{1,9}", select(characters), length / 2..=length)
        .prop_map(|(key, character, times)| format!("{key}={}", character.repeat(times)));
    vec(member, most / 2..most).prop_map(|members| members.join(",").into_bytes())
}

/// Any bytes, and now and then very many.
fn noise() -> impl Strategy<Value = Vec<u8>> {
    (vec(any::<u8>(), 0..80), select(vec![1, 1, 1, 400])).prop_map(|(bytes, times)| bytes.repeat(times))
}
