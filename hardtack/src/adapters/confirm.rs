//! [`ConfirmLayer`]: routes that ask the store for their session, always.

use std::task::{Context, Poll};

use http::Request;
use tower_layer::Layer;
use tower_service::Service;

use crate::SessionRequest;

/// In the hybrid placement, makes the routes below it ask the store for their session instead of trusting the copy in
/// the cookie: for what must not happen in a session that ended on another server a moment ago. Elsewhere it does
/// nothing. It stands inside of [`Sessions::layer`](crate::Sessions::layer).
///
/// ```
/// # use hardtack::{ConfirmLayer, Keyring, Sessions, store::MemoryStore};
/// use axum::{Router, routing::{get, post}};
///
/// # let sessions = Sessions::hybrid(Keyring::ephemeral()?, MemoryStore::new()).build()?;
/// let sensitive = Router::new().route("/transfer", post(async || "done")).layer(ConfirmLayer);
/// let app: Router = Router::new().route("/", get(async || "hello")).merge(sensitive).layer(sessions.layer());
/// # Ok::<_, hardtack::BuildError>(())
/// ```
///
/// Without tower, call [`SessionRequest::ask_the_store`] before the session is asked for; for one route or one moment,
/// [`Session::confirm`](crate::Session::confirm).
#[derive(Clone, Copy, Debug, Default)]
pub struct ConfirmLayer;

impl<S> Layer<S> for ConfirmLayer {
    type Service = ConfirmService<S>;

    fn layer(&self, inner: S) -> Self::Service {
        ConfirmService { inner }
    }
}

/// A service whose sessions are confirmed. Made by [`ConfirmLayer`].
#[derive(Clone, Debug)]
pub struct ConfirmService<S> {
    inner: S,
}

impl<S: Service<Request<In>>, In> Service<Request<In>> for ConfirmService<S> {
    type Response = S::Response;
    type Error = S::Error;
    type Future = S::Future;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<In>) -> Self::Future {
        if let Some(session) = request.extensions().get::<SessionRequest>() {
            session.ask_the_store();
        }
        self.inner.call(request)
    }
}
