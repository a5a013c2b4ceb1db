//! The command line's grammar.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand};

use crate::member::Member;

/// Where everything is unless told otherwise.
pub(crate) const GATEWAY: &str = "http://127.0.0.1:50050";
pub(crate) const ORDER: &str = "http://127.0.0.1:50051";
pub(crate) const PAYMENT: &str = "http://127.0.0.1:50052";
pub(crate) const VIEW: &str = "http://127.0.0.1:8787";

/// Starts the shop (gateway, order, payment, a sandbox bank) and a trace collector, places one order through it and shows
/// the order's trace. Needs no Docker and no network.
///
/// Without a command it does `up`.
#[derive(Parser)]
#[command(name = "demo", version, max_term_width = 100)]
pub(crate) struct Arguments {
    /// How the shop is started.
    #[command(flatten)]
    pub(crate) setup: Setup,

    /// What to do; `up` when absent.
    #[command(subcommand)]
    pub(crate) command: Option<Command>,
}

/// How `up` and `once` start the shop. Stands before or after the command.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Starting the shop (up, once)")]
pub(crate) struct Setup {
    /// Puts gateway, order and payment at N, N+1, N+2, the bank at N+10, the collector at N+20 to N+22, and each admin
    /// port 1000 above its service. A port that is taken is replaced by a free one.
    #[arg(long, global = true, value_name = "N", env = "DEMO_PORT_BASE", value_parser = clap::value_parser!(u16).range(1..=64_000))]
    pub(crate) port_base: Option<u16>,

    /// Keeps databases and logs here [default: target/demo; `once` takes a fresh temporary folder]
    #[arg(long, global = true, value_name = "DIR", env = "DEMO_DATA")]
    pub(crate) data: Option<PathBuf>,

    /// Empties the databases first.
    #[arg(long, global = true)]
    pub(crate) fresh: bool,

    /// Sends the traces to this OTLP/gRPC receiver instead of the demo's own collector; no waterfall then.
    #[arg(long, global = true, value_name = "URL", env = "DEMO_OTLP", value_parser = plain_url)]
    pub(crate) otlp: Option<String>,
}

/// What to do.
#[derive(Subcommand)]
pub(crate) enum Command {
    /// Starts everything, places one order, shows its trace and stays until Ctrl-C.
    Up,
    /// Starts everything on free ports, places one order, checks its trace, stops everything.
    ///
    /// Exits with 0 when the trace is exactly the one expected of a paid order; otherwise with 1, and says which line differs.
    Once {
        /// Writes the trace here as OTLP JSON.
        #[arg(long, value_name = "FILE")]
        out: Option<PathBuf>,
    },
    /// Places an order in a running shop and shows its trace.
    ///
    /// Exits with 1 when the order was refused or failed.
    Order(OrderArguments),
    /// Shows a trace.
    Trace {
        /// The trace's id, 32 hex digits.
        #[arg(value_parser = trace_id)]
        id: String,
        /// Prints OTLP JSON instead of a waterfall.
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        view: ViewArguments,
    },
    /// Lists the services, whether each is healthy, and which of them have sent traces.
    Services(ServicesArguments),
    /// Runs one of the demo's own processes.
    #[command(hide = true)]
    Serve(ServeArguments),
}

/// Where traces are read from.
#[derive(Args, Clone, Debug)]
pub(crate) struct ViewArguments {
    /// The demo's collector, or a Jaeger's query address.
    #[arg(long, value_name = "URL", env = "DEMO_VIEW", default_value = VIEW, value_parser = url)]
    pub(crate) view: String,
}

/// Where orders are placed.
#[derive(Args, Clone, Debug)]
pub(crate) struct GatewayArguments {
    /// The gateway.
    #[arg(long, value_name = "URL", env = "DEMO_GATEWAY", default_value = GATEWAY, value_parser = plain_url)]
    pub(crate) gateway: String,
}

/// An order, as typed. Holds an e-mail address and a payment token, hence no `Debug`.
#[derive(Args)]
pub(crate) struct OrderArguments {
    /// What to order; may be repeated.
    #[arg(long, default_value = "tea")]
    pub(crate) sku: Vec<String>,
    /// How many: one for each --sku, in the same order [default: 1 of each]
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    pub(crate) quantity: Vec<i32>,
    /// Who orders.
    #[arg(long, default_value = "ada@example.com")]
    pub(crate) email: String,
    /// Stands for the card: tok_visa, tok_declined, tok_insufficient_funds, tok_expired, tok_slow, tok_timeout, tok_flaky
    /// or tok_down.
    #[arg(long, default_value = "tok_visa")]
    pub(crate) token: String,
    /// The idempotency key: repeat it to repeat the order safely [default: a fresh one]
    #[arg(long)]
    pub(crate) key: Option<String>,
    /// How long the order may take, for example 800ms or 2s.
    #[arg(long, value_name = "TIME", value_parser = humantime::parse_duration)]
    pub(crate) deadline: Option<Duration>,
    /// A trace of one's own to continue: 00-<trace id>-<span id>-01
    #[arg(long)]
    pub(crate) traceparent: Option<String>,
    #[command(flatten)]
    pub(crate) gateway: GatewayArguments,
    #[command(flatten)]
    pub(crate) view: ViewArguments,
}

/// Where the services are.
#[derive(Args, Clone, Debug)]
pub(crate) struct ServicesArguments {
    #[command(flatten)]
    pub(crate) gateway: GatewayArguments,
    /// The order service.
    #[arg(long, value_name = "URL", env = "DEMO_ORDER", default_value = ORDER, value_parser = plain_url)]
    pub(crate) order: String,
    /// The payment service.
    #[arg(long, value_name = "URL", env = "DEMO_PAYMENT", default_value = PAYMENT, value_parser = plain_url)]
    pub(crate) payment: String,
    #[command(flatten)]
    pub(crate) view: ViewArguments,
}

/// What the demo tells a process of its own.
#[derive(Args, Debug)]
pub(crate) struct ServeArguments {
    /// Which process to be.
    pub(crate) member: Member,
    /// A port to listen on, in the member's own order; 0 or a taken one means any free one.
    #[arg(long = "port", value_name = "PORT")]
    pub(crate) ports: Vec<u16>,
    /// The member's own settings.
    #[arg(last = true)]
    pub(crate) settings: Vec<String>,
}

/// An address without its last slash; of one with a port `http://` may be left out.
fn url(text: &str) -> Result<String, String> {
    let expected = || "expected http://HOST:PORT".to_owned();
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
fn plain_url(text: &str) -> Result<String, String> {
    let url = url(text)?;
    if url.starts_with("http://") { Ok(url) } else { Err("expected http://HOST:PORT, without TLS".to_owned()) }
}

fn trace_id(text: &str) -> Result<String, String> {
    let id = text.to_ascii_lowercase();
    let valid =
        id.len() == 32 && id.bytes().all(|digit| digit.is_ascii_hexdigit()) && id.bytes().any(|digit| digit != b'0');
    if valid { Ok(id) } else { Err("a trace id is 32 hex digits, not all of them 0".to_owned()) }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_grammar_holds_together() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn set_up_options_stand_before_or_after_the_command() {
        for line in ["demo --data d --port-base 6000 --fresh once", "demo once --fresh --port-base 6000 --data d"] {
            let setup = Arguments::try_parse_from(line.split(' ')).unwrap().setup;
            assert_eq!((setup.port_base, setup.fresh, setup.data), (Some(6000), true, Some(PathBuf::from("d"))));
        }
    }

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
        for flag in ["up --otlp nonsense", "up --otlp https://x", "order --gateway nonsense"] {
            assert!(Arguments::try_parse_from(format!("demo {flag}").split(' ')).is_err(), "{flag}");
        }
    }

    #[test]
    fn a_trace_id_is_32_hex_digits() {
        assert_eq!(trace_id("4BF92F3577B34DA6A3CE929D0E0E4736").unwrap(), "4bf92f3577b34da6a3ce929d0e0e4736");
        assert!(trace_id("4bf9").is_err() && trace_id(&"g".repeat(32)).is_err() && trace_id(&"0".repeat(32)).is_err());
    }
}
