//! [`CookiePolicy`]: what the cookie is called and where a browser may send it. Checked when the
//! [`Sessions`](crate::Sessions) are built, so that a cookie a browser would drop never ships.

use crate::error::BuildError;

/// The longest name or attribute value (RFC 6265bis §5.6 drops attributes of more than 1,024 bytes).
const MAX_ATTRIBUTE: usize = 1024;
/// The longest name, so that there is room for a value.
const MAX_NAME: usize = 256;

/// When a browser sends the cookie on requests that another site started. Always written out: not every
/// browser takes `Lax` when it is absent (A05).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SameSite {
    /// On navigations that do not change anything, and never on posts from elsewhere. The default.
    #[default]
    Lax,
    /// Never: a visitor who follows a link from another site arrives signed out.
    Strict,
    /// Always. For embedding in other sites; add [`CookiePolicy::partitioned`].
    None,
}

impl SameSite {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Lax => "Lax",
            Self::Strict => "Strict",
            Self::None => "None",
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Prefix {
    Host,
    HostHttp,
    Secure,
    None,
}

impl Prefix {
    fn as_str(self) -> &'static str {
        match self {
            Self::Host => "__Host-",
            Self::HostHttp => "__Host-Http-",
            Self::Secure => "__Secure-",
            Self::None => "",
        }
    }
}

/// The name and the attributes of the session cookie. `HttpOnly` and `Secure` are always set (A01, A04).
///
/// ```
/// use hardtack::{CookiePolicy, SameSite};
///
/// let policy = CookiePolicy::host("session").same_site(SameSite::Strict);
/// assert_eq!(policy.name(), "__Host-session");
/// ```
#[derive(Clone, Debug)]
pub struct CookiePolicy {
    prefix: Prefix,
    name: String,
    base: String,
    same_site: SameSite,
    path: String,
    domain: Option<String>,
    partitioned: bool,
    persistent: bool,
    insecure_on_loopback: bool,
}

impl CookiePolicy {
    /// `__Host-NAME`: this host only, every path, over a secure connection only. The default is
    /// `CookiePolicy::host("session")`.
    pub fn host(name: impl Into<String>) -> Self {
        Self::new(Prefix::Host, name.into())
    }

    /// `__Host-Http-NAME`: as [`host`](Self::host), and newer browsers refuse it from scripts as well
    /// (Chromium 140, Firefox 143); older ones still enforce the rules of `__Host-` (A03).
    pub fn host_http(name: impl Into<String>) -> Self {
        Self::new(Prefix::HostHttp, name.into())
    }

    /// `__Secure-NAME`: allows [`path`](Self::path) and [`domain`](Self::domain). Prefer
    /// [`host`](Self::host): with a domain, every subdomain can set and read this cookie.
    pub fn secure(name: impl Into<String>) -> Self {
        Self::new(Prefix::Secure, name.into())
    }

    /// `NAME` without a prefix, for a name that is given. Browsers then enforce nothing about who set it.
    pub fn plain(name: impl Into<String>) -> Self {
        Self::new(Prefix::None, name.into())
    }

    /// The policy that a whole name asks for: `__Host-session` is [`host`](Self::host)`("session")`.
    pub fn from_name(name: &str) -> Self {
        let prefixes = [Prefix::HostHttp, Prefix::Host, Prefix::Secure].into_iter();
        let mut split = prefixes.filter_map(|prefix| Some((prefix, name.strip_prefix(prefix.as_str())?)));
        let (prefix, base) = split.next().unwrap_or((Prefix::None, name));
        Self::new(prefix, base.to_owned())
    }

    fn new(prefix: Prefix, base: String) -> Self {
        Self {
            prefix,
            name: format!("{}{base}", prefix.as_str()),
            base,
            same_site: SameSite::default(),
            path: "/".into(),
            domain: None,
            partitioned: false,
            persistent: false,
            insecure_on_loopback: false,
        }
    }

    /// Default [`SameSite::Lax`].
    pub fn same_site(mut self, same_site: SameSite) -> Self {
        self.same_site = same_site;
        self
    }

    /// Default `/`. Other paths need [`secure`](Self::secure) or [`plain`](Self::plain). A path is no
    /// boundary: scripts of other paths on the host can act for the visitor all the same.
    pub fn path(mut self, path: impl Into<String>) -> Self {
        self.path = path.into();
        self
    }

    /// Default none: this host only. A domain shares the session with every host below it (A13) and
    /// needs [`secure`](Self::secure) or [`plain`](Self::plain).
    pub fn domain(mut self, domain: impl Into<String>) -> Self {
        self.domain = Some(domain.into());
        self
    }

    /// `Partitioned` (CHIPS): inside other sites the browser keeps one cookie for each of them. Default
    /// off. Useful with [`SameSite::None`] only.
    pub fn partitioned(mut self) -> Self {
        self.partitioned = true;
        self
    }

    /// Every session outlives the browser: `Max-Age` follows the absolute deadline. By default only
    /// sessions with [`remember_me`](crate::Session::remember_me) do, others end with the browser (D09).
    pub fn persistent(mut self) -> Self {
        self.persistent = true;
        self
    }

    /// **Development only.** For clients that refuse `Secure` cookies from plain `http://localhost`, as
    /// Safari does: when the request's host is a loopback name or address, the cookie loses its
    /// prefix and `Secure`. Requests to any other host are not affected. Chromium, Firefox and curl do
    /// not need it.
    pub fn insecure_on_loopback(mut self) -> Self {
        self.insecure_on_loopback = true;
        self
    }

    /// The whole name, prefix included.
    pub fn name(&self) -> &str {
        &self.name
    }

    pub(crate) fn is_persistent(&self) -> bool {
        self.persistent
    }

    /// The policy for loopback hosts, when the development word was said.
    pub(crate) fn for_loopback(&self) -> Option<Self> {
        self.insecure_on_loopback.then(|| Self {
            prefix: Prefix::None,
            name: self.base.clone(),
            partitioned: false,
            ..self.clone()
        })
    }

    /// The attributes behind `NAME=VALUE`, without `Max-Age`: the same for setting and removing (A11).
    pub(crate) fn attributes(&self, secure: bool) -> String {
        let mut line = format!("; Path={}", self.path);
        if let Some(domain) = &self.domain {
            line += "; Domain=";
            line += domain;
        }
        line += "; HttpOnly; SameSite=";
        line += self.same_site.as_str();
        if secure {
            line += "; Secure";
        }
        if self.partitioned {
            line += "; Partitioned";
        }
        line
    }

    /// The attributes one by one, for rows in which they are said: path, domain, `SameSite` and `Partitioned`.
    #[cfg(feature = "interop")]
    pub(crate) fn parts(&self) -> (&str, Option<&str>, SameSite, bool) {
        (&self.path, self.domain.as_deref(), self.same_site, self.partitioned)
    }

    pub(crate) fn validate(&self) -> Result<(), BuildError> {
        let refuse = |why: String| Err(BuildError::Cookie { why });
        let name = &self.name;
        if self.base.is_empty() || name.len() > MAX_NAME || !name.bytes().all(is_token) {
            return refuse(format!(
                "{name:?} is no cookie name; use letters, digits, '-' and '_', at most {MAX_NAME} with the prefix"
            ));
        }
        if has_prefix(&self.base) {
            return refuse(format!(
                "write CookiePolicy::host(…) or ::secure(…) instead of the prefix in {:?}",
                self.base
            ));
        }
        let on_host = matches!(self.prefix, Prefix::Host | Prefix::HostHttp);
        if on_host && self.domain.is_some() {
            return refuse("a __Host- cookie has no domain; leave it out, or write CookiePolicy::secure(…)".into());
        }
        if on_host && self.path != "/" {
            return refuse(
                "a __Host- cookie has the path \"/\"; leave it out, or write CookiePolicy::secure(…)".into(),
            );
        }
        if !self.path.starts_with('/') || self.path.len() > MAX_ATTRIBUTE || !self.path.bytes().all(is_attribute) {
            return refuse(format!(
                "{:?} is no path; start with '/', without ';', blanks and control characters",
                self.path
            ));
        }
        if let Some(domain) = &self.domain
            && !is_domain(domain)
        {
            return refuse(format!("{domain:?} is no domain; write it as \"example.com\", without a dot in front"));
        }
        if self.insecure_on_loopback && self.same_site == SameSite::None {
            return refuse("SameSite=None needs Secure; leave insecure_on_loopback() out".into());
        }
        Ok(())
    }
}

impl Default for CookiePolicy {
    fn default() -> Self {
        Self::host("session")
    }
}

/// Browsers judge prefixes without regard to case.
fn has_prefix(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    ["__host-", "__secure-", "__http-"].iter().any(|prefix| name.starts_with(prefix))
}

/// RFC 9110 `token`.
fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

pub(crate) fn is_attribute(byte: u8) -> bool {
    byte.is_ascii_graphic() && byte != b';'
}

fn is_domain(domain: &str) -> bool {
    domain.len() <= 253
        && domain.split('.').all(|label| {
            !label.is_empty()
                && label.len() <= 63
                && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
                && !label.starts_with('-')
                && !label.ends_with('-')
        })
}

/// Whether the `Host` of a request names this machine: `localhost`, `*.localhost`, 127.0.0.0/8, `[::1]`.
pub(crate) fn is_loopback(host: &[u8]) -> bool {
    let Ok(host) = std::str::from_utf8(host) else { return false };
    let name = match host.strip_prefix('[') {
        Some(rest) => return rest.split_once(']').is_some_and(|(address, port)| address == "::1" && is_port(port)),
        None => match host.split_once(':') {
            Some((name, port)) if is_port(&format!(":{port}")) => name,
            Some(_) => return false,
            None => host,
        },
    };
    let name = name.to_ascii_lowercase();
    name == "localhost"
        || name.ends_with(".localhost")
        || name.parse::<std::net::Ipv4Addr>().is_ok_and(|address| address.is_loopback())
}

fn is_port(text: &str) -> bool {
    text.is_empty() || text.strip_prefix(':').is_some_and(|port| port.parse::<u16>().is_ok())
}
