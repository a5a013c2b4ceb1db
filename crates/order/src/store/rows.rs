//! Rows into orders.

use crate::order::{Currency, DeclineReason, Line, Money, Order, Quantity, State, Timestamp};

type Broken = Box<dyn std::error::Error + Send + Sync>;

/// A row of `orders`.
#[derive(sqlx::FromRow)]
pub(super) struct OrderRow {
    pub(super) id: String,
    state: String,
    decline_reason: Option<String>,
    cancellation: Option<String>,
    total_minor: i64,
    currency: String,
    payment_id: Option<String>,
    created_at: i64,
    updated_at: i64,
}

/// A row of `order_lines`.
#[derive(sqlx::FromRow)]
pub(super) struct LineRow {
    pub(super) order_id: String,
    sku: String,
    quantity: i64,
    unit_price_minor: i64,
}

// === impl OrderRow ===

impl OrderRow {
    /// The row as it was when its order was in that state, since `updated_at`.
    pub(super) fn back_in(self, state: String, cancellation: Option<String>, updated_at: i64) -> Self {
        Self { state, cancellation, updated_at, ..self }
    }
}

/// The order of a row and its lines.
///
/// # Errors
/// When the rows hold what this service never writes.
pub(super) fn order(row: OrderRow, lines: Vec<LineRow>) -> Result<Order, sqlx::Error> {
    let parsed = row.currency.parse().map_err(Into::into).and_then(|currency| {
        let lines = lines.into_iter().map(|line| parse_line(line, currency)).collect::<Result<_, _>>()?;
        parse(row, lines)
    });
    parsed.map_err(sqlx::Error::Decode)
}

/// The order of a row and its lines as they are known already.
///
/// # Errors
/// When the row holds what this service never writes.
pub(super) fn order_of(row: OrderRow, lines: Vec<Line>) -> Result<Order, sqlx::Error> {
    parse(row, lines).map_err(sqlx::Error::Decode)
}

/// A state in the columns `state` and `cancellation`. The first is that of the payment, which a binary that knows of no
/// cancelling can read.
pub(super) fn state_columns(state: State) -> (&'static str, Option<&'static str>) {
    match state {
        State::PaymentPending => ("PAYMENT_PENDING", None),
        State::Paid => ("PAID", None),
        State::Declined(_) => ("DECLINED", None),
        State::CancelPending { is_paid: false } => ("PAYMENT_PENDING", Some("REQUESTED")),
        State::CancelPending { is_paid: true } => ("PAID", Some("REQUESTED")),
        State::Cancelled => ("PAID", Some("DONE")),
    }
}

/// A state as an event tells it, in one word.
pub(super) fn state_name(state: State) -> &'static str {
    match state {
        State::PaymentPending => "PAYMENT_PENDING",
        State::Paid => "PAID",
        State::Declined(_) => "DECLINED",
        State::CancelPending { .. } => "CANCEL_PENDING",
        State::Cancelled => "CANCELLED",
    }
}

/// The state of that name. Of one that is to be cancelled, it is not told whether it is paid.
pub(super) fn named_state(name: &str, reason: Option<&str>) -> Option<State> {
    match (name, reason.and_then(DeclineReason::named)) {
        ("PAYMENT_PENDING", None) => Some(State::PaymentPending),
        ("PAID", None) => Some(State::Paid),
        ("DECLINED", Some(reason)) => Some(State::Declined(reason)),
        ("CANCEL_PENDING", None) => Some(State::CancelPending { is_paid: false }),
        ("CANCELLED", None) => Some(State::Cancelled),
        _ => None,
    }
}

pub(super) fn decline_reason(state: State) -> Option<&'static str> {
    match state {
        State::Declined(reason) => Some(reason.as_str()),
        State::PaymentPending | State::Paid | State::CancelPending { .. } | State::Cancelled => None,
    }
}

/// What the store holds and this service never writes.
pub(super) fn broken(what: &'static str) -> sqlx::Error {
    sqlx::Error::Decode(format!("the store holds {what}").into())
}

fn parse_line(line: LineRow, currency: Currency) -> Result<Line, Broken> {
    let quantity = Quantity::try_from(i32::try_from(line.quantity)?)?;
    Ok(Line::new(line.sku.parse()?, quantity, Money::new(line.unit_price_minor, currency)?)?)
}

fn parse(row: OrderRow, lines: Vec<Line>) -> Result<Order, Broken> {
    let currency = row.currency.parse::<Currency>()?;
    Ok(Order {
        id: row.id.parse()?,
        state: state(&row.state, row.cancellation.as_deref(), row.decline_reason.as_deref())?,
        lines,
        total: Money::new(row.total_minor, currency)?,
        payment: row.payment_id.as_deref().map(str::parse).transpose()?,
        created: Timestamp::from_micros(row.created_at),
        updated: Timestamp::from_micros(row.updated_at),
    })
}

fn state(name: &str, cancellation: Option<&str>, reason: Option<&str>) -> Result<State, Broken> {
    match (name, cancellation, reason.and_then(DeclineReason::named)) {
        ("PAYMENT_PENDING", None, None) => Ok(State::PaymentPending),
        ("PAID", None, None) => Ok(State::Paid),
        ("DECLINED", None, Some(reason)) => Ok(State::Declined(reason)),
        ("PAYMENT_PENDING", Some("REQUESTED"), None) => Ok(State::CancelPending { is_paid: false }),
        ("PAID", Some("REQUESTED"), None) => Ok(State::CancelPending { is_paid: true }),
        ("PAID", Some("DONE"), None) => Ok(State::Cancelled),
        _ => Err(format!("an order in the unknown state {name}").into()),
    }
}
