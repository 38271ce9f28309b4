//! tower and axum: a layer, a named future and the extractors.

use std::{
    pin::Pin,
    task::{Context, Poll, ready},
};

use axum_core::{
    extract::{FromRequestParts, OptionalFromRequestParts},
    response::{IntoResponse, Response},
};
use http::{Extensions, HeaderMap, HeaderValue, Request, StatusCode, header, request::Parts};
use pin_project_lite::pin_project;
use tower_layer::Layer;
use tower_service::Service;

use crate::{
    CommitError, Finish, Session, SessionRejection, SessionRequest, Sessions,
    csrf::verdict::{SEC_FETCH_SITE, is_cross_site},
};

impl Sessions {
    /// The tower layer. Add it after the routes, so that it goes around them. The same sessions layered
    /// twice are one; different ones nested inside each other are told apart by where they stand: the
    /// inner one counts.
    pub fn layer(&self) -> SessionLayer {
        SessionLayer { sessions: self.clone() }
    }
}

/// Adds sessions to a service. Made by [`Sessions::layer`].
#[derive(Clone)]
pub struct SessionLayer {
    sessions: Sessions,
}

impl<S> Layer<S> for SessionLayer {
    type Service = SessionService<S>;

    fn layer(&self, inner: S) -> Self::Service {
        SessionService { inner, sessions: self.sessions.clone() }
    }
}

/// A service with sessions around it.
#[derive(Clone)]
pub struct SessionService<S> {
    inner: S,
    sessions: Sessions,
}

impl<S, In, Out> Service<Request<In>> for SessionService<S>
where
    S: Service<Request<In>, Response = http::Response<Out>>,
    Out: Default,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = SessionFuture<S::Future, Out>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<In>) -> Self::Future {
        let outer = request.extensions().get::<SessionRequest>();
        let finish = if outer.is_some_and(|outer| outer.belongs_to(&self.sessions)) {
            None
        } else {
            let host = || {
                let authority = request.uri().host().map(str::as_bytes);
                authority.or_else(|| request.headers().get(header::HOST).map(HeaderValue::as_bytes))
            };
            let session = self.sessions.begin_on_host(host, cookie_fields(request.headers()));
            let started_by = || request.headers().get(SEC_FETCH_SITE).map(HeaderValue::as_bytes);
            if self.sessions.accepts() && is_cross_site(started_by()) {
                session.cross_site();
            }
            let finish = session.finish();
            request.extensions_mut().insert(session);
            Some(finish)
        };
        SessionFuture { inner: self.inner.call(request), response: None, finish }
    }
}

fn cookie_fields(headers: &HeaderMap) -> impl Iterator<Item = &[u8]> {
    headers.get_all(header::COOKIE).iter().map(HeaderValue::as_bytes)
}

pin_project! {
    /// The future of [`SessionService`]: the inner response, then the commit, before the head leaves.
    pub struct SessionFuture<F, Out> {
        #[pin]
        inner: F,
        response: Option<http::Response<Out>>,
        finish: Option<Finish>,
    }
}

impl<F, Out, E> Future for SessionFuture<F, Out>
where
    F: Future<Output = Result<http::Response<Out>, E>>,
    Out: Default,
{
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let mut response = match this.response.take() {
            Some(response) => response,
            None => ready!(this.inner.poll(cx))?,
        };
        if let Some(finish) = this.finish {
            match Pin::new(finish).poll(cx) {
                Poll::Pending => {
                    *this.response = Some(response);
                    return Poll::Pending;
                }
                Poll::Ready(Ok(headers)) => headers.apply(response.headers_mut()),
                Poll::Ready(Err(error)) => response = refusal(error),
            }
        }
        Poll::Ready(Ok(response))
    }
}

/// What the handler said did not happen, so its response goes with it.
fn refusal<Out: Default>(error: CommitError) -> http::Response<Out> {
    let mut response = http::Response::new(Out::default());
    *response.status_mut() = error.status();
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response.extensions_mut().insert(error);
    response
}

impl Session {
    /// The session of the request whose extensions these are, for tower middleware of your own.
    ///
    /// # Errors
    ///
    /// As the extractor: [`SessionRejection`].
    pub async fn from_extensions(extensions: &Extensions) -> Result<Self, SessionRejection> {
        extensions.get::<SessionRequest>().ok_or(SessionRejection::NoLayer)?.session().await
    }
}

impl<S: Sync> FromRequestParts<S> for Session {
    type Rejection = SessionRejection;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Self::Rejection> {
        Self::from_extensions(&parts.extensions).await
    }
}

impl<S: Sync> OptionalFromRequestParts<S> for Session {
    type Rejection = SessionRejection;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Option<Self>, Self::Rejection> {
        let session = Self::from_extensions(&parts.extensions).await?;
        Ok(session.is_live().then_some(session))
    }
}

impl IntoResponse for SessionRejection {
    fn into_response(self) -> Response {
        match self {
            Self::NoLayer => {
                tracing::error!(target: "hardtack", "{self}");
                StatusCode::INTERNAL_SERVER_ERROR.into_response()
            }
            Self::Store(error) => {
                tracing::error!(target: "hardtack", "{error}");
                StatusCode::SERVICE_UNAVAILABLE.into_response()
            }
        }
    }
}
