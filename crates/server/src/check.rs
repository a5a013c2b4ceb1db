//! What a service needs to do its work, asked again and again.

use std::convert::Infallible;
use std::fmt;
use std::time::Duration;

use futures_core::future::BoxFuture;
use futures_util::future::join_all;
use tokio::sync::watch;
use tonic::Request;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;

use crate::readiness::Readiness;

/// How long one probe may take; after that it has failed.
const PROBE_LIMIT: Duration = Duration::from_secs(1);

/// Something without which a service cannot do its work: its database, a service it calls.
///
/// While one check of a service fails, its health is NOT_SERVING and `/readyz` answers 503 with the check's name and
/// error. Calls are served all the same: a check takes an instance out of rotation, it does not close its door.
pub struct Check {
    name: &'static str,
    probe: Box<dyn Fn() -> BoxFuture<'static, Result<(), String>> + Send + Sync>,
}

// === impl Check ===

impl Check {
    /// A check named `name` that passes while `probe` does. A probe is asked once per [`Config::check_interval`] and has
    /// one second; its error is shown on the admin port, so it must not hold a secret.
    ///
    /// [`Config::check_interval`]: crate::Config::check_interval
    pub fn new(
        name: &'static str,
        probe: impl Fn() -> BoxFuture<'static, Result<(), String>> + Send + Sync + 'static,
    ) -> Self {
        Self { name, probe: Box::new(probe) }
    }

    /// A check that passes while the peer behind `channel` says SERVING of itself by `grpc.health.v1`.
    pub fn upstream(name: &'static str, channel: telemetry::RpcChannel) -> Self {
        let client = HealthClient::new(channel);
        Self::new(name, move || Box::pin(ask(client.clone())))
    }

    pub(crate) fn name(&self) -> &'static str {
        self.name
    }

    async fn run(&self) -> Result<(), String> {
        match tokio::time::timeout(PROBE_LIMIT, (self.probe)()).await {
            Ok(result) => result,
            Err(_) => Err(format!("no answer within {PROBE_LIMIT:?}")),
        }
    }
}

impl fmt::Debug for Check {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Check").field("name", &self.name).finish_non_exhaustive()
    }
}

/// Asks a peer for the health of all it serves.
async fn ask(mut client: HealthClient<telemetry::RpcChannel>) -> Result<(), String> {
    let mut request = Request::new(HealthCheckRequest { service: String::new() });
    request.set_timeout(PROBE_LIMIT);
    match client.check(request).await {
        Ok(response) => match response.into_inner().status() {
            ServingStatus::Serving => Ok(()),
            status => Err(status.as_str_name().to_owned()),
        },
        Err(status) => Err(format!("{}: {}", status.code(), status.message())),
    }
}

/// Makes all `checks` side by side, over and over with a pause of `interval`, and keeps `readiness` up to date.
pub(crate) async fn keep(checks: &[Check], interval: Duration, readiness: &watch::Sender<Readiness>) -> Infallible {
    loop {
        let results = join_all(checks.iter().map(Check::run)).await;
        readiness.send_if_modified(|readiness| readiness.update(results));
        tokio::time::sleep(interval).await;
    }
}
