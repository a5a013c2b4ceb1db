use std::fmt;
use std::str::FromStr;

/// What stands for a secret wherever it would be shown.
pub(crate) const HIDDEN: &str = "[secret]";

/// A value that is never shown: a token, a password, an e-mail address.
///
/// `Debug` and `Display` print `[secret]`, whatever the format asks for, and so do the fields of `tracing` spans and events
/// (`?token`, `%token`), errors and panics that mention it. It cannot be serialised and is no attribute's value. Whoever
/// needs the value itself says so by [`expose`](Self::expose), which is easy to search for.
///
/// ```
/// let token: telemetry::Secret<String> = "tok_4242".parse().unwrap();
/// assert_eq!(format!("{token} {token:?} {:?}", Some(&token)), "[secret] [secret] Some([secret])");
/// assert_eq!(token.expose(), "tok_4242");
/// ```
///
/// ```compile_fail
/// let token = telemetry::Secret::new("tok_4242");
/// telemetry::set_attribute("payment.token", token);
/// ```
///
/// ```compile_fail
/// let token = telemetry::Secret::new("tok_4242");
/// serde_json::to_string(&token).unwrap();
/// ```
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Secret<T>(T);

// === impl Secret ===

impl<T> Secret<T> {
    /// Hides `value`.
    pub const fn new(value: T) -> Self {
        Self(value)
    }

    /// The value itself, for whoever may know it.
    pub const fn expose(&self) -> &T {
        &self.0
    }

    /// The value itself, hidden no more.
    pub fn into_exposed(self) -> T {
        self.0
    }
}

impl<T> From<T> for Secret<T> {
    fn from(value: T) -> Self {
        Self(value)
    }
}

/// As `T` reads it, and with its errors: those of one's own types must not repeat the text.
impl<T: FromStr> FromStr for Secret<T> {
    type Err = T::Err;

    fn from_str(text: &str) -> Result<Self, T::Err> {
        text.parse().map(Self)
    }
}

impl<T> fmt::Debug for Secret<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(HIDDEN)
    }
}

impl<T> fmt::Display for Secret<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(HIDDEN)
    }
}
