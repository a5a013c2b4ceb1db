//! The use cases: take an event over, list what was taken over.

use telemetry::{Consumer, Counter, MessageContext, set_attribute};
use tracing::{info, instrument};

use crate::delivery::{Event, Page, PageRequest};
use crate::error::Failure;
use crate::store::Store;

/// Takes events over and lists them.
#[derive(Clone)]
pub(crate) struct Deliveries {
    pub(crate) store: Store,
    pub(crate) events: Consumer,
    pub(crate) brought: Counter,
}

// === impl Deliveries ===

impl Deliveries {
    /// Takes an event over that was written down in `context`; `false` if it is known already, and nothing has changed.
    pub(crate) async fn take_over(&self, event: Event, context: &MessageContext) -> Result<bool, Failure> {
        let id = event.id.to_string();
        let processing = self.events.process(context).message_id(&id);
        let is_new = processing.run(self.keep(&event)).await?;
        self.brought.add(1, &[("delivery.known", if is_new { "false" } else { "true" })]);
        Ok(is_new)
    }

    /// One page of the deliveries, newest first.
    #[instrument(skip_all, name = "list_deliveries")]
    pub(crate) async fn list(&self, request: PageRequest) -> Result<Page, Failure> {
        Ok(self.store.page(&request).await?)
    }

    async fn keep(&self, event: &Event) -> Result<bool, Failure> {
        set_attribute("order.id", event.order.to_string());
        let is_new = self.store.keep(event).await?;
        if is_new {
            info!("order.notified");
        }
        Ok(is_new)
    }
}
