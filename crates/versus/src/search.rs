/// The lowest rate that is tried, in spans a second.
const LOWEST: f64 = 10_000.0;

/// How much higher each rate is than the one before.
const STEP: f64 = 1.15;

/// How many rates there are: up to three and a half million.
const RATES: u32 = 43;

/// Looks for the highest of some rates that is held: each is held if a higher one is.
#[derive(Debug)]
pub(crate) struct Search {
    /// The number of the lowest rate that nobody knows of yet.
    lowest: u32,
    /// That of the lowest one that is not held.
    too_high: u32,
}

// === impl Search ===

impl Search {
    /// The rate to try, if there is one left.
    pub(crate) fn next(&self) -> Option<u64> {
        (self.lowest < self.too_high).then(|| rate(self.middle()))
    }

    /// Whether that one is held.
    pub(crate) fn tell(&mut self, is_held: bool) {
        let middle = self.middle();
        if is_held { self.lowest = middle + 1 } else { self.too_high = middle }
    }

    /// The highest that is held.
    pub(crate) fn highest(&self) -> Option<u64> {
        self.lowest.checked_sub(1).map(rate)
    }

    fn middle(&self) -> u32 {
        u32::midpoint(self.lowest, self.too_high)
    }
}

impl Default for Search {
    fn default() -> Self {
        Self { lowest: 0, too_high: RATES }
    }
}

fn rate(number: u32) -> u64 {
    (LOWEST * STEP.powf(f64::from(number))).round() as u64
}
