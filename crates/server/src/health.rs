//! `grpc.health.v1` from the service's [`Readiness`].
//!
//! tonic-health brings the contract. Its ready-made service is not used for two reasons: its watchers' streams have no
//! end, and each would hold up a drain until the hard limit; and it answers NOT_FOUND to a watcher of an unknown
//! service, where the protocol wants SERVICE_UNKNOWN and patience.

use futures_core::Stream;
use futures_core::stream::BoxStream;
use futures_util::stream;
use tokio::sync::watch;
use tonic::{Request, Response, Status};
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_server::{Health as HealthApi, HealthServer};
use tonic_health::pb::{HealthCheckRequest, HealthCheckResponse};

use crate::readiness::Readiness;

/// A request holds one service's name.
const MAX_REQUEST: usize = 4 * 1024;

/// Answers for the whole process (`""`) and for the service by its name; both are as ready as the checks say.
#[derive(Debug)]
pub(crate) struct Health {
    service: &'static str,
    readiness: watch::Receiver<Readiness>,
}

// === impl Health ===

impl Health {
    pub(crate) fn server(service: &'static str, readiness: watch::Receiver<Readiness>) -> HealthServer<Self> {
        HealthServer::new(Self { service, readiness }).max_decoding_message_size(MAX_REQUEST)
    }

    fn knows(&self, service: &str) -> bool {
        service.is_empty() || service == self.service
    }
}

#[tonic::async_trait]
impl HealthApi for Health {
    async fn check(&self, request: Request<HealthCheckRequest>) -> Result<Response<HealthCheckResponse>, Status> {
        if !self.knows(&request.get_ref().service) {
            return Err(Status::not_found("this server has no such service"));
        }
        Ok(Response::new(answer(status(&self.readiness.borrow()))))
    }

    type WatchStream = BoxStream<'static, Result<HealthCheckResponse, Status>>;

    async fn watch(&self, request: Request<HealthCheckRequest>) -> Result<Response<Self::WatchStream>, Status> {
        let readiness = self.readiness.clone();
        let changes: Self::WatchStream = if self.knows(&request.get_ref().service) {
            Box::pin(changes(readiness, status))
        } else {
            Box::pin(changes(readiness, |_| ServingStatus::ServiceUnknown))
        };
        Ok(Response::new(changes))
    }
}

fn status(readiness: &Readiness) -> ServingStatus {
    if readiness.is_ready() { ServingStatus::Serving } else { ServingStatus::NotServing }
}

/// The status now and each time it changes, until the service stops: that is the last word, and the stream ends.
fn changes(
    readiness: watch::Receiver<Readiness>,
    status: fn(&Readiness) -> ServingStatus,
) -> impl Stream<Item = Result<HealthCheckResponse, Status>> {
    stream::unfold((readiness, None), move |(mut readiness, said)| async move {
        let news = readiness.wait_for(|now| now.is_stopping() || Some(status(now)) != said).await;
        let now = news.map(|now| status(&now)).ok().filter(|&now| Some(now) != said)?;
        Some((Ok(answer(now)), (readiness, Some(now))))
    })
}

fn answer(status: ServingStatus) -> HealthCheckResponse {
    HealthCheckResponse { status: status.into() }
}
