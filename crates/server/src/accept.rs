//! The accept loop: how many connections there may be, and what happens when there can be no more.

use std::convert::Infallible;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use futures_core::Stream;
use futures_util::stream::{self, StreamExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tonic::transport::server::TcpIncoming;
use tracing::{info, warn};

use crate::connection::{Connection, Patience};
use crate::stop::Stop;

/// Finds peers that vanished without a word where HTTP/2's own pings do not reach.
const TCP_KEEPALIVE: Duration = Duration::from_secs(30);

/// How long to leave the listener alone when the process has no descriptor left: asking again at once would only burn
/// the time that closing connections needs.
const PAUSE: Duration = Duration::from_millis(100);

/// Accepts connections, at most so many at a time.
///
/// A connection over the limit is closed at once rather than left in the backlog: its caller learns now that another
/// instance may serve it better.
pub(crate) struct Acceptor {
    incoming: TcpIncoming,
    places: Arc<Semaphore>,
    patience: Patience,
    stop: Stop,
    state: State,
}

/// How accepting goes, so that the log has one line per change and not one per connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Accepting,
    Full,
    Failing,
}

// === impl Acceptor ===

impl Acceptor {
    pub(crate) fn new(listener: TcpListener, max_connections: u32, patience: Patience, stop: Stop) -> Self {
        Self {
            incoming: TcpIncoming::from(listener).with_nodelay(Some(true)).with_keepalive(Some(TCP_KEEPALIVE)),
            places: Arc::new(Semaphore::new(max_connections as usize)),
            patience,
            stop,
            state: State::Accepting,
        }
    }

    /// The connections as the stream tonic serves. Dropping it closes the listener.
    pub(crate) fn into_stream(self) -> impl Stream<Item = Result<Connection, Infallible>> {
        stream::unfold(self, |mut acceptor| async move {
            let connection = acceptor.accept().await;
            Some((Ok(connection), acceptor))
        })
    }

    /// Waits for the next connection that has a place.
    pub(crate) async fn accept(&mut self) -> Connection {
        loop {
            match self.incoming.next().await {
                Some(Ok(io)) => {
                    if let Some(connection) = self.admit(io) {
                        return connection;
                    }
                }
                Some(Err(error)) => self.recover(error).await,
                // The stream of a listener has no end.
                None => std::future::pending().await,
            }
        }
    }

    /// Gives `io` a place, or closes it.
    fn admit(&mut self, io: TcpStream) -> Option<Connection> {
        match Arc::clone(&self.places).try_acquire_owned() {
            Ok(place) => {
                if self.change(State::Accepting) {
                    info!("accepting connections again");
                }
                Some(Connection::new(io, &self.patience, &self.stop, place))
            }
            Err(_) => {
                if self.change(State::Full) {
                    warn!("connection limit reached, closing new connections");
                }
                None
            }
        }
    }

    /// Waits out an error of the listener; the peer's own errors need no wait.
    async fn recover(&mut self, error: io::Error) {
        use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
        if matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset) {
            return;
        }
        if self.change(State::Failing) {
            warn!(%error, "failed to accept a connection, pausing");
        }
        tokio::time::sleep(PAUSE).await;
    }

    /// Whether `state` is news.
    fn change(&mut self, state: State) -> bool {
        std::mem::replace(&mut self.state, state) != state
    }
}

impl axum::serve::Listener for Acceptor {
    type Io = Connection;
    /// Nothing on the admin port asks who is there.
    type Addr = ();

    async fn accept(&mut self) -> (Connection, ()) {
        (Acceptor::accept(self).await, ())
    }

    fn local_addr(&self) -> io::Result<()> {
        self.incoming.local_addr().map(drop)
    }
}
