//! Signing in: what surrounds [`Session::sign_in`](crate::Session::sign_in).

mod next;

pub use next::safe_next;
