//! Group commit: writes that wait for SQLite's one writer at the same time share one transaction, and so one wait for the
//! disk.
//!
//! ```text
//! callers ──ask──> leader: BEGIN ─> lends the connection to one caller after the other ─> COMMIT ─> tells them all
//! ```
//!
//! Each caller runs its own statements on the connection, in its own task and trace. What one of them gives up is undone
//! alone, by a savepoint.

use std::sync::Arc;

use sqlx::pool::PoolConnection;
use sqlx::{Any, AnyPool};
use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;

use crate::PATIENCE;

/// How many writes share a commit at most: the first of them waits for the last.
const LARGEST: usize = 64;

/// How many callers may wait; more wait for a place among them.
const WAITING: usize = 1024;

type Connection = PoolConnection<Any>;
type Outcome<T> = Result<T, sqlx::Error>;

/// Lets callers write, one after the other. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Writer {
    requests: mpsc::Sender<Request>,
    pool: AnyPool,
}

/// A caller that waits for its turn.
type Request = oneshot::Sender<Outcome<Turn>>;

/// The connection, lent to one caller inside the group's transaction. Dropping it gives up what the caller has written.
pub(crate) struct Turn {
    /// `None` once it is given back.
    lent: Option<(Connection, oneshot::Sender<Returned>)>,
}

/// The connection that comes back.
struct Returned {
    connection: Connection,
    /// Who waits for the commit; `None` when the turn was given up.
    keeper: Option<Keeper>,
}

type Keeper = oneshot::Sender<Outcome<()>>;

/// The commit of the whole group has failed.
#[derive(Debug, thiserror::Error)]
#[error("the commit failed: {0}")]
struct GroupFailed(Arc<sqlx::Error>);

/// A transaction that is shared.
struct Group {
    connection: Connection,
    keepers: Vec<Keeper>,
}

// === impl Writer ===

impl Writer {
    /// Leads the writes on the only connection of `pool`.
    #[expect(clippy::disallowed_methods, reason = "leads the writes of all requests, and belongs to none")]
    pub(crate) fn new(pool: AnyPool) -> Self {
        let (requests, waiting) = mpsc::channel(WAITING);
        tokio::spawn(lead(pool.clone(), waiting));
        Self { requests, pool }
    }

    /// Waits for a turn to write.
    pub(crate) async fn turn(&self) -> Outcome<Turn> {
        let turn = async {
            let (request, turn) = oneshot::channel();
            self.requests.send(request).await.map_err(|_| sqlx::Error::PoolClosed)?;
            turn.await.map_err(|_| sqlx::Error::PoolClosed)?
        };
        timeout(PATIENCE, turn).await.map_err(|_| sqlx::Error::PoolTimedOut)?
    }

    /// Waits for the group that is being written; nobody gets a turn after it.
    pub(crate) async fn close(&self) {
        self.pool.close().await;
    }
}

// === impl Turn ===

impl Turn {
    pub(crate) fn connection(&mut self) -> &mut sqlx::AnyConnection {
        let (connection, _) = self.lent.as_mut().expect("a turn has its connection until it ends");
        &mut *connection
    }

    /// Waits until what was written is on disk, together with what others have written.
    pub(crate) async fn commit(mut self) -> Outcome<()> {
        let (keeper, committed) = oneshot::channel();
        self.give_back(Some(keeper));
        committed.await.map_err(|_| sqlx::Error::WorkerCrashed)?
    }

    fn give_back(&mut self, keeper: Option<Keeper>) {
        if let Some((connection, leader)) = self.lent.take() {
            // A leader that is gone has nothing to commit either, and the keeper learns of it.
            let _ = leader.send(Returned { connection, keeper });
        }
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.give_back(None);
    }
}

// === impl Group ===

impl Group {
    async fn begin(pool: &AnyPool) -> Outcome<Self> {
        let mut connection = pool.acquire().await?;
        run("BEGIN IMMEDIATE", &mut connection).await?;
        Ok(Self { connection, keepers: Vec::new() })
    }

    /// Lends the connection to whoever has asked. An error means that the transaction is lost, for all in it.
    async fn lend(self, request: Request) -> Result<Self, Lost> {
        let Self { mut connection, mut keepers } = self;
        if let Err(error) = run("SAVEPOINT turn", &mut connection).await {
            return Err(Lost { connection: Some(connection), keepers, error });
        }
        let (leader, returned) = oneshot::channel();
        // Who has stopped waiting drops its turn, and so gives it back.
        let _ = request.send(Ok(Turn { lent: Some((connection, leader)) }));
        let Ok(Returned { mut connection, keeper }) = returned.await else {
            return Err(Lost { connection: None, keepers, error: sqlx::Error::WorkerCrashed });
        };
        let end = if keeper.is_some() { "RELEASE turn" } else { "ROLLBACK TO turn; RELEASE turn" };
        keepers.extend(keeper);
        match run(end, &mut connection).await {
            Ok(()) => Ok(Self { connection, keepers }),
            Err(error) => Err(Lost { connection: Some(connection), keepers, error }),
        }
    }

    async fn commit(self) -> Result<(), Lost> {
        let Self { mut connection, keepers } = self;
        if let Err(error) = run("COMMIT", &mut connection).await {
            return Err(Lost { connection: Some(connection), keepers, error });
        }
        for keeper in keepers {
            // Who has stopped waiting has its answer in the database.
            let _ = keeper.send(Ok(()));
        }
        Ok(())
    }
}

/// A transaction that came to nothing.
struct Lost {
    connection: Option<Connection>,
    keepers: Vec<Keeper>,
    error: sqlx::Error,
}

// === impl Lost ===

impl Lost {
    /// Lets go of the connection, and with it of what is left of the transaction; then tells who has waited for it.
    async fn tell(self) {
        if let Some(connection) = self.connection {
            // It is closed either way.
            let _ = connection.close().await;
        }
        let error = Arc::new(self.error);
        for keeper in self.keepers {
            let _ = keeper.send(Err(sqlx::Error::AnyDriverError(Box::new(GroupFailed(Arc::clone(&error))))));
        }
    }
}

/// Leads one group after the other, until nobody can ask any more.
async fn lead(pool: AnyPool, mut requests: mpsc::Receiver<Request>) {
    while let Some(first) = requests.recv().await {
        match Group::begin(&pool).await {
            Ok(group) => {
                if let Err(lost) = write(group, first, &mut requests).await {
                    lost.tell().await;
                }
            }
            // Another process holds the lock, or the pool is closed. Who has stopped waiting need not know.
            Err(error) => drop(first.send(Err(error))),
        }
    }
}

async fn write(group: Group, first: Request, requests: &mut mpsc::Receiver<Request>) -> Result<(), Lost> {
    let mut group = group.lend(first).await?;
    while group.keepers.len() < LARGEST
        && let Ok(next) = requests.try_recv()
    {
        group = group.lend(next).await?;
    }
    group.commit().await
}

async fn run(command: &'static str, connection: &mut Connection) -> Outcome<()> {
    sqlx::raw_sql(command).execute(&mut **connection).await.map(drop)
}
