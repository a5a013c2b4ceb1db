//! How many connections there may be, and how long a silent one may stay.

use std::net::SocketAddr;
use std::time::Duration;

use server::Config;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::running::{NEVER, get, soon, start, until};

#[tokio::test]
async fn a_connection_over_the_limit_is_closed_at_once_and_a_place_is_given_back() {
    let server = start(Config { max_connections: 1, preface_timeout: NEVER, ..Config::default() }, Vec::new()).await;
    let mut first = server.client();
    get(&mut first).await.unwrap();

    closes(connect(server.rpc).await).await;
    get(&mut first).await.unwrap();

    drop(first);
    until(async || get(&mut server.client()).await.is_ok()).await;
}

#[tokio::test]
async fn a_silent_connection_is_closed_when_its_preface_is_late() {
    let config = Config { preface_timeout: Duration::from_millis(50), ..Config::default() };
    let server = start(config, Vec::new()).await;
    closes(connect(server.rpc).await).await;
}

#[tokio::test]
async fn half_a_preface_does_not_count() {
    let config = Config { preface_timeout: Duration::from_millis(50), ..Config::default() };
    let server = start(config, Vec::new()).await;
    let mut connection = connect(server.rpc).await;
    connection.write_all(b"PRI * HTTP/2.0\r\n").await.unwrap();
    closes(connection).await;
}

#[tokio::test]
async fn the_preface_limit_is_over_once_the_preface_is_in() {
    let config = Config { preface_timeout: Duration::from_secs(1), ..Config::default() };
    let server = start(config, Vec::new()).await;
    server.payments.hold();
    let call = server.call();
    server.payments.until_inside(1).await;

    // When this one is closed for its silence, the time of the call's connection would be up too.
    closes(connect(server.rpc).await).await;
    server.payments.release();
    soon(call).await.unwrap().unwrap();
}

async fn connect(address: SocketAddr) -> TcpStream {
    TcpStream::connect(address).await.unwrap()
}

/// Waits until the server closes `connection`, whether it says goodbye or not.
pub(crate) async fn closes(mut connection: TcpStream) {
    let mut rest = Vec::new();
    let _end_or_reset = soon(connection.read_to_end(&mut rest)).await;
}
