//! `demo load`, as anybody would run it.

use std::net::SocketAddr;
use std::process::{Output, Stdio};
use std::time::Duration;

use proto::gateway::v1::ListOrdersRequest;
use proto::types::v1::{Order, OrderState};
use tokio::io::copy_bidirectional;
use tokio::net::TcpStream;
use tokio::process::Command;
use tokio::time::{sleep, timeout};

use crate::calls::caller;
use crate::process::{Process, demo};
use crate::shop::{Member, PATIENCE, Shop, bind, hold};
use crate::up::Up;

/// How often a test looks whether an order is paid.
const INTERVAL: Duration = Duration::from_millis(10);

fn load(gateway: SocketAddr, rps: &str, duration: &str) -> Command {
    let mut command = demo();
    command.args(["load", "--rps", rps, "--for", duration, "--gateway", &format!("http://{gateway}")]);
    command
}

/// The exit code, and what was said on stdout and on stderr.
async fn ran(command: &mut Command) -> (Option<i32>, String, String) {
    said(timeout(PATIENCE, command.output()).await.unwrap().unwrap())
}

fn said(output: Output) -> (Option<i32>, String, String) {
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.code(), text(output.stdout), text(output.stderr))
}

/// A load that is running.
struct Running(Process);

impl Running {
    fn start(gateway: SocketAddr) -> Self {
        let mut command = load(gateway, "50", "1h");
        Self(Process::spawn(command.stdout(Stdio::piped()).stderr(Stdio::piped())))
    }

    /// Ctrl-C.
    async fn interrupt(self) -> (Option<i32>, String, String) {
        self.0.signal("INT").await;
        said(timeout(PATIENCE, self.0.process.wait_with_output()).await.unwrap().unwrap())
    }
}

/// What the shop has sold: at most 200 orders.
async fn orders(gateway: SocketAddr) -> Vec<Order> {
    let request = ListOrdersRequest { page_size: 200, ..ListOrdersRequest::default() };
    caller(gateway).list_orders(request).await.unwrap().into_inner().orders
}

async fn until_an_order_is_paid(gateway: SocketAddr) {
    let paid = async {
        while !orders(gateway).await.iter().any(|order| order.state() == OrderState::Paid) {
            sleep(INTERVAL).await;
        }
    };
    timeout(PATIENCE, paid).await.expect("no order was paid");
}

/// The count on the summary's line of that name.
#[track_caller]
fn count(summary: &str, name: &str) -> usize {
    let mut lines = summary.lines().filter_map(|line| line.trim_start().strip_prefix(name));
    let count = lines.find_map(|rest| rest.trim().parse().ok());
    count.unwrap_or_else(|| panic!("no line of {name} in\n{summary}"))
}

#[tokio::test]
async fn twenty_a_second_for_a_second_are_twenty_paid_orders() {
    let data = tempfile::tempdir().unwrap();
    let up = Up::start(data.path()).await;
    let gateway = up.addresses["gateway"][0];
    let before = orders(gateway).await.len();

    let (code, summary, complaints) = ran(&mut load(gateway, "20", "1s")).await;
    assert_eq!((code, complaints.as_str()), (Some(0), ""), "{summary}");
    assert!(summary.starts_with("20 orders sent in "), "{summary}");
    assert_eq!(count(&summary, "OK"), 20);
    assert!(summary.contains("latency of the 20 answers") && summary.contains("p99.9 "), "{summary}");

    let orders = orders(gateway).await;
    assert_eq!(orders.len() - before, 20);
    assert!(orders.iter().all(|order| order.state() == OrderState::Paid));
    up.interrupt().await;
}

#[tokio::test]
async fn where_no_gateway_is_nothing_is_loaded() {
    let free = bind().await.local_addr().unwrap();
    let _refusing = hold(free).await;
    let (code, summary, complaints) = ran(&mut load(free, "20", "1h")).await;
    assert_eq!((code, summary.as_str()), (Some(1), ""));
    assert!(complaints.contains(&format!("nothing answers at http://{free}")), "{complaints}");
}

#[tokio::test]
async fn no_order_is_due_in_no_time() {
    let nobody = SocketAddr::from(([127, 0, 0, 1], 9));
    let (code, summary, complaints) = ran(&mut load(nobody, "20", "0s")).await;
    assert_eq!((code, summary.as_str()), (Some(2), ""));
    assert!(complaints.contains("no order is due"), "{complaints}");
}

#[tokio::test]
async fn an_order_that_fails_is_told_and_is_exit_code_1() {
    let mut shop = Shop::open().await;
    shop.kill(Member::Order).await;
    let (code, summary, _) = ran(&mut load(shop.address(Member::Gateway), "20", "200ms")).await;
    assert_eq!((code, count(&summary, "UNAVAILABLE")), (Some(1), 4), "{summary}");
    assert!(summary.contains("  UNAVAILABLE: the order service is not available  (trace "), "{summary}");
    shop.close().await;
}

#[tokio::test]
async fn ctrl_c_ends_the_load_with_its_summary() {
    let shop = Shop::open().await;
    let gateway = shop.address(Member::Gateway);
    let running = Running::start(gateway);
    until_an_order_is_paid(gateway).await;

    let (code, summary, _) = running.interrupt().await;
    assert_eq!(code, Some(0), "{summary}");
    assert!(summary.lines().next().unwrap().contains(", ended early"), "{summary}");
    assert_eq!(count(&summary, "OK"), placed(&shop).await);
    shop.close().await;
}

/// How many orders the shop was asked for, however many.
async fn placed(shop: &Shop) -> usize {
    shop.traces_of_calls().await.iter().filter(|trace| trace.render(&[]).contains("ShopService/PlaceOrder")).count()
}

#[tokio::test]
async fn a_gateway_that_goes_away_is_counted_and_the_load_goes_on() {
    let shop = Shop::open().await;
    let between = bind().await;
    let running = Running::start(between.local_addr().unwrap());
    let passed_on = async {
        let (mut caller, _) = between.accept().await.unwrap();
        let mut gateway = TcpStream::connect(shop.address(Member::Gateway)).await.unwrap();
        copy_bidirectional(&mut caller, &mut gateway).await.unwrap();
    };
    tokio::select! {
        () = passed_on => panic!("the load hung up"),
        () = until_an_order_is_paid(shop.address(Member::Gateway)) => {}
    }
    // The connection is cut, and whoever comes then is turned away.
    let (turned_away, _) = timeout(PATIENCE, between.accept()).await.unwrap().unwrap();
    drop((turned_away, between));

    let (code, summary, _) = running.interrupt().await;
    assert_eq!(code, Some(1), "{summary}");
    assert!(count(&summary, "OK") > 0 && summary.contains("the first failures that differ"), "{summary}");
    shop.close().await;
}
