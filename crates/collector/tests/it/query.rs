use serde_json::{Value, json};

use crate::collector_under_test::{Collector, start};
use crate::fixtures::{order, order_in_jaeger, span, spans_of, with};

/// Around every span of the tests.
const ALWAYS: &str = "query.startTimeMin=1970-01-01T00:00:00Z&query.startTimeMax=2030-01-01T00:00:00Z";

async fn check_error(collector: &Collector, path: &str, status: u16, message: &str) {
    let answer = collector.get(path).await;
    assert_eq!(answer.status(), status, "{path}");
    let error = json!({"error": {"httpCode": status, "message": message}});
    assert_eq!(answer.json::<Value>().await.unwrap(), error, "{path}");
}

#[tokio::test]
async fn services_and_operations_are_listed_as_in_jaeger() {
    let collector = start().await;
    assert_eq!(collector.read("/api/v3/services").await, json!({"services": []}));
    collector.send_json("/v1/traces", &order()).await;
    assert_eq!(collector.read("/api/v3/services").await, json!({"services": ["gateway", "order"]}));

    let server = json!({"name": "shop.order.v1.OrderService/PlaceOrder", "spanKind": "server"});
    let inner = json!({"name": "place_order", "spanKind": "internal"});
    let operations = async |query: &str| collector.read(&format!("/api/v3/operations?{query}")).await;
    assert_eq!(operations("service=order").await, json!({"operations": [inner, server]}));
    assert_eq!(operations("service=order&spanKind=server").await, json!({"operations": [server]}));
    assert_eq!(operations("service=order&span_kind=internal").await, json!({"operations": [inner]}));
    assert_eq!(operations("service=nobody").await, json!({"operations": []}));
}

#[tokio::test]
async fn a_trace_is_found_by_its_id_however_it_is_written() {
    let collector = start().await;
    collector.send_json("/v1/traces", &order()).await;
    for id in ["0000000000000000a1b2c3d4e5f60718", "a1b2c3d4e5f60718", "A1B2C3D4E5F60718", "0a1b2c3d4e5f60718"] {
        assert_eq!(collector.read(&format!("/api/v3/traces/{id}")).await, order_in_jaeger());
    }
    check_error(&collector, "/api/v3/traces/ff", 404, "No traces found").await;
    let malformed = "malformed parameter trace_id: a trace id is 1 to 32 hexadecimal digits, not all zero";
    for id in ["xyz", "0", "+1", &"1".repeat(33)] {
        check_error(&collector, &format!("/api/v3/traces/{id}"), 400, malformed).await;
        check_error(&collector, &format!("/api/logs/{id}"), 400, malformed).await;
    }
}

#[tokio::test]
async fn an_id_that_is_not_text_is_a_bad_request() {
    let collector = start().await;
    let answer = collector.get("/api/v3/traces/%ff").await;
    assert_eq!(answer.status(), 400);
    assert_eq!(answer.json::<Value>().await.unwrap()["error"]["httpCode"], 400);
}

/// Sends three traces of one span each, 1 to 3: one second, one minute and one hour long, each a day after the last.
async fn send_three(collector: &Collector) {
    let error = json!({"code": 2});
    let attribute = |key: &str, value: Value| json!([{"key": key, "value": value}]);
    let trace = |id, day: u64, seconds: u64, more: Value| {
        let start = day * 86_400_000_000_000;
        let end = start + seconds * 1_000_000_000;
        let times = json!({"startTimeUnixNano": start.to_string(), "endTimeUnixNano": end.to_string()});
        with(with(span(id, 1), times), more)
    };
    let first = trace(1, 1, 1, json!({"attributes": attribute("order.id", json!({"stringValue": "o 1"}))}));
    let second = trace(2, 2, 60, json!({"status": error, "attributes": attribute("items", json!({"intValue": "3"}))}));
    let event = json!({"events": [{"name": "paid", "attributes": attribute("live", json!({"boolValue": true}))}]});
    let third = trace(3, 3, 3600, with(event, json!({"name": "charge"})));
    collector.send_json("/v1/traces", &spans_of("order", [first, second])).await;
    collector.send_json("/v1/traces", &spans_of("payment", [third])).await;
}

/// The traces that a search finds, by their last digit, in the order of the answer.
async fn found(collector: &Collector, query: &str) -> Vec<char> {
    let answer = collector.read(&format!("/api/v3/traces?{query}")).await;
    let batches = answer["result"]["resourceSpans"].as_array().unwrap();
    let ids = batches.iter().map(|batch| batch["scopeSpans"][0]["spans"][0]["traceId"].as_str().unwrap());
    ids.map(|id| id.chars().last().unwrap()).collect()
}

#[tokio::test]
async fn a_search_finds_traces_with_a_span_that_has_it_all() {
    let collector = start().await;
    send_three(&collector).await;
    let cases: [(&str, &[char]); 16] = [
        ("", &['3', '2', '1']),
        ("query.serviceName=order", &['2', '1']),
        ("query.service_name=payment", &['3']),
        ("query.operationName=charge", &['3']),
        ("query.operation_name=span+1&query.serviceName=order", &['2', '1']),
        ("query.durationMin=2s", &['3', '2']),
        ("query.durationMin=1m0s&query.durationMax=90m", &['3', '2']),
        ("query.duration_max=1000ms", &['1']),
        ("query.durationMax=1.5m", &['2', '1']),
        ("query.searchDepth=1", &['3']),
        ("query.search_depth=2", &['3', '2']),
        ("query.num_traces=2", &['3', '2']),
        ("query.attributes=%7B%22order.id%22:%22o+1%22%7D", &['1']),
        ("query.attributes={\"items\":\"3\",\"error\":\"true\"}", &['2']),
        ("query.attributes={\"live\":\"true\"}&query.searchDepth=1", &['3']),
        ("query.attributes={\"service.name\":\"order\",\"error\":\"false\"}", &['1']),
    ];
    for (query, expected) in cases {
        assert_eq!(found(&collector, &format!("{ALWAYS}&{query}")).await, expected, "{query}");
    }
    let nothing = format!("/api/v3/traces?{ALWAYS}&query.serviceName=order&query.operationName=charge");
    check_error(&collector, &nothing, 404, "No traces found").await;
}

#[tokio::test]
async fn a_search_is_bounded_in_time() {
    let collector = start().await;
    send_three(&collector).await;
    let second_day = "query.startTimeMin=1970-01-02T12:00:00Z&query.startTimeMax=1970-01-03T00:00:00Z";
    assert_eq!(found(&collector, second_day).await, ['2']);
    let elsewhere =
        "query.start_time_min=1970-01-03T14:00:00.5%2B02:00&query.start_time_max=1970-01-04T02:00:00%2B02:00";
    assert_eq!(found(&collector, elsewhere).await, ['3']);
    let forever = "query.startTimeMin=0001-01-01T00:00:00Z&query.startTimeMax=9999-12-31T23:59:59Z";
    assert_eq!(found(&collector, forever).await, ['3', '2', '1']);
}

#[tokio::test]
async fn a_search_that_cannot_be_read_is_a_bad_request() {
    let collector = start().await;
    let required = "query.startTimeMin and query.startTimeMax are required";
    check_error(&collector, "/api/v3/traces", 400, required).await;
    check_error(&collector, "/api/v3/traces?query.startTimeMin=2026-01-01T00:00:00Z", 400, required).await;
    for parameter in [
        "query.startTimeMin=yesterday",
        "query.durationMin=1",
        "query.durationMin=s",
        "query.durationMax=-1s",
        "query.durationMax=1..5s",
        "query.durationMax=1day",
        "query.searchDepth=many",
        "query.searchDepth=0",
        "query.searchDepth=-1",
        "query.attributes=order.id",
        "query.attributes={\"items\":3}",
    ] {
        let answer = collector.get(&format!("/api/v3/traces?{parameter}&{ALWAYS}")).await;
        assert_eq!(answer.status(), 400, "{parameter}");
        let error = answer.json::<Value>().await.unwrap();
        let name = parameter.split('=').next().unwrap();
        let message = error["error"]["message"].as_str().unwrap();
        assert!(message.starts_with(&format!("malformed parameter {name}: ")), "{message}");
    }
}

#[tokio::test]
async fn the_root_tells_what_is_here_with_real_addresses() {
    let collector = start().await;
    let answer = collector.get("/").await;
    assert_eq!(answer.headers()["content-type"], "text/plain; charset=utf-8");
    let text = answer.text().await.unwrap();
    for address in [collector.grpc, collector.http, collector.query] {
        assert!(text.contains(&format!("http://{address}")), "{text}");
    }
    for path in ["v3/services", "v3/operations", "v3/traces", "dependencies?endTs=", "logs", "stats"] {
        assert!(text.contains(&format!("http://{}/api/{path}", collector.query)), "{text}");
    }
}

#[tokio::test]
async fn other_paths_and_methods_are_refused_in_jaegers_shape() {
    let collector = start().await;
    check_error(&collector, "/api/v3/nothing", 404, "nothing is here; / says what there is").await;
    let client = reqwest::Client::new();
    let services = format!("http://{}/api/v3/services", collector.query);
    let head = client.head(&services).send().await.unwrap();
    assert_eq!((head.status().as_u16(), &head.headers()["content-length"]), (200, &"15".parse().unwrap()));
    let post = client.post(&services).send().await.unwrap();
    assert_eq!((post.status().as_u16(), &post.headers()["allow"]), (405, &"GET,HEAD".parse().unwrap()));
    assert_eq!(post.json::<Value>().await.unwrap()["error"]["httpCode"], 405);
}

#[tokio::test]
async fn the_deepest_attribute_that_is_accepted_can_be_read() {
    let collector = start().await;
    let nested = |depth: usize| {
        let list = |inner: Value| json!({"kvlistValue": {"values": [{"key": "k", "value": inner}]}});
        let value = (0..depth).fold(json!({"intValue": "1"}), |inner, _| list(inner));
        spans_of("order", [with(span(7, 1), json!({"attributes": [{"key": "deep", "value": value}]}))])
    };
    let mut depth = 1;
    while collector.post("/v1/traces", "application/json", nested(depth).to_string()).send().await.unwrap().status()
        == 200
    {
        collector.read("/api/v3/traces/7").await;
        depth += 1;
    }
    assert!(depth > 10);
    assert_eq!(collector.stats().await["duplicateSpans"], depth - 2);
}
