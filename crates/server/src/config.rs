//! The settings every service has in common.

use std::time::Duration;

use clap::builder::BoolishValueParser;
use clap::value_parser;
use humantime::parse_duration;
use tonic::transport::Uri;

/// How a service meets its callers. A service flattens it into its own flags:
///
/// ```
/// use clap::Parser;
///
/// #[derive(clap::Parser)]
/// struct Config {
///     #[command(flatten)]
///     server: server::Config,
/// }
///
/// let config = Config::parse_from(["order", "--drain", "2s"]);
/// assert_eq!(config.server.drain.as_secs(), 2);
/// ```
#[derive(clap::Args, Clone, Debug)]
// Not named for this type: a service's own `Config` would have a group of the same name.
#[group(id = "server")]
#[command(next_help_heading = "Server")]
pub struct Config {
    /// Connections at a time; one more is closed at once. The process needs about as many file descriptors.
    #[arg(long, env = "MAX_CONNECTIONS", value_name = "N", default_value_t = 4096)]
    #[arg(value_parser = value_parser!(u32).range(1..))]
    pub max_connections: u32,

    /// How long a new connection may take to send HTTP/2's preface.
    #[arg(long, env = "PREFACE_TIMEOUT", value_name = "DURATION", default_value = "5s", value_parser = some_time)]
    pub preface_timeout: Duration,

    /// Calls in flight at a time, over all connections; one more is answered RESOURCE_EXHAUSTED at once.
    #[arg(long, env = "MAX_CONCURRENT_CALLS", value_name = "N", default_value_t = 1024)]
    #[arg(value_parser = value_parser!(u32).range(1..))]
    pub max_concurrent_calls: u32,

    /// The deadline of a call that brings none.
    #[arg(long, env = "DEFAULT_DEADLINE", value_name = "DURATION", default_value = "10s", value_parser = some_time)]
    pub default_deadline: Duration,

    /// How long calls in flight may take to finish once the service is told to stop; what is left then is cut.
    #[arg(long, env = "DRAIN", value_name = "DURATION", default_value = "8s", value_parser = parse_duration)]
    pub drain: Duration,

    /// The pause between two rounds of the readiness checks.
    #[arg(long, env = "CHECK_INTERVAL", value_name = "DURATION", default_value = "1s", value_parser = some_time)]
    pub check_interval: Duration,

    /// Shows the service's contracts to anyone who asks by gRPC reflection.
    #[arg(long, env = "REFLECTION", value_parser = BoolishValueParser::new())]
    pub reflection: bool,
}

// === impl Config ===

impl Default for Config {
    /// The flags' own defaults, whatever the environment says.
    fn default() -> Self {
        Self {
            max_connections: 4096,
            preface_timeout: Duration::from_secs(5),
            max_concurrent_calls: 1024,
            default_deadline: Duration::from_secs(10),
            drain: Duration::from_secs(8),
            check_interval: Duration::from_secs(1),
            reflection: false,
        }
    }
}

/// The address of another service as a setting.
///
/// # Errors
/// When `text` is no URI, or one whose scheme is not `http`.
pub fn http_uri(text: &str) -> Result<Uri, String> {
    let uri: Uri = text.parse().map_err(|error| format!("{error}"))?;
    if uri.scheme_str() == Some("http") { Ok(uri) } else { Err("must start with http://".into()) }
}

/// A duration that is not zero.
fn some_time(text: &str) -> Result<Duration, String> {
    match parse_duration(text) {
        Ok(Duration::ZERO) => Err("must be longer than 0s".to_owned()),
        Ok(duration) => Ok(duration),
        Err(error) => Err(error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::Config;
    use clap::{CommandFactory, Parser};

    /// Named like a service's own, which must not clash.
    mod service {
        #[derive(clap::Parser, Debug)]
        pub(super) struct Config {
            #[command(flatten)]
            pub(super) server: super::Config,
        }
    }

    #[test]
    fn the_default_is_what_the_flags_default_to() {
        service::Config::command().debug_assert();
        let parsed = service::Config::parse_from(["service"]).server;
        assert_eq!(format!("{parsed:?}"), format!("{:?}", Config::default()));
    }

    #[test]
    fn each_setting_has_a_flag_and_the_environment_name_of_the_same_words() {
        for argument in service::Config::command().get_arguments().filter(|a| a.get_long() != Some("help")) {
            let name = argument.get_long().map(|long| long.replace('-', "_").to_uppercase());
            assert_eq!(argument.get_env().and_then(|env| env.to_str()), name.as_deref());
        }
    }

    #[test]
    fn limits_of_zero_are_refused() {
        assert!(service::Config::try_parse_from(["service", "--max-connections", "0"]).is_err());
        assert!(service::Config::try_parse_from(["service", "--max-concurrent-calls", "0"]).is_err());
        assert!(service::Config::try_parse_from(["service", "--default-deadline", "0s"]).is_err());
    }
}
