//! A collector that stops and starts again where it was.

use tokio::runtime::{Builder, Runtime};

use super::*;

/// A collector on a runtime of its own, which ends as a process that is killed does.
struct Process {
    address: SocketAddr,
    runtime: Runtime,
}

impl Process {
    fn start(collector: &Collector, address: &str) -> Self {
        let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let listener = std::net::TcpListener::bind(address).unwrap();
        listener.set_nonblocking(true).unwrap();
        let address = listener.local_addr().unwrap();
        runtime.block_on(async { collector.serve_on(TcpListener::from_std(listener).unwrap()) });
        Self { address, runtime }
    }

    fn kill(self) {
        self.runtime.shutdown_timeout(LIMIT);
    }
}

#[test]
fn spans_arrive_at_a_collector_that_was_away() {
    let here = Builder::new_current_thread().enable_all().build().unwrap();
    let collector = Collector::default();
    let first = Process::start(&collector, "127.0.0.1:0");
    let address = first.address;
    let telemetry = exporting_to(address, &[]);
    let one_more = || {
        end_here(&telemetry, 1, 0);
        here.block_on(telemetry.flush(LIMIT)).spans
    };
    assert_eq!(one_more(), exported(1));
    first.kill();
    let second = Process::start(&collector, &address.to_string());
    assert_eq!(one_more(), exported(2));
    second.kill();
    let _third = Process::start(&collector, &address.to_string());
    assert_eq!(one_more(), exported(3));
    assert_eq!(collector.spans().len(), 3);
}

#[test]
fn what_a_collector_had_not_answered_when_it_was_killed_is_sent_again() {
    let here = Builder::new_current_thread().enable_all().build().unwrap();
    let hanging = Collector { hangs: true, ..Collector::default() };
    let first = Process::start(&hanging, "127.0.0.1:0");
    let address = first.address;
    let telemetry = exporting_to(address, &[("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "1")]);
    end_here(&telemetry, 1, 0);
    here.block_on(hanging.has_received(1));
    first.kill();
    let collector = Collector::default();
    let _second = Process::start(&collector, &address.to_string());
    assert_eq!(here.block_on(telemetry.flush(LIMIT)).spans, exported(1));
    assert_eq!(collector.spans().len(), 1);
}
