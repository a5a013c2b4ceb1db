//! Files and directories that only their owner may read: they hold what a service has observed.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io;
use std::path::Path;

#[cfg(unix)]
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};

/// Creates the directory and those above it, unless it is there.
pub(super) fn create_directory(path: &Path) -> io::Result<()> {
    let mut builder = builder();
    builder.recursive(true).create(path)
}

/// Creates the directory, which must not be there.
pub(super) fn create_new_directory(path: &Path) -> io::Result<()> {
    builder().create(path)
}

/// How to open a file that may have to be created.
#[cfg(unix)]
pub(super) fn options() -> OpenOptions {
    let mut options = File::options();
    options.mode(0o600);
    options
}

#[cfg(not(unix))]
pub(super) fn options() -> OpenOptions {
    File::options()
}

/// Whether the file is the one that the path leads to.
#[cfg(unix)]
pub(super) fn is_at(file: &File, path: &Path) -> bool {
    let (Ok(open), Ok(there)) = (file.metadata(), path.metadata()) else { return false };
    (open.dev(), open.ino()) == (there.dev(), there.ino())
}

/// A file that is open cannot be taken from its path here.
#[cfg(not(unix))]
pub(super) fn is_at(_: &File, path: &Path) -> bool {
    path.exists()
}

#[cfg(unix)]
fn builder() -> DirBuilder {
    let mut builder = DirBuilder::new();
    builder.mode(0o700);
    builder
}

#[cfg(not(unix))]
fn builder() -> DirBuilder {
    DirBuilder::new()
}
