//! Money: exact, never a floating-point number.

use std::str::FromStr;

use super::line::Quantity;

/// An amount in a currency's minor unit (cents for EUR). Never negative.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Money {
    minor_units: i64,
    currency: Currency,
}

/// A currency by its ISO 4217 code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Currency([u8; 3]);

/// A text or number that is no amount of money.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NoMoney {
    #[error("must not be negative")]
    Negative,
    #[error("must be an ISO 4217 code of three upper-case letters")]
    Currency,
}

// === impl Money ===

impl Money {
    /// Nothing, in the currency of the catalogue.
    pub(crate) const ZERO: Self = Self::eur(0);

    /// An amount in euro cents.
    pub(crate) const fn eur(cents: i64) -> Self {
        Self { minor_units: cents, currency: Currency(*b"EUR") }
    }

    /// The amount of `minor_units` in the currency of that code.
    pub(crate) fn new(minor_units: i64, currency: Currency) -> Result<Self, NoMoney> {
        if minor_units < 0 {
            return Err(NoMoney::Negative);
        }
        Ok(Self { minor_units, currency })
    }

    /// The amount in the currency's minor unit.
    pub(crate) fn minor_units(self) -> i64 {
        self.minor_units
    }

    /// The currency.
    pub(crate) fn currency(&self) -> &Currency {
        &self.currency
    }

    /// The price of `quantity` pieces, unless it is more than an amount can hold.
    pub(crate) fn times(self, quantity: Quantity) -> Option<Self> {
        Some(Self { minor_units: self.minor_units.checked_mul(quantity.get().into())?, ..self })
    }

    /// The sum, unless the currencies differ or it is more than an amount can hold.
    pub(crate) fn plus(self, other: Self) -> Option<Self> {
        if self.currency != other.currency {
            return None;
        }
        Some(Self { minor_units: self.minor_units.checked_add(other.minor_units)?, ..self })
    }
}

// === impl Currency ===

impl Currency {
    /// The ISO 4217 code.
    pub(crate) fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).expect("a currency is made of ASCII letters only")
    }
}

impl FromStr for Currency {
    type Err = NoMoney;

    fn from_str(code: &str) -> Result<Self, NoMoney> {
        let letters: [u8; 3] = code.as_bytes().try_into().map_err(|_| NoMoney::Currency)?;
        if !letters.iter().all(u8::is_ascii_uppercase) {
            return Err(NoMoney::Currency);
        }
        Ok(Self(letters))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pieces(count: i32) -> Quantity {
        Quantity::try_from(count).unwrap()
    }

    #[test]
    fn arithmetic_is_exact_or_refused() {
        assert_eq!(Money::eur(450).times(pieces(1_000)), Some(Money::eur(450_000)));
        assert_eq!(Money::eur(1).plus(Money::eur(2)), Some(Money::eur(3)));
        assert_eq!(Money::eur(i64::MAX).times(pieces(2)), None);
        assert_eq!(Money::eur(i64::MAX).plus(Money::eur(1)), None);
    }

    #[test]
    fn two_currencies_have_no_sum() {
        let yen = Money::new(1, "JPY".parse().unwrap()).unwrap();
        assert_eq!(yen.plus(Money::eur(1)), None);
    }

    #[test]
    fn only_codes_of_three_capitals_are_currencies() {
        assert_eq!("EUR".parse::<Currency>().unwrap().as_str(), "EUR");
        for code in ["", "EU", "EURO", "eur", "E1R", "€"] {
            assert!(code.parse::<Currency>().is_err(), "{code}");
        }
    }

    #[test]
    fn amounts_are_never_negative() {
        assert!(Money::new(-1, "EUR".parse().unwrap()).is_err());
    }
}
