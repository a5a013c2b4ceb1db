use std::io;
use std::sync::Arc;

use anyhow::anyhow;
use proto::Invalid;
use proto::types::v1::Order;
use tonic::Status;

use super::*;

fn placed(outcome: Option<Result<Order, Status>>, trace_id: Option<&str>) -> Placed {
    Placed { outcome, took: Duration::ZERO, trace_id: trace_id.map(str::to_owned), replayed: false }
}

fn in_state(state: OrderState) -> Placed {
    placed(Some(Ok(Order { id: "1".to_owned(), state: state.into(), ..Order::default() })), None)
}

pub(in crate::load) fn paid() -> Placed {
    in_state(OrderState::Paid)
}

/// Refused because of the field.
pub(in crate::load) fn refused(field: &str, trace_id: Option<&str>) -> Placed {
    let mut invalid = Invalid::none();
    invalid.add(field, "is wrong");
    placed(Some(Err(invalid.into())), trace_id)
}

fn empty() -> Tally {
    Tally::new(Schedule { rate: 1, duration: Duration::from_secs(1) })
}

fn tally(placed: Vec<Placed>) -> Tally {
    let mut tally = empty();
    for placed in placed {
        tally.record(Ended { placed: Ok(placed), latency: Duration::from_millis(1) }).unwrap();
    }
    tally
}

#[test]
fn only_a_paid_order_is_as_expected() {
    assert!(tally(vec![paid(), paid()]).is_well());
    for other in [in_state(OrderState::PaymentPending), refused("", None), placed(None, None)] {
        let tally = tally(vec![paid(), other]);
        assert_eq!((tally.is_well(), tally.failed(), tally.of(&Outcome::Paid)), (false, 1, 1));
    }
    let mut full = empty();
    full.refuse(1);
    assert!(!full.is_well());
}

#[test]
fn each_end_has_its_name() {
    let tally = tally(vec![paid(), in_state(OrderState::PaymentPending), refused("", None), placed(None, None)]);
    let names: Vec<_> = tally.outcomes.keys().map(ToString::to_string).collect();
    assert_eq!(names, ["OK", "OK, PAYMENT_PENDING", "INVALID_ARGUMENT", "no answer"]);
}

#[test]
fn only_answers_have_a_latency() {
    assert_eq!(tally(vec![paid(), refused("", None), placed(None, None)]).latencies.count(), 2);
}

#[test]
fn a_connection_that_breaks_is_told_once_however_it_is_put() {
    let broken = |cause: &'static str| {
        let mut broken: Status = Invalid::none().into();
        broken.set_source(Arc::new(io::Error::other(cause)));
        placed(Some(Err(broken)), None)
    };
    let tally = tally(vec![broken("reset"), broken("too_many_resets"), broken("reset")]);
    assert_eq!((tally.of(&Outcome::Broken), tally.latencies.count()), (3, 0));
    let [failure] = &tally.failures[..] else { panic!("{:?}", tally.failures) };
    assert_eq!(failure.message, "the first time because of `reset`");
}

#[test]
fn a_gateway_that_goes_away_is_counted_and_one_that_never_was_there_ends_the_load() {
    let gone = || Ended { placed: Err(anyhow!("nothing answers")), latency: Duration::ZERO };
    assert_eq!(empty().record(gone()).unwrap_err().to_string(), "nothing answers");
    let mut tally = tally(vec![paid()]);
    tally.record(gone()).unwrap();
    assert_eq!((tally.of(&Outcome::Unreachable), tally.latencies.count()), (1, 1));
}

#[test]
fn the_first_failures_that_differ_are_told_with_their_trace() {
    let orders = [("a", "1"), ("a", "2"), ("b", "3"), ("c", "4"), ("d", "5"), ("e", "6"), ("f", "7")];
    let tally = tally(orders.map(|(field, trace)| refused(field, Some(trace))).into());
    let told = tally.failures.iter().map(|failure| (&failure.message[..1], failure.trace_id.as_deref().unwrap()));
    assert_eq!(Vec::from_iter(told), [("a", "1"), ("b", "3"), ("c", "4"), ("d", "5"), ("e", "6")]);
    assert_eq!(tally.failed(), 7);
}

#[test]
fn orders_that_nobody_waited_for_are_no_failure() {
    let mut tally = empty();
    tally.abandon(3);
    assert_eq!((tally.of(&Outcome::Abandoned), tally.is_well()), (3, true));
}
