//! How what the ledger keeps is spelled.

use std::error::Error as StdError;
use std::str::FromStr;

use sqlx::Row;
use sqlx::any::AnyRow;

use crate::idempotency::Method;
use crate::payment::{Change, DeclineReason, Money, Payment, State, Timestamp};

/// A value that this version of the service never wrote.
#[derive(Debug, thiserror::Error)]
#[error("the ledger holds an unknown {0}")]
struct Foreign(&'static str);

/// A row of `payments`, or of a join with it.
pub(super) fn payment(row: &AnyRow) -> Result<Payment, sqlx::Error> {
    let minor_units = row.try_get::<i64, _>("amount_minor")?.try_into().map_err(decode)?;
    Ok(Payment {
        id: parsed(row, "id")?,
        order_id: parsed(row, "order_id")?,
        amount: Money { minor_units, currency: parsed(row, "currency")? },
        state: state(row, row.try_get("state")?)?,
        created_at: Timestamp { micros: row.try_get("created_at")? },
        updated_at: Timestamp { micros: row.try_get("updated_at")? },
    })
}

/// The payment as it was when it was answered with, of a row of `idempotency_keys` joined with it; `None` before that.
pub(super) fn answered(row: &AnyRow) -> Result<Option<Payment>, sqlx::Error> {
    let Some(name) = row.try_get::<Option<&str>, _>("answered_state")? else { return Ok(None) };
    let updated_at = Timestamp { micros: row.try_get("answered_at")? };
    Ok(Some(Payment { state: state(row, name)?, updated_at, ..payment(row)? }))
}

/// A row of `payment_history`, joined with its payment.
pub(super) fn change(row: &AnyRow) -> Result<Change, sqlx::Error> {
    let at = Timestamp { micros: row.try_get("created_at")? };
    Ok(Change { state: state(row, row.try_get("state")?)?, at })
}

/// The step of that name.
pub(super) fn step(name: &str) -> Result<Method, sqlx::Error> {
    [Method::Charge, Method::Refund].into_iter().find(|step| step.name() == name).ok_or_else(|| decode(Foreign("step")))
}

/// The name of a state, without what belongs to it.
pub(super) fn name(state: &State) -> &'static str {
    match state {
        State::Pending => "pending",
        State::Captured(_) => "captured",
        State::Declined(_) => "declined",
        State::RefundPending(_) => "refund_pending",
        State::Refunded(_) => "refunded",
    }
}

pub(super) fn decline_reason(state: &State) -> Option<&'static str> {
    match state {
        State::Declined(reason) => Some(reason.code()),
        State::Pending | State::Captured(_) | State::RefundPending(_) | State::Refunded(_) => None,
    }
}

/// How the step ended that led to `state`.
pub(super) fn step_outcome(state: &State) -> &'static str {
    match state {
        State::Declined(_) => "declined",
        State::Captured(_) | State::Refunded(_) => "done",
        State::Pending | State::RefundPending(_) => "started",
    }
}

/// The state called `name`, with what `row` says belongs to it.
fn state(row: &AnyRow, name: &str) -> Result<State, sqlx::Error> {
    Ok(match name {
        "pending" => State::Pending,
        "captured" => State::Captured(parsed(row, "transaction_id")?),
        "declined" => State::Declined(match row.try_get("decline_reason")? {
            "CARD_DECLINED" => DeclineReason::CardDeclined,
            "INSUFFICIENT_FUNDS" => DeclineReason::InsufficientFunds,
            "CARD_EXPIRED" => DeclineReason::CardExpired,
            _ => return Err(decode(Foreign("decline reason"))),
        }),
        "refund_pending" => State::RefundPending(parsed(row, "transaction_id")?),
        "refunded" => State::Refunded(parsed(row, "transaction_id")?),
        _ => return Err(decode(Foreign("state"))),
    })
}

pub(super) fn parsed<T>(row: &AnyRow, column: &str) -> Result<T, sqlx::Error>
where
    T: FromStr<Err: StdError + Send + Sync + 'static>,
{
    row.try_get::<&str, _>(column)?.parse().map_err(decode)
}

fn decode(error: impl StdError + Send + Sync + 'static) -> sqlx::Error {
    sqlx::Error::Decode(error.into())
}
