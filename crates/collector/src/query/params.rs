use std::fmt::Display;
use std::num::NonZeroU32;
use std::str::FromStr;

use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::error::QueryError;
use crate::store::{Dependencies, Search};

/// How far back dependencies are counted when nobody says: a day, in milliseconds.
const LOOKBACK: u64 = 24 * 60 * 60 * 1000;

/// How many traces a search answers with when it does not say.
const DEPTH: usize = 100;

/// In a millisecond.
const NANOSECONDS: i128 = 1_000_000;

/// The parameters of a query, found by the names of Jaeger's API (`query.startTimeMin`) or by their older form
/// (`query.start_time_min`). Of one that is given twice, the first counts; an empty one counts as absent.
#[derive(Debug, serde::Deserialize)]
#[serde(transparent)]
pub(super) struct Params(Vec<(String, String)>);

// === impl Params ===

impl Params {
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.find(name).or_else(|| self.find(&older_form(name)))
    }

    fn find(&self, name: &str) -> Option<&str> {
        let mut values = self.0.iter().filter(|(key, value)| key == name && !value.is_empty());
        values.next().map(|(_, value)| value.as_str())
    }

    fn parse<T, E: Display>(
        &self,
        name: &'static str,
        parse: impl FnOnce(&str) -> Result<T, E>,
    ) -> Result<Option<T>, QueryError> {
        let value = self.get(name).map(parse).transpose();
        value.map_err(|error| QueryError::parameter(name, error))
    }
}

// === impl Search ===

impl TryFrom<&Params> for Search {
    type Error = QueryError;

    fn try_from(params: &Params) -> Result<Self, QueryError> {
        let earliest = params.parse("query.startTimeMin", nanoseconds_since_epoch)?;
        let latest = params.parse("query.startTimeMax", nanoseconds_since_epoch)?;
        let (Some(earliest), Some(latest)) = (earliest, latest) else { return Err(QueryError::NoTimeRange) };

        let shortest = params.parse("query.durationMin", nanoseconds)?.unwrap_or(0);
        let longest = params.parse("query.durationMax", nanoseconds)?.unwrap_or(u64::MAX);
        let attributes = params.parse("query.attributes", |json| serde_json::from_str(json))?;
        let depth = match params.parse("query.searchDepth", NonZeroU32::from_str)? {
            Some(depth) => Some(depth),
            // The oldest form of all, and the only one that Jaeger knew up to 2.13.
            None => params.parse("query.numTraces", NonZeroU32::from_str)?,
        };
        Ok(Self {
            service: params.get("query.serviceName").map(str::to_owned),
            operation: params.get("query.operationName").map(str::to_owned),
            start: earliest..=latest,
            duration: shortest..=longest,
            attributes: attributes.unwrap_or_default(),
            depth: depth.map_or(DEPTH, |depth| depth.get() as usize),
        })
    }
}

// === impl Dependencies ===

impl TryFrom<&Params> for Dependencies {
    type Error = QueryError;

    fn try_from(params: &Params) -> Result<Self, QueryError> {
        let end = params.parse("endTs", milliseconds)?.map(i128::from);
        let before = end.map_or_else(|| OffsetDateTime::now_utc().unix_timestamp_nanos(), |end| end * NANOSECONDS);
        let lookback = params.parse("lookback", milliseconds)?.unwrap_or(LOOKBACK);
        let service = params.get("service").map(str::to_owned);
        Ok(Self { after: before - i128::from(lookback) * NANOSECONDS, before, service })
    }
}

/// `query.startTimeMin` becomes `query.start_time_min`.
fn older_form(name: &str) -> String {
    let mut older = String::with_capacity(name.len() + 4);
    for letter in name.chars() {
        if letter.is_ascii_uppercase() {
            older.push('_');
        }
        older.push(letter.to_ascii_lowercase());
    }
    older
}

fn milliseconds(text: &str) -> Result<u64, &'static str> {
    text.parse().map_err(|_| "not a whole number of milliseconds")
}

/// A point in time by RFC 3339; what lies outside of what a span can have is moved to its edge.
fn nanoseconds_since_epoch(text: &str) -> Result<u64, time::error::Parse> {
    let nanoseconds = OffsetDateTime::parse(text, &Rfc3339)?.unix_timestamp_nanos();
    Ok(nanoseconds.clamp(0, u64::MAX.into()) as u64)
}

/// A duration as Go writes it: numbers with their units, such as `1s`, `1.5ms` or `1m30s`.
fn nanoseconds(text: &str) -> Result<u64, &'static str> {
    const WRONG: &str = "not a duration such as 250ms or 1m30s";
    let mut total = 0.0;
    let mut rest = text;
    while !rest.is_empty() {
        let unit_at = rest.find(|letter: char| !letter.is_ascii_digit() && letter != '.').ok_or(WRONG)?;
        let (number, after) = rest.split_at(unit_at);
        let number_at = after.find(|letter: char| letter.is_ascii_digit() || letter == '.').unwrap_or(after.len());
        let (unit, after) = after.split_at(number_at);
        total += number.parse::<f64>().map_err(|_| WRONG)? * nanoseconds_of(unit).ok_or(WRONG)?;
        rest = after;
    }
    if text.is_empty() { Err(WRONG) } else { Ok(total as u64) }
}

fn nanoseconds_of(unit: &str) -> Option<f64> {
    match unit {
        "ns" => Some(1.0),
        "us" | "µs" | "μs" => Some(1e3),
        "ms" => Some(1e6),
        "s" => Some(1e9),
        "m" => Some(60e9),
        "h" => Some(3600e9),
        _ => None,
    }
}
