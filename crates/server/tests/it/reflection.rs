//! Reflection, when it is on.

use server::Config;
use tokio_stream::once;
use tonic::Code;
use tonic_reflection::pb::{v1, v1alpha};

use crate::running::{NAME, soon, start};

const HEALTH: &str = "grpc.health.v1.Health";

#[tokio::test]
async fn reflection_v1_lists_the_service_and_health() {
    use v1::server_reflection_client::ServerReflectionClient;
    use v1::server_reflection_request::MessageRequest::ListServices;
    use v1::server_reflection_response::MessageResponse::ListServicesResponse;

    let server = start(Config { reflection: true, ..Config::default() }, Vec::new()).await;
    let list = v1::ServerReflectionRequest { message_request: Some(ListServices(String::new())), ..Default::default() };
    let answers = ServerReflectionClient::new(server.channel()).server_reflection_info(once(list)).await;
    let answer = soon(answers.unwrap().into_inner().message()).await.unwrap().unwrap();
    let Some(ListServicesResponse(list)) = answer.message_response else { panic!("no list: {answer:?}") };
    let names: Vec<_> = list.service.iter().map(|service| service.name.as_str()).collect();
    assert!(names.contains(&NAME) && names.contains(&HEALTH), "{names:?}");
}

#[tokio::test]
async fn reflection_v1alpha_lists_the_service_and_health() {
    use v1alpha::server_reflection_client::ServerReflectionClient;
    use v1alpha::server_reflection_request::MessageRequest::ListServices;
    use v1alpha::server_reflection_response::MessageResponse::ListServicesResponse;

    let server = start(Config { reflection: true, ..Config::default() }, Vec::new()).await;
    let list =
        v1alpha::ServerReflectionRequest { message_request: Some(ListServices(String::new())), ..Default::default() };
    let answers = ServerReflectionClient::new(server.channel()).server_reflection_info(once(list)).await;
    let answer = soon(answers.unwrap().into_inner().message()).await.unwrap().unwrap();
    let Some(ListServicesResponse(list)) = answer.message_response else { panic!("no list: {answer:?}") };
    let names: Vec<_> = list.service.iter().map(|service| service.name.as_str()).collect();
    assert!(names.contains(&NAME) && names.contains(&HEALTH), "{names:?}");
}

#[tokio::test]
async fn reflection_knows_the_messages_of_error_details() {
    use v1::server_reflection_client::ServerReflectionClient;
    use v1::server_reflection_request::MessageRequest::FileContainingSymbol;
    use v1::server_reflection_response::MessageResponse::FileDescriptorResponse;

    let server = start(Config { reflection: true, ..Config::default() }, Vec::new()).await;
    for symbol in ["google.rpc.BadRequest", "google.rpc.ErrorInfo", "google.rpc.RetryInfo"] {
        let message_request = Some(FileContainingSymbol(symbol.to_owned()));
        let ask = v1::ServerReflectionRequest { message_request, ..Default::default() };
        let answers = ServerReflectionClient::new(server.channel()).server_reflection_info(once(ask)).await;
        let answer = soon(answers.unwrap().into_inner().message()).await.unwrap().unwrap();
        assert!(matches!(answer.message_response, Some(FileDescriptorResponse(_))), "{symbol}: {answer:?}");
    }
}

#[tokio::test]
async fn reflection_is_unimplemented_while_it_is_off() {
    let server = start(Config::default(), Vec::new()).await;
    let mut client = v1::server_reflection_client::ServerReflectionClient::new(server.channel());
    let status = soon(client.server_reflection_info(once(v1::ServerReflectionRequest::default()))).await.unwrap_err();
    assert_eq!(status.code(), Code::Unimplemented);
}
