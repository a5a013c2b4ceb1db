//! The bank, over HTTP. What isn't surely yes, surely no or surely not processed is unknown: the money may have moved.

mod answer;

use std::sync::Arc;
use std::time::Duration;

use reqwest::header::HeaderName;
use reqwest::{Client, Request, StatusCode, Url, redirect, retry};
use serde::Serialize;
use telemetry::{Deadline, HttpCall, HttpClient, Propagate, Telemetry};
use tokio::time::Instant;
use tower::retry::budget::{Budget, TpsBudget};

use self::answer::Reply;
pub(crate) use self::answer::Unknown;
use crate::payment::{BankKey, Charge, Event, TransactionId};

const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
const CONNECT_TIMEOUT: Duration = Duration::from_secs(1);

/// How often one question is asked at most.
const ATTEMPTS: u32 = 3;
const FIRST_BACK_OFF: Duration = Duration::from_millis(50);
const LONGEST_BACK_OFF: Duration = Duration::from_secs(1);

/// Moves money. Cheap to clone; all clones share one retry budget.
#[derive(Clone)]
pub(crate) struct Bank {
    http: HttpClient,
    authorisations: Url,
    timeout: Duration,
    budget: Arc<TpsBudget>,
}

/// The bank has not said what became of the money.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Unsettled {
    /// It surely has not moved.
    #[error("the bank is not available")]
    Unavailable(#[from] Unavailable),
    /// It may have moved.
    #[error("the bank's answer is unknown")]
    Unknown(#[from] Unknown),
}

/// Why the bank has surely not processed a request.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Unavailable {
    #[error("the request could not be sent")]
    Unsent(#[source] reqwest::Error),
    #[error("the bank answered {0}")]
    Busy(StatusCode),
}

/// Holds a token, hence no `Debug`.
#[derive(Serialize)]
struct Authorise<'a> {
    amount: Amount<'a>,
    token: &'a str,
    capture: bool,
    reference: String,
}

#[derive(Serialize)]
struct Amount<'a> {
    minor_units: i64,
    currency_code: &'a str,
}

// === impl Bank ===

impl Bank {
    /// The bank at `url`; one question, however often it is asked, takes at most `timeout`.
    ///
    /// # Errors
    /// When no client can be made, for example without the system's certificates.
    pub(crate) fn new(
        url: &Url,
        timeout: Duration,
        propagate: Propagate,
        telemetry: &Telemetry,
    ) -> Result<Self, reqwest::Error> {
        let client = Client::builder()
            // An answer from elsewhere is not the bank's.
            .redirect(redirect::Policy::none())
            .no_proxy()
            .connect_timeout(CONNECT_TIMEOUT)
            // Ours is the only layer that retries, so that every attempt is seen.
            .retry(retry::never())
            .build()?;
        let mut authorisations = url.clone();
        authorisations.set_path(&format!("{}/v1/authorisations", url.path().trim_end_matches('/')));
        Ok(Self {
            http: telemetry.http_client(client).propagate(propagate),
            authorisations,
            timeout,
            // Retries are a fifth of what is asked, and 10 a second however little that is.
            budget: Arc::new(TpsBudget::new(Duration::from_secs(10), 10, 0.2)),
        })
    }

    /// Authorises and captures `charge`; however often this is called, once for each `key`.
    pub(crate) async fn charge(&self, charge: &Charge, key: BankKey) -> Result<Event, Unsettled> {
        let body = Authorise {
            amount: Amount {
                minor_units: charge.amount.minor_units.get(),
                currency_code: charge.amount.currency.as_str(),
            },
            token: charge.token.reveal(),
            capture: true,
            reference: charge.order_id.to_string(),
        };
        let request = self.http.get_ref().post(self.authorisations.clone()).header(IDEMPOTENCY_KEY, key.to_string());
        let request = request.json(&body).build().map_err(Unavailable::Unsent)?;
        Ok(self.ask(request, "/v1/authorisations").await?.charged()?)
    }

    /// What became of the charge that was asked for with `key`; `None` if the bank does not know of it, or not yet, or has
    /// declined it.
    pub(crate) async fn find(&self, key: BankKey) -> Result<Option<Event>, Unsettled> {
        let mut url = self.authorisations.clone();
        url.query_pairs_mut().append_pair("idempotency_key", &key.to_string());
        let request = self.http.get_ref().get(url);
        let request = request.build().map_err(Unavailable::Unsent)?;
        Ok(self.ask(request, "/v1/authorisations").await?.found()?)
    }

    /// Gives `transaction` back; however often this is called, once for each `key`.
    pub(crate) async fn refund(&self, transaction: &TransactionId, key: BankKey) -> Result<Event, Unsettled> {
        let mut url = self.authorisations.clone();
        url.set_path(&format!("{}/{}/refund", self.authorisations.path(), transaction.as_str()));
        let request = self.http.get_ref().post(url).header(IDEMPOTENCY_KEY, key.to_string());
        let request = request.build().map_err(Unavailable::Unsent)?;
        Ok(self.ask(request, "/v1/authorisations/{id}/refund").await?.refunded()?)
    }

    /// Asks until the bank has processed `request`, or attempts, time or budget have run out.
    async fn ask(&self, request: Request, url_template: &'static str) -> Result<Reply, Unsettled> {
        let left = Deadline::current().map_or(self.timeout, |deadline| deadline.remaining().min(self.timeout));
        let deadline = Instant::now() + left;
        self.budget.deposit();

        let mut attempt = 0;
        loop {
            let call = HttpCall { url_template, resend_count: attempt };
            let unavailable = match self.attempt(&request, call, deadline).await {
                Err(Unsettled::Unavailable(cause)) => cause,
                processed => return processed,
            };
            let pause = back_off(attempt);
            attempt += 1;
            if attempt == ATTEMPTS || Instant::now() + pause >= deadline || !self.budget.withdraw() {
                return Err(unavailable.into());
            }
            tokio::time::sleep(pause).await;
        }
    }

    async fn attempt(&self, request: &Request, call: HttpCall, deadline: Instant) -> Result<Reply, Unsettled> {
        let mut request = request.try_clone().expect("a body in memory can be cloned");
        *request.timeout_mut() = Some(deadline.saturating_duration_since(Instant::now()));
        match self.http.execute(request, call).await {
            Ok(response) => match response.status() {
                busy @ (StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE) => {
                    Err(Unavailable::Busy(busy).into())
                }
                _ => Ok(Reply::read(response).await?),
            },
            Err(error) if error.is_connect() => Err(Unavailable::Unsent(error).into()),
            Err(error) => Err(Unknown::Cut(error).into()),
        }
    }
}

/// Full jitter: callers that failed together do not come back together.
fn back_off(attempt: u32) -> Duration {
    let longest = (FIRST_BACK_OFF * 2u32.pow(attempt)).min(LONGEST_BACK_OFF);
    rand::random_range(Duration::ZERO..=longest)
}
