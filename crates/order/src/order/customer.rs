//! What the customer entrusts to the shop: an address and a way to pay.
//!
//! Neither has a `Debug` or `Display`: the only way to the content is `expose`, which a reader can search for.

use email_address::{EmailAddress, Options};

/// One e-mail address of at most 254 characters.
pub(crate) struct Email(String);

/// What stands for the card to charge: 1 to 255 characters, none of them a control character.
pub(crate) struct PaymentToken(String);

/// Why a text was refused. Never holds the text.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Refused {
    #[error("is missing")]
    Missing,
    #[error("must be at most {0} characters long")]
    TooLong(usize),
    #[error("must hold no control character")]
    Control,
    #[error("must be an e-mail address")]
    NoEmail,
}

// === impl Email ===

impl Email {
    /// The longest address that can be written to (RFC 5321 with its erratum 1690).
    const MAX_LENGTH: usize = 254;

    pub(crate) fn parse(text: &str) -> Result<Self, Refused> {
        let text = bounded(text.to_owned(), Self::MAX_LENGTH)?;
        let only_an_address = Options::default().with_required_tld().without_display_text().without_domain_literal();
        EmailAddress::parse_with_options(&text, only_an_address).map_err(|_| Refused::NoEmail)?;
        Ok(Self(text))
    }

    /// The address, for the store only.
    pub(crate) fn expose(&self) -> &str {
        &self.0
    }
}

// === impl PaymentToken ===

impl PaymentToken {
    pub(crate) fn parse(text: String) -> Result<Self, Refused> {
        let text = bounded(text, 255)?;
        if text.chars().any(char::is_control) { Err(Refused::Control) } else { Ok(Self(text)) }
    }

    /// The token, for the store and the payment service only.
    pub(crate) fn expose(&self) -> &str {
        &self.0
    }
}

fn bounded(text: String, most: usize) -> Result<String, Refused> {
    match text.chars().count() {
        0 => Err(Refused::Missing),
        length if length > most => Err(Refused::TooLong(most)),
        _ => Ok(text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(email: &str, refused: Option<&str>) {
        assert_eq!(Email::parse(email).err().map(|error| error.to_string()).as_deref(), refused, "{email}");
    }

    #[test]
    fn an_email_is_one_address() {
        check("ada@example.com", None);
        check("ada+tea@mail.example.com", None);
        check("", Some("is missing"));
        check("ada", Some("must be an e-mail address"));
        check("ada@", Some("must be an e-mail address"));
        check("@example.com", Some("must be an e-mail address"));
        check("ada@example.com, bob@example.com", Some("must be an e-mail address"));
        check("Ada <ada@example.com>", Some("must be an e-mail address"));
        check("ada@[127.0.0.1]", Some("must be an e-mail address"));
        check("ada@example.com\r\nbcc: bob@example.com", Some("must be an e-mail address"));
    }

    #[test]
    fn an_email_is_at_most_254_characters() {
        let domain = [62; 3].map(|length| "a".repeat(length)).join(".");
        let longest = format!("{}@{domain}.com", "b".repeat(254 - domain.len() - "@.com".len()));
        assert_eq!(longest.len(), 254);
        check(&longest, None);
        check(&format!("b{longest}"), Some("must be at most 254 characters long"));
    }
}
