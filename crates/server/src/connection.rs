//! One accepted connection that ends when it must.
//!
//! hyper and tonic leave a connection open that never says a word, and a graceful stop waits for each open connection:
//! a single silent peer would hold the process for ever. So the limits live in the IO itself, where nothing can wait
//! past them.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::sync::OwnedSemaphorePermit;
use tonic::transport::server::{Connected, TcpConnectInfo};

use crate::stop::Stop;

/// How long a connection may take for what.
#[derive(Clone, Debug)]
pub(crate) struct Patience {
    /// Bytes after which the peer counts as one that speaks: HTTP/2's preface, or anything at all of HTTP/1.1.
    pub(crate) preface: usize,
    /// How long those bytes may take.
    pub(crate) preface_timeout: Duration,
    /// How long the connection may live after that; as long as it likes when there is no limit.
    pub(crate) lifetime: Option<Duration>,
}

/// A TCP connection whose reads and writes fail once its time is up: the peer sent no preface in time or none before
/// the drain began, the connection grew too old, or the service cuts what is left.
pub(crate) struct Connection {
    io: TcpStream,
    end: End,
    preface_missing: usize,
    lifetime: Option<Duration>,
    stop: Stop,
    /// Gives the connection's place back when it closes.
    _place: OwnedSemaphorePermit,
}

/// Resolves with the reason why the connection must end.
type End = Pin<Box<dyn Future<Output = io::Error> + Send>>;

// === impl Connection ===

impl Connection {
    pub(crate) fn new(io: TcpStream, patience: &Patience, stop: &Stop, place: OwnedSemaphorePermit) -> Self {
        let stop = stop.for_connection();
        Self {
            io,
            end: Box::pin(silent(patience.preface_timeout, stop.clone())),
            preface_missing: patience.preface,
            lifetime: patience.lifetime,
            stop,
            _place: place,
        }
    }

    /// Fails once the connection's time is up; wakes the task when that happens.
    fn poll_open(&mut self, cx: &mut Context<'_>) -> io::Result<()> {
        match self.end.as_mut().poll(cx) {
            Poll::Ready(reason) => {
                // The next read or write must find an answer too, not a future that is over.
                self.end = Box::pin(std::future::ready(io::Error::from(reason.kind())));
                Err(reason)
            }
            Poll::Pending => Ok(()),
        }
    }

    /// Notes that `bytes` arrived.
    fn received(&mut self, bytes: usize) {
        if self.preface_missing > 0 {
            self.preface_missing = self.preface_missing.saturating_sub(bytes);
            if self.preface_missing == 0 {
                self.end = Box::pin(speaking(self.lifetime, self.stop.clone()));
            }
        }
    }
}

/// The end of a connection that has not sent its preface. It has no call in flight, so a drain need not wait for it.
async fn silent(limit: Duration, stop: Stop) -> io::Error {
    tokio::select! {
        () = tokio::time::sleep(limit) => io::Error::new(io::ErrorKind::TimedOut, "no preface in time"),
        () = stop.draining() => io::Error::new(io::ErrorKind::ConnectionAborted, "no preface before the drain"),
    }
}

/// The end of a connection that is in use.
async fn speaking(lifetime: Option<Duration>, stop: Stop) -> io::Error {
    let too_old = async {
        match lifetime {
            Some(lifetime) => tokio::time::sleep(lifetime).await,
            None => std::future::pending().await,
        }
    };
    tokio::select! {
        biased;
        () = stop.cutting() => io::Error::new(io::ErrorKind::ConnectionAborted, "drain limit passed"),
        () = too_old => io::Error::new(io::ErrorKind::TimedOut, "connection too old"),
    }
}

impl AsyncRead for Connection {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        // Asked first: a peer that never stops sending must not outrun its limit.
        self.poll_open(cx)?;
        let before = buffer.filled().len();
        let read = Pin::new(&mut self.io).poll_read(cx, buffer);
        self.received(buffer.filled().len() - before);
        read
    }
}

impl AsyncWrite for Connection {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        // A peer that reads nothing blocks writes, and then nobody asks for reads.
        self.poll_open(cx)?;
        Pin::new(&mut self.io).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.poll_open(cx)?;
        Pin::new(&mut self.io).poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }
}

impl Connected for Connection {
    type ConnectInfo = TcpConnectInfo;

    fn connect_info(&self) -> TcpConnectInfo {
        self.io.connect_info()
    }
}
