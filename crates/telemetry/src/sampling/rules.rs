use super::Sample;
use super::pattern::Pattern;
use super::report::{Decided, Tally};
use crate::environment::Environment;

/// What is decided of the traces that begin with certain methods.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Rule {
    pub(super) pattern: Pattern,
    pub(super) sample: Sample,
}

/// Rules, the first of which that matches decides, with how often each did.
#[derive(Debug)]
pub(super) struct Rules(Vec<(Rule, Tally)>);

// === impl Rule ===

impl Rule {
    /// `NAME=always`, `NAME=never` or `NAME=RATIO`; a name may itself have a `=`.
    fn parse(text: &str) -> Option<Self> {
        let (pattern, sample) = text.rsplit_once('=')?;
        let (pattern, sample) = (pattern.trim(), sample.trim());
        let sample = match sample.to_ascii_lowercase().as_str() {
            "always" => Sample::Always,
            "never" => Sample::Never,
            ratio => Sample::Ratio(ratio.parse().ok().filter(|ratio| (0.0..=1.0).contains(ratio))?),
        };
        (!pattern.is_empty()).then(|| Self { pattern: Pattern::new(pattern), sample })
    }

    /// The rules of `TELEMETRY_SAMPLING_RULES`, without those that are none.
    pub(super) fn from_environment(environment: &Environment) -> Vec<Self> {
        const NAME: &str = "TELEMETRY_SAMPLING_RULES";
        let (mut rules, mut wrong) = (Vec::new(), Vec::new());
        let texts = environment.get(NAME).unwrap_or_default().split(',').map(str::trim);
        for (number, text) in (1_u32..).zip(texts.filter(|text| !text.is_empty())) {
            match Self::parse(text) {
                Some(rule) => rules.push(rule),
                None => wrong.push(number.to_string()),
            }
        }
        if !wrong.is_empty() {
            let what =
                "has rules that are not NAME=always, NAME=never or NAME=RATIO with a ratio from 0 to 1, left out:";
            environment.warn(NAME, &format!("{what} number {}", wrong.join(", ")));
        }
        rules
    }
}

// === impl Rules ===

impl Rules {
    pub(super) fn new(rules: Vec<Rule>) -> Self {
        Self(rules.into_iter().map(|rule| (rule, Tally::default())).collect())
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The rule of a trace whose first span has this name, or what it is called has this other one, and where to count
    /// what it decides.
    pub(super) fn of(&self, name: &str, other_name: Option<&str>) -> Option<(Sample, &Tally)> {
        let matching =
            |rule: &Rule| rule.pattern.matches(name) || other_name.is_some_and(|other| rule.pattern.matches(other));
        self.0.iter().find(|(rule, _)| matching(rule)).map(|(rule, tally)| (rule.sample, tally))
    }

    pub(super) fn decided(&self) -> impl Iterator<Item = Decided> {
        self.0.iter().map(|(rule, tally)| tally.decided(format!("rule {}", rule.pattern.as_str())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: &[(&str, Sample)], warned: Option<&str>) {
        let environment = [("TELEMETRY_SAMPLING_RULES", text)].into_iter().collect();
        let rule = |(pattern, sample): &(&str, Sample)| Rule { pattern: Pattern::new(*pattern), sample: *sample };
        assert_eq!(Rule::from_environment(&environment), expected.iter().map(rule).collect::<Vec<_>>(), "{text}");
        let warnings = environment.take_warnings();
        match warned {
            Some(rule) => assert!(warnings.len() == 1 && warnings[0].ends_with(rule), "{text}: {warnings:?}"),
            None => assert!(warnings.is_empty(), "{text}: {warnings:?}"),
        }
    }

    #[test]
    fn rules_are_read_in_their_order_and_wrong_ones_numbered_in_one_warning() {
        let (health, all) = (("a.B/Health*", Sample::Never), ("*", Sample::Ratio(0.1)));
        check(" a.B/Health* = Never ,*=0.1, ", &[health, all], None);
        check("GET /orders/{id}=ALWAYS", &[("GET /orders/{id}", Sample::Always)], None);
        check("a=b=1", &[("a=b", Sample::Ratio(1.0))], None);
        check("", &[], None);
        check("a.B/Health*=never,x,y=2", &[health], Some(": number 2, 3"));
        for wrong in ["a=NaN", "a=-0.1", "a=1.1", "a=inf", "a=", "=always", "a=sometimes"] {
            check(wrong, &[], Some(": number 1"));
        }
    }

    #[test]
    fn the_first_rule_that_matches_a_name_a_method_or_a_route_decides() {
        let rule = |pattern: &str, sample| Rule { pattern: Pattern::new(pattern), sample };
        let rules = Rules::new(vec![
            rule("a.B/Get", Sample::Always),
            rule("/orders/{id}", Sample::Never),
            rule("_OTHER", Sample::Ratio(0.5)),
            rule("a.B/*", Sample::Ratio(0.2)),
        ]);
        let of = |name, other_name| rules.of(name, other_name).map(|(sample, _)| sample);
        assert_eq!(of("a.B/Get", None), Some(Sample::Always));
        assert_eq!(of("a.B/List", None), Some(Sample::Ratio(0.2)));
        assert_eq!(of("GET /orders/{id}", Some("/orders/{id}")), Some(Sample::Never));
        assert_eq!(of("grpc", Some("_OTHER")), Some(Sample::Ratio(0.5)));
        assert_eq!(of("c.D/Get", None), None);
    }
}
