//! [`CsrfPolicy`]: which requests may change something, as far as their headers tell.

use http::{HeaderMap, HeaderValue, Method, Uri};

use super::{
    origin::Origin,
    refusal::CsrfRefusal,
    verdict::{self, Asked, Lines, Verdict},
};
use crate::error::BuildError;

/// Which origins may send requests that change something. The default needs no setting: the site's own origin is
/// taken from the `Host` that a request was sent to, no other is trusted, and other hosts of the same site are not.
///
/// ```
/// use hardtack::csrf::CsrfPolicy;
///
/// let policy = CsrfPolicy::new().own_origin("https://app.example")?.trust_origin("https://admin.example")?;
/// # Ok::<_, hardtack::BuildError>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct CsrfPolicy {
    pub(super) own: Vec<Origin<Box<str>>>,
    pub(super) trusted: Vec<Origin<Box<str>>>,
    pub(super) allows_same_site: bool,
    pub(super) is_behind_a_proxy: bool,
    pub(super) requires_headers: bool,
}

impl CsrfPolicy {
    /// The default.
    pub fn new() -> Self {
        Self::default()
    }

    /// The origin under which visitors see the site, `https://app.example` or `https://app.example:8443`. Say it once
    /// for each when there are several. Default: taken from the request's `Host`, with the scheme https, or http on
    /// this machine.
    ///
    /// Say it where a proxy in front changes `Host`. Then `Host` is not asked, and an `Origin` that came must be this
    /// one even where `Sec-Fetch-Site` says that it is (H02, H16).
    ///
    /// # Errors
    ///
    /// [`BuildError::Setting`] when that is no origin; it says what to write instead.
    pub fn own_origin(mut self, origin: impl AsRef<str>) -> Result<Self, BuildError> {
        self.own.push(read(origin.as_ref())?);
        Ok(self)
    }

    /// Lets pages of another origin send requests. Scheme, host and port must be the same: `http://a.example` is not
    /// `https://a.example` (H04). Default none. They still need a token.
    ///
    /// # Errors
    ///
    /// [`BuildError::Setting`] when that is no origin; it says what to write instead.
    pub fn trust_origin(mut self, origin: impl AsRef<str>) -> Result<Self, BuildError> {
        self.trusted.push(read(origin.as_ref())?);
        Ok(self)
    }

    /// Lets all other hosts of the same site send requests, where the browser says `Sec-Fetch-Site: same-site`:
    /// `https://blog.app.example` to `https://app.example`. Default off, because one that is taken over, or that a customer
    /// may fill, could then send them (H01). Better [trust](Self::trust_origin) those that need it.
    pub fn allow_same_site(mut self) -> Self {
        self.allows_same_site = true;
        self
    }

    /// Takes the host from `X-Forwarded-Host` where there is one. Only for a server that nobody reaches but through
    /// a proxy which sets that header itself: elsewhere anybody may write it. More than one value is refused.
    /// Default off (H16); [`own_origin`](Self::own_origin) is safer.
    pub fn behind_proxy(mut self) -> Self {
        self.is_behind_a_proxy = true;
        self
    }

    /// Refuses what comes with neither `Sec-Fetch-Site` nor `Origin`: programs, and browsers from before 2020. Default
    /// off: the token decides (H03).
    pub fn require_headers(mut self) -> Self {
        self.requires_headers = true;
        self
    }

    /// The verdict on a request's headers. The framework-free door: when it is [`Verdict::NeedsToken`], look for the
    /// token too, in the header [`HEADER`](super::HEADER) or with [`token_in_body`](super::token_in_body), and ask
    /// [`verify_csrf`](crate::Session::verify_csrf). Say `Vary: Sec-Fetch-Site, Origin` unless it is
    /// [`Verdict::Safe`].
    ///
    /// # Errors
    ///
    /// Why it is refused. A token does not excuse it.
    pub fn judge(&self, method: &Method, uri: &Uri, headers: &HeaderMap) -> Result<Verdict, CsrfRefusal> {
        let lines = |name: &str| headers.get_all(name).iter().map(HeaderValue::as_bytes).collect::<Lines<'_>>();
        let authority = uri.authority().map(|authority| authority.as_str());
        verdict::judge(self, &Asked { method: method.as_str(), authority, lines: &lines })
    }
}

fn read(text: &str) -> Result<Origin<Box<str>>, BuildError> {
    let origin = Origin::read(text.as_bytes());
    let origin = origin.map_err(|why| BuildError::Setting { why: format!("{text:?} is no origin: {why}") })?;
    Ok(origin.to_owned())
}
