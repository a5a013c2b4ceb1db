//! Rows into orders.

use crate::order::{Currency, DeclineReason, Line, Money, Order, Quantity, State, Timestamp};

type Broken = Box<dyn std::error::Error + Send + Sync>;

/// A row of `orders`.
#[derive(sqlx::FromRow)]
pub(super) struct OrderRow {
    pub(super) id: String,
    state: String,
    decline_reason: Option<String>,
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
    /// The row as it was when its order was in `state`, since `updated_at`.
    pub(super) fn back_in(self, state: String, updated_at: i64) -> Self {
        Self { state, updated_at, ..self }
    }
}

/// The order of a row and its lines.
///
/// # Errors
/// When the rows hold what this service never writes.
pub(super) fn order(row: OrderRow, lines: Vec<LineRow>) -> Result<Order, sqlx::Error> {
    parse(row, lines).map_err(sqlx::Error::Decode)
}

/// The name of a state in the store.
pub(super) fn state_name(state: State) -> &'static str {
    match state {
        State::PaymentPending => "PAYMENT_PENDING",
        State::Paid => "PAID",
        State::Declined(_) => "DECLINED",
    }
}

fn parse(row: OrderRow, lines: Vec<LineRow>) -> Result<Order, Broken> {
    let currency = row.currency.parse::<Currency>()?;
    let line = |line: LineRow| -> Result<Line, Broken> {
        let unit_price = Money::new(line.unit_price_minor, currency)?;
        Ok(Line::new(line.sku.parse()?, Quantity::try_from(i32::try_from(line.quantity)?)?, unit_price)?)
    };
    Ok(Order {
        id: row.id.parse()?,
        state: state(&row.state, row.decline_reason.as_deref())?,
        lines: lines.into_iter().map(line).collect::<Result<_, _>>()?,
        total: Money::new(row.total_minor, currency)?,
        payment: row.payment_id.as_deref().map(str::parse).transpose()?,
        created: Timestamp::from_micros(row.created_at),
        updated: Timestamp::from_micros(row.updated_at),
    })
}

fn state(name: &str, reason: Option<&str>) -> Result<State, Broken> {
    match (name, reason.and_then(DeclineReason::named)) {
        ("PAYMENT_PENDING", None) => Ok(State::PaymentPending),
        ("PAID", None) => Ok(State::Paid),
        ("DECLINED", Some(reason)) => Ok(State::Declined(reason)),
        _ => Err(format!("an order in the unknown state {name}").into()),
    }
}
