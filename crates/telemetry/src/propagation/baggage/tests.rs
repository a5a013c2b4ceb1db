use proptest::prelude::*;

use super::*;

#[test]
fn values_survive_a_round_trip() {
    for value in ["100%41", "a,b", "é", "a=b", " ", "a;b", "\"\\\"", "%", "%25", "", "日本", "\t\r\n\0"] {
        let baggage: Baggage = [("key", value)].into_iter().map(|(k, v)| opentelemetry::KeyValue::new(k, v)).collect();
        let header = format(&baggage).unwrap();
        assert_eq!(parse_all(&[header.as_bytes()]), [("key", value, "")].map(owned), "{header:?}");
    }
}

#[test]
fn members() {
    check(&["user=7"], &[("user", "7", "")]);
    check(&["b=2,a=1"], &[("a", "1", ""), ("b", "2", "")]);
    check(&["user = 7 , a\t=\t1"], &[("a", "1", ""), ("user", "7", "")]);
    check(&["a=1=2=="], &[("a", "1=2==", "")]);
    check(&["a="], &[("a", "", "")]);
    check(&["a=%C3%A9%2C+%20x"], &[("a", "é,+ x", "")]);
    check(&["a=%e9"], &[("a", "\u{fffd}", "")]);
    check(&["a=100%"], &[("a", "100%", "")]);
    check(&["a%41=1"], &[("a%41", "1", "")]);
    check(&["a=1;p1;p2=x%20y ; p3"], &[("a", "1", "p1;p2=x%20y ; p3")]);
    check(&["a=1; "], &[("a", "1", "")]);
    check(&["a=1;é,b=2"], &[("a", "1", ""), ("b", "2", "")]);
    check(&["a=1", "b=2", "", "c=3"], &[("a", "1", ""), ("b", "2", ""), ("c", "3", "")]);
    check(&["a=1", "a=2;p"], &[("a", "2", "p")]);
}

#[test]
fn a_malformed_member_is_left_out_alone() {
    for malformed in ["", "a", "=", "=1", "a b=1", "a(=1", "é=1", "a=b c", "a=\"q\"", "a=\\", "a=é", ";p=1"] {
        check(&[malformed], &[]);
        check(&[&format!("before=1,{malformed},after=2")], &[("after", "2", ""), ("before", "1", "")]);
    }
    assert!(parse([b"a=\xff,b=1".as_slice()].into_iter()).is_some_and(|baggage| baggage.len() == 1));
}

#[test]
fn the_first_64_members_are_kept() {
    let list: Vec<String> = (0..200).map(|i| format!("k{i:03}=v")).collect();
    let kept = parse_all(&[list[..10].join(",").as_bytes(), list[10..].join(",").as_bytes()]);
    assert!(kept.iter().map(|(key, ..)| key.as_str()).eq(list[..64].iter().map(|member| &member[..4])));
    check(&[&format!("{}b=1", "a=1,".repeat(64))], &[("a", "1", "")]);
    check(&[&format!("a=1{}b=1", ",".repeat(64))], &[("a", "1", "")]);
}

#[test]
fn what_exceeds_8192_bytes_is_not_read() {
    let whole = format!("a={}", "v".repeat(8190));
    assert_eq!(parse_all(&[whole.as_bytes()]).len(), 1);
    assert_eq!(parse_all(&[format!("{whole}v").as_bytes()]).len(), 0);
    let cut = format!("a=1,b={}", "v".repeat(8190));
    check(&[&cut], &[("a", "1", "")]);
    check(&[&format!("a=1,b=2,{}", ",".repeat(9000)), "c=3"], &[("a", "1", ""), ("b", "2", "")]);
    check(&[&format!("a={}", "v".repeat(8180)), "bb=123456789"], &[("a", &"v".repeat(8180), "")]);
    check(&[&format!("a={}", "v".repeat(8180)), "bb=123456"], &[("a", &"v".repeat(8180), ""), ("bb", "123456", "")]);
}

#[test]
fn what_is_sent_has_whole_members_only_and_stays_below_8192_bytes() {
    let baggage: Baggage = [("a", "é".repeat(1000)), ("b", "é".repeat(1000)), ("c", "x".into())]
        .map(|(k, v)| opentelemetry::KeyValue::new(k, v))
        .into();
    let header = format(&baggage).unwrap();
    assert!(parse_all(&[header.as_bytes()]).iter().map(|(key, ..)| key.as_str()).eq(["a", "c"]));
    let longest: Baggage = [opentelemetry::KeyValue::new("k", "v".repeat(8190))].into();
    assert_eq!(format(&longest).unwrap().len(), 8192);
    assert_eq!(format(&Baggage::new()), None);
}

#[test]
fn the_order_is_that_of_the_keys() {
    let mut baggage = Baggage::new();
    for key in ["c", "a", "b"] {
        baggage.insert_with_metadata(key, "1", "p;q=\"é,\"");
    }
    let property = "p;q=%22%C3%A9%2C%22";
    assert_eq!(format(&baggage).unwrap(), format!("a=1;{property},b=1;{property},c=1;{property}"));
}

proptest! {
    #[test]
    fn what_is_written_is_read_again(
        members in prop::collection::hash_map("[!#$%&'*+.^_`|~0-9a-zA-Z-]{1,8}", (any::<String>(), "([a-z]{1,3}(=[a-z%]{1,3})?( ;\t?[a-z]){0,2})?"), 1..10)
    ) {
        let mut baggage = Baggage::new();
        for (key, (value, metadata)) in &members {
            baggage.insert_with_metadata(key.clone(), value.clone(), metadata.as_str());
        }
        let mut expected: Vec<_> = members.into_iter().map(|(key, (value, metadata))| (key, value, metadata)).collect();
        expected.sort();
        prop_assert_eq!(parse_all(&[format(&baggage).unwrap().as_bytes()]), expected);
    }

    #[test]
    fn any_bytes_give_members_that_can_be_sent(
        lines in prop::collection::vec(prop::collection::vec(prop::sample::select(b"a0=,;% \t\"\\\xc3\xa9".to_vec()), 0..40), 0..4)
    ) {
        let read = parse(lines.iter().map(Vec::as_slice));
        if let Some(baggage) = read {
            let sent = format(&baggage).unwrap();
            prop_assert_eq!(parse_all(&[sent.as_bytes()]).len(), baggage.len());
        }
    }
}

/// The members of all lines as key, value and metadata, ordered by key.
fn parse_all(lines: &[&[u8]]) -> Vec<(String, String, String)> {
    let baggage = parse(lines.iter().copied()).unwrap_or_default();
    let mut members: Vec<_> = baggage
        .iter()
        .map(|(key, (value, metadata))| owned((key.as_str(), value.as_str(), metadata.as_str())))
        .collect();
    members.sort();
    members
}

#[track_caller]
fn check(lines: &[&str], expected: &[(&str, &str, &str)]) {
    let members = parse_all(&lines.iter().map(|line| line.as_bytes()).collect::<Vec<_>>());
    assert_eq!(members, expected.iter().copied().map(owned).collect::<Vec<_>>(), "{lines:?}");
}

fn owned((key, value, metadata): (&str, &str, &str)) -> (String, String, String) {
    (key.to_owned(), value.to_owned(), metadata.to_owned())
}
