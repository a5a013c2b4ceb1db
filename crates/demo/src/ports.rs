//! Which ports the demo's processes listen on.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};

use tokio::net::TcpListener;

use crate::member::Member;

/// An admin port is this far above its service's.
pub(crate) const ADMIN: u16 = 1_000;

/// The ports to try first.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Ports {
    /// The documented ones.
    Usual,
    /// The documented ones' places, counted from another number.
    From(u16),
    /// Whichever are free.
    Free,
}

impl Ports {
    /// The ports `member` should try, in the order of its listeners: a service's own and its admin port; the bank's;
    /// the collector's for OTLP/gRPC, OTLP/HTTP and queries.
    pub(crate) fn of(self, member: Member) -> Vec<u16> {
        match (self, member) {
            (Self::Usual, Member::Collector) => vec![4317, 4318, 8787],
            (Self::Usual, _) => Self::From(50_050).of(member),
            (Self::From(base), Member::Collector) => vec![base + 20, base + 21, base + 22],
            (Self::From(base), Member::Bank) => vec![base + 10],
            (Self::From(base), Member::Payment) => vec![base + 2, base + 2 + ADMIN],
            (Self::From(base), Member::Order) => vec![base + 1, base + 1 + ADMIN],
            (Self::From(base), Member::Gateway) => vec![base, base + ADMIN],
            (Self::Free, _) => Self::Usual.of(member).into_iter().map(|_| 0).collect(),
        }
    }
}

/// Listens on `port` of the loopback interface, or on a free port if that one is taken.
pub(crate) async fn bind(port: u16) -> io::Result<TcpListener> {
    let at = |port| TcpListener::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, port)));
    match at(port).await {
        Err(error) if error.kind() == io::ErrorKind::AddrInUse => at(0).await,
        bound => bound,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_usual_ports_are_the_documented_ones() {
        assert_eq!(Ports::Usual.of(Member::Gateway), [50_050, 51_050]);
        assert_eq!(Ports::Usual.of(Member::Order), [50_051, 51_051]);
        assert_eq!(Ports::Usual.of(Member::Payment), [50_052, 51_052]);
        assert_eq!(Ports::Usual.of(Member::Bank), [50_060]);
        assert_eq!(Ports::Usual.of(Member::Collector), [4317, 4318, 8787]);
    }

    #[test]
    fn a_base_moves_all_of_them_and_free_fixes_none() {
        assert_eq!(Ports::From(6_000).of(Member::Payment), [6_002, 7_002]);
        assert_eq!(Ports::From(6_000).of(Member::Collector), [6_020, 6_021, 6_022]);
        assert_eq!(Ports::Free.of(Member::Collector), [0, 0, 0]);
    }

    #[tokio::test]
    async fn a_taken_port_gives_a_free_one() {
        let first = bind(0).await.unwrap().local_addr().unwrap();
        let taken = bind(first.port()).await.unwrap();
        let second = bind(taken.local_addr().unwrap().port()).await.unwrap();
        assert_ne!(second.local_addr().unwrap(), taken.local_addr().unwrap());
    }
}
