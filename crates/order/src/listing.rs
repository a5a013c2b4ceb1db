//! Pages of orders, newest first.
//!
//! A page goes on below the last id of the page before, so orders that come in meanwhile move nothing.

use std::str::FromStr;

use crate::order::{Order, OrderId};

/// Which page is wanted.
pub(crate) struct PageRequest {
    pub(crate) size: PageSize,
    /// `None` is the first page.
    pub(crate) after: Option<PageToken>,
}

/// One page of orders.
pub(crate) struct Page {
    /// Newest first.
    pub(crate) orders: Vec<Order>,
    /// Where the next page begins; `None` when there is none.
    pub(crate) next: Option<PageToken>,
}

/// How many orders a page holds at most: 1 to 200.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct PageSize(u8);

/// The end of a page. Opaque to callers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct PageToken(OrderId);

/// A page size below zero.
#[derive(Debug, thiserror::Error)]
#[error("must not be negative")]
pub(crate) struct Negative;

/// A text that no page ended with.
#[derive(Debug, thiserror::Error)]
#[error("must be the next_page_token of an earlier answer")]
pub(crate) struct NoToken;

// === impl PageSize ===

impl PageSize {
    /// The most orders a page can hold.
    pub(crate) const MAX: u8 = 200;
    const DEFAULT: u8 = 50;

    pub(crate) fn get(self) -> usize {
        self.0.into()
    }
}

impl TryFrom<i32> for PageSize {
    type Error = Negative;

    fn try_from(wanted: i32) -> Result<Self, Negative> {
        match wanted {
            ..0 => Err(Negative),
            0 => Ok(Self(Self::DEFAULT)),
            _ => Ok(Self(u8::try_from(wanted).map_or(Self::MAX, |size| size.min(Self::MAX)))),
        }
    }
}

// === impl PageToken ===

impl PageToken {
    /// The token of a page that ends with that order.
    pub(crate) fn ending_with(order: OrderId) -> Self {
        Self(order)
    }

    /// The last order of the page before.
    pub(crate) fn last(self) -> OrderId {
        self.0
    }

    pub(crate) fn encode(self) -> String {
        self.0.as_digits()
    }
}

impl FromStr for PageToken {
    type Err = NoToken;

    fn from_str(text: &str) -> Result<Self, NoToken> {
        let token = text.parse().map(Self).map_err(|_| NoToken)?;
        if token.encode() != text {
            return Err(NoToken);
        }
        Ok(token)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_holds_50_orders_unless_asked_and_200_at_most() {
        for (wanted, size) in [(0, 50), (1, 1), (199, 199), (200, 200), (201, 200), (256, 200), (i32::MAX, 200)] {
            assert_eq!(PageSize::try_from(wanted).unwrap().get(), size, "{wanted}");
        }
        assert!(PageSize::try_from(-1).is_err());
        assert!(PageSize::try_from(i32::MIN).is_err());
    }

    #[test]
    fn only_what_a_page_ended_with_is_a_token() {
        let id = "0193d0c4-1f9e-7b7c-8d0a-5a0c7c1de0aa";
        let token = PageToken::ending_with(id.parse().unwrap());
        assert_eq!(token.encode().parse::<PageToken>().unwrap(), token);
        for text in [id, "", "42", &token.encode().to_uppercase(), &format!("{} ", token.encode())] {
            assert!(text.parse::<PageToken>().is_err(), "{text}");
        }
    }
}
