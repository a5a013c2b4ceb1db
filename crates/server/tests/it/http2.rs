//! The limits of HTTP/2 that tonic leaves off.

use server::Config;

use crate::frames::{GOAWAY, Peer, RST_STREAM};
use crate::running::start;

const REFUSED_STREAM: u32 = 7;
const ENHANCE_YOUR_CALM: u32 = 11;

#[tokio::test]
async fn the_129th_stream_of_a_connection_is_refused() {
    let server = start(Config::default(), Vec::new()).await;
    let mut peer = Peer::connect(server.rpc).await;
    for stream in 0..129 {
        peer.open(2 * stream + 1, "/shop.payment.v1.PaymentService/GetPayment").await;
    }
    let refused = peer.next(RST_STREAM).await;
    assert_eq!((refused.stream, refused.error_code()), (2 * 128 + 1, REFUSED_STREAM));
}

#[tokio::test]
async fn a_flood_of_malformed_streams_ends_the_connection() {
    let server = start(Config::default(), Vec::new()).await;
    let mut peer = Peer::connect(server.rpc).await;
    // One more than the limit; each but the last is answered by a reset of its stream.
    for stream in 0..1025 {
        peer.open_malformed(2 * stream + 1).await;
    }
    assert_eq!(peer.next(GOAWAY).await.error_code(), ENHANCE_YOUR_CALM);
}
