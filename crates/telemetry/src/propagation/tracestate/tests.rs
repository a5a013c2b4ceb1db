use proptest::prelude::*;

use super::*;

#[test]
fn members() {
    check(&["foo=1,bar=2"], Some("foo=1,bar=2"));
    check(&["0=1"], Some("0=1"));
    check(&["a@b@=1"], Some("a@b@=1"));
    check(&["foo= 1"], Some("foo= 1"));
    check(&["foo=a b:;\"\\~"], Some("foo=a b:;\"\\~"));
    check(&["foo"], None);
    check(&["foo="], None);
    check(&["foo= "], None);
    check(&["=1"], None);
    check(&["foo =1"], None);
    check(&["_foo=1"], None);
    check(&["fOo=1"], None);
    check(&["foo=a\tb"], None);
    check(&["foo=\u{7f}"], None);
    check(&["foo=é"], None);
    check(&["foo=a=b"], None);
    // One malformed member discards the rest as well.
    check(&["good=1,Bad=2"], None);
    check(&["good=1", "Bad=2"], None);
    check(&[&format!("foo={}", "v".repeat(256))], Some(&format!("foo={}", "v".repeat(256))));
    check(&[&format!("foo={}", "v".repeat(257))], None);
}

#[test]
fn lines_make_one_list_and_blank_members_do_not_count() {
    check(&["a=1", "b=2,c=3", "d=4"], Some("a=1,b=2,c=3,d=4"));
    check(&["", " ", "\t"], None);
    check(&[" , ,\t,"], None);
    check(&["", "a=1", " "], Some("a=1"));
    check(&[" ,a=1,, ,b=2 ,"], Some(",a=1,, ,b=2 ,"));
    let members: Vec<String> = (0..32).map(|i| format!("k{i}=v")).collect();
    check(&[&members.join(", ,")], Some(&members.join(", ,")));
    check(&[&members.join(","), "one-more=1"], None);
    check(&[&format!("a=1{}", ",".repeat(32))], Some(&format!("a=1{}", ",".repeat(32))));
    check(&[&format!("a=1{}", ",".repeat(8192))], None);
}

#[test]
fn a_list_of_512_characters_is_passed_on_whole() {
    let list = format!("{},last={}", "k=".to_owned() + &"v".repeat(250), "v".repeat(512 - 252 - 6));
    assert_eq!(list.len(), 512);
    check(&[&list], Some(&list));
}

#[test]
fn a_list_that_is_too_long_loses_large_members_first_then_those_at_the_end() {
    // 31 members of 127 characters make 3967 with their commas; a large one fills up the limit.
    let small: Vec<String> = (0..31).map(|i| format!("k{i:02}={:v<123}", "")).collect();
    let fits = format!("large={:v<122},{}", "", small.join(","));
    assert_eq!((fits.len(), small[0].len()), (MAX_LENGTH, 127));
    check(&[&fits], Some(&fits));

    let large_first = format!("large={:v<123},{}", "", small.join(","));
    check(&[&large_first], Some(&small.join(",")));

    let two_large = format!("first={:v<200},{},second={:v<200}", "", small[..30].join(","), "");
    check(&[&two_large], Some(&format!("first={:v<200},{}", "", small[..30].join(","))));

    let spaced = small.join(&format!(",{}", " ".repeat(40)));
    check(&[&spaced], Some(&small.join(",")));

    let blown: Vec<String> = (0..32).map(|i| format!("k{i:02}={:v<124}", "")).collect();
    check(&[&blown.join(",")], Some(&blown[..31].join(",")));
}

#[test]
fn a_change_moves_to_the_front_and_nothing_else_moves() {
    check_merged("a=1,b=2,c=3", &[("a", "1"), ("b", "2"), ("c", "3")], "a=1,b=2,c=3");
    check_merged("a=1,b=2,c=3", &[("a", "1"), ("b", "9"), ("c", "3")], "b=9,a=1,c=3");
    check_merged("a=1,b=2,c=3", &[("d", "4"), ("a", "1"), ("b", "2"), ("c", "3")], "d=4,a=1,b=2,c=3");
    check_merged("a=1,b=2,c=3", &[("a", "1"), ("c", "3")], "a=1,c=3");
    check_merged("a=1,b=2", &[], "");
    check_merged("", &[("a", "1")], "a=1");
    // The SDK takes values that may not be sent.
    check_merged("a=1", &[("b", "é"), ("c", ""), ("a", "1")], "a=1");
    // Members that the SDK was not shown are not its to remove.
    check_merged("a@@x=1,b=2", &[], "a@@x=1");
    check_merged("a@@x=1,b=2", &[("b", "3")], "b=3,a@@x=1");
}

proptest! {
    #[test]
    fn a_valid_list_is_passed_on_byte_for_byte(
        members in prop::collection::vec("[ \t]{0,2}[a-z0-9][a-z0-9_*/@-]{0,20}=[!-+.-<>-~ -]{0,20}[!-+>-~][ \t]{0,2}|[ \t]{0,3}", 1..30)
    ) {
        let line = members.join(",");
        let expected = Some(line.trim_matches([' ', '\t']).to_owned()).filter(|line| line.contains('='));
        prop_assert_eq!(combine([line.as_bytes()].into_iter()), expected);
    }

    #[test]
    fn a_damaged_list_is_read_as_the_reference_reads_it(
        members in prop::collection::vec("[a-z0-9][a-z0-9@]{0,3}=[a-z:; ]{1,5}", 1..36),
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<prop::sample::Index>()), 0..3),
        split in any::<prop::sample::Index>(),
    ) {
        let mut list = members.join(",").into_bytes();
        for (at, byte) in damage {
            *at.get_mut(&mut list) = *byte.get(b"a0,= \tA@\xc3~");
        }
        let lines: [&[u8]; 2] = list.split_at(split.index(list.len())).into();
        prop_assert_eq!(combine(lines.into_iter()), reference(&lines), "{:?}", String::from_utf8_lossy(&list));
    }

    #[test]
    fn any_bytes_are_read_as_the_reference_reads_them(
        lines in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..20), 0..4)
    ) {
        let lines: Vec<&[u8]> = lines.iter().map(Vec::as_slice).collect();
        prop_assert_eq!(combine(lines.iter().copied()), reference(&lines));
    }

    #[test]
    fn what_is_sent_is_short_and_valid(
        received in prop::collection::vec("[a-z][a-z@]{0,3}=[a-z]{1,200}", 0..32),
        changes in prop::collection::vec(("[a-z]{1,2}", "[a-zé,]{0,200}"), 0..4),
    ) {
        let received = received.join(",");
        let shown = shown(&received);
        let now = changes.into_iter().fold(shown.clone(), |now, (key, value)| now.insert(key, value).unwrap_or(now));
        if let Some(list) = merged(&received, &shown, &now) {
            prop_assert!(list.len() <= MAX_LENGTH);
            prop_assert_eq!(combine([header(&list).as_bytes()].into_iter()), Some(list));
        }
    }
}

/// The specification's words, with no regard to cost; lists stay below the length that is cut.
fn reference(lines: &[&[u8]]) -> Option<String> {
    let lines: Vec<&str> = lines.iter().map(|line| std::str::from_utf8(line)).collect::<Result<_, _>>().ok()?;
    let lines: Vec<&str> = lines.into_iter().map(|line| line.trim_matches([' ', '\t'])).collect();
    let list = lines.into_iter().filter(|line| !line.is_empty()).collect::<Vec<_>>().join(",");
    let members: Vec<&str> = list.split(',').map(|m| m.trim_matches([' ', '\t'])).filter(|m| !m.is_empty()).collect();
    let first = "abcdefghijklmnopqrstuvwxyz0123456789";
    let valid = |member: &&str| match member.split('=').collect::<Vec<_>>()[..] {
        [key, value] => {
            !key.is_empty()
                && !value.is_empty()
                && key.chars().count() <= 256
                && value.chars().count() <= 256
                && first.contains(&key[..key.chars().next().map_or(0, char::len_utf8)])
                && key.chars().all(|c| first.contains(c) || "_-*/@".contains(c))
                && value.chars().all(|c| (' '..='~').contains(&c))
        }
        _ => false,
    };
    ((1..=32).contains(&members.len()) && members.iter().all(valid)).then_some(list)
}

#[track_caller]
fn check(lines: &[&str], expected: Option<&str>) {
    let combined = combine(lines.iter().map(|line| line.as_bytes()));
    assert_eq!(combined.as_deref(), expected, "{lines:?}");
}

#[track_caller]
fn check_merged(received: &str, now: &[(&str, &str)], expected: &str) {
    let now = TraceState::from_key_value(now.iter().copied()).unwrap();
    let list = merged(received, &shown(received), &now);
    assert_eq!(list.unwrap_or_default(), expected, "{received:?}");
}
