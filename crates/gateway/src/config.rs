//! The service's settings: flags, each with an environment name.

use std::net::SocketAddr;

use telemetry::TrustTrace;
use tonic::transport::Uri;

/// The settings of one gateway. In another program, start from `Config::parse_from(["gateway"])` and change fields.
#[derive(clap::Parser, Clone, Debug)]
#[command(name = "gateway", version, about = "The shop's public API")]
pub struct Config {
    /// Address for gRPC.
    #[arg(long, env = "GATEWAY_LISTEN", default_value = "127.0.0.1:50050")]
    pub listen: SocketAddr,

    /// Address of the admin port: /livez, /readyz, /telemetry and /metrics.
    #[arg(long, env = "GATEWAY_ADMIN_LISTEN", default_value = "127.0.0.1:51050")]
    pub admin_listen: SocketAddr,

    /// The order service's address.
    #[arg(long, env = "GATEWAY_ORDER", value_name = "URL", default_value = "http://127.0.0.1:50051")]
    #[arg(value_parser = server::http_uri)]
    pub order: Uri,

    /// Whose trace to continue: all callers', or none's (then a new trace links to the caller's). With `all`, the
    /// metadata `x-demo-keep: 1` sets demo.keep=true on the call's span, by which tail sampling can keep its trace.
    #[arg(long, env = "GATEWAY_TRUST_TRACE", value_name = "all|none", default_value_t)]
    pub trust_trace: TrustTrace,

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
            ["gateway", "--listen", "here"],
            ["gateway", "--order", "127.0.0.1:50051"],
            ["gateway", "--order", "ftp://order"],
            ["gateway", "--order", "order"],
        ] {
            assert!(Config::try_parse_from(bad).is_err(), "{bad:?}");
        }
        let config = Config::try_parse_from(["gateway", "--order", "http://order:50051"]).unwrap();
        assert_eq!(config.order, "http://order:50051");
    }
}
