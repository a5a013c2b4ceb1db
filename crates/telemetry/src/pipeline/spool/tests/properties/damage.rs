//! What one damage costs, and how it is counted.

use super::*;
use crate::pipeline::spool::record::{self, FILE_HEADER, Header};
use crate::pipeline::spool::records::{Cursor, Found, Records};

/// A segment file before its damage, and after.
struct Damaged {
    before: Vec<u8>,
    records: Vec<Found>,
    /// `None` if it is gone.
    after: Option<Vec<u8>>,
}

/// What a process found that had not written it.
#[derive(Debug)]
struct Cost {
    /// Records that did not come out, and those that were counted as corrupt.
    missing: u64,
    counted: u64,
    quarantined: u64,
}

fn records(path: &Path) -> Vec<Found> {
    let mut records = Records::open(fs::File::open(path).unwrap()).unwrap().unwrap();
    let mut cursor = Cursor::START;
    std::iter::from_fn(|| records.next(&mut cursor).unwrap()).collect()
}

/// Does the damage; `None` if it changed nothing.
fn damaged(run: &mut Run, file: Index, damage: Damage) -> Option<Damaged> {
    let read = |path: &PathBuf| (path.clone(), fs::read(path).unwrap(), records(path));
    let files: Vec<_> = segments(&run.spool()).iter().map(read).collect();
    run.damage(file, damage);
    let changes =
        files.into_iter().map(|(path, before, records)| Damaged { before, records, after: fs::read(path).ok() });
    changes.into_iter().find(|file| file.after.as_ref() != Some(&file.before))
}

// === impl Damaged ===

impl Damaged {
    /// Those that waited, of the records that end behind `from`.
    fn waited(&self, from: u64) -> u64 {
        let ends_behind = |found: &&Found| found.at + found.header.record_length() > from;
        self.records.iter().filter(ends_behind).filter(|found| !found.is_done).count() as u64
    }

    /// Where the change begins.
    fn at(&self) -> usize {
        let after = self.after.as_deref().unwrap_or_default();
        let same = self.before.iter().zip(after).take_while(|(before, after)| before == after);
        same.count()
    }

    /// Whether the end was cut off, or all of it.
    fn is_cut(&self) -> bool {
        self.after.as_ref().is_none_or(|after| self.at() == after.len())
    }

    /// Whether nothing but the state of a record has changed.
    fn is_state(&self) -> bool {
        let salt = record::salt(&self.before).unwrap();
        let header = |start| Header::parse(&self.before[start..], salt);
        let is_as_long = self.after.as_ref().is_some_and(|after| after.len() == self.before.len());
        is_as_long && self.at().checked_sub(record::STATE_AT).and_then(header).is_some()
    }

    fn costs(&self, cost: &Cost) {
        if self.is_cut() {
            self.costs_the_end(cost);
        } else if cost.quarantined > 0 {
            // Set aside as a whole, for what its begin is.
            assert!(self.at() < FILE_HEADER, "{}: {cost:?}", self.at());
            assert_eq!((cost.missing, cost.counted), (self.waited(0), 0));
        } else if self.is_state() {
            // Done instead of waiting, or the other way round: nobody can tell.
            assert!(cost.missing <= 1 && cost.counted == 0, "{cost:?}");
        } else {
            // One record: for the bytes it lost, and, if it was the last one, for those that follow it.
            assert!(cost.missing <= cost.counted.min(1) && cost.counted <= 2, "{cost:?}");
        }
    }

    /// What was behind the cut. It counts as one, for the piece that is left of the first, if there is any.
    fn costs_the_end(&self, cost: &Cost) {
        let left = self.after.as_ref().map_or(0, |after| after.len() as u64);
        let ends = self.records.iter().map(|found| found.at + found.header.record_length());
        let is_between = left == 0 || left == FILE_HEADER as u64 || { ends }.any(|end| end == left);
        let is_no_segment = left > 0 && left < FILE_HEADER as u64;
        assert_eq!(cost.missing, self.waited(left));
        assert_eq!(cost.quarantined, u64::from(is_no_segment));
        assert_eq!(cost.counted, u64::from(!is_between && !is_no_segment), "{left}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(192))]

    /// The process that has written a record counts it exactly, whatever becomes of its file. A later one knows of a
    /// segment only what is in it: see [`Damaged::costs`].
    #[test]
    fn one_damage_costs_one_record_or_an_end_and_is_counted(
        lengths in vec(4_usize..80, 1..80),
        done in 0_usize..40,
        (file, damage) in (any::<Index>(), damage()),
        restarts in any::<bool>(),
    ) {
        let mut run = Run::new();
        lengths.into_iter().for_each(|length| run.append(length, 1));
        for _ in 0..done {
            run.next();
            run.done();
        }
        let damaged = damaged(&mut run, file, damage);
        if restarts {
            run.restart();
        }
        run.drain();
        let status = run.spool().status();
        let missing = run.waiting.len() as u64;
        let cost = Cost { missing, counted: status.corrupt_records, quarantined: status.quarantined };
        match damaged {
            Some(damaged) if restarts => damaged.costs(&cost),
            Some(_) => prop_assert_eq!((cost.missing, cost.quarantined), (cost.counted, 0)),
            None => prop_assert_eq!((cost.missing, cost.counted, cost.quarantined), (0, 0, 0)),
        }
    }
}
