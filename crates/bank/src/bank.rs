//! What the bank does for its merchants: the use cases, each one transaction of the book.

use std::time::Duration;

use tokio::time;
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tracing::info;
use uuid::Uuid;

use crate::{
    answer::Answer,
    authorisation::{Authorisation, Movement, NewAuthorisation},
    card::Card,
    refusal::Refusal,
    request::{Fingerprint, Invalid},
    running::{Running, Turn},
    store::{Book, Claim, Entry, Store},
};

/// The most movements that one statement shows.
const STATEMENT: i64 = 1000;

/// The bank's counter. Clones are the same bank.
#[derive(Clone)]
pub(crate) struct Bank {
    store: Store,
    running: Running,
    slow: Duration,
    tasks: TaskTracker,
    cut: CancellationToken,
}

/// How a changing call ends.
pub(crate) enum Reply {
    /// Decided by this call.
    Decided(Answer),
    /// Decided by an earlier call with the same key.
    Replayed(Answer),
    /// Decided, and never told to this caller.
    Silence,
}

/// A changing call that has claimed its key.
enum Begun {
    /// It was decided before.
    Decided(Answer),
    /// It is to be decided now. The turn keeps others with this key out until the call ends.
    Open { book: Book, calls: i64, turn: Turn },
}

// === impl Bank ===

impl Bank {
    /// Keeps its book in `store`; `tok_slow` takes `slow`; work that still runs ends when `cut` is cancelled.
    pub(crate) fn new(store: Store, slow: Duration, cut: CancellationToken) -> Self {
        Self { store, running: Running::default(), slow, tasks: TaskTracker::new(), cut }
    }

    /// Authorises a payment, and captures it when that is wished.
    pub(crate) async fn authorise(
        &self,
        key: String,
        wish: NewAuthorisation,
        fingerprint: Fingerprint,
    ) -> Result<Reply, Refusal> {
        let bank = self.clone();
        self.see_through(async move { bank.decide(key, wish, fingerprint).await }).await
    }

    /// Captures or refunds an authorisation.
    pub(crate) async fn change(
        &self,
        key: String,
        id: Uuid,
        movement: Movement,
        fingerprint: Fingerprint,
    ) -> Result<Reply, Refusal> {
        let bank = self.clone();
        self.see_through(async move { bank.advance(key, id, movement, fingerprint).await }).await
    }

    /// Says why a changing call is refused whose body is `invalid`. Under a known key it can only be another request
    /// than the first, and that mistake is told first: correcting the body would not help.
    pub(crate) async fn refuse(&self, key: &str, invalid: Invalid) -> Refusal {
        match self.store.knows(key).await {
            Ok(true) => Refusal::KeyReused,
            Ok(false) => invalid.into(),
            Err(error) => error.into(),
        }
    }

    pub(crate) async fn authorisation(&self, id: Uuid) -> Result<Authorisation, Refusal> {
        self.store.authorisation(id).await?.ok_or(Refusal::NotFound)
    }

    pub(crate) async fn authorisation_by_key(&self, key: &str) -> Result<Authorisation, Refusal> {
        self.store.authorisation_by_key(key).await?.ok_or(Refusal::NotFound)
    }

    /// The newest movements of money, of one `reference` or of all, oldest first.
    pub(crate) async fn statement(&self, reference: Option<&str>) -> Result<Vec<Entry>, Refusal> {
        Ok(self.store.statement(reference, STATEMENT).await?)
    }

    /// Succeeds while the bank's book can be read.
    pub(crate) async fn check(&self) -> Result<(), Refusal> {
        Ok(self.store.check().await?)
    }

    /// Resolves when no work runs any more.
    pub(crate) async fn finished(&self) {
        self.tasks.close();
        self.tasks.wait().await;
    }

    /// Runs `work` to its end, also when its caller goes away. A cut drops it, and its transaction with it.
    async fn see_through(
        &self,
        work: impl Future<Output = Result<Reply, Refusal>> + Send + 'static,
    ) -> Result<Reply, Refusal> {
        let work = self.cut.clone().run_until_cancelled_owned(work);
        self.tasks.spawn(work).await?.unwrap_or(Err(Refusal::Unavailable))
    }

    async fn decide(self, key: String, wish: NewAuthorisation, request: Fingerprint) -> Result<Reply, Refusal> {
        let (mut book, calls, _turn) = match self.begin(&key, &request).await? {
            Begun::Decided(answer) => return Ok(Reply::Replayed(answer)),
            Begun::Open { book, calls, turn } => (book, calls, turn),
        };
        let card = wish.card;
        if card.is_out_of_reach(calls) {
            book.commit().await?;
            return Err(Refusal::Unavailable);
        }
        if let Card::Declined(decline) = card {
            let answer = Answer::declined(decline);
            book.conclude(&key, &answer).await?;
            info!(code = decline.code(), "declined");
            return Ok(Reply::Decided(answer));
        }
        if card == Card::Slow {
            book.commit().await?;
            time::sleep(self.slow).await;
            book = self.store.book().await?;
        }

        let (authorisation, movements) = Authorisation::agree(wish);
        book.add(&authorisation, &key).await?;
        for movement in movements {
            book.enter(*movement, &authorisation, &key).await?;
        }
        let (id, state) = (authorisation.id, authorisation.state.as_str());
        let answer = Answer::created(authorisation);
        book.conclude(&key, &answer).await?;
        info!(authorisation = %id, state, "authorised");
        Ok(if card == Card::Silent { Reply::Silence } else { Reply::Decided(answer) })
    }

    async fn advance(self, key: String, id: Uuid, movement: Movement, request: Fingerprint) -> Result<Reply, Refusal> {
        let (mut book, _turn) = match self.begin(&key, &request).await? {
            Begun::Decided(answer) => return Ok(Reply::Replayed(answer)),
            Begun::Open { book, turn, .. } => (book, turn),
        };
        let mut authorisation = book.authorisation(id).await?.ok_or(Refusal::NotFound)?;
        authorisation.advance(movement)?;
        book.update(&authorisation).await?;
        book.enter(movement, &authorisation, &key).await?;
        let state = authorisation.state.as_str();
        let answer = Answer::changed(authorisation);
        book.conclude(&key, &answer).await?;
        info!(authorisation = %id, state, "changed");
        Ok(Reply::Decided(answer))
    }

    /// Opens the book and claims `key`. The claim stands with what is committed after it, and falls with it.
    async fn begin(&self, key: &str, request: &Fingerprint) -> Result<Begun, Refusal> {
        let mut book = self.store.book().await?;
        match book.claim(key, request).await? {
            Claim::Answered(answer) => Ok(Begun::Decided(answer)),
            Claim::Reused => Err(Refusal::KeyReused),
            Claim::Open { calls } => {
                let turn = self.running.enter(key).ok_or(Refusal::KeyInUse)?;
                Ok(Begun::Open { book, calls, turn })
            }
        }
    }
}
