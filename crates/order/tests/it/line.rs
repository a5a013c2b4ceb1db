//! A line to a service that a test can cut.

use std::net::SocketAddr;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

use crate::stage::bind;

pub(crate) struct Line {
    /// Where callers find the service.
    pub(crate) address: SocketAddr,
    cut: watch::Sender<bool>,
}

// === impl Line ===

impl Line {
    pub(crate) async fn to(service: SocketAddr) -> Self {
        let listener = bind().await;
        let address = listener.local_addr().unwrap();
        let cut = watch::Sender::new(false);
        telemetry::spawn(carry(listener, service, cut.subscribe()));
        Self { address, cut }
    }

    /// Breaks every connection, and each new one at once.
    pub(crate) fn cut(&self) {
        self.cut.send_replace(true);
    }
}

async fn carry(listener: TcpListener, service: SocketAddr, cut: watch::Receiver<bool>) {
    loop {
        let (mut caller, _) = listener.accept().await.unwrap();
        let mut cut = cut.clone();
        telemetry::spawn(async move {
            tokio::select! {
                biased;
                // An error means that the test has ended.
                _ = cut.wait_for(|cut| *cut) => {}
                () = async {
                    let mut service = TcpStream::connect(service).await.unwrap();
                    // Whoever hangs up, the other learns of it.
                    let _ = tokio::io::copy_bidirectional(&mut caller, &mut service).await;
                } => {}
            }
        });
    }
}
