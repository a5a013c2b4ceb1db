//! Addresses of something else.

use super::*;

#[tokio::test]
async fn an_address_of_another_service_is_told_of_where_it_is_given() {
    let patient = Patient::with("gateway", &[]).await;
    let order = patient.servers.addresses("order")[0].to_string();
    for (hop, flag) in [("gateway", "--gateway"), ("payment", "--payment")] {
        let found = patient.diagnosed(&[flag, &order]).await;
        assert_eq!(found.stops_at.as_deref(), Some(hop), "{:?}", found.hops);
        let told = format!("is another service than {hop}: it answered UNIMPLEMENTED");
        assert!(found.detail(hop).ends_with(&told), "{:?}", found.hops);
        let advice = found.hops[hop]["advice"].as_str().unwrap();
        assert!(advice.ends_with(&format!("say where it is with {flag}")), "{advice}");
    }
}
