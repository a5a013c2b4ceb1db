//! The bank's connections, and how they are cut.
//!
//! A call that is never answered would hold a graceful stop open for ever, and there is no HTTP way to end a call
//! without an answer. So each connection can be cut from outside: its next read fails, which makes the HTTP server drop
//! it with everything on it.

use std::{
    future,
    io::{self, IoSlice},
    net::SocketAddr,
    pin::Pin,
    task::{Context, Poll},
};

use axum::{
    extract::connect_info::Connected,
    serve::{IncomingStream, Listener},
};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::{TcpListener, TcpStream},
};
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};

/// Accepts connections that end when the bank cuts them.
pub(crate) struct Connections {
    listener: TcpListener,
    stopping: CancellationToken,
    cut: CancellationToken,
}

/// One connection; reading fails once it is cut.
pub(crate) struct Connection {
    stream: TcpStream,
    line: Line,
    cut: Pin<Box<WaitForCancellationFutureOwned>>,
}

/// A handler's hold on the connection its call came by.
#[derive(Clone)]
pub(crate) struct Line {
    stopping: CancellationToken,
    cut: CancellationToken,
}

// === impl Connections ===

impl Connections {
    /// Accepts from `listener`. `stopping` tells silent calls to let go, `cut` ends every connection.
    pub(crate) fn new(listener: TcpListener, stopping: CancellationToken, cut: CancellationToken) -> Self {
        Self { listener, stopping, cut }
    }
}

impl Listener for Connections {
    type Io = Connection;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Connection, SocketAddr) {
        // Named by its trait: axum's own retries when accepting fails, tokio's returns the error.
        let (stream, peer) = Listener::accept(&mut self.listener).await;
        // Answers are single small writes; a socket that cannot be told so still works, only slower.
        let _ = stream.set_nodelay(true);
        let line = Line { stopping: self.stopping.clone(), cut: self.cut.child_token() };
        let cut = Box::pin(line.cut.clone().cancelled_owned());
        (Connection { stream, line, cut }, peer)
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }
}

// === impl Connection ===

impl AsyncRead for Connection {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if self.cut.as_mut().poll(cx).is_ready() {
            return Poll::Ready(Err(io::ErrorKind::ConnectionAborted.into()));
        }
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl AsyncWrite for Connection {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

// === impl Line ===

impl Line {
    /// Never answers; lets go of the connection once the bank stops.
    pub(crate) async fn stay_silent(&self) -> ! {
        self.stopping.cancelled().await;
        self.cut.cancel();
        // The cut connection drops this future at its next read.
        future::pending().await
    }
}

impl Connected<IncomingStream<'_, Connections>> for Line {
    fn connect_info(stream: IncomingStream<'_, Connections>) -> Self {
        stream.io().line.clone()
    }
}
