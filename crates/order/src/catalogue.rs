//! What the shop sells and for how much. Prices never come from a caller.

use crate::order::{Money, Sku};

/// Each article's stock-keeping unit and its price in euro cents.
const PRICES: [(&str, i64); 12] = [
    ("tea", 450),
    ("coffee", 790),
    ("cocoa", 620),
    ("honey", 880),
    ("biscuits", 350),
    ("sugar", 190),
    ("mug", 1_200),
    ("teapot", 3_400),
    ("kettle", 5_900),
    ("strainer", 640),
    ("grinder", 8_900),
    ("tray", 2_150),
];

/// One article of the catalogue.
pub(crate) struct Article {
    pub(crate) sku: Sku,
    /// The price of one piece today.
    pub(crate) price: Money,
}

/// A stock-keeping unit that the shop does not sell.
#[derive(Debug, thiserror::Error)]
#[error("is not in the catalogue")]
pub(crate) struct UnknownSku;

/// The article with that stock-keeping unit.
pub(crate) fn find(sku: &str) -> Result<Article, UnknownSku> {
    let (sku, cents) = PRICES.into_iter().find(|(known, _)| *known == sku).ok_or(UnknownSku)?;
    Ok(Article { sku: sku.parse().map_err(|_| UnknownSku)?, price: Money::eur(cents) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_article_is_found_at_its_price() {
        for (sku, cents) in PRICES {
            let article = find(sku).unwrap_or_else(|error| panic!("{sku} {error}"));
            assert_eq!(article.sku.to_string(), sku);
            assert_eq!(article.price, Money::eur(cents));
        }
    }

    #[test]
    fn nothing_else_is_sold() {
        for sku in ["", "TEA", "tea ", "gold"] {
            assert!(find(sku).is_err(), "{sku}");
        }
    }
}
