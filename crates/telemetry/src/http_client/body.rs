//! The body of an answer, watched to its end.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use reqwest::{Response, ResponseBuilderExt};

use super::exchange::Exchange;

/// The body that ends its exchange when it ends.
struct Observed {
    inner: reqwest::Body,
    exchange: Exchange,
}

/// The same response; `exchange` is finished with its body.
pub(super) fn observe(response: Response, mut exchange: Exchange) -> Response {
    let url = response.url().clone();
    let (mut head, inner) = http::Response::<reqwest::Body>::from(response).into_parts();
    // The address is not part of an HTTP response; reqwest looks for it among the extensions.
    let with_url = http::Response::builder().url(url).body(()).expect("an extension is always valid");
    head.extensions.extend(with_url.into_parts().0.extensions);
    if inner.is_end_stream() {
        exchange.finish(None);
    }
    http::Response::from_parts(head, reqwest::Body::wrap(Observed { inner, exchange })).into()
}

// === impl Observed ===

impl Body for Observed {
    type Data = Bytes;
    type Error = reqwest::Error;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, reqwest::Error>>> {
        let this = self.get_mut();
        let _current = this.exchange.enter();
        let frame = ready!(Pin::new(&mut this.inner).poll_frame(cx));
        match &frame {
            Some(Err(error)) => this.exchange.finish(Some(error)),
            // Who knows the length does not ask again after the last frame.
            Some(Ok(_)) if !this.inner.is_end_stream() => {}
            Some(Ok(_)) | None => this.exchange.finish(None),
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}
