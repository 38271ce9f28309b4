//! [`CsrfRefusal`]: why a request was refused.

use std::fmt;

use http::StatusCode;

/// Why a request was refused. Its `Display` is a sentence for the visitor; [`status`](Self::status) is the answer.
///
/// The answer to a refused request has it in its extensions, for middleware that writes pages or counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum CsrfRefusal {
    /// `Sec-Fetch-Site` says that another site, or another host of this one, made the request (H01).
    CrossSite,
    /// `Origin` is not the site's own and not trusted: another one, `null`, or unreadable (H02).
    ForeignOrigin,
    /// Neither header came, and the policy [requires](super::CsrfPolicy::require_headers) one (H03).
    NoHeaders,
    /// There is no token.
    NoToken,
    /// The token is not one of this session: of another one, from before a sign-in, changed, or there is no session
    /// (H09, H10).
    WrongToken,
    /// A form of more than 64 KiB, or one with files whose token does not come within the first 64 KiB.
    TooLarge,
    /// The body broke off before its token came.
    Broken,
}

impl CsrfRefusal {
    /// 403; 413 for a form that is too large, 400 for one that broke off.
    pub fn status(self) -> StatusCode {
        match self {
            Self::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::Broken => StatusCode::BAD_REQUEST,
            _ => StatusCode::FORBIDDEN,
        }
    }

    /// Whether the same form with a new token would pass: it is worth showing it again. What another site sent is not.
    pub fn is_about_the_token(self) -> bool {
        matches!(self, Self::NoToken | Self::WrongToken)
    }

    /// A short name, for logs and metrics: `cross_site`, `foreign_origin`, …
    pub fn as_str(self) -> &'static str {
        match self {
            Self::CrossSite => "cross_site",
            Self::ForeignOrigin => "foreign_origin",
            Self::NoHeaders => "no_headers",
            Self::NoToken => "no_token",
            Self::WrongToken => "wrong_token",
            Self::TooLarge => "too_large",
            Self::Broken => "broken",
        }
    }
}

impl fmt::Display for CsrfRefusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::CrossSite | Self::ForeignOrigin => "This request came from another site and was refused.",
            Self::NoHeaders => "The browser did not say which page this request came from. Update it and try again.",
            Self::NoToken | Self::WrongToken => {
                "The token of this form is missing or out of date. Reload the page and try again."
            }
            Self::TooLarge => "A form has at most 64 KiB, and one with files has its token within the first 64 KiB.",
            Self::Broken => "The form broke off.",
        })
    }
}

impl std::error::Error for CsrfRefusal {}
