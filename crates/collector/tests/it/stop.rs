use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::collector_under_test::start;
use crate::fixtures::{order, order_as_protobuf};

#[tokio::test]
async fn stops_with_idle_connections_open_and_frees_its_ports() {
    let collector = start().await;
    let mut traces = collector.traces();
    traces.export(order_as_protobuf()).await.unwrap();
    collector.send_json("/v1/traces", &order()).await;
    collector.stats().await;

    let addresses = [collector.grpc, collector.http, collector.query];
    collector.stop().await.unwrap();
    for address in addresses {
        assert!(TcpStream::connect(address).await.is_err());
    }
}

#[tokio::test]
async fn a_request_under_way_is_answered_before_it_stops() {
    let collector = start().await;
    let body = order().to_string();
    let mut connection = TcpStream::connect(collector.http).await.unwrap();
    let head = format!(
        "POST /v1/traces HTTP/1.1\r\nhost: collector\r\nexpect: 100-continue\r\n\
         content-type: application/json\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    connection.write_all(head.as_bytes()).await.unwrap();
    // That it asks for the body shows that the request has begun.
    let mut asked = [0; 25];
    connection.read_exact(&mut asked).await.unwrap();
    assert_eq!(&asked, b"HTTP/1.1 100 Continue\r\n\r\n");

    let (stopped, answer) = tokio::join!(collector.stop(), async {
        connection.write_all(body.as_bytes()).await.unwrap();
        let mut answer = String::new();
        connection.read_to_string(&mut answer).await.unwrap();
        answer
    });
    stopped.unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 OK"), "{answer}");
}

#[tokio::test]
async fn a_request_that_never_ends_does_not_keep_it() {
    let collector = start().await;
    let mut connection = TcpStream::connect(collector.http).await.unwrap();
    let head = "POST /v1/traces HTTP/1.1\r\nhost: collector\r\nexpect: 100-continue\r\n\
                content-type: application/json\r\ncontent-length: 10\r\n\r\n";
    connection.write_all(head.as_bytes()).await.unwrap();
    connection.read_exact(&mut [0; 25]).await.unwrap();
    // From here the clock jumps to the next timer: the collector's patience, which ends before the request's.
    tokio::time::pause();
    collector.stop().await.unwrap();
}
