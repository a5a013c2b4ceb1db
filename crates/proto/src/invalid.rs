use std::fmt;

use tonic::{Code, Status};
use tonic_types::{ErrorDetails, FieldViolation, StatusExt};

/// A message that breaks its contract: every violation at once, each naming its field.
///
/// Becomes `INVALID_ARGUMENT` with a `google.rpc.BadRequest`
/// (<https://google.aip.dev/193>, "Error details").
#[derive(Debug, Default)]
pub struct Invalid {
    violations: Vec<Violation>,
}

/// One field that breaks its contract.
#[derive(Debug, PartialEq, Eq)]
pub struct Violation {
    /// The field's path in the message, for example `items[0].sku`.
    pub field: String,
    /// What is wrong with it, for a person to read.
    pub description: String,
}

// === impl Invalid ===

impl Invalid {
    /// Nothing wrong so far.
    pub fn none() -> Self {
        Self::default()
    }

    /// Notes that `field` breaks its contract.
    pub fn add(&mut self, field: impl Into<String>, description: impl Into<String>) {
        self.violations.push(Violation { field: field.into(), description: description.into() });
    }

    /// Keeps the value of `result`, or notes its error against `field`.
    pub fn check<T, E: fmt::Display>(&mut self, field: &str, result: Result<T, E>) -> Option<T> {
        match result {
            Ok(value) => Some(value),
            Err(error) => {
                self.add(field, error.to_string());
                None
            }
        }
    }

    /// `value` if nothing was wrong.
    ///
    /// # Errors
    /// All that was noted, when anything was or `value` is missing.
    pub fn or<T>(self, value: Option<T>) -> Result<T, Self> {
        match value {
            Some(value) if self.violations.is_empty() => Ok(value),
            _ => Err(self),
        }
    }

    /// What is wrong, in the order it was noted.
    pub fn violations(&self) -> &[Violation] {
        &self.violations
    }
}

impl fmt::Display for Invalid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, Violation { field, description }) in self.violations.iter().enumerate() {
            let separator = if index == 0 { "" } else { "; " };
            write!(f, "{separator}{field}: {description}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Invalid {}

impl From<Invalid> for Status {
    fn from(invalid: Invalid) -> Self {
        let message = invalid.to_string();
        let violations = invalid.violations.into_iter().map(|v| FieldViolation::new(v.field, v.description));
        let details = ErrorDetails::with_bad_request(violations.collect::<Vec<_>>());
        Status::with_error_details(Code::InvalidArgument, message, details)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_violation_is_answered_with_its_field() {
        let mut invalid = Invalid::none();
        let sku: Option<u8> = invalid.check("items[0].sku", Err("is not in the catalogue"));
        invalid.add("payment_token", "is missing");
        let status = Status::from(invalid.or(sku).expect_err("two violations"));

        assert_eq!(status.code(), Code::InvalidArgument);
        assert_eq!(status.message(), "items[0].sku: is not in the catalogue; payment_token: is missing");
        let details = status.get_details_bad_request().expect("a BadRequest");
        let fields: Vec<_> = details.field_violations.iter().map(|v| v.field.as_str()).collect();
        assert_eq!(fields, ["items[0].sku", "payment_token"]);
    }
}
