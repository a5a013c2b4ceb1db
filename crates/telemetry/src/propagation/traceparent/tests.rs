use proptest::prelude::*;

use super::*;

const VALID: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

#[test]
fn only_the_exact_form_is_valid() {
    check(VALID, Some(VALID));
    check(" \t00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01\t", Some(VALID));
    check("", None);
    check("   ", None);
    check("00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01", None);
    check("00-4bf92f3577b34da6a3ce929d0e0e4736-00F067AA0BA902B7-01", None);
    check("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-0A", None);
    check("0A-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", None);
    check("+0-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", None);
    check("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-", None);
    check("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-extra", None);
    check("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01,", None);
    check("00_4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", None);
    check("00-4bf92f3577b34da6a3ce929d0e0e4736_00f067aa0ba902b7-01", None);
    check("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7_01", None);
    check("00-00000000000000000000000000000000-00f067aa0ba902b7-01", None);
    check("00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01", None);
    check("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba9é-01", None);
}

#[test]
fn a_later_version_is_read_as_far_as_it_is_known() {
    check("01-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", Some(VALID));
    check("fe-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-", Some(VALID));
    check("cc-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-more", Some(VALID));
    check("cc-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01more", None);
    check("cc-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7", None);
    check("ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", None);
}

#[test]
fn only_known_flags_are_kept() {
    for (flags, kept) in [("00", "00"), ("01", "01"), ("02", "02"), ("03", "03"), ("04", "00"), ("ff", "03")] {
        check(&format!("{}{flags}", &VALID[..53]), Some(&format!("{}{kept}", &VALID[..53])));
    }
}

#[test]
fn one_line_only() {
    let line = VALID.as_bytes();
    assert!(TraceParent::of_lines([line].into_iter()).is_some());
    assert!(TraceParent::of_lines([].into_iter()).is_none());
    assert!(TraceParent::of_lines([line, line].into_iter()).is_none());
    assert!(TraceParent::of_lines([line, b""].into_iter()).is_none());
}

proptest! {
    #[test]
    fn what_is_written_is_read_again(trace_id in 1..=u128::MAX, span_id in 1..=u64::MAX, flags in 0..=3_u8) {
        let traceparent = TraceParent {
            trace_id: TraceId::from(trace_id),
            span_id: SpanId::from(span_id),
            flags: TraceFlags::new(flags),
        };
        let header = traceparent.header();
        prop_assert_eq!(header.to_str().unwrap(), format!("00-{trace_id:032x}-{span_id:016x}-{flags:02x}"));
        prop_assert_eq!(TraceParent::parse(header.as_bytes()), Some(traceparent));
    }

    #[test]
    fn a_damaged_header_is_read_as_the_reference_reads_it(
        version in prop_oneof![Just("00"), Just("cc"), Just("ff")],
        tail in prop_oneof![Just(""), Just("-"), Just("-x"), Just("x"), Just(" ")],
        damage in prop::collection::vec((0..60_usize, any::<prop::sample::Index>(), 0..4_u8), 0..3),
    ) {
        let mut value = format!("{version}{}{tail}", &VALID[2..]).into_bytes();
        for (at, byte, kind) in damage {
            let byte = *byte.get(b"0f9a-. \tAG\xc3");
            let at = at.min(value.len() - 1);
            match kind {
                0 => value[at] = byte,
                1 => value.insert(at, byte),
                2 => drop(value.remove(at)),
                _ => value.truncate(at.max(1)),
            }
        }
        prop_assert_eq!(TraceParent::parse(&value), reference(&value), "{:?}", String::from_utf8_lossy(&value));
    }

    #[test]
    fn any_bytes_are_read_as_the_reference_reads_them(value in prop::collection::vec(any::<u8>(), 0..70)) {
        prop_assert_eq!(TraceParent::parse(&value), reference(&value));
    }
}

/// The specification's words, field by field, with no regard to cost.
fn reference(value: &[u8]) -> Option<TraceParent> {
    let text = String::from_utf8_lossy(value);
    let text = text.trim_matches([' ', '\t']);
    let fields: Vec<&str> = text.split('-').collect();
    let [version, trace_id, span_id, flags, more @ ..] = &fields[..] else { return None };
    let lengths = [version, trace_id, span_id, flags].map(|field| field.len());
    let hexadecimal = |field: &&str| field.chars().all(|c| "0123456789abcdef".contains(c));
    if lengths != [2, 32, 16, 2] || !fields[..4].iter().all(hexadecimal) {
        return None;
    }
    if *version == "ff" || (*version == "00" && !more.is_empty()) {
        return None;
    }
    let trace_id = u128::from_str_radix(trace_id, 16).ok().filter(|id| *id != 0)?;
    let span_id = u64::from_str_radix(span_id, 16).ok().filter(|id| *id != 0)?;
    let flags = TraceFlags::new(u8::from_str_radix(flags, 16).ok()? & 3);
    Some(TraceParent { trace_id: TraceId::from(trace_id), span_id: SpanId::from(span_id), flags })
}

#[track_caller]
fn check(value: &str, expected: Option<&str>) {
    let parsed = TraceParent::parse(value.as_bytes()).map(|traceparent| traceparent.header());
    let parsed = parsed.as_ref().map(|header| header.to_str().unwrap());
    assert_eq!(parsed, expected, "{value:?}");
}
