//! Where the things are that the demo talks to.

use std::ffi::OsStr;

use clap::builder::TypedValueParser;
use clap::error::ErrorKind;
use clap::{Arg, Args, Command};

use crate::columns::printable;

/// Where everything is unless told otherwise.
pub(crate) const GATEWAY: &str = "http://127.0.0.1:50050";
pub(crate) const ORDER: &str = "http://127.0.0.1:50051";
pub(crate) const PAYMENT: &str = "http://127.0.0.1:50052";
pub(crate) const VIEW: &str = "http://127.0.0.1:8787";

/// Where traces are read from.
#[derive(Args, Clone, Debug)]
pub(crate) struct ViewArguments {
    /// The demo's collector, or a Jaeger's query address.
    #[arg(long, value_name = "URL", env = "DEMO_VIEW", default_value = VIEW)]
    #[arg(hide_env_values = true, value_parser = Address(url))]
    pub(crate) view: String,
}

/// Where orders are placed.
#[derive(Args, Clone, Debug)]
pub(crate) struct GatewayArguments {
    /// The gateway.
    #[arg(long, value_name = "URL", env = "DEMO_GATEWAY", default_value = GATEWAY)]
    #[arg(hide_env_values = true, value_parser = Address(plain_url))]
    pub(crate) gateway: String,
}

/// Where the services are.
#[derive(Args, Clone, Debug)]
pub(crate) struct ServicesArguments {
    #[command(flatten)]
    pub(crate) gateway: GatewayArguments,
    /// The order service.
    #[arg(long, value_name = "URL", env = "DEMO_ORDER", default_value = ORDER)]
    #[arg(hide_env_values = true, value_parser = Address(plain_url))]
    pub(crate) order: String,
    /// The payment service.
    #[arg(long, value_name = "URL", env = "DEMO_PAYMENT", default_value = PAYMENT)]
    #[arg(hide_env_values = true, value_parser = Address(plain_url))]
    pub(crate) payment: String,
    #[command(flatten)]
    pub(crate) view: ViewArguments,
}

/// Where the services and the backends are. One that is not given is not asked.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Addresses")]
pub(crate) struct BackendArguments {
    #[command(flatten)]
    pub(crate) services: ServicesArguments,
    /// Prometheus, for the metrics made before sampling.
    #[arg(long, value_name = "URL", env = "DEMO_PROMETHEUS", hide_env_values = true, value_parser = Address(url))]
    pub(crate) prometheus: Option<String>,
    /// Tempo.
    #[arg(long, value_name = "URL", env = "DEMO_TEMPO", hide_env_values = true, value_parser = Address(url))]
    pub(crate) tempo: Option<String>,
    /// Loki, for the logs.
    #[arg(long, value_name = "URL", env = "DEMO_LOKI", hide_env_values = true, value_parser = Address(url))]
    pub(crate) loki: Option<String>,
    /// The OpenTelemetry Collector's OTLP/HTTP receiver, for probes of its redaction.
    #[arg(long, value_name = "URL", env = "DEMO_COLLECTOR", hide_env_values = true, value_parser = Address(url))]
    pub(crate) collector: Option<String>,
    /// How many healthy traces of a hundred the Collector is told to keep.
    #[arg(long, value_name = "PERCENT", env = "TAIL_SAMPLE_PERCENT", default_value = "100", value_parser = percent)]
    pub(crate) sample_percent: f64,
}

/// Where the services' admin ports are, if not where they are by default: 1000 above the service's own.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Addresses")]
pub(crate) struct AdminArguments {
    /// The gateway's admin port [default: the gateway's own port + 1000]
    #[arg(long, value_name = "URL", env = "DEMO_GATEWAY_ADMIN", hide_env_values = true, value_parser = Address(url))]
    pub(crate) gateway_admin: Option<String>,
    /// The order service's admin port [default: the order service's own port + 1000]
    #[arg(long, value_name = "URL", env = "DEMO_ORDER_ADMIN", hide_env_values = true, value_parser = Address(url))]
    pub(crate) order_admin: Option<String>,
    /// The payment service's admin port [default: the payment service's own port + 1000]
    #[arg(long, value_name = "URL", env = "DEMO_PAYMENT_ADMIN", hide_env_values = true, value_parser = Address(url))]
    pub(crate) payment_admin: Option<String>,
}

/// What comes before or after one of these may be a secret.
const SECRET: [char; 3] = ['@', '?', '#'];

/// Reads an address. clap's own way repeats in its complaint what was given, also a password.
#[derive(Clone, Copy)]
pub(super) struct Address(pub(super) fn(&str) -> Result<String, String>);

impl TypedValueParser for Address {
    type Value = String;

    fn parse_ref(&self, command: &Command, argument: Option<&Arg>, value: &OsStr) -> Result<String, clap::Error> {
        let text = value.to_string_lossy();
        (self.0)(&text).map_err(|why| {
            let given = if text.contains(SECRET) { String::new() } else { format!(" '{}'", printable(&text)) };
            let place = argument.map(|argument| format!(" for '{argument}'")).unwrap_or_default();
            clap::Error::raw(ErrorKind::ValueValidation, format!("invalid value{given}{place}: {why}\n"))
                .with_cmd(command)
        })
    }
}

/// An address without its last slash; of one with a port `http://` may be left out.
pub(super) fn url(text: &str) -> Result<String, String> {
    let expected = || "expected http://HOST:PORT".to_owned();
    // It would be told to whoever watches, in each line that names the address.
    if text.contains('@') {
        return Err(format!("{}, without a name or a password", expected()));
    }
    if text.contains(['?', '#']) {
        return Err(format!("{}, without a query or a fragment", expected()));
    }
    let bare = !text.contains("://");
    let full = if bare { format!("http://{text}") } else { text.to_owned() };
    let parsed: http::Uri = full.parse().map_err(|error| format!("{error}, {}", expected()))?;
    let (Some("http" | "https"), Some(authority)) = (parsed.scheme_str(), parsed.authority()) else {
        return Err(expected());
    };
    // What follows the host must be a port, and a bare word is a host only with one.
    let port = authority.port_u16().is_some() || !bare && authority.as_str() == authority.host();
    let valid = port && !authority.host().is_empty();
    if valid { Ok(full.trim_end_matches('/').to_owned()) } else { Err(expected()) }
}

/// The address of something that is spoken to without TLS.
pub(super) fn plain_url(text: &str) -> Result<String, String> {
    let url = url(text)?;
    if url.starts_with("http://") { Ok(url) } else { Err("expected http://HOST:PORT, without TLS".to_owned()) }
}

fn percent(text: &str) -> Result<f64, String> {
    let percent = text.parse().ok().filter(|percent| (0.0..=100.0).contains(percent));
    percent.ok_or_else(|| "expected a number from 0 to 100".to_owned())
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::arguments::Arguments;

    #[test]
    fn an_address_may_leave_out_its_scheme() {
        assert_eq!(url("127.0.0.1:50050").unwrap(), "http://127.0.0.1:50050");
        assert_eq!(url("http://jaeger:16686/").unwrap(), "http://jaeger:16686");
        assert_eq!(url("https://jaeger").unwrap(), "https://jaeger");
    }

    #[test]
    fn what_is_no_address_is_refused() {
        for text in ["nonsense", "ftp://x", "http://", "http://:80", "a b", "127.0.0.1:99999", "http://x:port", ""] {
            assert!(url(text).is_err(), "{text}");
        }
        assert!(plain_url("https://127.0.0.1:4317").is_err());
        for text in ["http://jaeger:16686?a=b", "http://jaeger:16686/#a", "jaeger:16686/?"] {
            assert!(url(text).unwrap_err().ends_with("without a query or a fragment"), "{text}");
        }
    }

    #[test]
    fn a_secret_is_refused_and_not_repeated() {
        for (flag, text) in [
            ("--view", "http://ada:s3cret@jaeger:16686"),
            ("--view", "ada:s3cret@jaeger:16686"),
            ("--gateway", "https://ada:s3cret@gateway"),
            ("--gateway", "http://ada:s3cret@"),
            ("--view", "jaeger:16686?token=s3cret"),
        ] {
            let line = ["demo", "order", flag, text];
            let Err(error) = Arguments::try_parse_from(line) else { panic!("{text} is accepted") };
            let said = format!("{error}\n{error:?}");
            assert!(said.contains(flag) && said.contains(", without a "), "{said}");
            assert!(!said.contains("s3cret") && !said.contains("ada"), "{said}");
        }
    }

    #[test]
    fn what_is_no_address_is_repeated_with_the_flag_it_was_given_for() {
        let Err(error) = Arguments::try_parse_from(["demo", "order", "--view", "nonsense"]) else { panic!() };
        let expected = "error: invalid value 'nonsense' for '--view <URL>': expected http://HOST:PORT\n";
        assert!(error.to_string().starts_with(expected), "{error}");
    }

    #[test]
    fn a_percentage_is_a_number_from_0_to_100() {
        assert_eq!(["0", "2.5", "100"].map(|text| percent(text).unwrap()), [0.0, 2.5, 100.0]);
        assert!(["-1", "101", "NaN", "ten", ""].iter().all(|text| percent(text).is_err()));
    }
}
