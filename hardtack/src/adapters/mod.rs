//! How frameworks use the door. An adapter contains no policy.

#[cfg(feature = "axum")]
pub(crate) mod axum;
#[cfg(feature = "axum")]
pub(crate) mod csrf;
