//! The demo's process.
#![forbid(unsafe_code)]

use std::process::ExitCode;

use telemetry::Environment;

#[tokio::main]
async fn main() -> ExitCode {
    demo::run(Environment::from_process()).await
}
