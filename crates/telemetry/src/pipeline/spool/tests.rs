use std::fs::OpenOptions;
use std::os::unix::fs::FileExt;

use tempfile::TempDir;

use super::*;

mod properties;
mod reader;

const ROOM: u64 = 64 << 20;

fn open(directory: &TempDir) -> Spools {
    Spools::claim(directory.path(), "order", ROOM).unwrap()
}

fn traces(spools: &Spools) -> Arc<Spool> {
    spools.of(crate::pipeline::signal::Signal::Traces)
}

/// Everything that waits, marked as done.
fn drained(spool: &Spool) -> Vec<Vec<u8>> {
    let next = || {
        let record = spool.next()?;
        spool.done(&record);
        Some(record.body.to_vec())
    };
    std::iter::from_fn(next).collect()
}

/// The files that hold records, oldest first.
fn segments(spool: &Spool) -> Vec<PathBuf> {
    let state = spool.lock();
    state.segments.iter().map(|segment| segment.path().to_owned()).collect()
}

#[test]
fn records_come_out_in_order_and_once_also_in_a_later_process() {
    let directory = TempDir::new().unwrap();
    let first = open(&directory);
    for body in ["one", "two", "three"] {
        traces(&first).append(body.as_bytes(), 2).unwrap();
    }
    let one = traces(&first).next().unwrap();
    assert_eq!((&*one.body, one.items, one.is_earlier), (b"one".as_slice(), 2, false));
    traces(&first).done(&one);
    assert_eq!(traces(&first).status().items, 4);
    drop((one, first));
    let second = open(&directory);
    let status = traces(&second).status();
    assert_eq!((status.items, status.earlier_items, status.records), (0, 4, 2));
    traces(&second).append(b"four", 1).unwrap();
    assert_eq!(drained(&traces(&second)), [b"two".as_slice(), b"three", b"four"]);
    assert!(traces(&second).is_empty());
    assert_eq!(traces(&second).status(), Status::default());
}

#[test]
fn two_processes_never_share_and_what_a_dead_one_left_is_taken_over() {
    let directory = TempDir::new().unwrap();
    let (first, second) = (open(&directory), open(&directory));
    traces(&first).append(b"first", 1).unwrap();
    traces(&second).append(b"second", 1).unwrap();
    assert_eq!(traces(&open(&directory)).status().records, 0);
    drop((first, second));
    let third = open(&directory);
    let mut left = drained(&traces(&third));
    left.sort();
    assert_eq!(left, [b"first".as_slice(), b"second"]);
}

#[test]
fn a_slot_whose_lock_is_a_pipe_holds_nobody_up() {
    let directory = TempDir::new().unwrap();
    let slot = directory.path().join("order-0");
    fs::create_dir(&slot).unwrap();
    assert!(std::process::Command::new("mkfifo").arg(slot.join("lock")).status().unwrap().success());
    assert_eq!(traces(&open(&directory)).slot.path(), directory.path().join("order-1"));
}

#[test]
fn a_bit_that_flips_costs_its_record_and_is_counted() {
    const BODIES: [&[u8]; 3] = [b"the first body", b"the second body", b"the third body"];
    let directory = TempDir::new().unwrap();
    let length = {
        let spools = open(&directory);
        BODIES.iter().for_each(|body| traces(&spools).append(body, 1).unwrap());
        let length = segments(&traces(&spools))[0].metadata().unwrap().len();
        assert_eq!(drained(&traces(&spools)), BODIES);
        length
    };
    for at in 0..length {
        let spools = open(&directory);
        let spool = traces(&spools);
        BODIES.iter().for_each(|body| spool.append(body, 1).unwrap());
        let file = OpenOptions::new().read(true).write(true).open(&segments(&spool)[0]).unwrap();
        let mut byte = [0];
        file.read_exact_at(&mut byte, at).unwrap();
        file.write_all_at(&[byte[0] ^ 0x10], at).unwrap();
        let out = drained(&spool);
        let lost = spool.status().lost_items;
        assert!(out.iter().all(|body| BODIES.contains(&body.as_slice())), "{at}: {out:?}");
        // A state that reads as another one may send a record again, or not; no other byte may lose two of them.
        assert_eq!(out.len() as u64 + lost, 3, "{at}: {out:?}");
        assert_eq!(spool.status().items, 0, "{at}");
    }
}

#[test]
fn a_torn_end_costs_the_last_record() {
    let directory = TempDir::new().unwrap();
    let spools = open(&directory);
    let path = {
        traces(&spools).append(b"whole", 1).unwrap();
        traces(&spools).append(b"torn", 1).unwrap();
        segments(&traces(&spools))[0].clone()
    };
    drop(spools);
    let length = path.metadata().unwrap().len();
    OpenOptions::new().write(true).open(&path).unwrap().set_len(length - 1).unwrap();
    let spools = open(&directory);
    assert_eq!(drained(&traces(&spools)), [b"whole".as_slice()]);
    assert_eq!(traces(&spools).status().corrupt_records, 1);
}

#[test]
fn a_full_spool_takes_no_more_and_loses_nothing() {
    let directory = TempDir::new().unwrap();
    let spools = Spools::claim(directory.path(), "order", 1 << 20).unwrap();
    let body = vec![7; 10_000];
    let kept = (0..200).filter(|_| traces(&spools).append(&body, 1).is_ok()).count();
    assert!((50..=104).contains(&kept), "{kept}");
    assert!(matches!(traces(&spools).append(&body, 1), Err(Refused::Full)));
    assert_eq!(drained(&traces(&spools)).len(), kept);
    traces(&spools).append(&body, 1).unwrap();
}

#[test]
fn a_directory_that_cannot_be_is_told_of_and_nothing_else_happens() {
    let directory = TempDir::new().unwrap();
    let file = directory.path().join("file");
    fs::write(&file, "not a directory").unwrap();
    let settings = [("TELEMETRY_SPOOL_DIR", file.to_str().unwrap())];
    let environment: crate::environment::Environment = settings.into_iter().collect();
    assert!(Spools::open(&environment, "order").is_none());
    let warnings = environment.take_warnings();
    assert!(warnings.len() == 1 && warnings[0].starts_with("TELEMETRY_SPOOL_DIR "), "{warnings:?}");
}

#[test]
fn a_file_of_another_format_is_set_aside_and_told_of_once() {
    let directory = TempDir::new().unwrap();
    let path = {
        let spools = open(&directory);
        traces(&spools).append(b"of tomorrow", 1).unwrap();
        segments(&traces(&spools))[0].clone()
    };
    // Behind eight bytes of magic stands the version.
    let mut bytes = fs::read(&path).unwrap();
    bytes[8] += 1;
    fs::write(&path, &bytes).unwrap();
    let opened = || {
        let settings = [("TELEMETRY_SPOOL_DIR", directory.path().to_str().unwrap())];
        let environment: crate::environment::Environment = settings.into_iter().collect();
        let waiting = drained(&traces(&Spools::open(&environment, "order").unwrap()));
        (waiting.len(), environment.take_warnings())
    };
    let (waiting, warnings) = opened();
    let told = "TELEMETRY_SPOOL_DIR holds files of another format: 1 are not sent, but renamed *.quarantined";
    assert_eq!((waiting, warnings), (0, vec![told.to_owned()]));
    assert_eq!(fs::read(path.with_extension("segment.quarantined")).unwrap(), bytes);
    assert_eq!(opened(), (0, Vec::new()));
}
