use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::trace_service_client::TraceServiceClient;
use prost::Message;
use reqwest::RequestBuilder;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tonic::Code;
use tonic::codec::CompressionEncoding::Gzip;
use tonic::metadata::MetadataValue;

use crate::collector_under_test::{Collector, gzip, start};
use crate::fixtures::{order, order_as_protobuf, span, spans_of, with};

const JSON: &str = "application/json";
const PROTOBUF: &str = "application/x-protobuf";

/// `google.rpc.Status`, as far as refusals fill it.
#[derive(Clone, PartialEq, Message)]
struct RpcStatus {
    #[prost(int32, tag = "1")]
    code: i32,
    #[prost(string, tag = "2")]
    message: String,
}

/// The request must be refused with this HTTP status and, in JSON, with this code and message.
async fn check(request: RequestBuilder, status: u16, code: Code, message: &str) {
    let answer = request.send().await.unwrap();
    assert_eq!(answer.status(), status);
    assert_eq!(answer.headers()["content-type"], JSON);
    let body: Value = answer.json().await.unwrap();
    assert_eq!(body["code"], code as i32);
    let answered = body["message"].as_str().unwrap();
    assert!(answered.starts_with(message), "{answered}");
}

async fn still_works(collector: &Collector) {
    assert_eq!(collector.send_json("/v1/traces", &order()).await, json!({}));
    collector.traces().export(order_as_protobuf()).await.unwrap();
    assert_eq!(collector.stats().await["spans"], 4);
}

#[tokio::test]
async fn malformed_json_is_a_bad_request() {
    let collector = start().await;
    let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    let not_hex = r#"{"resourceSpans":[{"scopeSpans":[{"spans":[{"traceId":"hello"}]}]}]}"#;
    let too_big = r#"{"resourceSpans":[{"scopeSpans":[{"spans":[{"endTimeUnixNano":"18446744073709551616"}]}]}]}"#;
    let bodies = ["", "{", "[]", "null", "7", "{}{}", "\u{0}", r#"{"resourceSpans":7}"#, not_hex, too_big, &deep];
    for body in bodies {
        let request = collector.post("/v1/traces", JSON, body.to_owned());
        check(request, 400, Code::InvalidArgument, "malformed body: ").await;
    }
    let not_text: [&[u8]; 2] = [b"{\"resourceLogs\xff\":[]}", b"{\"inventedLater\":\"\xff\"}"];
    for body in not_text {
        let request = collector.post("/v1/logs", JSON, body);
        check(request, 400, Code::InvalidArgument, "malformed body: ").await;
    }
    still_works(&collector).await;
}

#[tokio::test]
async fn a_refusal_names_what_is_wrong_and_not_what_is_allowed() {
    let collector = start().await;
    let number = r#"{"resourceSpans":[{"schemaUrl":null,"scopeSpans":7}]}"#;
    let message = "malformed body: invalid type: integer `7`, expected a sequence";
    check(collector.post("/v1/traces", JSON, number), 400, Code::InvalidArgument, message).await;
    let message = "malformed body: invalid type: integer `7`, expected a sequence at line 1 column 18";
    check(collector.post("/v1/traces", JSON, r#"{"resourceSpans":7}"#), 400, Code::InvalidArgument, message).await;
    for text in ["nan", "inf", "+Infinity", "1e400", "", " 1"] {
        let value = json!({"attributes": [{"key": "double", "value": {"doubleValue": text}}]});
        let body = spans_of("order", [with(span(7, 1), value)]).to_string();
        let message = format!("malformed body: {text:?} is no such number");
        check(collector.post("/v1/traces", JSON, body), 400, Code::InvalidArgument, &message).await;
    }
}

#[tokio::test]
async fn malformed_protobuf_is_a_bad_request_answered_in_protobuf() {
    let collector = start().await;
    let mut cut_off = order_as_protobuf().encode_to_vec();
    cut_off.pop();
    let deep = (0..100_000).fold(Vec::new(), |mut body, _| {
        body.extend([0x0a, 0xff, 0xff, 0x03]);
        body
    });
    for path in ["/v1/traces", "/v1/metrics", "/v1/logs"] {
        for body in [cut_off.as_slice(), b"zzzz", &[0xff; 64], &deep] {
            let answer = collector.post(path, PROTOBUF, body.to_vec()).send().await.unwrap();
            assert_eq!(answer.status(), 400);
            assert_eq!(answer.headers()["content-type"], PROTOBUF);
            let status = RpcStatus::decode(answer.bytes().await.unwrap()).unwrap();
            assert_eq!(status.code, Code::InvalidArgument as i32);
            assert!(status.message.starts_with("malformed body: "), "{}", status.message);
        }
    }
    still_works(&collector).await;
}

#[tokio::test]
async fn what_is_not_gzip_is_a_bad_request() {
    let collector = start().await;
    let whole = gzip(order().to_string().as_bytes());
    let cut_off = whole[..whole.len() - 5].to_vec();
    let mut wrong_sum = whole.clone();
    *wrong_sum.last_mut().unwrap() ^= 1;
    let followed_by_noise = [whole, b"noise".to_vec()].concat();
    for body in [b"{}".to_vec(), cut_off, wrong_sum, followed_by_noise] {
        let request = collector.post("/v1/traces", JSON, body).header("content-encoding", "gzip");
        check(request, 400, Code::InvalidArgument, "malformed body: ").await;
    }
    assert_eq!(collector.stats().await["spans"], 0);
    still_works(&collector).await;
}

#[tokio::test]
async fn a_gzip_bomb_is_too_large() {
    let collector = start().await;
    let bomb = gzip(&[b' '; 1 << 20]).repeat(65);
    let request = collector.post("/v1/traces", JSON, bomb).header("content-encoding", "gzip");
    check(request, 413, Code::ResourceExhausted, "the body is larger than 67108864 bytes").await;
    still_works(&collector).await;
}

/// A protobuf field of bytes.
fn field(key: u8, payload: &[u8]) -> Vec<u8> {
    let mut field = vec![key];
    prost::encode_length_delimiter(payload.len(), &mut field).unwrap();
    field.extend(payload);
    field
}

#[tokio::test]
async fn what_would_explode_when_it_is_decoded_is_too_large() {
    let collector = start().await;
    let empty_spans = field(0x0a, &field(0x12, &[0x12, 0].repeat(10 << 20)));
    let empty_points = field(0x0a, &field(0x12, &field(0x12, &field(0x2a, &[0x0a, 0].repeat(10 << 20)))));
    for (path, body) in [("/v1/traces", empty_spans), ("/v1/metrics", empty_points)] {
        let answer = collector.post(path, PROTOBUF, body).send().await.unwrap();
        assert_eq!(answer.status(), 413, "{path}");
    }
    let spans = format!(r#"{{"resourceSpans":[{{"scopeSpans":[{{"spans":[{}{{}}]}}]}}]}}"#, "{},".repeat(5 << 20));
    let request = collector.post("/v1/traces", JSON, spans);
    check(request, 413, Code::ResourceExhausted, "the body would take far more memory").await;
    still_works(&collector).await;
}

#[tokio::test]
async fn an_honest_body_may_be_large() {
    let collector = start().await;
    let full = &order()["resourceSpans"][0]["scopeSpans"][0]["spans"][0];
    let spans = (1..=5000).map(|id| with(full.clone(), span(id.into(), id)));
    let export = spans_of("order", spans);
    assert!(export.to_string().len() > 5 << 20);
    assert_eq!(collector.send_json("/v1/traces", &export).await, json!({}));
    let message: ExportTraceServiceRequest = serde_json::from_value(export).unwrap();
    assert_eq!(collector.send_protobuf("/v1/traces", &message).await, b"");
    assert_eq!(collector.stats().await["spans"], 5000);
}

#[tokio::test]
async fn a_body_that_announces_too_much_is_refused_before_it_is_sent() {
    let collector = start().await;
    let mut connection = TcpStream::connect(collector.http).await.unwrap();
    let head = "POST /v1/logs HTTP/1.1\r\nhost: collector\r\ncontent-type: application/json\r\n\
                content-length: 67108865\r\n\r\n";
    connection.write_all(head.as_bytes()).await.unwrap();
    let mut answer = String::new();
    connection.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 413 Payload Too Large\r\n"), "{answer}");
    still_works(&collector).await;
}

#[tokio::test]
async fn other_content_is_unsupported() {
    let collector = start().await;
    for content_type in ["text/plain", "application/grpc", "application/jsonx", ""] {
        let request = collector.post("/v1/traces", content_type, "{}");
        check(request, 415, Code::InvalidArgument, "content type must be").await;
    }
    let brotli = collector.post("/v1/traces", JSON, "{}").header("content-encoding", "br");
    check(brotli, 415, Code::InvalidArgument, "content encoding must be").await;
}

#[tokio::test]
async fn other_paths_and_methods_are_refused() {
    let collector = start().await;
    check(collector.post("/v1/spans", JSON, "{}"), 404, Code::NotFound, "nothing is here").await;
    let url = format!("http://{}/v1/traces", collector.http);
    let answer = reqwest::Client::new().get(&url).send().await.unwrap();
    assert_eq!((answer.status().as_u16(), &answer.headers()["allow"]), (405, &"POST".parse().unwrap()));
    check(reqwest::Client::new().put(&url), 405, Code::Unimplemented, "method must be POST").await;
}

#[tokio::test]
async fn spans_with_invalid_ids_are_rejected_and_the_others_kept() {
    let collector = start().await;
    let wrong = [
        json!({"traceId": "0".repeat(32)}),
        json!({"traceId": "abcd"}),
        json!({"traceId": ""}),
        json!({"spanId": "0".repeat(16)}),
        json!({"spanId": "abcd"}),
        json!({"parentSpanId": "abcd"}),
    ];
    let spans = wrong.into_iter().map(|fields| with(span(7, 2), fields));
    let fine = [span(7, 1), with(span(7, 3), json!({"parentSpanId": "0".repeat(16)}))];
    let export = spans_of("order", spans.chain(fine));

    let partial = json!({"rejectedSpans": "6", "errorMessage": "6 with an invalid id"});
    assert_eq!(collector.send_json("/v1/traces", &export).await, json!({"partialSuccess": partial}));
    let answer = collector.traces().export(serde_json::from_value::<ExportTraceServiceRequest>(export).unwrap()).await;
    assert_eq!(answer.unwrap().into_inner().partial_success.unwrap().rejected_spans, 6);

    let trace = collector.read("/api/v3/traces/7").await;
    let spans = &trace["result"]["resourceSpans"][0]["scopeSpans"][0]["spans"];
    assert_eq!(spans.as_array().unwrap().len(), 2);
    assert_eq!(spans[1].get("parentSpanId"), None);
    assert_eq!(collector.stats().await["rejected"], json!({"spans": 12, "logs": 0}));
}

/// Sends one gRPC frame as it is to the trace service.
async fn send_frame(collector: &Collector, frame: Vec<u8>) -> Code {
    let client = reqwest::Client::builder().no_proxy().http2_prior_knowledge().build().unwrap();
    let url = format!("http://{}/opentelemetry.proto.collector.trace.v1.TraceService/Export", collector.grpc);
    let request = client.post(url).header("content-type", "application/grpc").header("te", "trailers");
    let answer = request.body(frame).send().await.unwrap();
    Code::from_bytes(answer.headers()["grpc-status"].as_bytes())
}

#[tokio::test]
async fn a_malformed_grpc_message_is_an_invalid_argument() {
    let collector = start().await;
    for frame in [&b"\0\0\0\0\x04zzzz"[..], b"\0\0\0\0\x09cut off", b"\x07\0\0\0\0", b"\x01\0\0\0\x02{}", b""] {
        assert_eq!(send_frame(&collector, frame.to_vec()).await, Code::InvalidArgument, "{frame:?}");
    }
    still_works(&collector).await;
}

#[tokio::test]
async fn a_grpc_message_that_is_too_large_must_not_be_retried() {
    let collector = start().await;
    assert_eq!(send_frame(&collector, b"\0\0\x40\0\x01".to_vec()).await, Code::ResourceExhausted);

    let name = "x".repeat(5 << 20);
    let bomb = with(span(7, 1), json!({"name": name}));
    let bomb: ExportTraceServiceRequest = serde_json::from_value(spans_of("order", [bomb])).unwrap();
    let refused = collector.traces().send_compressed(Gzip).export(bomb).await.unwrap_err();
    assert_eq!(refused.code(), Code::ResourceExhausted);
    still_works(&collector).await;
}

#[tokio::test]
async fn a_huge_header_does_not_end_anything() {
    let collector = start().await;
    let channel = collector.channel();
    let huge = MetadataValue::try_from("x".repeat(64 * 1024)).unwrap();
    let mut traces = TraceServiceClient::with_interceptor(channel, move |mut request: tonic::Request<()>| {
        request.metadata_mut().insert("x-huge", huge.clone());
        Ok(request)
    });
    traces.export(order_as_protobuf()).await.unwrap_err();
    still_works(&collector).await;
}
