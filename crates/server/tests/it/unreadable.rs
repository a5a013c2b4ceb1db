//! A request that cannot be read is the caller's mistake.

use proto::payment::v1::ChargeResponse;
use server::Config;
use tonic::{Code, Request, Status};
use tonic_prost::ProstCodec;

use crate::running::start;

/// What a `Charge` is answered whose only field, the key, is these bytes.
async fn answer(key: Vec<u8>) -> Status {
    let server = start(Config::default(), Vec::new()).await;
    let mut client = tonic::client::Grpc::new(server.channel());
    client.ready().await.unwrap();
    let path = "/shop.payment.v1.PaymentService/Charge".parse().unwrap();
    let codec = ProstCodec::<Vec<u8>, ChargeResponse>::default();
    client.unary(Request::new(key), path, codec).await.unwrap_err()
}

#[tokio::test]
async fn bytes_that_are_no_message_are_an_invalid_argument() {
    let status = answer(vec![0xff]).await;
    assert_eq!(status.code(), Code::InvalidArgument);
    assert!(status.message().starts_with("the request cannot be read: "), "{status:?}");
    assert!(status.metadata().contains_key("x-trace-id"));
}

#[tokio::test]
async fn a_message_that_is_too_large_exhausts_a_resource() {
    let status = answer(vec![b'x'; 5 * 1024 * 1024]).await;
    assert_eq!(status.code(), Code::ResourceExhausted, "{status:?}");
}
