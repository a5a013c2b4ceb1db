//! What happened to an order, as it is taken over.
//!
//! Pure: nothing here waits, stores or sends.

use uuid::Uuid;

/// An event of an order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Event {
    pub(crate) id: Uuid,
    pub(crate) order: Uuid,
    /// 1, 2, 3 within an order.
    pub(crate) sequence: i64,
    pub(crate) state: OrderState,
    /// When it happened, in microseconds since 1970 (UTC).
    pub(crate) at: i64,
}

/// An event that was taken over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Delivery {
    pub(crate) event: Event,
    /// When it was taken over, in microseconds since 1970 (UTC).
    pub(crate) taken: i64,
    /// Where it stands among all.
    pub(crate) position: i64,
}

/// What an order has come to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum OrderState {
    PaymentPending,
    Paid,
    Declined,
    CancelPending,
    Cancelled,
}

/// Which deliveries are wanted.
pub(crate) struct PageRequest {
    /// `None` for all orders.
    pub(crate) order: Option<Uuid>,
    pub(crate) size: i64,
    /// Those before this position; `None` for the newest.
    pub(crate) before: Option<i64>,
}

/// One page of deliveries, newest first.
pub(crate) struct Page {
    pub(crate) deliveries: Vec<Delivery>,
    /// Where the next page begins; `None` when there is none.
    pub(crate) next: Option<i64>,
}

// === impl OrderState ===

impl OrderState {
    pub(crate) const ALL: [Self; 5] =
        [Self::PaymentPending, Self::Paid, Self::Declined, Self::CancelPending, Self::Cancelled];

    /// Its name in the store.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::PaymentPending => "PAYMENT_PENDING",
            Self::Paid => "PAID",
            Self::Declined => "DECLINED",
            Self::CancelPending => "CANCEL_PENDING",
            Self::Cancelled => "CANCELLED",
        }
    }
}
