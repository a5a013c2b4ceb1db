//! An authorisation and what may become of it: authorised, then captured, then refunded, and never back.

use uuid::Uuid;

use crate::card::Card;

/// An amount of money, more than nothing.
#[derive(Clone)]
pub(crate) struct Amount {
    /// In the currency's smallest unit; above 0.
    pub(crate) minor_units: i64,
    /// Three upper-case letters.
    pub(crate) currency_code: String,
}

/// A merchant's wish to be paid. The card stands in for the token, which goes no further than the parser.
pub(crate) struct NewAuthorisation {
    pub(crate) amount: Amount,
    pub(crate) card: Card,
    /// Whether the money moves at once or waits for a capture.
    pub(crate) capture: bool,
    /// The merchant's own name for it.
    pub(crate) reference: String,
}

/// What the bank has agreed to.
pub(crate) struct Authorisation {
    pub(crate) id: Uuid,
    pub(crate) state: State,
    pub(crate) amount: Amount,
    pub(crate) reference: String,
}

/// How far an authorisation has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    Authorised,
    Captured,
    Refunded,
}

/// One movement of money; the kinds of ledger entries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Movement {
    Authorise,
    Capture,
    Refund,
}

/// The movement does not follow from the state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct InvalidState;

// === impl Authorisation ===

impl Authorisation {
    /// Agrees to `wish`, and says which movements that takes.
    pub(crate) fn agree(wish: NewAuthorisation) -> (Self, &'static [Movement]) {
        let (state, movements): (_, &'static [Movement]) = match wish.capture {
            false => (State::Authorised, &[Movement::Authorise]),
            true => (State::Captured, &[Movement::Authorise, Movement::Capture]),
        };
        (Self { id: Uuid::now_v7(), state, amount: wish.amount, reference: wish.reference }, movements)
    }

    /// Moves on by `movement`.
    pub(crate) fn advance(&mut self, movement: Movement) -> Result<(), InvalidState> {
        self.state = match (self.state, movement) {
            (State::Authorised, Movement::Capture) => State::Captured,
            (State::Captured, Movement::Refund) => State::Refunded,
            _ => return Err(InvalidState),
        };
        Ok(())
    }
}

// === impl State ===

impl State {
    /// The state as merchants and the database know it.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            State::Authorised => "authorised",
            State::Captured => "captured",
            State::Refunded => "refunded",
        }
    }
}

impl TryFrom<String> for State {
    type Error = UnknownState;

    fn try_from(text: String) -> Result<Self, UnknownState> {
        [State::Authorised, State::Captured, State::Refunded]
            .into_iter()
            .find(|state| state.as_str() == text)
            .ok_or(UnknownState(text))
    }
}

/// The database holds a state that this bank does not know.
#[derive(Debug, thiserror::Error)]
#[error("unknown state {0:?}")]
pub(crate) struct UnknownState(String);

// === impl Movement ===

impl Movement {
    /// The movement as the ledger and its readers know it.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Movement::Authorise => "authorise",
            Movement::Capture => "capture",
            Movement::Refund => "refund",
        }
    }
}
