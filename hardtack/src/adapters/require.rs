//! The tower layers that keep strangers out: [`RequireLogin`], and [`RequireFresh`] for what needs the password again.

use std::{
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use http::{HeaderMap, HeaderValue, Method, Request, StatusCode, header};
use tower_layer::Layer;
use tower_service::Service;

use crate::{Session, SessionRejection, login::safe_next};

/// Lets nobody through who is not signed in. Inside of [`Sessions::layer`](crate::Sessions::layer), around the routes that
/// it protects.
///
/// A browser that wants a page is sent to the login with 303 and, for a GET, with `?next=` and the path that it wanted; check
/// that with [`safe_next`]. A script (`Sec-Fetch-Mode` that is not `navigate`) and a client that accepts JSON alone get 401
/// with an empty body. Either answer has [`LoginRequired`] in its extensions, to make another one of it.
///
/// In a router that is nested with `nest`, the path is what is left of it there: put the layer around the outer one.
///
/// ```
/// # use hardtack::{Keyring, Sessions, login::RequireLogin};
/// # fn app() -> Result<axum::Router, hardtack::BuildError> {
/// # use axum::{Router, routing::get};
/// let sessions = Sessions::stateless(Keyring::ephemeral()?).build()?;
/// let members = Router::new().route("/account", get(async || "yours")).layer(RequireLogin::at("/login"));
/// let app = Router::new().route("/", get(async || "everybody's")).merge(members).layer(sessions.layer());
/// # Ok(app)
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct RequireLogin {
    login: &'static str,
}

impl RequireLogin {
    /// With the path of the page that signs in.
    pub fn at(login: &'static str) -> Self {
        Self { login }
    }
}

/// Lets nobody through who has not proved a password for so long (D05): [`RequireLogin`], and more. Who is signed in
/// is sent to a page that asks for the password again, in the same session: `Login::step_up`.
#[derive(Clone, Debug)]
pub struct RequireFresh {
    window: Duration,
    confirm: &'static str,
    login: &'static str,
}

impl RequireFresh {
    /// A credential was proved within `window`; 5 minutes, for example. The page that asks again is `/confirm`, and the one
    /// that signs in `/login`, unless others are named.
    pub fn within(window: Duration) -> Self {
        Self { window, confirm: "/confirm", login: "/login" }
    }

    /// The path of the page that asks for the password again.
    pub fn at(mut self, confirm: &'static str) -> Self {
        self.confirm = confirm;
        self
    }

    /// The path of the page that signs in.
    pub fn login_at(mut self, login: &'static str) -> Self {
        self.login = login;
        self
    }
}

/// Why a request was not let through: an extension of the answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LoginRequired {
    /// Nobody is signed in.
    Anonymous,
    /// The password was proved too long ago.
    NotFresh,
}

impl<S> Layer<S> for RequireLogin {
    type Service = RequireService<S>;

    fn layer(&self, inner: S) -> Self::Service {
        RequireService { inner, rule: Rule { login: self.login, fresh: None } }
    }
}

impl<S> Layer<S> for RequireFresh {
    type Service = RequireService<S>;

    fn layer(&self, inner: S) -> Self::Service {
        RequireService { inner, rule: Rule { login: self.login, fresh: Some((self.window, self.confirm)) } }
    }
}

#[derive(Clone, Copy, Debug)]
struct Rule {
    login: &'static str,
    fresh: Option<(Duration, &'static str)>,
}

/// A service that is not for everybody. Made by [`RequireLogin`] and [`RequireFresh`].
#[derive(Clone, Debug)]
pub struct RequireService<S> {
    inner: S,
    rule: Rule,
}

impl<S, In, Out> Service<Request<In>> for RequireService<S>
where
    S: Service<Request<In>, Response = http::Response<Out>> + Clone + Send + 'static,
    S::Future: Send,
    In: Send + 'static,
    Out: Default,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<S::Response, S::Error>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<In>) -> Self::Future {
        // The one that was asked whether it is ready must be the one that is called.
        let unready = self.inner.clone();
        let mut inner = std::mem::replace(&mut self.inner, unready);
        let rule = self.rule;
        Box::pin(async move {
            let session = Session::from_extensions(request.extensions()).await;
            match rule.judge(session) {
                Ok(()) => inner.call(request).await,
                Err(refusal) => Ok(refusal.answer(&request)),
            }
        })
    }
}

/// Why a request is not let through, and where its sender is sent.
enum Refusal {
    Login(LoginRequired, &'static str),
    Fault(StatusCode),
}

impl Rule {
    fn judge(&self, session: Result<Session, SessionRejection>) -> Result<(), Refusal> {
        let session = session.map_err(|error| {
            tracing::error!(target: "hardtack", "{error}");
            Refusal::Fault(match error {
                SessionRejection::NoLayer => StatusCode::INTERNAL_SERVER_ERROR,
                _ => StatusCode::SERVICE_UNAVAILABLE,
            })
        })?;
        if session.owner().is_none() {
            return Err(Refusal::Login(LoginRequired::Anonymous, self.login));
        }
        match self.fresh {
            Some((window, confirm)) if !session.is_fresh(window) => {
                Err(Refusal::Login(LoginRequired::NotFresh, confirm))
            }
            _ => Ok(()),
        }
    }
}

impl Refusal {
    fn answer<In, Out: Default>(self, request: &Request<In>) -> http::Response<Out> {
        let mut response = http::Response::new(Out::default());
        match self {
            Self::Fault(status) => *response.status_mut() = status,
            Self::Login(why, page) => {
                response.extensions_mut().insert(why);
                match location(page, request).filter(|_| wants_a_page(request.headers())) {
                    Some(location) => {
                        *response.status_mut() = StatusCode::SEE_OTHER;
                        response.headers_mut().insert(header::LOCATION, location);
                    }
                    None => *response.status_mut() = StatusCode::UNAUTHORIZED,
                }
            }
        }
        response
    }
}

/// The page, with the way back for what can be asked for again.
fn location<In>(page: &str, request: &Request<In>) -> Option<HeaderValue> {
    let wanted = request.uri().path_and_query().map_or("/", |wanted| wanted.as_str());
    let next = safe_next(wanted).filter(|_| matches!(*request.method(), Method::GET | Method::HEAD));
    let location = next.map_or_else(|| page.to_owned(), |next| format!("{page}?next={}", encoded(next)));
    HeaderValue::try_from(location).ok()
}

/// As the value of a query: a slash needs no encoding there, and reads better.
fn encoded(text: &str) -> String {
    text.bytes().fold(String::with_capacity(text.len()), |mut encoded, byte| {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'/' => {
                encoded.push(char::from(byte));
            }
            byte => encoded += &format!("%{byte:02X}"),
        }
        encoded
    })
}

/// Whether a person is waiting for a page, and not a script or a program for data.
fn wants_a_page(headers: &HeaderMap) -> bool {
    let mode = headers.get("sec-fetch-mode").map(HeaderValue::as_bytes);
    mode.is_none_or(|mode| mode == b"navigate") && !accepts_only_json(headers)
}

fn accepts_only_json(headers: &HeaderMap) -> bool {
    let accepted = headers.get_all(header::ACCEPT).iter().filter_map(|value| value.to_str().ok());
    let mut types = accepted
        .flat_map(|value| value.split(','))
        .map(|range| range.split(';').next().unwrap_or("").trim().to_ascii_lowercase());
    let is_json = |range: &str| range == "application/json" || range.ends_with("+json");
    types.next().is_some_and(|first| is_json(&first) && types.all(|range| is_json(&range)))
}

#[cfg(feature = "login")]
mod answers {
    use axum_core::response::{IntoResponse, IntoResponseParts, Response, ResponseParts};
    use http::{HeaderValue, header};

    use crate::login::{LoginError, Verified};

    impl IntoResponseParts for Verified {
        type Error = std::convert::Infallible;

        fn into_response_parts(self, mut response: ResponseParts) -> Result<ResponseParts, Self::Error> {
            response.headers_mut().append(header::SET_COOKIE, self.device_cookie().clone());
            Ok(response)
        }
    }

    impl IntoResponse for LoginError {
        fn into_response(self) -> Response {
            if let Self::Store(error) = &self {
                tracing::error!(target: "hardtack", "{error}");
            }
            let mut response = (self.status(), format!("{self}\n")).into_response();
            if let Some(seconds) = self.retry_after() {
                response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
            }
            response.extensions_mut().insert(self);
            response
        }
    }
}
