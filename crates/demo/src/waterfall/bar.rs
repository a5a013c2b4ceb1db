//! When a span ran, drawn on the line of the whole trace.

/// A span's time and the trace's, in nanoseconds.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bar {
    pub(super) start: u64,
    pub(super) end: u64,
    pub(super) extent: (u64, u64),
}

impl Bar {
    /// The bar in at most `cells` cells: as long as its share of the trace, and a thin mark where that is under one cell.
    pub(super) fn draw(self, cells: usize) -> String {
        let from = self.cell(self.start, cells).min(cells.saturating_sub(1));
        let to = self.cell(self.end, cells).min(cells);
        let filled = if to > from { "█".repeat(to - from) } else { "▏".to_owned() };
        " ".repeat(from) + &filled
    }

    /// In which cell a time falls.
    fn cell(self, time: u64, cells: usize) -> usize {
        let (start, end) = self.extent;
        let (passed, whole) = (u128::from(time.saturating_sub(start)), u128::from((end - start).max(1)));
        let cells = u128::try_from(cells).unwrap_or(u128::MAX);
        usize::try_from((passed * cells + whole / 2) / whole).unwrap_or(usize::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::Bar;

    #[track_caller]
    fn check(start: u64, end: u64, drawn: &str) {
        assert_eq!(Bar { start, end, extent: (1_000, 2_000) }.draw(10), drawn);
    }

    #[test]
    fn a_bar_covers_its_share_of_the_trace() {
        check(1_000, 2_000, "██████████");
        check(1_500, 2_000, "     █████");
        check(1_100, 1_300, " ██");
    }

    #[test]
    fn the_shortest_bar_is_a_mark_inside_the_line() {
        check(1_000, 1_000, "▏");
        check(2_000, 2_000, "         █");
        check(1_500, 1_501, "     ▏");
    }

    #[test]
    fn an_instant_trace_is_drawn_too() {
        assert_eq!(Bar { start: 5, end: 5, extent: (5, 5) }.draw(3), "▏");
    }
}
