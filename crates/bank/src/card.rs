//! The test cards: what happens to a payment is written in its token.

use std::fmt;

/// What a card does when it is charged.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Card {
    /// Approves.
    Good,
    /// Approves after a while.
    Slow,
    /// Approves, but the answer never comes.
    Silent,
    /// Out of reach for the first two calls of a key, then approves.
    Flaky,
    /// Out of reach.
    Down,
    /// Says no.
    Declined(Decline),
}

/// Why a card said no.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Decline {
    CardDeclined,
    InsufficientFunds,
    CardExpired,
}

// === impl Card ===

impl Card {
    /// Finds the card behind `token`; one that the bank does not know is declined.
    pub(crate) fn behind(token: &str) -> Self {
        match token {
            "tok_visa" => Card::Good,
            "tok_slow" => Card::Slow,
            "tok_timeout" => Card::Silent,
            "tok_flaky" => Card::Flaky,
            "tok_down" => Card::Down,
            "tok_insufficient_funds" => Card::Declined(Decline::InsufficientFunds),
            "tok_expired" => Card::Declined(Decline::CardExpired),
            _ => Card::Declined(Decline::CardDeclined),
        }
    }

    /// Whether this call, the `calls`-th of its key, gets nowhere.
    pub(crate) fn is_out_of_reach(self, calls: i64) -> bool {
        match self {
            Card::Down => true,
            Card::Flaky => calls <= 2,
            Card::Good | Card::Slow | Card::Silent | Card::Declined(_) => false,
        }
    }
}

// === impl Decline ===

impl Decline {
    /// The code that merchants program against.
    pub(crate) fn code(self) -> &'static str {
        match self {
            Decline::CardDeclined => "card_declined",
            Decline::InsufficientFunds => "insufficient_funds",
            Decline::CardExpired => "card_expired",
        }
    }
}

impl fmt::Display for Decline {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Decline::CardDeclined => "the card was declined",
            Decline::InsufficientFunds => "the card has insufficient funds",
            Decline::CardExpired => "the card has expired",
        })
    }
}
