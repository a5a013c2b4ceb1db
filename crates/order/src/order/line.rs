//! One line of an order: an article, how many pieces, at which price.

use std::fmt;
use std::str::FromStr;

use super::TooExpensive;
use super::money::Money;

/// One article of an order at the price it was sold for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Line {
    sku: Sku,
    quantity: Quantity,
    unit_price: Money,
    total: Money,
}

/// A stock-keeping unit: 1 to 32 lower-case letters, digits and hyphens.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Sku(String);

/// How many pieces: 1 to 1,000.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Quantity(u16);

/// A text that is no stock-keeping unit.
#[derive(Debug, thiserror::Error)]
#[error("must be 1 to 32 lower-case letters, digits and hyphens")]
pub(crate) struct NoSku;

/// A number of pieces that nobody can order.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NoQuantity {
    #[error("must be at least 1")]
    TooFew,
    #[error("must be at most 1000")]
    TooMany,
}

// === impl Line ===

impl Line {
    /// `quantity` pieces of an article that costs `unit_price` each.
    pub(crate) fn new(sku: Sku, quantity: Quantity, unit_price: Money) -> Result<Self, TooExpensive> {
        let total = unit_price.times(quantity).ok_or(TooExpensive)?;
        Ok(Self { sku, quantity, unit_price, total })
    }

    pub(crate) fn sku(&self) -> &Sku {
        &self.sku
    }

    pub(crate) fn quantity(&self) -> Quantity {
        self.quantity
    }

    /// The price of one piece.
    pub(crate) fn unit_price(&self) -> Money {
        self.unit_price
    }

    /// The price of all pieces.
    pub(crate) fn total(&self) -> Money {
        self.total
    }
}

// === impl Sku ===

impl Sku {
    /// The longest a stock-keeping unit may be.
    pub(crate) const MAX_LENGTH: usize = 32;
}

impl FromStr for Sku {
    type Err = NoSku;

    fn from_str(text: &str) -> Result<Self, NoSku> {
        let known = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-');
        if !(1..=Self::MAX_LENGTH).contains(&text.len()) || !text.bytes().all(known) {
            return Err(NoSku);
        }
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Display for Sku {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

// === impl Quantity ===

impl Quantity {
    /// The most pieces a line may have.
    pub(crate) const MAX: u16 = 1_000;

    pub(crate) fn get(self) -> u16 {
        self.0
    }
}

impl TryFrom<i32> for Quantity {
    type Error = NoQuantity;

    fn try_from(pieces: i32) -> Result<Self, NoQuantity> {
        match u16::try_from(pieces) {
            _ if pieces < 1 => Err(NoQuantity::TooFew),
            Ok(pieces @ ..=Self::MAX) => Ok(Self(pieces)),
            _ => Err(NoQuantity::TooMany),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quantity_is_1_to_1000() {
        for (pieces, error) in [
            (i32::MIN, Some("must be at least 1")),
            (-1, Some("must be at least 1")),
            (0, Some("must be at least 1")),
            (1, None),
            (1_000, None),
            (1_001, Some("must be at most 1000")),
            (i32::MAX, Some("must be at most 1000")),
        ] {
            let refused = Quantity::try_from(pieces).err().map(|error| error.to_string());
            assert_eq!(refused.as_deref(), error, "{pieces}");
        }
    }

    #[test]
    fn a_sku_is_short_and_plain() {
        let longest = "a".repeat(Sku::MAX_LENGTH);
        for sku in ["tea", "tea-pot-2", &longest] {
            assert!(sku.parse::<Sku>().is_ok(), "{sku}");
        }
        for sku in ["", "Tea", "tea ", "té", "tea\0", &format!("{longest}a")] {
            assert!(sku.parse::<Sku>().is_err(), "{sku}");
        }
    }
}
