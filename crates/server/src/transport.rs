//! tonic's server with the limits that it leaves off.

use std::time::Duration;

use tonic::transport::Server;

/// Streams at a time on one connection; one more is refused. tonic sets no limit, and twenty thousand open streams on
/// one connection cost it 170 MiB.
const MAX_STREAMS: u32 = 128;

/// Malformed streams on one connection before it is closed: hyper's own default, which tonic replaces by no limit at
/// all (RUSTSEC-2024-0003).
const MAX_LOCAL_RESETS: usize = 1024;

/// Streams that a client opened and reset before they were taken in (CVE-2023-44487): h2's own default, stated.
const MAX_PENDING_RESETS: usize = 20;

const MAX_HEADER_LIST: u32 = 16 * 1024;
const MAX_FRAME: u32 = 16 * 1024;

/// What a caller may send before it is read, per stream and per connection. Orders are small; the windows are what an
/// idle handler can be made to hold.
const STREAM_WINDOW: u32 = 256 * 1024;
const CONNECTION_WINDOW: u32 = 1024 * 1024;

/// A peer that does not answer a ping is gone after fifteen seconds.
const PING_INTERVAL: Duration = Duration::from_secs(10);
const PING_TIMEOUT: Duration = Duration::from_secs(5);

/// After this, a connection is told to go away and its client spreads anew over the instances.
const MAX_AGE: Duration = Duration::from_secs(5 * 60);

/// A server with every limit that belongs to HTTP/2 or to a connection's age.
///
/// Three of tonic's settings stay unused, each for a reason:
/// - `timeout`, `load_shed` and `concurrency_limit_per_connection` stand outside the layers, so their answers have
///   neither trace headers nor a span with the true code;
/// - `max_connection_age_grace` makes tonic send no GOAWAY at all: it cuts calls in flight instead;
/// - `tcp_nodelay` and `tcp_keepalive` do nothing for a listener of one's own: the accept loop sets them.
pub(crate) fn server() -> Server {
    Server::builder()
        .accept_http1(false)
        .max_concurrent_streams(MAX_STREAMS)
        .http2_max_local_error_reset_streams(Some(MAX_LOCAL_RESETS))
        .http2_max_pending_accept_reset_streams(Some(MAX_PENDING_RESETS))
        .http2_max_header_list_size(MAX_HEADER_LIST)
        .max_frame_size(MAX_FRAME)
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .http2_adaptive_window(Some(false))
        .http2_keepalive_interval(Some(PING_INTERVAL))
        .http2_keepalive_timeout(Some(PING_TIMEOUT))
        // Drawn once per process, which is all tonic can do: instances started together part from each other.
        .max_connection_age(MAX_AGE.mul_f64(rand::random_range(0.9..1.1)))
}
