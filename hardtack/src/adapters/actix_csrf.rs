//! actix-web 4: the middleware against cross-site request forgery. What it asks for is decided in [`csrf`](crate::csrf).

use std::{
    future::{Ready, poll_fn, ready},
    pin::Pin,
    rc::Rc,
    sync::Arc,
    task::{Context, Poll},
};

use actix_web::{
    Error, HttpMessage, HttpResponse, ResponseError,
    dev::{Payload, Service, ServiceRequest, ServiceResponse, Transform, forward_ready},
    error::PayloadError,
    http::{
        StatusCode,
        header::{CONTENT_TYPE, HeaderMap, HeaderValue, VARY},
    },
    web::Bytes,
};
use futures_core::Stream;

use crate::{
    Session,
    csrf::{
        CsrfPolicy, CsrfRefusal, HEADER, Verdict,
        form::{Search, Step},
        verdict::{self, Asked, Lines, missing_in_vary},
    },
    events,
};

type Local<T> = Pin<Box<dyn Future<Output = T>>>;

/// Refuses what another site made a browser send, and every form without its session's token, with 403; see
/// [`csrf`](crate::csrf) for the rules. Wrap the `App` or a scope with it, inside of
/// [`Sessions::actix`](crate::Sessions::actix), so before it. Handlers need no code for it, and get bodies whole:
///
/// ```
/// use actix_web::{App, HttpServer};
/// use hardtack::{Keyring, Sessions, csrf::CsrfMiddleware};
///
/// # fn server() -> Result<(), hardtack::BuildError> {
/// let sessions = Sessions::stateless(Keyring::ephemeral()?).build()?;
/// HttpServer::new(move || App::new().wrap(CsrfMiddleware::new()).wrap(sessions.actix()));
/// # Ok(())
/// # }
/// ```
///
/// A refusal is an [`Error`] with a [`CsrfRefusal`] in it, which answers its sentence. Middleware between this one and the
/// sessions may answer a page instead, with the form and a new token:
///
/// ```
/// # use actix_web::{Error, HttpResponse, ResponseError, dev::{ServiceRequest, ServiceResponse}};
/// # use actix_web::{body::MessageBody, error::InternalError, middleware::Next};
/// # use hardtack::{Session, csrf::{CsrfRefusal, hidden_field}};
/// async fn again<B: MessageBody>(mut request: ServiceRequest, next: Next<B>) -> Result<ServiceResponse<B>, Error> {
///     let session = request.extract::<Session>().await?;
///     next.call(request).await.map_err(|error| match error.as_error::<CsrfRefusal>() {
///         Some(refusal) if refusal.is_about_the_token() => {
///             let form = format!("<form method=post>{}<button>Order</button></form>", hidden_field(&session));
///             InternalError::from_response(*refusal, HttpResponse::build(refusal.status_code()).body(form)).into()
///         }
///         _ => error,
///     })
/// }
/// # let _ = actix_web::App::new().wrap(actix_web::middleware::from_fn(again));
/// ```
#[derive(Clone, Debug, Default)]
pub struct CsrfMiddleware {
    policy: Arc<CsrfPolicy>,
}

impl CsrfMiddleware {
    /// The middleware with the default [`CsrfPolicy`].
    pub fn new() -> Self {
        Self::default()
    }

    /// The middleware with a policy of your own.
    pub fn with(policy: CsrfPolicy) -> Self {
        Self { policy: Arc::new(policy) }
    }
}

impl<S, B> Transform<S, ServiceRequest> for CsrfMiddleware
where
    S: Service<ServiceRequest, Response = ServiceResponse<B>, Error = Error> + 'static,
    S::Future: 'static,
{
    type Response = ServiceResponse<B>;
    type Error = Error;
    type Transform = CsrfMiddlewareService<S>;
    type InitError = ();
    type Future = Ready<Result<Self::Transform, ()>>;

    fn new_transform(&self, inner: S) -> Self::Future {
        ready(Ok(CsrfMiddlewareService { inner: Rc::new(inner), policy: self.policy.clone() }))
    }
}

/// A guarded actix-web service. Made by [`CsrfMiddleware`].
pub struct CsrfMiddlewareService<S> {
    inner: Rc<S>,
    policy: Arc<CsrfPolicy>,
}

impl<S, B> Service<ServiceRequest> for CsrfMiddlewareService<S>
where
    S: Service<ServiceRequest, Response = ServiceResponse<B>, Error = Error> + 'static,
    S::Future: 'static,
{
    type Response = ServiceResponse<B>;
    type Error = Error;
    type Future = Local<Result<Self::Response, Error>>;

    forward_ready!(inner);

    fn call(&self, mut request: ServiceRequest) -> Self::Future {
        let verdict = judge(&self.policy, &request);
        if verdict == Ok(Verdict::Safe) {
            return Box::pin(self.inner.call(request));
        }
        let inner = self.inner.clone();
        Box::pin(async move {
            let admitted = match verdict {
                Ok(Verdict::NeedsToken) => check_token(&mut request).await,
                Ok(_) => Ok(()),
                Err(refusal) => {
                    events::csrf_refused(refusal, None);
                    Err(refusal.into())
                }
            };
            let result = match admitted {
                Ok(()) => inner.call(request).await,
                Err(error) => Err(error),
            };
            match result {
                Ok(mut response) => {
                    add_vary(response.headers_mut());
                    Ok(response)
                }
                Err(mut error) => {
                    error.add_response_mapper(|mut response| {
                        add_vary(response.headers_mut());
                        response
                    });
                    Err(error)
                }
            }
        })
    }
}

fn judge(policy: &CsrfPolicy, request: &ServiceRequest) -> Result<Verdict, CsrfRefusal> {
    let lines = |name: &str| request.headers().get_all(name).map(HeaderValue::as_bytes).collect::<Lines<'_>>();
    let authority = request.uri().authority().map(|authority| authority.as_str());
    verdict::judge(policy, &Asked { method: request.method().as_str(), authority, lines: &lines })
}

async fn check_token(request: &mut ServiceRequest) -> Result<(), Error> {
    let session = request.extract::<Session>().await?;
    let token = match request.headers().get(HEADER) {
        Some(token) => Ok(Some(token.to_str().unwrap_or_default().to_owned())),
        None => token_in_form(request).await,
    };
    let refusal = match token {
        Ok(Some(token)) if session.verify_csrf(&token) => return Ok(()),
        Ok(Some(_)) => CsrfRefusal::WrongToken,
        Ok(None) => CsrfRefusal::NoToken,
        Err(refusal) => refusal,
    };
    events::csrf_refused(refusal, session.handle());
    Err(refusal.into())
}

async fn token_in_form(request: &mut ServiceRequest) -> Result<Option<String>, CsrfRefusal> {
    let content_type = request.headers().get(CONTENT_TYPE);
    let Some(mut search) = content_type.and_then(|content_type| Search::of(content_type.as_bytes())) else {
        return Ok(None);
    };
    let mut payload = request.take_payload();
    let mut ended = false;
    let token = loop {
        match poll_fn(|cx| Pin::new(&mut payload).poll_next(cx)).await {
            None => {
                ended = true;
                break Ok(search.end());
            }
            Some(Err(_)) => {
                ended = true;
                break Err(CsrfRefusal::Broken);
            }
            Some(Ok(piece)) => match search.take(&piece) {
                Step::More => {}
                Step::Done(token) => break Ok(token),
                Step::TooLarge => break Err(CsrfRefusal::TooLarge),
            },
        }
    };
    let replay = Replay { seen: Some(search.into_seen().into()), rest: (!ended).then_some(payload) };
    request.set_payload(Payload::Stream { payload: Box::pin(replay) });
    token
}

/// A payload of which the beginning was read, whole again.
struct Replay {
    seen: Option<Bytes>,
    /// `None` when it had ended: it must not be asked again.
    rest: Option<Payload>,
}

impl Stream for Replay {
    type Item = Result<Bytes, PayloadError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        match (self.seen.take(), &mut self.rest) {
            (Some(seen), _) => Poll::Ready(Some(Ok(seen))),
            (None, Some(rest)) => Pin::new(rest).poll_next(cx),
            (None, None) => Poll::Ready(None),
        }
    }
}

fn add_vary(headers: &mut HeaderMap) {
    for name in missing_in_vary(headers.get_all(VARY).map(HeaderValue::as_bytes).collect()) {
        headers.append(VARY, HeaderValue::from_static(name));
    }
}

/// [`CsrfRefusal::status`], and the sentence.
impl ResponseError for CsrfRefusal {
    fn status_code(&self) -> StatusCode {
        StatusCode::from_u16(self.status().as_u16()).unwrap_or(StatusCode::FORBIDDEN)
    }

    fn error_response(&self) -> HttpResponse {
        HttpResponse::build(self.status_code()).content_type("text/plain; charset=utf-8").body(format!("{self}\n"))
    }
}
