//! actix-web 4: a middleware and an extractor.
//!
//! actix-web speaks in the types of http 0.2, the door in those of http 1: what passes between them passes as
//! bytes.

use std::{
    future::{Ready, ready},
    pin::Pin,
};

use actix_web::{
    Error, FromRequest, HttpMessage, HttpRequest, HttpResponse, ResponseError,
    body::{EitherBody, MessageBody},
    dev::{Payload, Service, ServiceRequest, ServiceResponse, Transform, forward_ready},
    http::{
        StatusCode,
        header::{CACHE_CONTROL, COOKIE, HOST, HeaderMap, HeaderValue, SET_COOKIE, VARY},
    },
};

use crate::{
    CommitError, Session, SessionHeaders, SessionRejection, SessionRequest, Sessions,
    csrf::verdict::{SEC_FETCH_SITE, is_cross_site},
};

type Local<T> = Pin<Box<dyn Future<Output = T>>>;

impl Sessions {
    /// The actix-web middleware. Make the `Sessions` outside of the server's closure, because every worker calls
    /// that, and wrap the `App`, a scope or a route:
    ///
    /// ```
    /// use actix_web::{App, HttpServer, web};
    /// use hardtack::{Keyring, Session, Sessions};
    ///
    /// # fn server() -> Result<(), hardtack::BuildError> {
    /// let sessions = Sessions::stateless(Keyring::ephemeral()?).build()?;
    /// HttpServer::new(move || App::new().wrap(sessions.actix()).route("/", web::get().to(who)));
    /// # Ok(())
    /// # }
    ///
    /// async fn who(session: Session) -> String {
    ///     session.owner().unwrap_or_else(|| "nobody".into())
    /// }
    /// ```
    ///
    /// The same sessions wrapped twice are one; different ones nested inside each other are told apart by where
    /// they stand: the inner one counts. Errors commit too, those of handlers and those of middleware inside.
    ///
    /// A request that is dropped commits nothing. By default, though, actix-web takes a client that closed its
    /// connection for one that has finished sending: the handler runs to its end, and commits.
    /// `HttpServer::h1_allow_half_closed(false)` changes that.
    pub fn actix(&self) -> SessionMiddleware {
        SessionMiddleware { sessions: self.clone() }
    }
}

/// Adds sessions to an actix-web application. Made by [`Sessions::actix`].
#[derive(Clone)]
pub struct SessionMiddleware {
    sessions: Sessions,
}

impl<S, B> Transform<S, ServiceRequest> for SessionMiddleware
where
    S: Service<ServiceRequest, Response = ServiceResponse<B>, Error = Error>,
    S::Future: 'static,
    B: MessageBody + 'static,
{
    type Response = ServiceResponse<EitherBody<B>>;
    type Error = Error;
    type Transform = SessionMiddlewareService<S>;
    type InitError = ();
    type Future = Ready<Result<Self::Transform, ()>>;

    fn new_transform(&self, inner: S) -> Self::Future {
        ready(Ok(SessionMiddlewareService { inner, sessions: self.sessions.clone() }))
    }
}

/// An actix-web service with sessions around it.
pub struct SessionMiddlewareService<S> {
    inner: S,
    sessions: Sessions,
}

impl<S, B> Service<ServiceRequest> for SessionMiddlewareService<S>
where
    S: Service<ServiceRequest, Response = ServiceResponse<B>, Error = Error>,
    S::Future: 'static,
    B: MessageBody + 'static,
{
    type Response = ServiceResponse<EitherBody<B>>;
    type Error = Error;
    type Future = Local<Result<Self::Response, Error>>;

    forward_ready!(inner);

    fn call(&self, request: ServiceRequest) -> Self::Future {
        let outer = request.extensions().get::<SessionRequest>().cloned();
        if outer.as_ref().is_some_and(|outer| outer.belongs_to(&self.sessions)) {
            let inner = self.inner.call(request);
            return Box::pin(async move { inner.await.map(ServiceResponse::map_into_left_body) });
        }
        // Not actix's own idea of the host, which believes `Forwarded` from anybody.
        let host = || {
            let authority = request.uri().host().map(str::as_bytes);
            authority.or_else(|| request.headers().get(HOST).map(HeaderValue::as_bytes))
        };
        let cookie_fields = request.headers().get_all(COOKIE).map(HeaderValue::as_bytes);
        let session = self.sessions.begin_on_host(host, cookie_fields);
        let started_by = || request.headers().get(SEC_FETCH_SITE).map(HeaderValue::as_bytes);
        if self.sessions.accepts() && is_cross_site(started_by()) {
            session.cross_site();
        }
        request.extensions_mut().insert(session.clone());
        let inner = self.inner.call(request);
        Box::pin(async move {
            let result = inner.await;
            // A request's extensions are shared by all its services: what stands around this one gets its own
            // session back.
            if let (Ok(response), Some(outer)) = (&result, outer) {
                response.request().extensions_mut().insert(outer);
            }
            match (session.finish().await, result) {
                (Ok(headers), Ok(mut response)) => {
                    apply(&headers, response.headers_mut());
                    Ok(response.map_into_left_body())
                }
                (Ok(headers), Err(mut error)) => {
                    error.add_response_mapper(move |mut response| {
                        apply(&headers, response.headers_mut());
                        response
                    });
                    Err(error)
                }
                // What the handler said did not happen, so its response goes with it.
                (Err(error), Ok(response)) => Ok(response.error_response(error).map_into_right_body()),
                (Err(error), Err(_)) => Err(error.into()),
            }
        })
    }
}

fn apply(session: &SessionHeaders, response: &mut HeaderMap) {
    if session.adds_vary(response.get_all(VARY).map(HeaderValue::as_bytes)) {
        response.append(VARY, HeaderValue::from_static("Cookie"));
    }
    let control: Vec<_> = response.get_all(CACHE_CONTROL).filter_map(|value| value.to_str().ok()).collect();
    let control = session.cache_control(&control.join(", "));
    if let Some(control) = control.and_then(|control| HeaderValue::try_from(control).ok()) {
        response.insert(CACHE_CONTROL, control);
    }
    // Both versions of http allow the same bytes in a value.
    for cookie in session.set_cookies().filter_map(|cookie| HeaderValue::from_bytes(cookie.as_bytes()).ok()) {
        response.append(SET_COOKIE, cookie);
    }
}

/// The session of the request, in handlers, and in middleware inside of [`Sessions::actix`] with
/// `request.extract::<Session>().await`. A missing middleware is answered with 500, a store that does not answer
/// with 503; who wants to degrade takes `Result<Session, SessionRejection>`.
///
/// **Do not take `Option<Session>` in actix-web.** There it is `None` for every error, a store's fault among
/// them, and `Some` for every visitor, because actix-web implements it for all extractors alike. Take `Session`
/// and ask [`Session::is_live`].
impl FromRequest for Session {
    type Error = SessionRejection;
    type Future = Local<Result<Self, SessionRejection>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let begun = request.extensions().get::<SessionRequest>().cloned();
        Box::pin(async move {
            let session = match begun {
                Some(begun) => begun.session().await,
                None => Err(SessionRejection::NoLayer),
            };
            // Here and not when it is answered, because an `Option` would swallow it.
            session.inspect_err(|rejection| tracing::error!(target: "hardtack", "{rejection}"))
        })
    }
}

/// 500 for a missing middleware, 503 for a store that does not answer; without a body.
impl ResponseError for SessionRejection {
    fn status_code(&self) -> StatusCode {
        match self {
            Self::NoLayer => StatusCode::INTERNAL_SERVER_ERROR,
            Self::Store(_) => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    fn error_response(&self) -> HttpResponse {
        HttpResponse::new(self.status_code())
    }
}

/// [`CommitError::status`], uncached, without a body, with the error in the response's extensions.
impl ResponseError for CommitError {
    fn status_code(&self) -> StatusCode {
        StatusCode::from_u16(self.status().as_u16()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }

    fn error_response(&self) -> HttpResponse {
        let mut response = HttpResponse::new(self.status_code());
        response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        response.extensions_mut().insert(self.clone());
        response
    }
}
