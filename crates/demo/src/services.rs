//! `demo services`: who is there, who is healthy, who has sent traces.

use std::process::ExitCode;
use std::time::Duration;

use tokio::time::timeout;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;

use crate::arguments::ServicesArguments;
use crate::columns::{fit, printable};
use crate::connection::{Connection, Foreign, is_unreachable};
use crate::order::code_name;
use crate::screen;
use crate::shop::nothing_answers;
use crate::view::View;

/// How long a service may take to say how it is.
const PATIENCE: Duration = Duration::from_secs(2);

/// Lists the services.
///
/// # Errors
/// When none of them answers.
pub(crate) async fn services(arguments: ServicesArguments) -> anyhow::Result<ExitCode> {
    let known = [("gateway", &arguments.gateway.gateway), ("order", &arguments.order), ("payment", &arguments.payment)];
    let mut healthy = true;
    let mut reached = false;
    let mut lines = Vec::new();
    for (name, address) in known {
        let health = health(address).await;
        reached |= health.is_some();
        healthy &= health.as_deref() == Some(SERVING);
        lines.push(format!(
            "{}  {}  {}",
            fit(name, 12),
            fit(address, 28),
            health.as_deref().unwrap_or("nothing answers")
        ));
    }
    if !reached {
        anyhow::bail!(nothing_answers(&arguments.gateway.gateway));
    }
    lines.push(traced(&arguments.view.view).await?);
    screen::print(lines.join("\n"))?;
    Ok(if healthy { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// What a service says that is well.
pub(crate) const SERVING: &str = "SERVING";

/// What a service says of itself by `grpc.health.v1`; `None` when nothing answers.
pub(crate) async fn health(address: &str) -> Option<String> {
    let mut client = HealthClient::with_origin(Connection::new(), address.parse().ok()?);
    match timeout(PATIENCE, client.check(HealthCheckRequest::default())).await {
        Ok(Ok(answer)) => Some(match answer.into_inner().status() {
            ServingStatus::Serving => SERVING.to_owned(),
            other => other.as_str_name().to_owned(),
        }),
        Ok(Err(status)) if is_unreachable(&status) => None,
        Ok(Err(status)) => {
            let foreign = Foreign::of(&status).map(|foreign| format!("not a gRPC server: it answered {foreign}"));
            Some(foreign.unwrap_or_else(|| code_name(status.code())))
        }
        Err(_) => Some(format!("no answer in {PATIENCE:?}")),
    }
}

/// Who has sent traces to the view.
async fn traced(view: &str) -> anyhow::Result<String> {
    Ok(match View::new(view)?.services().await {
        Ok(names) if names.is_empty() => format!("no traces yet at {view}"),
        Ok(names) => format!("traces at {view} from {}", printable(&names.join(", "))),
        Err(error) => format!("no traces: {error:#}"),
    })
}
