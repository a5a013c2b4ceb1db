//! What holds whatever is done with a spool, and whatever becomes of its files.

use std::collections::{HashMap, VecDeque};

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;

use super::*;
use crate::pipeline::spool::record::MARKER;

mod damage;

/// So little that it is full now and then, and that segments end after some records.
const SMALL_ROOM: u64 = 32 << 10;

#[derive(Clone, Debug)]
enum Step {
    Append {
        length: usize,
        items: u64,
    },
    Next,
    /// The record that was handed out last.
    Done,
    /// The process ends, and another one starts.
    Restart,
    Damage(Index, Damage),
    /// A file that no spool has put there.
    Stray(String, Vec<u8>),
}

/// What becomes of a file.
#[derive(Clone, Debug)]
enum Damage {
    Overwritten(Index, u8),
    Cut(Index),
    Inserted(Index, Vec<u8>),
    /// What is there from one place to another stands there twice.
    Doubled(Index, Index),
    Removed,
}

/// A spool, and what is known of it from outside.
struct Run {
    directory: TempDir,
    spools: Option<Spools>,
    /// All that were ever appended, with their numbers.
    bodies: HashMap<Vec<u8>, usize>,
    /// Those that are not done, in order.
    waiting: VecDeque<(usize, u64)>,
    handed_out: Option<Record>,
    /// The items of the process that runs: appended, and done.
    own: (u64, u64),
    /// The number of the last record that was done in this process.
    last: Option<usize>,
    is_damaged: bool,
}

fn damage() -> impl Strategy<Value = Damage> {
    prop_oneof![
        (any::<Index>(), any::<u8>()).prop_map(|(at, byte)| Damage::Overwritten(at, byte)),
        any::<Index>().prop_map(Damage::Cut),
        (any::<Index>(), vec(any::<u8>(), 1..100)).prop_map(|(at, bytes)| Damage::Inserted(at, bytes)),
        any::<(Index, Index)>().prop_map(|(from, to)| Damage::Doubled(from, to)),
        Just(Damage::Removed),
    ]
}

/// With `is_in_the_way`, also one by the name of a segment.
fn stray(is_in_the_way: bool) -> impl Strategy<Value = Step> {
    let other = proptest::sample::select(vec!["stray", "0.segment", "00000000000000000000.tmp"]);
    let segment = (0_u64..30, proptest::sample::select(vec!["segment", "segment.quarantined"]));
    let name = prop_oneof![
        1 => other.prop_map(str::to_owned),
        u32::from(is_in_the_way) => segment.prop_map(|(number, kind)| format!("{number:020}.{kind}")),
    ];
    (name, vec(any::<u8>(), 0..100)).prop_map(|(name, bytes)| Step::Stray(name, bytes))
}

fn steps(with_damage: bool) -> impl Strategy<Value = Vec<Step>> {
    let damage = (any::<Index>(), damage()).prop_map(|(file, damage)| Step::Damage(file, damage));
    let step = prop_oneof![
        6 => (4_usize..1500, 0_u64..4).prop_map(|(length, items)| Step::Append { length, items }),
        3 => Just(Step::Next),
        3 => Just(Step::Done),
        1 => Just(Step::Restart),
        u32::from(with_damage) => damage,
        1 => stray(with_damage),
    ];
    vec(step, 1..80)
}

// === impl Run ===

impl Run {
    fn new() -> Self {
        let mut run = Self {
            directory: TempDir::new().unwrap(),
            spools: None,
            bodies: HashMap::new(),
            waiting: VecDeque::new(),
            handed_out: None,
            own: (0, 0),
            last: None,
            is_damaged: false,
        };
        run.restart();
        run
    }

    fn spool(&self) -> Arc<Spool> {
        traces(self.spools.as_ref().unwrap())
    }

    fn step(&mut self, step: Step) {
        match step {
            Step::Append { length, items } => self.append(length, items),
            Step::Next => drop(self.next()),
            Step::Done => self.done(),
            Step::Restart => self.restart(),
            Step::Damage(file, damage) => self.damage(file, damage),
            Step::Stray(name, bytes) => {
                self.is_damaged |= name.starts_with("0000") && name.contains("segment");
                fs::write(self.spool().directory.join(name), bytes).unwrap();
            }
        }
        let status = self.spool().status();
        assert_eq!(status.items + status.lost_items + self.own.1, self.own.0, "{status:?}");
        if !self.is_damaged {
            let items: u64 = self.waiting.iter().map(|(_, items)| items).sum();
            assert_eq!((status.items + status.earlier_items, status.lost_items), (items, 0));
            assert_eq!((status.records, status.corrupt_records), (self.waiting.len() as u64, 0));
            assert!(status.bytes <= SMALL_ROOM, "{status:?}");
        }
    }

    /// A body that tells its number, and is full of what looks like the begin of a record.
    fn append(&mut self, length: usize, items: u64) {
        let number = self.bodies.len();
        let mut body = u32::try_from(number).unwrap().to_le_bytes().to_vec();
        body.extend(MARKER.iter().copied().cycle().take(length - 4));
        match self.spool().append(&body, items) {
            Ok(()) => {
                self.bodies.insert(body, number);
                self.waiting.push_back((number, items));
                self.own.0 += items;
            }
            Err(refused) => assert!(self.is_damaged || matches!(refused, Refused::Full), "{refused:?}"),
        }
    }

    fn next(&mut self) -> Option<Record> {
        let record = self.spool().next();
        if let Some(record) = &record {
            let number = *self.bodies.get(&*record.body).expect("it was appended like this");
            assert!(self.last.is_none_or(|last| last < number), "{:?} came before {number}", self.last);
        }
        if let Some(before) = &self.handed_out {
            assert_eq!(record.as_ref().map(|record| &record.body), Some(&before.body), "it is not done");
        }
        if !self.is_damaged {
            let number = record.as_ref().map(|record| (self.bodies[&*record.body], record.items));
            assert_eq!(number, self.waiting.front().copied());
        }
        self.handed_out.clone_from(&record);
        record
    }

    fn done(&mut self) {
        let Some(record) = self.handed_out.take() else { return };
        self.spool().done(&record);
        let done = self.bodies[&*record.body];
        self.waiting.retain(|(number, _)| *number != done);
        self.last = Some(done);
        self.own.1 += if record.is_earlier { 0 } else { record.items };
    }

    fn restart(&mut self) {
        self.handed_out = None;
        // The lock is free before it is asked for.
        self.spools = None;
        self.spools = Some(Spools::claim(self.directory.path(), "order", SMALL_ROOM).unwrap());
        (self.own, self.last) = ((0, 0), None);
    }

    fn damage(&mut self, file: Index, damage: Damage) {
        let segments = segments(&self.spool());
        let has_bytes = |path: &&PathBuf| path.metadata().is_ok_and(|file| file.len() > 0);
        let files: Vec<_> = segments.iter().filter(has_bytes).collect();
        if files.is_empty() {
            return;
        }
        self.is_damaged = true;
        let path = file.get(&files);
        let mut bytes = fs::read(path).unwrap();
        match damage {
            Damage::Overwritten(at, byte) => *at.get_mut(&mut bytes) = byte,
            Damage::Cut(at) => bytes.truncate(at.index(bytes.len())),
            Damage::Inserted(at, inserted) => {
                let at = at.index(bytes.len());
                bytes.splice(at..at, inserted);
            }
            Damage::Doubled(from, to) => {
                let (from, to) = (from.index(bytes.len()), to.index(bytes.len()));
                let doubled = bytes[from.min(to)..from.max(to)].to_vec();
                bytes.splice(from..from, doubled);
            }
            Damage::Removed => return fs::remove_file(path).unwrap(),
        }
        fs::write(path, bytes).unwrap();
    }

    /// Takes out all that is left.
    fn drain(&mut self) {
        while self.next().is_some() {
            self.done();
        }
        let status = self.spool().status();
        assert_eq!((status.items, status.earlier_items, status.records), (0, 0, 0));
        assert!(self.spool().is_empty());
        assert_eq!(status.lost_items + self.own.1, self.own.0);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn records_come_out_as_they_went_in_each_once_and_in_order(steps in steps(false)) {
        let mut run = Run::new();
        steps.into_iter().for_each(|step| run.step(step));
        run.drain();
        prop_assert!(run.waiting.is_empty());
    }

    #[test]
    fn what_becomes_of_the_files_spoils_no_other_record_and_is_counted(steps in steps(true)) {
        let mut run = Run::new();
        steps.into_iter().for_each(|step| run.step(step));
        run.drain();
    }

    #[test]
    fn any_bytes_can_be_read(garbage in vec(any::<u8>(), 0..3000), is_ours in any::<bool>()) {
        let directory = TempDir::new().unwrap();
        let path = {
            let spools = open(&directory);
            traces(&spools).append(&garbage, 1).unwrap();
            segments(&traces(&spools))[0].clone()
        };
        let mut bytes = fs::read(&path).unwrap();
        // Behind a good header, or as all there is.
        bytes.splice(if is_ours { record::FILE_HEADER } else { 0 }.., garbage.iter().copied());
        fs::write(&path, &bytes).unwrap();
        let spools = open(&directory);
        prop_assert!(drained(&traces(&spools)).is_empty());
        let status = traces(&spools).status();
        prop_assert_eq!(status.quarantined, u64::from(!is_ours && !bytes.is_empty()));
        prop_assert_eq!(status.corrupt_records, u64::from(is_ours && !garbage.is_empty()));
    }
}
