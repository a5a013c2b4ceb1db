use proptest::prelude::*;

use super::*;

const SECOND: u64 = WINDOW;

/// The chance of a random trace id.
fn chance_of(call: u64) -> u64 {
    chance::second(call + 1)
}

/// Calls of each method at an even rate for `seconds`, by a clock of its own: how many of each were taken per second
/// once the first window has passed, and how many of all in the whole time.
fn simulated(rate: &FairRate, calls_per_second: &[u64], seconds: u64) -> (Vec<f64>, u64) {
    let mut calls: Vec<_> = calls_per_second
        .iter()
        .enumerate()
        .flat_map(|(method, per_second)| {
            (0..per_second * seconds).map(move |call| ((2 * call + 1) * SECOND / (2 * per_second), method))
        })
        .collect();
    calls.sort_unstable();
    let (mut taken, mut all) = (vec![0.0; calls_per_second.len()], 0);
    for (index, (now, method)) in calls.into_iter().enumerate() {
        let is_taken = rate.admits(now, &format!("method {method}"), chance_of(index as u64));
        all += u64::from(is_taken);
        taken[method] += if is_taken && now >= SECOND { 1.0 / (seconds - 1) as f64 } else { 0.0 };
    }
    (taken, all)
}

#[track_caller]
fn assert_about(taken: f64, expected: f64) {
    assert!((taken - expected).abs() <= 0.08 * expected, "{taken} is not about {expected}");
}

#[test]
fn each_method_has_an_equal_part_and_what_one_leaves_the_others_have() {
    let (taken, _) = simulated(&FairRate::new(20.0), &[1000, 10, 1, 300], 120);
    // One a second is all that the third asks for; 95 % of the rate, less that, makes three parts.
    assert_about(taken[0], 6.0);
    assert_about(taken[1], 6.0);
    assert_about(taken[2], 1.0);
    assert_about(taken[3], 6.0);
}

#[test]
fn a_service_that_is_called_less_often_than_the_rate_has_every_trace() {
    let (_, all) = simulated(&FairRate::new(20.0), &[9, 9], 60);
    assert_eq!(all, 2 * 9 * 60);
}

#[test]
fn one_method_may_have_all() {
    let (taken, _) = simulated(&FairRate::new(50.0), &[5000], 60);
    assert_about(taken[0], 47.5);
}

#[test]
fn a_burst_does_not_take_what_another_method_has_a_right_to() {
    let rate = FairRate::new(10.0);
    simulated(&rate, &[100, 100], 10);
    // The first method's calls grow a hundredfold, in the middle of a window.
    let now = 10 * SECOND + SECOND / 2;
    let taken: usize = (0..10_000).filter(|call| rate.admits(now, "method 0", chance_of(*call))).count();
    assert!(taken <= 5, "{taken} of 4.75 a second");
}

#[test]
fn a_burst_is_taken_from_throughout_also_after_a_ratio() {
    let rate = FairRate::new(10.0);
    // Only traces that a ratio of one tenth has taken.
    let mut chances = (0..).map(chance_of).filter(|chance| *chance < (0.1 * CHANCES) as u64);
    for call in 0..2000 {
        rate.admits(call * SECOND / 1000, "method", chances.next().unwrap());
    }
    let later = 5 * SECOND / 2;
    let taken: Vec<_> = (0..1000).filter(|_| rate.admits(later, "method", chances.next().unwrap())).collect();
    assert!(taken.iter().any(|call| *call > 200), "{taken:?}");
    assert!(taken.len() >= 5, "{taken:?}");
}

#[test]
fn after_a_burst_traffic_as_before_is_traced_as_before() {
    let rate = FairRate::new(10.0);
    simulated(&rate, &[2000], 10);
    let later = 60 * SECOND;
    // The first call after a pause begins a window, with shares by the long quiet one.
    let taken = (0..10).filter(|call| rate.admits(later + call * SECOND, "method 0", u64::MAX >> 1)).count();
    assert_eq!(taken, 10);
}

#[test]
fn invented_methods_share_one_part_and_leave_again() {
    let rate = FairRate::new(1000.0);
    for call in 0..10_000 {
        rate.admits(call, &format!("invented {call}"), 0);
    }
    assert_eq!(rate.shares().len(), MOST_METHODS);
    rate.admits(0, &"long ".repeat(100), 0);
    assert_eq!(rate.shares().len(), MOST_METHODS);
    rate.admits(SECOND, "real", 0);
    rate.admits(2 * SECOND, "real", 0);
    assert_eq!(rate.shares().iter().map(|share| share.method.as_str()).collect::<Vec<_>>(), ["real"]);
}

#[test]
fn shares_say_what_is_asked_for_and_what_is_let_through() {
    let rate = FairRate::new(10.0);
    simulated(&rate, &[95, 5], 10);
    rate.admits(10 * SECOND, "method 1", 0);
    let shares = rate.shares();
    assert_eq!((shares[0].method.as_str(), shares[0].calls_per_second), ("method 0", 95.0));
    // (9.5 - 4.75) a second, and the spare, of 95.
    assert!((shares[0].probability - 0.06).abs() < 0.001, "{shares:?}");
    assert_eq!((shares[1].calls_per_second, shares[1].probability), (5.0, 1.0));
}

proptest! {
    #[test]
    fn what_is_shared_out_is_the_whole_or_all_that_is_asked_for(
        whole in 0.1_f64..1000.0,
        asked in prop::collection::vec(0.0_f64..500.0, 1..50),
    ) {
        let level = level(whole, asked.clone());
        let given: f64 = asked.iter().map(|rate| rate.min(level)).sum();
        prop_assert!((given - whole.min(asked.iter().sum())).abs() < 0.001 * whole);
    }

    #[test]
    fn no_traffic_gets_more_than_the_rate(
        per_second in 0.5_f64..50.0,
        calls in prop::collection::vec(1_u64..150, 1..6),
    ) {
        let (_, all) = simulated(&FairRate::new(per_second), &calls, 20);
        prop_assert!(all as f64 <= per_second * 20.0 + per_second.max(1.0), "{}", all);
    }
}
