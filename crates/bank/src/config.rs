//! The bank's settings: flags, each with an environment name.

use std::{net::SocketAddr, time::Duration};

use clap::Parser;

/// The settings of one bank. In another program, start from `Config::parse_from(["bank"])` and change fields.
#[derive(Clone, Debug, Parser)]
#[command(name = "bank", version, about = "The sandbox acquirer: an outside company reached over HTTP/JSON")]
pub struct Config {
    /// Address to listen on.
    #[arg(long, env = "BANK_LISTEN", default_value = "127.0.0.1:50060")]
    pub listen: SocketAddr,

    /// SQLite file that holds the ledger; made when it is missing. It must be a file of this bank alone.
    #[arg(long, env = "BANK_DATABASE_URL", default_value = "sqlite://bank.db")]
    pub database_url: String,

    /// How long `tok_slow` takes to be approved.
    #[arg(long, env = "BANK_SLOW", default_value = "3s", value_parser = humantime::parse_duration)]
    pub slow: Duration,

    /// How long a stop waits for calls that are still running before it cuts them.
    #[arg(long, env = "BANK_DRAIN", default_value = "5s", value_parser = humantime::parse_duration)]
    pub drain: Duration,
}
