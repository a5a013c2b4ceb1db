use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, RwLock};

use super::allowance::{Allowance, Pace};
use super::chance::{self, CHANCES};
use super::report::MethodShare;
use super::striped::{Counter, Striped};
use crate::lock::{lock, read, write};

/// How many methods have a share of their own; those beyond it have one together.
const MOST_METHODS: usize = 200;

/// The longest name that has a share of its own.
const LONGEST_NAME: usize = 256;

/// How often shares are made anew, in nanoseconds.
const WINDOW: u64 = 1_000_000_000;

/// What is shared out of the rate. The rest fills up what a burst has taken, or a method that comes once a second would
/// find nothing left by those that come all the time.
const SHARED: f64 = 0.95;

/// How many more calls are let through by chance than a method may have, so that it misses nothing of its share.
const SPARE: f64 = 1.2;

/// So many traces a second, shared by the methods that ask: each may have an equal part, and what one leaves the others
/// may have (max-min fairness).
///
/// Within its part a method's traces are taken by chance, by how often it was called in the second before, so that they
/// are not always the first ones of a burst; allowances keep it from exceeding its part, and all from exceeding the rate.
/// Times are nanoseconds of a clock that only goes forward.
#[derive(Debug)]
pub(super) struct FairRate {
    per_second: f64,
    whole: Allowance,
    /// How far apart the traces of one method are at its fullest share, in nanoseconds.
    part: AtomicU64,
    /// Copies of the window's methods.
    methods: Striped<RwLock<Methods>>,
    others: Method,
    window_ends: AtomicU64,
    window: Mutex<Window>,
}

#[derive(Debug, Default)]
struct Window {
    began: u64,
    methods: Methods,
}

type Methods = HashMap<Arc<str>, Arc<Method>>;

#[derive(Debug)]
struct Method {
    /// In this window.
    calls: Counter,
    /// Calls per second of the window before, as bits.
    rate: AtomicU64,
    /// How many chances of all are let through.
    chances: AtomicU64,
    allowance: Allowance,
}

// === impl FairRate ===

impl FairRate {
    pub(super) fn new(per_second: f64) -> Self {
        Self {
            per_second,
            whole: Allowance::default(),
            part: AtomicU64::new(Pace::per_second(per_second).nanoseconds()),
            methods: Striped::default(),
            others: Method::new(),
            window_ends: AtomicU64::new(WINDOW),
            window: Mutex::default(),
        }
    }

    /// Whether a trace that begins `now` with `method` is taken. It may have been taken before by its `chance`.
    pub(super) fn admits(&self, now: u64, method: &str, chance: u64) -> bool {
        if now >= self.window_ends.load(Ordering::Relaxed) {
            self.share_anew(now);
        }
        if let Some(known) = read(self.methods.own()).get(method) {
            return self.admits_one_of(known, now, chance);
        }
        match self.add(method) {
            Some(added) => self.admits_one_of(&added, now, chance),
            None => self.admits_one_of(&self.others, now, chance),
        }
    }

    fn admits_one_of(&self, method: &Method, now: u64, chance: u64) -> bool {
        method.calls.increment();
        if chance::second(chance) >= method.chances.load(Ordering::Relaxed) {
            return false;
        }
        let part = Pace::of_nanoseconds(self.part.load(Ordering::Relaxed));
        method.allowance.take(now, part) && self.whole.take(now, Pace::per_second(self.per_second))
    }

    /// What each method has, in the order of their names.
    pub(super) fn shares(&self) -> Vec<MethodShare> {
        let mut shares: Vec<_> = self.window().methods.iter().map(|(name, method)| method.share(name)).collect();
        shares.sort_by(|a, b| a.method.cmp(&b.method));
        shares
    }

    fn window(&self) -> MutexGuard<'_, Window> {
        lock(&self.window)
    }

    /// Gives a method a part of its own, unless there are too many.
    fn add(&self, name: &str) -> Option<Arc<Method>> {
        if name.len() > LONGEST_NAME {
            return None;
        }
        let methods = &mut self.window().methods;
        if methods.len() >= MOST_METHODS {
            return methods.get(name).cloned();
        }
        let (name, added) = (Arc::from(name), Arc::new(Method::new()));
        let added = Arc::clone(methods.entry(Arc::clone(&name)).or_insert(added));
        for copy in self.methods.all() {
            write(copy).insert(Arc::clone(&name), Arc::clone(&added));
        }
        Some(added)
    }

    /// Begins a new window, with shares by what was asked for in the one before.
    fn share_anew(&self, now: u64) {
        // Whoever comes while it is being done goes by the old shares.
        let Ok(mut window) = self.window.try_lock() else { return };
        if now < self.window_ends.load(Ordering::Relaxed) {
            return;
        }
        let took = now.saturating_sub(window.began);
        // After a pause, what was asked for before it says nothing.
        let seconds = if took < 2 * WINDOW { took as f64 / WINDOW as f64 } else { f64::INFINITY };
        if window.methods.len() >= MOST_METHODS {
            // Names that nobody asks for any more make room for others.
            window.methods.retain(|_, method| method.calls.sum() > 0);
            for copy in self.methods.all() {
                write(copy).clone_from(&window.methods);
            }
        }
        let all = || window.methods.values().map(Arc::as_ref).chain([&self.others]);
        let rates = all().map(|method| method.rate_of(seconds)).collect();
        let part = level(self.per_second * SHARED, rates);
        all().for_each(|method| method.let_through(part));
        self.part.store(Pace::per_second(part).nanoseconds(), Ordering::Relaxed);
        window.began = now;
        self.window_ends.store(now.saturating_add(WINDOW), Ordering::Relaxed);
    }
}

/// The most that each may have of `whole`, so that it is used up where there is enough to ask for it. Where all ask for
/// less than the whole, each may have all of it.
fn level(whole: f64, mut asked: Vec<f64>) -> f64 {
    asked.sort_by(f64::total_cmp);
    let mut left = whole;
    for (served, rate) in asked.iter().enumerate() {
        let part = left / (asked.len() - served) as f64;
        if *rate > part {
            return part;
        }
        left -= rate;
    }
    whole
}

// === impl Method ===

impl Method {
    fn new() -> Self {
        Self {
            calls: Counter::default(),
            rate: AtomicU64::new(0.0_f64.to_bits()),
            chances: AtomicU64::new(u64::MAX),
            allowance: Allowance::default(),
        }
    }

    /// How often it was called a second in the window that ends, which took `seconds`.
    fn rate_of(&self, seconds: f64) -> f64 {
        let rate = self.calls.take() as f64 / seconds;
        self.rate.store(rate.to_bits(), Ordering::Relaxed);
        rate
    }

    fn let_through(&self, part: f64) {
        let rate = f64::from_bits(self.rate.load(Ordering::Relaxed));
        let share = SPARE * part / rate;
        let chances = if share < 1.0 { (share * CHANCES) as u64 } else { u64::MAX };
        self.chances.store(chances, Ordering::Relaxed);
    }

    fn share(&self, name: &str) -> MethodShare {
        let probability = self.chances.load(Ordering::Relaxed) as f64 / CHANCES;
        MethodShare {
            method: name.to_owned(),
            calls_per_second: f64::from_bits(self.rate.load(Ordering::Relaxed)),
            probability: probability.min(1.0),
        }
    }
}

#[cfg(test)]
mod tests;
