//! Servers that export, each a process of its own: what a collector is sent, and that orders do not depend on one.

use proto::types::v1::OrderState;

use crate::calls::{order, placed, trace_headers};
use crate::collected::Collector;
use crate::process::Servers;
use crate::shop::{bind, hold};

/// Longer than any test: what arrives was sent because the server stopped.
const AN_HOUR: &str = "3600000";
const AT_ONCE: &str = "10";

/// Places orders one after the other; each must be paid.
async fn assert_orders_are_paid(servers: &Servers) {
    for _ in 0..3 {
        let answer = servers.client.clone().place_order(order("tok_visa")).await;
        assert_eq!(placed(&answer).state(), OrderState::Paid);
        trace_headers(answer.unwrap().metadata());
    }
}

#[tokio::test]
async fn the_last_spans_of_servers_stopped_by_sigterm_arrive() {
    let collector = Collector::start().await;
    let servers = Servers::start(&collector.otlp(), AN_HOUR).await;
    let answer = servers.client.clone().place_order(order("tok_visa")).await.unwrap();
    servers.terminate().await;

    let (trace_id, _) = trace_headers(answer.metadata());
    collector.trace(&trace_id).await.assert_tree(demo::PAID_ORDER);
}

#[tokio::test]
async fn a_collector_that_is_killed_changes_no_order() {
    let collector = Collector::start().await;
    let servers = Servers::start(&collector.otlp(), AT_ONCE).await;
    assert_orders_are_paid(&servers).await;
    let _refusing = collector.kill().await;
    assert_orders_are_paid(&servers).await;
    servers.terminate().await;
}

#[tokio::test]
async fn a_collector_that_refuses_changes_no_order() {
    let free = bind().await.local_addr().unwrap();
    let _refusing = hold(free).await;
    let servers = Servers::start(&format!("http://{free}"), AT_ONCE).await;
    assert_orders_are_paid(&servers).await;
    servers.terminate().await;
}

#[tokio::test]
async fn a_collector_that_never_reads_changes_no_order() {
    let silent = bind().await;
    let servers = Servers::start(&format!("http://{}", silent.local_addr().unwrap()), AT_ONCE).await;
    assert_orders_are_paid(&servers).await;
    servers.terminate().await;
}
