use std::fmt;
use std::str::FromStr;

use uuid::Uuid;

/// An id that is a UUID, of its own type so that no two kinds are mixed up.
macro_rules! uuid_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub(crate) struct $name(Uuid);

        impl FromStr for $name {
            type Err = NotAUuid;

            fn from_str(text: &str) -> Result<Self, NotAUuid> {
                Uuid::try_parse(text).map(Self).map_err(|_| NotAUuid)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

uuid_id! {
    /// Names a payment; sorts by the time it was made.
    PaymentId
}
uuid_id! {
    /// Names the order that a payment is for.
    OrderId
}
uuid_id! {
    /// The idempotency key that we give the bank: one for each movement of money, however often we ask for it.
    BankKey
}

/// The bank's own name of a transaction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct TransactionId(String);

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("must be a UUID")]
pub(crate) struct NotAUuid;

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("must be 1 to 64 letters, digits, hyphens or underscores")]
pub(crate) struct NotATransactionId;

// === impl PaymentId ===

impl PaymentId {
    /// A fresh id.
    pub(crate) fn new() -> Self {
        Self(Uuid::now_v7())
    }
}

// === impl BankKey ===

impl BankKey {
    /// A fresh key.
    pub(crate) fn new() -> Self {
        Self(Uuid::new_v4())
    }
}

// === impl TransactionId ===

impl TransactionId {
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for TransactionId {
    type Err = NotATransactionId;

    /// Strict because it comes from outside and becomes a part of the path of later requests.
    fn from_str(text: &str) -> Result<Self, NotATransactionId> {
        let plain = text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_');
        if plain && (1..=64).contains(&text.len()) { Ok(Self(text.to_owned())) } else { Err(NotATransactionId) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_transaction_id_cannot_change_a_path() {
        for bad in ["", "..", "a/b", "a?b", "a%2fb", "a b", &"x".repeat(65)] {
            assert_eq!(bad.parse::<TransactionId>(), Err(NotATransactionId), "{bad:?}");
        }
        assert_eq!("txn_0190-A".parse::<TransactionId>().unwrap().as_str(), "txn_0190-A");
    }
}
