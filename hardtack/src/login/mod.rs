//! Signing in: what surrounds [`Session::sign_in`](crate::Session::sign_in).
//!
//! With the feature `login`, [`Login`] is the whole way from a name and a password to a session of somebody: over the
//! application's own table of [`Users`], with [`Passwords`] that are hashed a few at a time and a [`Throttle`] that stops
//! guessing and locks nobody out. `docs/login.md` adds it to an axum application.
//!
#![cfg_attr(all(feature = "login", feature = "axum"), doc = "```")]
#![cfg_attr(not(all(feature = "login", feature = "axum")), doc = "```ignore")]
//! use axum::{Form, Router, extract::State, http::HeaderMap, response::{IntoResponse, Redirect}, routing::{get, post}};
//! use hardtack::{Session, Sessions, login::{Login, LoginError, RequireFresh, RequireLogin, safe_next}};
//! # #[derive(serde::Deserialize)]
//! # struct LoginForm { name: String, password: String, next: String }
//! # use std::{net::SocketAddr, time::Duration};
//!
//! async fn log_in(
//!     State(login): State<Login>,
//!     axum::extract::ConnectInfo(peer): axum::extract::ConnectInfo<SocketAddr>,
//!     session: Session,
//!     headers: HeaderMap,
//!     Form(form): Form<LoginForm>,
//! ) -> Result<impl IntoResponse, LoginError> {
//!     let visitor = login.visitor(peer.ip(), &headers);
//!     let verified = login.sign_in(&session, &visitor, &form.name, &form.password).await?;
//!     Ok((verified, Redirect::to(safe_next(&form.next).unwrap_or("/"))))
//! }
//!
//! fn app(sessions: &Sessions, login: Login) -> Router {
//!     let fresh = Router::new()
//!         .route("/delete-everything", get(async || "Sure?"))
//!         .layer(RequireFresh::within(Duration::from_secs(300)).at("/confirm"));
//!     Router::new()
//!         .route("/account", get(async || "yours"))
//!         .layer(RequireLogin::at("/login"))
//!         .merge(fresh)
//!         .route("/login", post(log_in))
//!         .with_state(login)
//!         .layer(sessions.layer())
//! }
//! ```
//!
//! Without that feature there are the layers [`RequireLogin`] and [`RequireFresh`], [`safe_next`] and
//! [`clear_site_data`]; passwords are then the application's business, and
//! [`Session::prepare_sign_in`](crate::Session::prepare_sign_in) says in which order.
//!
//! # Codes and logins of two steps
//!
//! A code that was sent by mail, the state of an OAuth login, a second factor that is awaited: each is a field of an
//! *anonymous* session, because half a login is no login (I11), and is taken with
//! [`take_once`](crate::Session::take_once), of which any number of requests at once get one (I09). In a store the
//! field is sealed under the session's id, so a dump does not show it. Keep the time beside it: 10 minutes at most for
//! what was sent by mail or message.

mod leaving;
mod next;

#[cfg(feature = "login")]
mod device;
#[cfg(feature = "login")]
mod error;
#[cfg(feature = "login")]
mod flow;
#[cfg(feature = "login")]
mod passwords;
#[cfg(feature = "login")]
mod throttle;
#[cfg(feature = "login")]
mod users;
#[cfg(feature = "login")]
mod visitor;

pub use leaving::clear_site_data;
pub use next::safe_next;

#[cfg(feature = "axum")]
pub use crate::adapters::require::{LoginRequired, RequireFresh, RequireLogin, RequireService};

#[cfg(feature = "login")]
pub(crate) use device::binding as device_binding;
#[cfg(feature = "login")]
pub use {
    error::LoginError,
    flow::{Login, Others, Verified},
    passwords::{Cost, MAX_PASSWORD, PasswordError, PasswordPolicy, Passwords, PasswordsBuilder, Verdict, Weakness},
    throttle::{Attempts, Bucket, MemoryAttempts, Quota, StoreAttempts, Taken, Throttle},
    users::{MemoryUsers, User, Users},
    visitor::{TrustedProxies, Visitor},
};
