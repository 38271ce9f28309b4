//! The tower layer that asks for the token. It knows where a request may carry one and nothing else.

use std::{
    pin::Pin,
    task::{Context, Poll},
};

use axum_core::{
    body::Body,
    response::{IntoResponse, Response},
};
use http::{Method, Request, StatusCode, header};
use http_body_util::{BodyExt, Limited};
use tower_layer::Layer;
use tower_service::Service;

use crate::{
    Session,
    csrf::{HEADER, MAX_FORM, form::is_urlencoded, token_in_form},
    events,
};

/// Refuses every request that is not GET, HEAD, OPTIONS or TRACE and does not carry the session's token,
/// with 403. Put it inside the layer of the sessions:
///
/// ```
/// # use hardtack::{Keyring, Sessions, csrf::CsrfLayer};
/// # fn app() -> Result<axum::Router, hardtack::BuildError> {
/// let sessions = Sessions::stateless(Keyring::ephemeral()?).build()?;
/// let app = axum::Router::new().layer(CsrfLayer::new()).layer(sessions.layer());
/// # Ok(app)
/// # }
/// ```
///
/// The header `X-CSRF-Token` is looked at first. Without one, an urlencoded form is read, up to 64 KiB
/// (413 beyond that), and handed on whole.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct CsrfLayer;

impl CsrfLayer {
    /// The layer.
    pub fn new() -> Self {
        Self
    }
}

impl<S> Layer<S> for CsrfLayer {
    type Service = CsrfService<S>;

    fn layer(&self, inner: S) -> Self::Service {
        CsrfService { inner }
    }
}

/// A service behind the token. Made by [`CsrfLayer`].
#[derive(Clone)]
pub struct CsrfService<S> {
    inner: S,
}

impl<S> Service<Request<Body>> for CsrfService<S>
where
    S: Service<Request<Body>, Response = Response> + Clone + Send + 'static,
    S::Future: Send,
{
    type Response = Response;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Response, S::Error>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        if matches!(*request.method(), Method::GET | Method::HEAD | Method::OPTIONS | Method::TRACE) {
            return Box::pin(self.inner.call(request));
        }
        // The one that was asked whether it is ready must be the one that is called.
        let unready = self.inner.clone();
        let mut inner = std::mem::replace(&mut self.inner, unready);
        Box::pin(async move {
            match admit(request).await {
                Ok(request) => inner.call(request).await,
                Err(refusal) => Ok(refusal),
            }
        })
    }
}

/// Hands the request on, whole, when it carries the token of its session.
async fn admit(request: Request<Body>) -> Result<Request<Body>, Response> {
    let session = Session::from_extensions(request.extensions()).await.map_err(IntoResponse::into_response)?;
    let (request, token) = match request.headers().get(HEADER) {
        Some(token) => {
            let token = token.to_str().unwrap_or_default().to_owned();
            (request, Some(token))
        }
        None => token_from_form(request).await?,
    };
    if token.is_some_and(|token| session.verify_csrf(&token)) {
        return Ok(request);
    }
    events::csrf_refused();
    Err((StatusCode::FORBIDDEN, "The token of this form is missing or out of date. Reload the page and try again.\n")
        .into_response())
}

async fn token_from_form(request: Request<Body>) -> Result<(Request<Body>, Option<String>), Response> {
    let content_type = request.headers().get(header::CONTENT_TYPE);
    if !content_type.is_some_and(|content_type| is_urlencoded(content_type.as_bytes())) {
        return Ok((request, None));
    }
    let (parts, body) = request.into_parts();
    let body = match Limited::new(body, MAX_FORM).collect().await {
        Ok(body) => body.to_bytes(),
        Err(error) if error.is::<http_body_util::LengthLimitError>() => {
            return Err((StatusCode::PAYLOAD_TOO_LARGE, "A form has at most 64 KiB.\n").into_response());
        }
        Err(_) => return Err((StatusCode::BAD_REQUEST, "The form broke off.\n").into_response()),
    };
    let token = token_in_form(&body);
    Ok((Request::from_parts(parts, Body::from(body)), token))
}
