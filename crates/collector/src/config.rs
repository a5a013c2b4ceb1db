use std::net::{Ipv4Addr, SocketAddr};

/// The collector's settings. The addresses are for whoever binds the listeners, the bounds for the store.
///
/// [`Config::default`] is what holds when neither a flag nor a variable says otherwise; it reads no environment.
#[derive(Clone, Debug, clap::Parser)]
#[command(name = "collector", version, long_about = None)]
#[command(about = "Keeps in memory what it receives over OTLP, to be read through Jaeger's query API")]
pub struct Config {
    /// Where OTLP/gRPC is received.
    #[arg(long, env = "COLLECTOR_GRPC", value_name = "ADDRESS", default_value_t = Config::default().grpc)]
    pub grpc: SocketAddr,

    /// Where OTLP/HTTP is received.
    #[arg(long, env = "COLLECTOR_HTTP", value_name = "ADDRESS", default_value_t = Config::default().http)]
    pub http: SocketAddr,

    /// Where the query API is served.
    #[arg(long, env = "COLLECTOR_QUERY", value_name = "ADDRESS", default_value_t = Config::default().query)]
    pub query: SocketAddr,

    /// How many spans are kept; one trace may hold a quarter of them.
    #[arg(long, env = "COLLECTOR_MAX_SPANS", value_name = "COUNT", default_value_t = Config::default().max_spans)]
    pub max_spans: usize,

    /// How many bytes of memory all that is kept may take; one trace may take a quarter of them.
    #[arg(long, env = "COLLECTOR_MAX_BYTES", value_name = "BYTES", default_value_t = Config::default().max_bytes)]
    pub max_bytes: usize,
}

// === impl Config ===

impl Default for Config {
    fn default() -> Self {
        let loopback = |port| SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        Self {
            grpc: loopback(4317),
            http: loopback(4318),
            query: loopback(8787),
            max_spans: 100_000,
            max_bytes: 100_000_000,
        }
    }
}
