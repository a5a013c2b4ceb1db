use std::io;

/// What is in a spool, and what it has lost.
///
/// The items that this process has appended are those that are done, [`items`](Self::items) and
/// [`lost_items`](Self::lost_items) together, always.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::pipeline) struct Status {
    /// Items of this process that wait. Some may turn out to be lost when it is their turn.
    pub(in crate::pipeline) items: u64,
    /// Items of earlier processes that wait.
    pub(in crate::pipeline) earlier_items: u64,
    /// Records that wait, whoever has written them.
    pub(in crate::pipeline) records: u64,
    /// What the files take, those of another format as well.
    pub(in crate::pipeline) bytes: u64,
    /// Items of this process that could not be read any more.
    pub(in crate::pipeline) lost_items: u64,
    /// Records that could not be read any more, whoever has written them.
    pub(in crate::pipeline) corrupt_records: u64,
    /// Segments of another format that this process has come upon.
    pub(in crate::pipeline) quarantined: u64,
}

/// Why a request is not kept.
#[derive(Debug, thiserror::Error)]
pub(in crate::pipeline) enum Refused {
    #[error("the spool is full")]
    Full,
    #[error("the spool cannot be written")]
    Io(#[from] io::Error),
}
