//! The services that are asked, and where.

use anyhow::{Context, anyhow};

use crate::arguments::DoctorArguments;
use crate::ports::ADMIN;

/// A service that exports spans; in the order in which an order comes by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Service {
    Gateway,
    Order,
    Payment,
}

// === impl Service ===

impl Service {
    pub(super) const ALL: [Self; 3] = [Self::Gateway, Self::Order, Self::Payment];

    /// Its `service.name`.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Gateway => "gateway",
            Self::Order => "order",
            Self::Payment => "payment",
        }
    }

    /// Where it is called.
    pub(super) fn address(self, arguments: &DoctorArguments) -> &str {
        let services = &arguments.backends.services;
        match self {
            Self::Gateway => &services.gateway.gateway,
            Self::Order => &services.order,
            Self::Payment => &services.payment,
        }
    }

    /// Where it tells of its telemetry.
    ///
    /// # Errors
    /// When that is not given and there is no port that much above its own.
    pub(super) fn admin(self, arguments: &DoctorArguments) -> anyhow::Result<String> {
        let given = match self {
            Self::Gateway => &arguments.admin.gateway_admin,
            Self::Order => &arguments.admin.order_admin,
            Self::Payment => &arguments.admin.payment_admin,
        };
        let missing = || anyhow!("say where the admin port of {} is with --{0}-admin URL", self.name());
        given.clone().or_else(|| above(self.address(arguments))).with_context(|| missing().to_string())
    }
}

/// The usual admin port of a service.
fn above(address: &str) -> Option<String> {
    let uri: http::Uri = address.parse().ok()?;
    let port = uri.port_u16().unwrap_or(80).checked_add(ADMIN)?;
    Some(format!("http://{}:{port}", uri.host()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_admin_port_is_1000_above_its_services() {
        assert_eq!(above("http://127.0.0.1:50050").unwrap(), "http://127.0.0.1:51050");
        assert_eq!(above("http://[::1]:50051").unwrap(), "http://[::1]:51051");
        assert_eq!(above("http://gateway").unwrap(), "http://gateway:1080");
        assert!(above("http://127.0.0.1:65000").is_none());
    }
}
