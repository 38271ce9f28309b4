//! How frameworks use the door. An adapter contains no policy.

#[cfg(feature = "actix-web-4")]
pub(crate) mod actix;
#[cfg(feature = "actix-web-4")]
pub(crate) mod actix_csrf;
#[cfg(feature = "axum")]
pub(crate) mod axum;
#[cfg(feature = "axum")]
pub(crate) mod confirm;
#[cfg(feature = "axum")]
pub(crate) mod csrf;
#[cfg(feature = "axum")]
mod replay;
#[cfg(feature = "axum")]
pub(crate) mod require;
