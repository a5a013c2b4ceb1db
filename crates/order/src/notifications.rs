//! The notification service as this service sees it: it takes an event over, refuses it, or is away.

use std::time::Duration;

use proto::notification::v1 as pb;
use proto::notification::v1::notification_service_client::NotificationServiceClient;
use proto::types::v1 as types;
use telemetry::RpcChannel;
use tonic::{Code, Status};

use crate::outbox::Outgoing;

/// The client of the notification service.
#[derive(Clone)]
pub(crate) struct Notifications {
    client: NotificationServiceClient<RpcChannel>,
}

/// Why an event was not taken over.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Undelivered {
    /// Nothing is wrong with the event: the same one may be taken later.
    #[error("the notification service is away")]
    Away(#[source] Status),
    /// The same event would be refused again, as far as anybody knows.
    #[error("the notification service refused the event")]
    Refused(#[source] Status),
}

// === impl Notifications ===

impl Notifications {
    /// The longest a delivery may take: less than an event belongs to whoever sends it.
    pub(crate) const MAX_DEADLINE: Duration = Duration::from_secs(5);

    pub(crate) fn new(channel: RpcChannel) -> Self {
        Self { client: NotificationServiceClient::new(channel) }
    }

    /// Hands an event over. Safe to repeat: it carries its id.
    pub(crate) async fn deliver(&self, event: &Outgoing) -> Result<(), Undelivered> {
        match self.client.clone().deliver(request(event)).await {
            Ok(_) => Ok(()),
            Err(status) => Err(undelivered(status)),
        }
    }
}

fn request(event: &Outgoing) -> pb::DeliverRequest {
    let carried = |name| event.context.pairs().find(|(key, _)| *key == name).map(|(_, value)| value.to_owned());
    pb::DeliverRequest {
        event_id: event.id.clone(),
        order_id: event.order.to_string(),
        sequence: event.sequence,
        state: types::OrderState::from(event.state).into(),
        customer: Some(types::Customer { email: event.email.expose().to_owned() }),
        total: Some(event.total.into()),
        time: Some(event.at.into()),
        trace: Some(pb::TraceContext {
            traceparent: carried("traceparent").unwrap_or_default(),
            tracestate: carried("tracestate").unwrap_or_default(),
        }),
    }
}

fn undelivered(status: Status) -> Undelivered {
    match status.code() {
        Code::Unavailable
        | Code::ResourceExhausted
        | Code::DeadlineExceeded
        | Code::Cancelled
        | Code::Aborted
        | Code::Unknown
        // Another service is there, or one of another version.
        | Code::Unimplemented
        | Code::Unauthenticated
        | Code::PermissionDenied => Undelivered::Away(status),
        _ => Undelivered::Refused(status),
    }
}
