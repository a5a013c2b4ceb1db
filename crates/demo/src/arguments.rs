//! The command line's grammar.

mod addresses;

use std::env;
use std::ffi::OsStr;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, CommandFactory, FromArgMatches, Parser, Subcommand, ValueEnum};

use crate::member::Member;

use self::addresses::{Address, plain_url};

pub(crate) use self::addresses::{
    AdminArguments, BackendArguments, GATEWAY, GatewayArguments, ORDER, PAYMENT, ServicesArguments, VIEW, ViewArguments,
};

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
    #[arg(long, global = true, value_name = "URL", env = "DEMO_OTLP")]
    #[arg(hide_env_values = true, value_parser = Address(plain_url))]
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
    #[command(override_usage = "demo trace [OPTIONS] <ID>")]
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
    /// Places orders at a steady rate, whatever the answers take, and tells how long they took.
    ///
    /// Exits with 1 when an order failed that should not have.
    Load(LoadArguments),
    /// Checks on a running system that every promise about its traces holds, a line for each.
    ///
    /// Works with the demo's own collector and with the system of compose/. Exits with 0 when each line holds or is
    /// skipped because its backend is not given, otherwise with 1.
    Verify(VerifyArguments),
    /// Finds out where traces stop, and says what to do.
    ///
    /// Calls each service, changing nothing, and follows the spans of these calls to the view. Names the first hop that they
    /// do not get past. Exits with 0 when they all arrive and no clock is wrong, otherwise with 1.
    Doctor(DoctorArguments),
    /// Shows one promise about traces step by step on real data.
    Explain(ExplainArguments),
    /// Asks a URL whether all is well there, for a container's health check: exits with 0 when it answers 2xx, else with 1.
    Healthcheck(healthcheck::Healthcheck),
    /// Runs one of the demo's own processes.
    #[command(hide = true)]
    Serve(ServeArguments),
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

/// How much load, and for how long.
#[derive(Args, Clone, Debug)]
pub(crate) struct LoadArguments {
    /// Orders a second.
    #[arg(long, value_name = "N", default_value_t = 25, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub(crate) rps: u32,
    /// For how long, for example 30s or 5m.
    #[arg(long = "for", value_name = "TIME", default_value = "30s", value_parser = some_time)]
    pub(crate) duration: Duration,
    #[command(flatten)]
    pub(crate) gateway: GatewayArguments,
}

/// What to check, and how to tell.
#[derive(Args, Clone, Debug)]
pub(crate) struct VerifyArguments {
    /// Checks instead that each of the newest N orders has its trace, and places none.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub(crate) last: Option<u32>,
    /// Prints the result as JSON.
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) backends: BackendArguments,
}

/// Whose traces are missed.
#[derive(Args, Clone, Debug)]
pub(crate) struct DoctorArguments {
    /// How long spans may take to arrive. A Collector that samples by whole traces holds them back for some seconds.
    #[arg(long, value_name = "TIME", default_value = "15s", value_parser = humantime::parse_duration)]
    pub(crate) wait: Duration,
    /// Prints the findings as JSON.
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) admin: AdminArguments,
    #[command(flatten)]
    pub(crate) backends: BackendArguments,
}

/// What to explain. Of itself clap's usage would list every option that the environment sets as one to give.
#[derive(Args, Clone, Debug)]
#[command(override_usage = "demo explain [OPTIONS] <TOPIC>")]
pub(crate) struct ExplainArguments {
    /// What to explain.
    pub(crate) topic: Topic,
    #[command(flatten)]
    pub(crate) backends: BackendArguments,
}

/// What can be explained.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Topic {
    /// Which traces the Collector keeps, and why the metrics count all the same.
    Sampling,
    /// What becomes of secrets on the way to the backends.
    Redaction,
    /// How one trace and one deadline cross every hop.
    Propagation,
    /// What becomes of traces while a backend is down.
    Queue,
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

impl Arguments {
    /// What the command line and the environment say; ends the process when that cannot be understood. An empty variable
    /// counts as unset: that is how compose files and shells write one that was left out.
    pub(crate) fn read() -> Self {
        let matches = without_empty_variables(Self::command()).get_matches();
        Self::from_arg_matches(&matches).unwrap_or_else(|error| error.exit())
    }
}

impl Command {
    /// Whether the exit code tells what was found out, to whoever reads nothing else.
    pub(crate) fn answers_by_its_exit_code(&self) -> bool {
        matches!(self, Self::Once { .. } | Self::Load(_) | Self::Verify(_) | Self::Doctor(_) | Self::Explain(_))
    }
}

fn without_empty_variables(command: clap::Command) -> clap::Command {
    let is_empty = |name: &OsStr| env::var_os(name).is_some_and(|value| value.is_empty());
    let command = command.mut_args(|argument| match argument.get_env() {
        Some(name) if is_empty(name) => argument.env(None::<&str>),
        _ => argument,
    });
    command.mut_subcommands(without_empty_variables)
}

/// A time in which something can happen.
fn some_time(text: &str) -> Result<Duration, String> {
    let time = humantime::parse_duration(text).map_err(|error| error.to_string())?;
    if time.is_zero() { Err("no order is due in no time".to_owned()) } else { Ok(time) }
}

fn trace_id(text: &str) -> Result<String, String> {
    let id = text.to_ascii_lowercase();
    let valid =
        id.len() == 32 && id.bytes().all(|digit| digit.is_ascii_hexdigit()) && id.bytes().any(|digit| digit != b'0');
    if valid { Ok(id) } else { Err("a trace id is 32 hex digits, not all of them 0".to_owned()) }
}

#[cfg(test)]
mod tests {
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
    fn what_is_no_address_is_refused_on_the_command_line() {
        for flag in ["up --otlp nonsense", "up --otlp https://x", "order --gateway nonsense"] {
            assert!(Arguments::try_parse_from(format!("demo {flag}").split(' ')).is_err(), "{flag}");
        }
    }

    #[test]
    fn a_load_lasts_longer_than_no_time() {
        for (length, lasts) in [("1ms", true), ("5m", true), ("0s", false), ("soon", false)] {
            let line = ["demo", "load", "--for", length];
            assert_eq!(Arguments::try_parse_from(line).is_ok(), lasts, "{length}");
        }
    }

    #[test]
    fn a_trace_id_is_32_hex_digits() {
        assert_eq!(trace_id("4BF92F3577B34DA6A3CE929D0E0E4736").unwrap(), "4bf92f3577b34da6a3ce929d0e0e4736");
        assert!(trace_id("4bf9").is_err() && trace_id(&"g".repeat(32)).is_err() && trace_id(&"0".repeat(32)).is_err());
    }
}
