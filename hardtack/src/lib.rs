#![cfg_attr(feature = "axum", doc = include_str!("lib.md"))]
#![cfg_attr(not(feature = "axum"), doc = "Web sessions in `HttpOnly` cookies. The tour is that of the feature `axum`.")]

mod adapters;
mod builder;
mod clock;
mod cookie;
pub mod csrf;
mod derive;
mod devices;
mod envelope;
mod error;
mod events;
mod field;
mod fields;
mod follower;
#[cfg(feature = "interop")]
mod foreign;
#[cfg(not(feature = "interop"))]
#[path = "foreign/none.rs"]
mod foreign;
mod hybrid;
mod inspection;
#[cfg(feature = "interop")]
pub mod interop;
mod json;
mod keyring;
mod lifetime;
pub mod login;
mod purging;
mod record;
mod request;
mod revocation;
mod session;
mod sessions;
pub mod store;
mod system;

pub use builder::SessionsBuilder;
pub use clock::Clock;
pub use cookie::{CookiePolicy, SameSite, SessionHeaders};
pub use devices::Device;
pub use error::{BuildError, CommitError, FieldError, SessionRejection, StoreError};
pub use events::Reason;
pub use field::Field;
pub use inspection::Inspection;
pub use keyring::{KEYS_VARIABLE, Key, KeyFile, KeyId, KeyState, Keyring};
pub use lifetime::Lifetime;

pub use record::{Handle, Kind};
pub use request::{Finish, Outcome, SessionRequest};
pub use revocation::Revocations;
pub use session::Session;
pub use sessions::Sessions;

#[cfg(feature = "actix-web-4")]
pub use adapters::actix::{SessionMiddleware, SessionMiddlewareService};
#[cfg(feature = "axum")]
pub use adapters::{
    axum::{SessionFuture, SessionLayer, SessionService},
    confirm::{ConfirmLayer, ConfirmService},
};

/// The README's example compiles.
#[cfg(all(doctest, feature = "axum"))]
#[doc = include_str!("../../README.md")]
struct Readme;

/// The page about logins compiles.
#[cfg(all(doctest, feature = "axum", feature = "login"))]
#[doc = include_str!("../../docs/login.md")]
struct LoginPage;

/// The examples for those who come from elsewhere compile.
#[cfg(all(doctest, feature = "interop", feature = "sqlite"))]
#[doc = include_str!("../../docs/migrating.md")]
struct Migrating;
