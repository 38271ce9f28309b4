//! [`Replay`]: a body of which the beginning was read, whole again.

use std::{
    pin::Pin,
    task::{Context, Poll},
};

use axum_core::{Error, body::Body};
use http_body::{Frame, SizeHint};

type Data = <Body as http_body::Body>::Data;

/// What was read first, then what is still to come.
pub(super) struct Replay {
    seen: Option<Data>,
    trailers: Option<Frame<Data>>,
    /// `None` when the body had ended: it must not be asked again.
    rest: Option<Body>,
}

impl Replay {
    pub(super) fn new(seen: Vec<u8>, trailers: Option<Frame<Data>>, rest: Option<Body>) -> Self {
        let seen = (!seen.is_empty()).then(|| seen.into());
        Self { seen, trailers, rest }
    }
}

impl http_body::Body for Replay {
    type Data = Data;
    type Error = Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Data>, Error>>> {
        if let Some(seen) = self.seen.take() {
            return Poll::Ready(Some(Ok(Frame::data(seen))));
        }
        if let Some(trailers) = self.trailers.take() {
            return Poll::Ready(Some(Ok(trailers)));
        }
        match &mut self.rest {
            Some(rest) => Pin::new(rest).poll_frame(cx),
            None => Poll::Ready(None),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.seen.is_none() && self.trailers.is_none() && self.rest.as_ref().is_none_or(http_body::Body::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        let seen = self.seen.as_ref().map_or(0, |seen| u64::try_from(seen.len()).unwrap_or(u64::MAX));
        let rest = self.rest.as_ref().map_or_else(|| SizeHint::with_exact(0), http_body::Body::size_hint);
        let mut hint = SizeHint::new();
        if let Some(upper) = rest.upper() {
            hint.set_upper(seen.saturating_add(upper));
        }
        hint.set_lower(seen.saturating_add(rest.lower()));
        hint
    }
}
