//! The folder that holds a demo's databases and logs; one demo at a time.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;
use std::{env, process};

use anyhow::{Context, bail};
use tempfile::TempDir;
use tokio::time::{Instant, sleep};

use crate::member::Member;

/// How many demos may stand beside each other before something must be wrong.
const MOST_FOLDERS: usize = 100;

/// How long processes that a killed demo left behind may take to finish; a little longer than they ever take.
const LEFTOVER_LIMIT: Duration = Duration::from_secs(15);
const LEFTOVER_INTERVAL: Duration = Duration::from_millis(20);

/// What SQLite adds to a database's name for the files beside it.
const BESIDE_DATABASE: [&str; 3] = ["", "-wal", "-shm"];

/// A data folder, locked until this is dropped or the process ends, however it ends.
#[derive(Debug)]
pub(crate) struct Data {
    path: PathBuf,
    beside_default: bool,
    _lock: File,
    /// A folder of this run's own, removed with it.
    temporary: Option<TempDir>,
}

impl Data {
    /// Takes the folder that was asked for, or else the default one; where another demo holds that, the next beside it.
    ///
    /// # Errors
    /// When a folder that was asked for is held by another demo, or none can be made.
    pub(crate) fn open(asked: Option<&Path>) -> anyhow::Result<Self> {
        if let Some(path) = asked {
            return match lock(path)? {
                Ok(lock) => Ok(Self { path: absolute(path)?, beside_default: false, _lock: lock, temporary: None }),
                Err(holder) => bail!("the data folder {} is in use by another demo{holder}", path.display()),
            };
        }
        let default = default_folder();
        for number in 1..=MOST_FOLDERS {
            let path =
                if number == 1 { default.clone() } else { PathBuf::from(format!("{}-{number}", default.display())) };
            if let Ok(lock) = lock(&path)? {
                return Ok(Self { path: absolute(&path)?, beside_default: number > 1, _lock: lock, temporary: None });
            }
        }
        bail!("{MOST_FOLDERS} demos hold {} and the folders beside it; name another one with --data", default.display())
    }

    /// Takes a new folder that is removed with this value.
    pub(crate) fn temporary() -> anyhow::Result<Self> {
        let folder =
            tempfile::Builder::new().prefix("throughline-").tempdir().context("failed to make a temporary folder")?;
        let path = folder.path().to_owned();
        let Ok(lock) = lock(&path)? else { bail!("the new folder {} is in use", path.display()) };
        Ok(Self { path, beside_default: false, _lock: lock, temporary: Some(folder) })
    }

    /// Where it is, as an absolute path.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Whether this folder was taken because another demo holds the default one.
    pub(crate) fn is_beside_default(&self) -> bool {
        self.beside_default
    }

    /// Where `member` keeps its database.
    pub(crate) fn database(&self, member: Member) -> PathBuf {
        self.path.join(format!("{member}.db"))
    }

    /// Removes the members' databases; the folder may be somebody's own, with other databases in it.
    pub(crate) fn empty(&self) -> anyhow::Result<()> {
        for member in Member::KEEPING {
            for suffix in BESIDE_DATABASE {
                let mut path = self.database(member).into_os_string();
                path.push(suffix);
                match fs::remove_file(&path) {
                    Err(error) if error.kind() != io::ErrorKind::NotFound => {
                        return Err(error).with_context(|| format!("failed to remove {}", path.display()));
                    }
                    _ => {}
                }
            }
        }
        Ok(())
    }

    /// The log of a process, empty, and locked for as long as that process holds it as its stderr.
    ///
    /// So a demo that was killed is known to be gone only when its last process is: until then this waits.
    ///
    /// # Errors
    /// When it cannot be written, or a process of an earlier demo still holds it after 15 seconds.
    pub(crate) async fn log(&self, name: &str) -> anyhow::Result<(PathBuf, File)> {
        let folder = self.path.join("logs");
        fs::create_dir_all(&folder).with_context(|| format!("failed to make {}", folder.display()))?;
        let path = folder.join(format!("{name}.log"));
        let failed = || format!("failed to write {}", path.display());
        let log = OpenOptions::new().create(true).append(true).open(&path).with_context(failed)?;
        let deadline = Instant::now() + LEFTOVER_LIMIT;
        loop {
            match log.try_lock() {
                Ok(()) => break,
                Err(TryLockError::WouldBlock) if Instant::now() < deadline => sleep(LEFTOVER_INTERVAL).await,
                Err(TryLockError::WouldBlock) => {
                    bail!("a {name} of an earlier demo still runs in {}", self.path.display())
                }
                Err(TryLockError::Error(error)) => return Err(error).with_context(failed),
            }
        }
        log.set_len(0).with_context(failed)?;
        Ok((path, log))
    }

    /// Keeps a temporary folder beyond the run and returns it.
    pub(crate) fn keep(mut self) -> PathBuf {
        self.temporary.take().map_or_else(|| self.path.clone(), TempDir::keep)
    }
}

/// Beside what cargo builds when cargo runs the demo, else below the current folder.
fn default_folder() -> PathBuf {
    let package = env::var_os("CARGO_MANIFEST_DIR").map(PathBuf::from);
    let workspace = package.as_deref().and_then(|package| package.ancestors().nth(2));
    workspace.unwrap_or(Path::new(".")).join("target").join("demo")
}

/// Makes and locks `folder`; `Ok(Err(..))` says which process holds it.
fn lock(folder: &Path) -> anyhow::Result<Result<File, String>> {
    fs::create_dir_all(folder).with_context(|| format!("failed to make the data folder {}", folder.display()))?;
    let path = folder.join("lock");
    // Never truncated on opening: until it is locked, what it says belongs to the holder.
    let mut file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .open(&path)
        .with_context(|| format!("failed to open {}", path.display()))?;
    match file.try_lock() {
        Ok(()) => {
            sign(&mut file).with_context(|| format!("failed to write {}", path.display()))?;
            Ok(Ok(file))
        }
        Err(TryLockError::WouldBlock) => {
            let mut holder = String::new();
            let known = file.read_to_string(&mut holder).is_ok() && !holder.trim().is_empty();
            Ok(Err(if known { format!(" (process {})", holder.trim()) } else { String::new() }))
        }
        Err(TryLockError::Error(error)) => Err(error).with_context(|| format!("failed to lock {}", path.display())),
    }
}

/// Leaves word who holds the folder.
fn sign(lock: &mut File) -> io::Result<()> {
    lock.set_len(0)?;
    writeln!(lock, "{}", process::id())
}

fn absolute(path: &Path) -> anyhow::Result<PathBuf> {
    fs::canonicalize(path).with_context(|| format!("failed to resolve {}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_that_was_asked_for_is_held_by_one_demo() {
        let folder = tempfile::tempdir().unwrap();
        let held = Data::open(Some(folder.path())).unwrap();
        let refused = Data::open(Some(folder.path())).unwrap_err().to_string();
        assert!(
            refused.contains("in use by another demo") && refused.contains(&process::id().to_string()),
            "{refused}"
        );
        drop(held);
        Data::open(Some(folder.path())).unwrap();
    }

    #[tokio::test]
    async fn a_log_waits_for_the_process_that_still_holds_it() {
        let data = Data::temporary().unwrap();
        let (path, mut held) = data.log("order").await.unwrap();
        held.write_all(b"old").unwrap();
        let (waiting, _) = tokio::join!(data.log("order"), async { drop(held) });
        assert_eq!(waiting.unwrap().1.metadata().unwrap().len(), 0);
        assert!(path.exists());
    }

    #[test]
    fn emptying_removes_the_members_databases_and_nothing_else() {
        let data = Data::temporary().unwrap();
        for name in ["order.db", "order.db-wal", "bank.db-shm", "notes.db", "border.db", "gateway.db"] {
            fs::write(data.path().join(name), "x").unwrap();
        }
        data.empty().unwrap();
        let mut left: Vec<_> = fs::read_dir(data.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        left.sort();
        assert_eq!(left, ["border.db", "gateway.db", "lock", "notes.db"]);
    }

    #[test]
    fn a_temporary_folder_goes_unless_it_is_kept() {
        let data = Data::temporary().unwrap();
        let path = data.path().to_owned();
        drop(data);
        assert!(!path.exists());
        let kept = Data::temporary().unwrap().keep();
        assert!(kept.exists());
        fs::remove_dir_all(kept).unwrap();
    }
}
