//! The service's settings: flags, each with an environment name.

use std::net::SocketAddr;
use std::time::Duration;

use tonic::transport::Uri;

/// The settings of one order service. In another program, start from `Config::parse_from(["order"])` and change fields.
#[derive(clap::Parser, Clone, Debug)]
#[command(name = "order", version, about = "Takes orders and charges for them through the payment service")]
pub struct Config {
    /// Address for gRPC.
    #[arg(long, env = "ORDER_LISTEN", default_value = "127.0.0.1:50051")]
    pub listen: SocketAddr,

    /// Address of the admin port: /livez, /readyz, /telemetry and /metrics.
    #[arg(long, env = "ORDER_ADMIN_LISTEN", default_value = "127.0.0.1:51051")]
    pub admin_listen: SocketAddr,

    /// Database that holds the orders: a SQLite file (sqlite://order.db), made when it is missing, or PostgreSQL
    /// (postgres://USER@HOST/DATABASE; its password from PGPASSWORD).
    #[arg(long, env = "ORDER_DATABASE_URL", value_name = "URL", default_value = "sqlite://order.db")]
    #[arg(hide_env_values = true)]
    pub database_url: database::Url,

    /// How long whoever works on an order has it to itself; after that, another instance takes it over.
    #[arg(long, env = "ORDER_LEASE", value_name = "DURATION", default_value = "15s")]
    #[arg(value_parser = humantime::parse_duration)]
    pub lease: Duration,

    /// How often orders are looked for whose work was left undone.
    #[arg(long, env = "ORDER_RECOVERY_INTERVAL", value_name = "DURATION", default_value = "1s")]
    #[arg(value_parser = humantime::parse_duration)]
    pub recovery_interval: Duration,

    /// The payment service's address.
    #[arg(long, env = "ORDER_PAYMENT", value_name = "URL", default_value = "http://127.0.0.1:50052")]
    #[arg(value_parser = server::http_uri)]
    pub payment: Uri,

    /// The notification service's address; without it, events are written down and wait.
    #[arg(long, env = "ORDER_NOTIFICATION", value_name = "URL")]
    #[arg(value_parser = server::http_uri)]
    pub notification: Option<Uri>,

    #[command(flatten)]
    pub server: server::Config,
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::{CommandFactory, Parser};

    #[test]
    fn settings_are_typed_when_parsed() {
        Config::command().debug_assert();
        for bad in [
            ["order", "--listen", "here"],
            ["order", "--payment", "127.0.0.1:50052"],
            ["order", "--payment", "ftp://payment"],
            ["order", "--payment", "payment"],
        ] {
            assert!(Config::try_parse_from(bad).is_err(), "{bad:?}");
        }
        let config = Config::try_parse_from(["order", "--payment", "http://payment:50052"]).unwrap();
        assert_eq!(config.payment, "http://payment:50052");
    }
}
