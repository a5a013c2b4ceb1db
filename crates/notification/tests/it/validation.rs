use proto::notification::v1 as pb;
use tonic::Code;
use tonic_types::StatusExt;

use crate::stage::{Stage, event};

#[tokio::test]
async fn a_malformed_event_is_refused_with_every_field_named() {
    let stage = Stage::set().await;
    let status = stage.deliver(&pb::DeliverRequest::default()).await.unwrap_err();
    assert_eq!(status.code(), Code::InvalidArgument);
    let details = status.get_details_bad_request().unwrap();
    let mut fields: Vec<_> = details.field_violations.iter().map(|violation| violation.field.as_str()).collect();
    fields.sort_unstable();
    assert_eq!(fields, ["customer.email", "event_id", "order_id", "sequence", "state", "time"]);
    assert!(stage.list("", 0, "").await.deliveries.is_empty());
}

#[tokio::test]
async fn a_time_that_is_none_is_refused() {
    let stage = Stage::set().await;
    let mut event = event();
    event.time = Some(prost_types::Timestamp { seconds: i64::MAX, nanos: 0 });
    let status = stage.deliver(&event).await.unwrap_err();
    assert_eq!(status.get_details_bad_request().unwrap().field_violations[0].field, "time");
}

#[tokio::test]
async fn a_malformed_page_is_refused_with_every_field_named() {
    let stage = Stage::set().await;
    let request = pb::ListDeliveriesRequest { order_id: "42".to_owned(), page_size: -1, page_token: "+7".to_owned() };
    let status = stage.client.clone().list_deliveries(request).await.unwrap_err();
    let details = status.get_details_bad_request().unwrap();
    let fields: Vec<_> = details.field_violations.iter().map(|violation| violation.field.as_str()).collect();
    assert_eq!(fields, ["order_id", "page_size", "page_token"]);
}
