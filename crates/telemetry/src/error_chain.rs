use std::error::Error;

use tonic::Status;

use crate::attributes::bounded;

/// The error and its sources as one line, outermost first, as far as it fits an attribute. What an error repeats of its
/// source stands there once.
pub(crate) fn error_chain(error: &(dyn Error + 'static)) -> String {
    let mut links: Vec<String> = Vec::new();
    for error in std::iter::successors(Some(error), |&error| error.source()) {
        let link = told(error);
        if links.last().is_none_or(|before| !before.ends_with(&link)) {
            links.push(link);
        }
    }
    bounded(&links.join(": ")).into_owned()
}

/// What an error says of itself. A status would print its source's `Debug` along.
fn told(error: &(dyn Error + 'static)) -> String {
    match error.downcast_ref::<Status>() {
        Some(status) => format!("{:?} {}", status.code(), status.message()),
        None => error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("{text}")]
    struct Link {
        text: &'static str,
        source: Option<Box<dyn Error + Send + Sync>>,
    }

    #[test]
    fn a_chain_says_each_thing_once() {
        let refused = Link { text: "connection refused", source: None };
        let again = Link { text: "transport error: connection refused", source: Some(refused.into()) };
        let mut status = Status::unavailable("no connection");
        status.set_source(std::sync::Arc::new(again));
        let outermost = Link { text: "payment failed", source: Some(status.into()) };
        let expected = "payment failed: Unavailable no connection: transport error: connection refused";
        assert_eq!(error_chain(&outermost), expected);
    }
}
