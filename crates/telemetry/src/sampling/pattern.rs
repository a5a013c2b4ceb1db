/// Names by example: `shop.v1.Shop/Health*`, where `*` stands for any characters, also none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Pattern {
    text: String,
    /// Where its first `*` stands.
    star: Option<usize>,
}

// === impl Pattern ===

impl Pattern {
    pub(super) fn new(text: impl Into<String>) -> Self {
        let text = text.into();
        Self { star: text.find('*'), text }
    }

    pub(super) fn as_str(&self) -> &str {
        &self.text
    }

    pub(super) fn matches(&self, name: &str) -> bool {
        let Some(star) = self.star else { return name == self.text };
        let Some(mut name) = name.strip_prefix(&self.text[..star]) else { return false };
        let rest = &self.text[star + 1..];
        let (between, end) = rest.rsplit_once('*').unwrap_or(("", rest));
        for part in between.split('*') {
            // The first place that fits leaves most for the parts after it, so no other need be tried.
            let Some(at) = name.find(part) else { return false };
            name = &name[at + part.len()..];
        }
        name.ends_with(end)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[track_caller]
    fn check(pattern: &str, name: &str, expected: bool) {
        assert_eq!(Pattern::new(pattern).matches(name), expected, "{pattern} {name}");
    }

    #[test]
    fn a_star_stands_for_any_characters() {
        check("shop.v1.Shop/Get", "shop.v1.Shop/Get", true);
        check("shop.v1.Shop/Get", "shop.v1.Shop/GetAll", false);
        check("shop.v1.Shop/Health*", "shop.v1.Shop/HealthDeep", true);
        check("*/Get", "shop.v1.Shop/Get", true);
        check("*", "", true);
        check("", "", true);
        check("", "a", false);
        check("GET /orders/{id}", "GET /orders/{id}", true);
        check("a*a", "a", false);
        check("é*", "éa", true);
    }

    /// The definition, tried out in every way.
    fn matches_by_definition(pattern: &[u8], name: &[u8]) -> bool {
        match pattern {
            [] => name.is_empty(),
            [b'*', rest @ ..] => (0..=name.len()).any(|skip| matches_by_definition(rest, &name[skip..])),
            [first, rest @ ..] => name.first() == Some(first) && matches_by_definition(rest, &name[1..]),
        }
    }

    proptest! {
        #[test]
        fn a_pattern_matches_what_its_definition_says(pattern in "[ab*]{0,7}", name in "[ab]{0,9}") {
            let expected = matches_by_definition(pattern.as_bytes(), name.as_bytes());
            prop_assert_eq!(Pattern::new(pattern).matches(&name), expected);
        }
    }
}
