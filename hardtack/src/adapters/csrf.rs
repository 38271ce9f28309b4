//! The tower layer against cross-site request forgery. What it asks for is decided in [`csrf`](crate::csrf).

use std::{
    fmt,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use axum_core::{
    body::Body,
    response::{IntoResponse, Response},
};
use http::{HeaderMap, HeaderValue, Request, StatusCode, header};
use http_body_util::BodyExt;
use tower_layer::Layer;
use tower_service::Service;

use super::replay::Replay;
use crate::{
    Session,
    csrf::{
        CsrfPolicy, CsrfRefusal, HEADER, Verdict,
        form::{Search, Step},
        verdict::missing_in_vary,
    },
    events,
};

/// Refuses what another site made a browser send, and every form without its session's token, with 403; see
/// [`csrf`](crate::csrf) for the rules. Put it around the routes and inside the layer of the sessions. Handlers need no
/// code for it, and get bodies whole:
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
/// Where another layer replaces the method of requests, put this one around it, so that it sees the one that was sent.
#[derive(Clone, Debug, Default)]
pub struct CsrfLayer {
    guard: Arc<Guard>,
}

#[derive(Clone, Default)]
struct Guard {
    policy: CsrfPolicy,
    answer: Option<Arc<Answer>>,
}

type Answer = dyn Fn(CsrfRefusal, Request<Body>) -> Answering + Send + Sync;
type Answering = Pin<Box<dyn Future<Output = Response> + Send>>;

impl CsrfLayer {
    /// The layer with the default [`CsrfPolicy`].
    pub fn new() -> Self {
        Self::default()
    }

    /// The layer with a policy of your own.
    pub fn with(policy: CsrfPolicy) -> Self {
        Self { guard: Arc::new(Guard { policy, answer: None }) }
    }

    /// Answers refused requests instead of the layer, whose own answer is the refusal's sentence. The request is whole, so
    /// the form in it can be shown again with a new token. An answer with status 200 gets the refusal's status.
    ///
    /// ```
    /// # use hardtack::{Session, csrf::{CsrfLayer, CsrfRefusal, hidden_field}};
    /// use axum::{body::Body, http::Request, response::{Html, IntoResponse, Response}};
    ///
    /// async fn again(refusal: CsrfRefusal, request: Request<Body>) -> Response {
    ///     match Session::from_extensions(request.extensions()).await {
    ///         Ok(session) if refusal.is_about_the_token() => {
    ///             let field = hidden_field(&session);
    ///             Html(format!("<p>{refusal}</p><form method=post>{field}<button>Order</button></form>")).into_response()
    ///         }
    ///         Ok(_) => refusal.to_string().into_response(),
    ///         Err(fault) => fault.into_response(),
    ///     }
    /// }
    ///
    /// let layer = CsrfLayer::new().on_refusal(again);
    /// ```
    pub fn on_refusal<F, Answered>(self, answer: F) -> Self
    where
        F: Fn(CsrfRefusal, Request<Body>) -> Answered + Send + Sync + 'static,
        Answered: Future<Output: IntoResponse> + Send + 'static,
    {
        let answer = move |refusal, request| {
            let answering = answer(refusal, request);
            Box::pin(async move { answering.await.into_response() }) as Answering
        };
        Self { guard: Arc::new(Guard { answer: Some(Arc::new(answer)), policy: self.guard.policy.clone() }) }
    }
}

impl<S> Layer<S> for CsrfLayer {
    type Service = CsrfService<S>;

    fn layer(&self, inner: S) -> Self::Service {
        CsrfService { inner, guard: self.guard.clone() }
    }
}

/// A guarded service. Made by [`CsrfLayer`].
#[derive(Clone)]
pub struct CsrfService<S> {
    inner: S,
    guard: Arc<Guard>,
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
        let verdict = self.guard.policy.judge(request.method(), request.uri(), request.headers());
        if verdict == Ok(Verdict::Safe) {
            return Box::pin(self.inner.call(request));
        }
        // The one that was asked whether it is ready must be the one that is called.
        let unready = self.inner.clone();
        let mut inner = std::mem::replace(&mut self.inner, unready);
        let guard = self.guard.clone();
        Box::pin(async move {
            let admitted = match verdict {
                Ok(Verdict::NeedsToken) => check_token(request).await,
                Ok(_) => Ok(request),
                Err(refusal) => Err(Stop::Refused(refusal, request)),
            };
            let mut response = match admitted {
                Ok(request) => inner.call(request).await?,
                Err(Stop::Refused(refusal, request)) => guard.refuse(refusal, request).await,
                Err(Stop::Fault(response)) => response,
            };
            add_vary(response.headers_mut());
            Ok(response)
        })
    }
}

/// Why a request does not go on.
enum Stop {
    Refused(CsrfRefusal, Request<Body>),
    /// The session could not be asked.
    Fault(Response),
}

impl Guard {
    async fn refuse(&self, refusal: CsrfRefusal, request: Request<Body>) -> Response {
        let session = match refusal.is_about_the_token() {
            true => Session::from_extensions(request.extensions()).await.ok(),
            // Nobody asked for it yet, and nobody should for such a request.
            false => None,
        };
        events::csrf_refused(refusal, session.and_then(|session| session.handle()));
        let mut response = match &self.answer {
            Some(answer) => answer(refusal, request).await,
            None => (refusal.status(), format!("{refusal}\n")).into_response(),
        };
        if response.status() == StatusCode::OK {
            *response.status_mut() = refusal.status();
        }
        response.extensions_mut().insert(refusal);
        response
    }
}

/// Hands the request on, whole, when it carries the token of its session.
async fn check_token(request: Request<Body>) -> Result<Request<Body>, Stop> {
    let session = Session::from_extensions(request.extensions()).await;
    let session = session.map_err(|fault| Stop::Fault(fault.into_response()))?;
    let (request, token) = match request.headers().get(HEADER) {
        Some(token) => {
            let token = token.to_str().unwrap_or_default().to_owned();
            (request, Ok(Some(token)))
        }
        None => token_in_form(request).await,
    };
    match token {
        Ok(Some(token)) if session.verify_csrf(&token) => Ok(request),
        Ok(Some(_)) => Err(Stop::Refused(CsrfRefusal::WrongToken, request)),
        Ok(None) => Err(Stop::Refused(CsrfRefusal::NoToken, request)),
        Err(refusal) => Err(Stop::Refused(refusal, request)),
    }
}

async fn token_in_form(request: Request<Body>) -> (Request<Body>, Result<Option<String>, CsrfRefusal>) {
    let content_type = request.headers().get(header::CONTENT_TYPE);
    let Some(mut search) = content_type.and_then(|content_type| Search::of(content_type.as_bytes())) else {
        return (request, Ok(None));
    };
    let (parts, mut body) = request.into_parts();
    let (mut trailers, mut ended) = (None, false);
    let token = loop {
        match body.frame().await {
            None => {
                ended = true;
                break Ok(search.end());
            }
            Some(Err(_)) => {
                ended = true;
                break Err(CsrfRefusal::Broken);
            }
            Some(Ok(frame)) => match frame.data_ref().map(|piece| search.take(piece)) {
                Some(Step::More) => {}
                Some(Step::Done(token)) => break Ok(token),
                Some(Step::TooLarge) => break Err(CsrfRefusal::TooLarge),
                None => trailers = Some(frame),
            },
        }
    };
    let body = Replay::new(search.into_seen(), trailers, (!ended).then_some(body));
    (Request::from_parts(parts, Body::new(body)), token)
}

fn add_vary(headers: &mut HeaderMap) {
    for name in missing_in_vary(headers.get_all(header::VARY).iter().map(HeaderValue::as_bytes).collect()) {
        headers.append(header::VARY, HeaderValue::from_static(name));
    }
}

impl fmt::Debug for Guard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Guard").field("policy", &self.policy).finish_non_exhaustive()
    }
}
