use super::*;

#[test]
fn repeated_metadata_keys_are_all_read_in_their_order() {
    let mut metadata = MetadataMap::new();
    metadata.append("tracestate", "a=1".parse().unwrap());
    metadata.append("tracestate", "b=2".parse().unwrap());
    metadata.insert_bin("token-bin", tonic::metadata::MetadataValue::from_bytes(b"\xff\x00"));
    let extractor = MetadataExtractor::from_metadata(&metadata);

    assert_eq!(extractor.get_all("tracestate"), Some(vec!["a=1", "b=2"]));
    assert_eq!(extractor.get("TraceState"), Some("a=1"));
    assert_eq!(extractor.get_all("baggage"), None);
    assert_eq!(extractor.get("baggage"), None);
    let mut keys = extractor.keys();
    keys.sort_unstable();
    assert_eq!(keys, ["token-bin", "tracestate"]);
}

#[test]
fn a_line_that_is_no_text_is_seen_as_invalid() {
    let mut headers = HeaderMap::new();
    headers.append("traceparent", HeaderValue::from_static("valid"));
    headers.append("traceparent", HeaderValue::from_bytes(b"\xff").unwrap());
    let extractor = MetadataExtractor(&headers);
    assert_eq!(extractor.get_all("traceparent"), Some(vec!["valid", INVALID]));
}

#[test]
fn a_header_is_overwritten_and_never_sent_empty() {
    let mut metadata = MetadataMap::new();
    for stale in ["old=1", "old=2"] {
        metadata.append("baggage", stale.parse().unwrap());
        metadata.append("tracestate", stale.parse().unwrap());
    }
    let mut injector = MetadataInjector::from_metadata(&mut metadata);
    injector.reserve(usize::MAX);
    injector.set("baggage", "new=1".to_owned());
    injector.set("traceparent", "new".to_owned());
    assert_eq!(metadata.get_all("baggage").iter().collect::<Vec<_>>(), ["new=1"]);
    assert!(!metadata.contains_key("tracestate"));

    let mut injector = MetadataInjector::from_metadata(&mut metadata);
    injector.set("Tracestate", "a=1".to_owned());
    injector.set("baggage", String::new());
    injector.set("no name", "x".to_owned());
    injector.set("no-value", "\n".to_owned());
    assert_eq!(metadata.get("tracestate").unwrap(), "a=1");
    assert_eq!(metadata.len(), 2);
}
