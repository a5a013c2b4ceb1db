//! The service's settings: flags, each with an environment name.

use std::net::SocketAddr;
use std::time::Duration;

use reqwest::Url;
use telemetry::Propagate;

/// The settings of one payment service. In another program, start from `Config::parse_from(["payment"])` and change
/// fields.
#[derive(clap::Parser, Clone, Debug)]
#[command(name = "payment", version, about = "Charges and refunds cards through the bank")]
pub struct Config {
    /// Address for gRPC.
    #[arg(long, env = "PAYMENT_LISTEN", default_value = "127.0.0.1:50052")]
    pub listen: SocketAddr,

    /// Address of the admin port: /livez, /readyz, /telemetry and /metrics.
    #[arg(long, env = "PAYMENT_ADMIN_LISTEN", default_value = "127.0.0.1:51052")]
    pub admin_listen: SocketAddr,

    /// Database that holds the ledger: a SQLite file (sqlite://payment.db), made when it is missing, or PostgreSQL
    /// (postgres://USER@HOST/DATABASE; its password from PGPASSWORD).
    #[arg(long, env = "PAYMENT_DATABASE_URL", value_name = "URL", default_value = "sqlite://payment.db")]
    #[arg(hide_env_values = true)]
    pub database_url: database::Url,

    /// How long whoever asks the bank for a payment has that to itself; after that, another instance takes it over.
    #[arg(long, env = "PAYMENT_LEASE", value_name = "DURATION", default_value = "12s")]
    #[arg(value_parser = humantime::parse_duration)]
    pub lease: Duration,

    /// How often payments are looked for that were left open.
    #[arg(long, env = "PAYMENT_RECOVERY_INTERVAL", value_name = "DURATION", default_value = "1s")]
    #[arg(value_parser = humantime::parse_duration)]
    pub recovery_interval: Duration,

    /// The bank's address.
    #[arg(long, env = "PAYMENT_BANK", value_name = "URL", default_value = "http://127.0.0.1:50060")]
    #[arg(value_parser = http_url)]
    pub bank: Url,

    /// How long one question to the bank may take, however often it is asked.
    #[arg(long, env = "PAYMENT_BANK_TIMEOUT", value_name = "DURATION", default_value = "5s")]
    #[arg(value_parser = humantime::parse_duration)]
    pub bank_timeout: Duration,

    /// Which trace headers the bank is sent: nothing, as to any outside company, or traceparent.
    #[arg(long, env = "PAYMENT_BANK_PROPAGATE", value_name = "nothing|traceparent", default_value = "nothing")]
    #[arg(value_parser = propagate)]
    pub bank_propagate: Propagate,

    #[command(flatten)]
    pub server: server::Config,
}

fn http_url(text: &str) -> Result<Url, String> {
    let url: Url = text.parse().map_err(|error| format!("{error}"))?;
    if ["http", "https"].contains(&url.scheme()) { Ok(url) } else { Err("must start with http:// or https://".into()) }
}

fn propagate(text: &str) -> Result<Propagate, String> {
    match text {
        "nothing" => Ok(Propagate::Nothing),
        "traceparent" => Ok(Propagate::TraceParent),
        _ => Err("must be nothing or traceparent".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::{CommandFactory, Parser};

    #[test]
    fn settings_are_typed_when_parsed() {
        Config::command().debug_assert();
        for bad in [
            ["payment", "--listen", "here"],
            ["payment", "--bank", "ftp://bank"],
            ["payment", "--bank", "bank"],
            ["payment", "--bank-timeout", "soon"],
            ["payment", "--bank-propagate", "all"],
        ] {
            assert!(Config::try_parse_from(bad).is_err(), "{bad:?}");
        }
        let config =
            Config::try_parse_from(["payment", "--bank-propagate", "traceparent", "--bank-timeout", "2s"]).unwrap();
        assert_eq!(config.bank_timeout, Duration::from_secs(2));
        assert!(matches!(config.bank_propagate, Propagate::TraceParent));
    }
}
