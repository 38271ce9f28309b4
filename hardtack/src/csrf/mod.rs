//! Protection against cross-site request forgery: a page of another site makes a visitor's browser send a request, with
//! the visitor's cookie. (H01–H16)
//!
//! Two locks, and both must open. Neither excuses the other:
//!
//! 1. **The headers.** `Sec-Fetch-Site` must say that the request comes from the site's own pages; from a browser that does
//!    not send it, `Origin` must be the site's own. [`CsrfPolicy`] says which origins those are.
//! 2. **The token.** A page with a form asks the session for one ([`Session::csrf_token`], [`hidden_field`]) and puts it
//!    into a hidden field; a script sends it in the header `X-CSRF-Token` ([`FETCH_SCRIPT`]).
//!
//! With axum and tower, `CsrfLayer` holds both against every request of a router, and handlers need no code for it; with
//! actix-web, `CsrfMiddleware` does. Without a framework:
//!
//! ```
//! # use hardtack::{Session, csrf::{CsrfPolicy, CsrfRefusal, HEADER, Verdict, token_in_body}};
//! # use http::{Request, header::CONTENT_TYPE};
//! fn admit(policy: &CsrfPolicy, request: &Request<Vec<u8>>, session: &Session) -> Result<(), CsrfRefusal> {
//!     if policy.judge(request.method(), request.uri(), request.headers())? != Verdict::NeedsToken {
//!         return Ok(());
//!     }
//!     let header = |name: &str| request.headers().get(name).map(|value| value.as_bytes());
//!     let token = match header(HEADER) {
//!         Some(token) => String::from_utf8_lossy(token).into_owned(),
//!         None => {
//!             let content_type = header(CONTENT_TYPE.as_str()).unwrap_or_default();
//!             token_in_body(content_type, request.body()).ok_or(CsrfRefusal::NoToken)?
//!         }
//!     };
//!     if session.verify_csrf(&token) { Ok(()) } else { Err(CsrfRefusal::WrongToken) }
//! }
//! ```
//!
//! # Which requests
//!
//! All but GET, HEAD and OPTIONS, in just these letters: another spelling or an unknown method may change something, and
//! so may a safe one with a header like `X-HTTP-Method-Override` (H08). So never change anything for a GET. Nothing depends on the `Content-Type` but where a token is looked for (H07).
//!
//! A GET that opens a stream, a WebSocket (`Upgrade`; in HTTP/2 a CONNECT) or server-sent events
//! (`Accept: text/event-stream`), needs the first lock alone: browsers send no token with it, and always `Origin` with a
//! WebSocket (H14).
//!
//! # The header verdict
//!
//! | `Sec-Fetch-Site` | `Origin` | |
//! |---|---|---|
//! | – | – | passes (programs, and browsers from before 2020); refused with [`CsrfPolicy::require_headers`] (H03) |
//! | – | the site's own | passes |
//! | – | another, `null`, unreadable, several | refused (H02) |
//! | `same-origin`, `none` | any | passes; where [`CsrfPolicy::own_origin`] is set, an `Origin` that came must be it |
//! | `same-site` | any | refused; passes with [`CsrfPolicy::allow_same_site`] (H01) |
//! | `cross-site`, anything else, empty | any | refused |
//! | any | [trusted](CsrfPolicy::trust_origin) | passes (H04) |
//!
//! The site's own origin is the configured one, or that of the `Host` to which the request was sent: never
//! `X-Forwarded-Host`, unless [`CsrfPolicy::behind_proxy`] says that nobody else can write it (H16). Answers say
//! `Vary: Sec-Fetch-Site, Origin` where this was asked (H13).
//!
//! Never send `Referrer-Policy: no-referrer`: browsers then hide the origin of the site's own forms too, and send
//! `Origin: null`. `same-origin` and `strict-origin-when-cross-origin` keep as much from other sites.
//!
//! # The token
//!
//! The session's secret behind it is derived from the session's id. So it needs no room, it is new whenever the id is –
//! at sign-in and at sign-out (C06) – and a token of one session is worth nothing in another (H09). It stays the same
//! when a session is renewed: forms in other tabs go on working.
//!
//! - Masked anew for every response, so that compression cannot be used to guess it; old and new masks verify (H10).
//! - Taken from the header `X-CSRF-Token` or else from a form, urlencoded or multipart, and never from the query or a
//!   cookie (H11). The first one counts. A token in JSON does not: a script sends the header.
//! - Where no session was presented no token is expected, and none is accepted. So a login form is protected by the
//!   anonymous session that it began, which ends with the sign-in (H12).
//! - There is one token for all forms of a session (H15), and no header but `X-CSRF-Token` with a good token in it counts.
//!
//! A body is read only after the headers were found good, and no more than 64 KiB of it; the handler gets all of it,
//! byte for byte. A longer urlencoded form is refused with 413. A multipart form may be as long as the application allows: what
//! follows after the token is handed on as it comes in. So **the token's field comes before the files**; where the first
//! 64 KiB hold none, the answer is 413.
//!
//! # When a form is refused
//!
//! It was open while the visitor signed in or out in another tab, mostly. Show it again with a new token:
//! `CsrfLayer::on_refusal` is the place, and [`CsrfRefusal::is_about_the_token`] tells when.
//!
//! # Exceptions
//!
//! A webhook is called by programs that have no session. There is no list of paths to exempt, because what a list takes for
//! a path and what the router takes for it differ one day (H05). Leave the route outside of the layer; the router decides:
//!
//! ```
//! # #[cfg(feature = "axum")]
//! # fn app() -> Result<axum::Router, hardtack::BuildError> {
//! # use axum::{Router, routing::post};
//! # use hardtack::{Keyring, Sessions, csrf::CsrfLayer};
//! # let sessions = Sessions::stateless(Keyring::ephemeral()?).build()?;
//! let app = Router::new()
//!     .route("/order", post(async || "ordered"))
//!     .layer(CsrfLayer::new())
//!     .route("/webhook", post(async || "heard"))
//!     .layer(sessions.layer());
//! # Ok(app)
//! # }
//! ```
//!
//! In actix-web, wrap the scope that needs it.
//!
//! [`Session::csrf_token`]: crate::Session::csrf_token

pub(crate) mod form;
mod multipart;
mod origin;
mod page;
mod policy;
mod refusal;
mod token;
pub(crate) mod verdict;

pub(crate) use token::{issue, verify};

/// The form field that holds the token.
pub const FIELD: &str = "csrf_token";
/// The header that holds the token.
pub const HEADER: &str = "x-csrf-token";
/// The most bytes of a form that are read to find its token: 64 KiB.
pub const MAX_FORM: usize = 64 * 1024;

pub use form::{token_in_body, token_in_form};
pub use page::{FETCH_SCRIPT, hidden_field, meta_tag};
pub use policy::CsrfPolicy;
pub use refusal::CsrfRefusal;
pub use verdict::Verdict;

#[cfg(feature = "actix-web-4")]
pub use crate::adapters::actix_csrf::{CsrfMiddleware, CsrfMiddlewareService};
#[cfg(feature = "axum")]
pub use crate::adapters::csrf::{CsrfLayer, CsrfService};
