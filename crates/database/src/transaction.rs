use std::error::Error;
use std::time::Duration;

use scoped_futures::ScopedBoxFuture;
use sqlx::{Any, AnyConnection};
use telemetry::Traced;
use tokio::time::sleep;

use crate::Database;
use crate::error::is_conflict;
use crate::group::Turn;

/// How often a write is tried that others have got in the way of.
const ATTEMPTS: u32 = 5;

/// The pause before the second attempt at most; before each further one it is twice as long.
const FIRST_PAUSE: Duration = Duration::from_millis(10);

/// What is written together. Lent to the work of [`Database::write`].
pub struct Transaction(Kind);

enum Kind {
    /// Of its own.
    Own(telemetry::Transaction<Any>),
    /// A part of one that several share.
    Shared(Turn, telemetry::Database),
}

// === impl Database ===

impl Database {
    /// Runs `work` in a transaction, which is committed if `work` succeeds and undone if it fails or is dropped.
    ///
    /// On PostgreSQL, `work` is run again if the server refuses it, or the commit, only because of other transactions: what it
    /// does besides writing here, it may do more than once.
    ///
    /// # Errors
    /// That of `work`, or that of the transaction. After an error of the commit nobody knows whether it has happened.
    pub async fn write<'a, T, E>(
        &self,
        work: impl for<'t> Fn(&'t mut Transaction) -> ScopedBoxFuture<'a, 't, Result<T, E>>,
    ) -> Result<T, E>
    where
        E: From<sqlx::Error> + Error + 'static,
    {
        let mut pause = FIRST_PAUSE;
        for _ in 1..ATTEMPTS {
            match self.attempt(&work).await {
                Err(error) if is_conflict(&error) => {
                    sleep(pause.mul_f64(rand::random())).await;
                    pause *= 2;
                }
                ended => return ended,
            }
        }
        self.attempt(&work).await
    }

    async fn attempt<'a, T, E>(
        &self,
        work: &impl for<'t> Fn(&'t mut Transaction) -> ScopedBoxFuture<'a, 't, Result<T, E>>,
    ) -> Result<T, E>
    where
        E: From<sqlx::Error>,
    {
        let mut transaction = self.begin().await?;
        let done = work(&mut transaction).await;
        match &done {
            Ok(_) => transaction.commit().await?,
            Err(_) => transaction.rollback().await?,
        }
        done
    }

    async fn begin(&self) -> Result<Transaction, sqlx::Error> {
        let Some(writer) = &self.writer else {
            return Ok(Transaction(Kind::Own(self.traced.begin(&self.pool).await?)));
        };
        let turn = self.traced.observe("BEGIN IMMEDIATE", writer.turn()).await?;
        Ok(Transaction(Kind::Shared(turn, self.traced.clone())))
    }
}

// === impl Transaction ===

impl Transaction {
    /// The executor for its statements.
    pub fn executor(&mut self) -> Traced<&mut AnyConnection> {
        match &mut self.0 {
            Kind::Own(transaction) => transaction.executor(),
            Kind::Shared(turn, traced) => traced.on(turn.connection()),
        }
    }

    async fn commit(self) -> Result<(), sqlx::Error> {
        match self.0 {
            Kind::Own(transaction) => transaction.commit().await,
            Kind::Shared(turn, traced) => traced.observe("COMMIT", turn.commit()).await,
        }
    }

    async fn rollback(self) -> Result<(), sqlx::Error> {
        match self.0 {
            Kind::Own(transaction) => transaction.rollback().await,
            Kind::Shared(turn, traced) => {
                traced
                    .observe("ROLLBACK", async {
                        drop(turn);
                        Ok(())
                    })
                    .await
            }
        }
    }
}
