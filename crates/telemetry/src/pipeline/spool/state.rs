use std::collections::VecDeque;

use super::Record;
use super::segment::{Segment, Tally};

/// What is known of a spool's files.
#[derive(Debug, Default)]
pub(super) struct State {
    /// In the order in which they are read. Only the last one is written to.
    pub(super) segments: VecDeque<Segment>,
    pub(super) next_number: u64,
    /// The record that was handed out, of the first segment.
    pub(super) head: Option<Record>,
    pub(super) quarantined_bytes: u64,
    pub(super) quarantined: u64,
    pub(super) lost_items: u64,
    pub(super) corrupt_records: u64,
}

// === impl State ===

impl State {
    /// A number for the next segment.
    pub(super) fn number(&mut self) -> u64 {
        let number = self.next_number;
        self.next_number = number.saturating_add(1);
        number
    }

    pub(super) fn lose(&mut self, is_earlier: bool, lost: Tally) {
        self.corrupt_records = self.corrupt_records.saturating_add(lost.records);
        if !is_earlier {
            self.lost_items = self.lost_items.saturating_add(lost.items);
        }
    }
}
