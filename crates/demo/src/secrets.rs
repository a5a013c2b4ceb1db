//! Secrets that must reach no backend: made up anew each time, so that whatever holds one holds this one.

use uuid::Uuid;

/// A card number, a bearer token, an e-mail address and a password.
#[derive(Clone, Debug)]
pub(crate) struct Secrets {
    /// 16 digits of which the last is right, as a card's is.
    pub(crate) card: String,
    /// What stands behind `Bearer`.
    pub(crate) bearer: String,
    /// An address that nobody has.
    pub(crate) email: String,
    /// Nothing in it says that it is one.
    pub(crate) password: String,
}

// === impl Secrets ===

impl Secrets {
    /// Four secrets that never were before.
    pub(crate) fn invented() -> Self {
        Self {
            card: card(),
            bearer: Uuid::new_v4().simple().to_string(),
            email: format!("{}.{}@example.com", word(5), word(9)),
            password: word(14),
        }
    }

    /// The card's number in groups of four.
    pub(crate) fn grouped_card(&self, separator: &str) -> String {
        [0..4, 4..8, 8..12, 12..16].map(|group| &self.card[group]).join(separator)
    }

    /// All four in one text, as a careless programmer would log it.
    pub(crate) fn told(&self) -> String {
        let Self { bearer, email, password, .. } = self;
        let card = self.grouped_card(" ");
        format!("login of {email} failed: password={password}, authorization: Bearer {bearer}, card {card}")
    }

    /// What to look for: each one's name, and every way in which it may be written.
    pub(crate) fn written(&self) -> [(&'static str, Vec<String>); 4] {
        let mailbox = self.email.split('@').next().unwrap_or(&self.email);
        [
            ("card number", ["", " ", "-"].map(|separator| self.grouped_card(separator)).to_vec()),
            ("bearer token", vec![self.bearer.clone()]),
            ("e-mail address", vec![mailbox.to_owned()]),
            ("password", vec![self.password.clone()]),
        ]
    }

    /// The names of those that `text` holds.
    pub(crate) fn found_in(&self, text: &str) -> Vec<&'static str> {
        let found = self.written().into_iter().filter(|(_, ways)| ways.iter().any(|way| text.contains(way)));
        found.map(|(name, _)| name).collect()
    }
}

/// So many letters by chance: no digits, which by chance would look like a card's.
pub(crate) fn word(length: usize) -> String {
    let bytes = std::iter::repeat_with(|| Uuid::new_v4().into_bytes()).flatten();
    // Two of a UUID's bytes are partly fixed, which leaves enough chance in the others.
    bytes.take(length).map(|byte| char::from(b'a' + byte % 26)).collect()
}

fn card() -> String {
    let random = Uuid::new_v4().as_u128() % 100_000_000_000_000;
    let digits = format!("4{random:014}");
    let check = (0..10).find(|check| passes_luhn(&format!("{digits}{check}"))).unwrap_or_default();
    format!("{digits}{check}")
}

/// Whether a card's last digit fits the others.
fn passes_luhn(number: &str) -> bool {
    let digits = number.chars().rev().filter_map(|digit| digit.to_digit(10)).enumerate();
    let weighed = digits.map(|(place, digit)| if place % 2 == 0 { digit } else { digit * 2 / 10 + digit * 2 % 10 });
    weighed.sum::<u32>().is_multiple_of(10)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn luhns_sum_knows_the_textbooks_cards() {
        assert!(passes_luhn("4111111111111111") && passes_luhn("5555555555554444"));
        assert!(!passes_luhn("4111111111111112"));
    }

    #[test]
    fn secrets_have_the_shape_of_real_ones() {
        let secrets = Secrets::invented();
        assert_eq!((secrets.card.len(), passes_luhn(&secrets.card)), (16, true));
        assert!(secrets.email.ends_with("@example.com") && secrets.email.split('@').next().unwrap().len() == 15);
        assert_eq!((secrets.bearer.len(), secrets.password.len()), (32, 14));
        let [one, other] = [Secrets::invented(), Secrets::invented()];
        assert!(one.found_in(&other.told()).is_empty(), "they are the same each time");
    }

    #[test]
    fn each_secret_is_found_however_it_is_written() {
        let secrets = Secrets::invented();
        assert_eq!(secrets.found_in(&secrets.told()), ["card number", "bearer token", "e-mail address", "password"]);
        for card in ["", " ", "-"].map(|separator| secrets.grouped_card(separator)) {
            assert_eq!(secrets.found_in(&format!("<{card}>")), ["card number"]);
        }
        assert!(secrets.found_in("login of <redacted> failed").is_empty());
    }
}
