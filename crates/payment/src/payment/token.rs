use std::str::FromStr;

/// Stands for the card to charge. A secret: it has no `Debug` and no `Display`, and it is never stored.
pub(crate) struct PaymentToken(String);

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("must be 1 to 255 characters, none of them a control character")]
pub(crate) struct NotAToken;

// === impl PaymentToken ===

impl PaymentToken {
    /// The token itself, for the bank's eyes only.
    pub(crate) fn reveal(&self) -> &str {
        &self.0
    }
}

impl FromStr for PaymentToken {
    type Err = NotAToken;

    fn from_str(text: &str) -> Result<Self, NotAToken> {
        let plain = (1..=255).contains(&text.chars().count()) && !text.chars().any(char::is_control);
        if plain { Ok(Self(text.to_owned())) } else { Err(NotAToken) }
    }
}
