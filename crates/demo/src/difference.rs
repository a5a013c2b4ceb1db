//! What differs between two texts, line by line.

/// `None` when the texts are the same; otherwise all lines of both: `  ` in both, `- ` only expected, `+ ` only found.
pub(crate) fn difference(expected: &str, found: &str) -> Option<String> {
    let expected: Vec<_> = expected.lines().collect();
    let found: Vec<_> = found.lines().collect();
    if expected == found {
        return None;
    }
    let common = common(&expected, &found);
    let (mut left, mut right, mut text) = (0, 0, String::new());
    while left < expected.len() || right < found.len() {
        let (mark, line) = if left < expected.len() && right < found.len() && expected[left] == found[right] {
            (left, right) = (left + 1, right + 1);
            ("  ", expected[left - 1])
        } else if right == found.len() || left < expected.len() && common[left + 1][right] >= common[left][right + 1] {
            left += 1;
            ("- ", expected[left - 1])
        } else {
            right += 1;
            ("+ ", found[right - 1])
        };
        text.push_str(&format!("{mark}{line}\n"));
    }
    Some(text)
}

/// `common[i][j]`: how many lines `left[i..]` and `right[j..]` have in common, in order.
fn common(left: &[&str], right: &[&str]) -> Vec<Vec<usize>> {
    let mut common = vec![vec![0; right.len() + 1]; left.len() + 1];
    for i in (0..left.len()).rev() {
        for j in (0..right.len()).rev() {
            common[i][j] =
                if left[i] == right[j] { common[i + 1][j + 1] + 1 } else { common[i + 1][j].max(common[i][j + 1]) };
        }
    }
    common
}

#[cfg(test)]
mod tests {
    use super::difference;

    #[test]
    fn equal_texts_have_no_difference() {
        assert_eq!(difference("a\nb\n", "a\nb"), None);
    }

    #[test]
    fn a_changed_line_shows_both_versions_among_the_others() {
        assert_eq!(difference("a\nb\nc", "a\nx\nc").as_deref(), Some("  a\n- b\n+ x\n  c\n"));
    }

    #[test]
    fn missing_and_added_lines_are_named() {
        assert_eq!(difference("a\nb", "a").as_deref(), Some("  a\n- b\n"));
        assert_eq!(difference("a", "a\nb").as_deref(), Some("  a\n+ b\n"));
        assert_eq!(difference("", "a").as_deref(), Some("+ a\n"));
    }
}
