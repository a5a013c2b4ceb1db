//! The service's settings: flags, each with an environment name.

use std::net::SocketAddr;

/// The settings of one notification service. In another program, start from `Config::parse_from(["notification"])` and change
/// fields.
#[derive(clap::Parser, Clone, Debug)]
#[command(name = "notification", version, about = "Takes over what happened to orders, each event once")]
pub struct Config {
    /// Address for gRPC.
    #[arg(long, env = "NOTIFICATION_LISTEN", default_value = "127.0.0.1:50053")]
    pub listen: SocketAddr,

    /// Address of the admin port: /livez, /readyz, /telemetry and /metrics.
    #[arg(long, env = "NOTIFICATION_ADMIN_LISTEN", default_value = "127.0.0.1:51053")]
    pub admin_listen: SocketAddr,

    /// Database that holds what was taken over: a SQLite file (sqlite://notification.db), made when it is missing, or
    /// PostgreSQL (postgres://USER@HOST/DATABASE; its password from PGPASSWORD).
    #[arg(long, env = "NOTIFICATION_DATABASE_URL", value_name = "URL", default_value = "sqlite://notification.db")]
    #[arg(hide_env_values = true)]
    pub database_url: database::Url,

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
        for bad in [["notification", "--listen", "here"], ["notification", "--database-url", "notes.txt"]] {
            assert!(Config::try_parse_from(bad).is_err(), "{bad:?}");
        }
        assert_eq!(Config::parse_from(["notification"]).listen.port(), 50053);
    }
}
