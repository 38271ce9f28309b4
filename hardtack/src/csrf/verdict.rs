//! The verdict on a request's headers, after Go's `http.CrossOriginProtection`. Headers go in, a verdict comes out.
//!
//! It is stricter than Go in these: a header that came twice or is empty is not taken for absent; an origin without
//! https is not the site's own, except on this machine; the requests that open a stream are judged too; `TRACE` is not safe.

use smallvec::SmallVec;

use super::{origin::Origin, policy::CsrfPolicy, refusal::CsrfRefusal};

/// The values of a header, one for each line.
pub(crate) type Lines<'a> = SmallVec<[&'a [u8]; 2]>;

/// What the verdict is about. Texts and bytes, because frameworks have types of their own.
pub(crate) struct Asked<'a> {
    pub(crate) method: &'a str,
    /// Of the request's target: HTTP/2, and absolute targets.
    pub(crate) authority: Option<&'a str>,
    /// Looks up a header by its name in small letters.
    pub(crate) lines: &'a dyn Fn(&str) -> Lines<'a>,
}

/// Whether a browser says that a page of another site started the request.
#[cfg(any(feature = "axum", feature = "actix-web-4"))]
pub(crate) fn is_cross_site(sec_fetch_site: Option<&[u8]>) -> bool {
    sec_fetch_site == Some(b"cross-site")
}

/// What a request that was not refused needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Nothing: GET, HEAD or OPTIONS, and nothing was judged.
    Safe,
    /// Nothing more. It opens a stream, a WebSocket or server-sent events, for which a browser cannot send a token;
    /// its headers were judged (H14).
    Stream,
    /// Its headers are good, and it needs a token.
    NeedsToken,
}

/// Of which site the page is that started a request (Fetch Metadata).
pub(crate) const SEC_FETCH_SITE: &str = "sec-fetch-site";

/// Headers with which some frameworks replace the method. No page of another site can send them unasked, but a layer
/// further inside may obey them.
const OVERRIDES: [&str; 3] = ["x-http-method-override", "x-http-method", "x-method-override"];

pub(crate) fn judge(policy: &CsrfPolicy, asked: &Asked<'_>) -> Result<Verdict, CsrfRefusal> {
    let verdict = needs(asked);
    if verdict == Verdict::Safe {
        return Ok(verdict);
    }
    let origin = match (asked.lines)("origin")[..] {
        [] => Sent::Nothing,
        [one] => Origin::read(one).map_or(Sent::Nonsense, Sent::Origin),
        _ => Sent::Nonsense,
    };
    if let Sent::Origin(origin) = &origin
        && policy.trusted.iter().any(|trusted| trusted.is(origin))
    {
        return Ok(verdict);
    }
    let sites = (asked.lines)(SEC_FETCH_SITE);
    if sites.is_empty() {
        return match origin {
            Sent::Nothing if policy.requires_headers => Err(CsrfRefusal::NoHeaders),
            Sent::Nothing => Ok(verdict),
            Sent::Origin(origin) if is_own(policy, asked, &origin) => Ok(verdict),
            _ => Err(CsrfRefusal::ForeignOrigin),
        };
    }
    let is_here = |site: &&[u8]| matches!(*site, b"same-origin" | b"none");
    if sites.iter().all(is_here) {
        return match origin {
            // Where `Host` is all that is known of the own origin, a proxy may have changed it.
            Sent::Origin(origin) if !policy.own.is_empty() && !is_own(policy, asked, &origin) => {
                Err(CsrfRefusal::ForeignOrigin)
            }
            Sent::Nonsense if !policy.own.is_empty() => Err(CsrfRefusal::ForeignOrigin),
            _ => Ok(verdict),
        };
    }
    let is_near = |site: &&[u8]| is_here(site) || *site == b"same-site";
    if policy.allows_same_site && sites.iter().all(is_near) {
        return Ok(verdict);
    }
    Err(CsrfRefusal::CrossSite)
}

/// What came as `Origin`.
enum Sent<'a> {
    Nothing,
    Origin(Origin<&'a str>),
    /// `null`, several, or no origin at all.
    Nonsense,
}

fn needs(asked: &Asked<'_>) -> Verdict {
    let has = |name: &str| !(asked.lines)(name).is_empty();
    match asked.method {
        // In HTTP/2 and HTTP/3 a WebSocket begins with it (RFC 8441), and no page can send it otherwise.
        "CONNECT" => Verdict::Stream,
        "GET" | "HEAD" | "OPTIONS" if OVERRIDES.into_iter().any(has) => Verdict::NeedsToken,
        "GET" if has("upgrade") || (asked.lines)("accept").iter().any(|accept| wants_events(accept)) => Verdict::Stream,
        "GET" | "HEAD" | "OPTIONS" => Verdict::Safe,
        _ => Verdict::NeedsToken,
    }
}

fn wants_events(accept: &[u8]) -> bool {
    let mut ranges = accept.split(|byte| *byte == b',').map(|range| range.split(|byte| *byte == b';').next());
    ranges.any(|range| range.unwrap_or_default().trim_ascii().eq_ignore_ascii_case(b"text/event-stream"))
}

fn is_own(policy: &CsrfPolicy, asked: &Asked<'_>, origin: &Origin<&str>) -> bool {
    if !policy.own.is_empty() {
        return policy.own.iter().any(|own| own.is(origin));
    }
    let forwarded = if policy.is_behind_a_proxy { (asked.lines)("x-forwarded-host") } else { Lines::new() };
    let host = match (&forwarded[..], asked.authority, &(asked.lines)("host")[..]) {
        ([forwarded], ..) => std::str::from_utf8(forwarded).ok(),
        ([], Some(authority), _) => Some(authority),
        ([], None, [host]) => std::str::from_utf8(host).ok(),
        _ => None,
    };
    host.is_some_and(|host| origin.is_served_at(host))
}

#[cfg(any(feature = "axum", feature = "actix-web-4"))]
/// What `Vary` must name and, in the lines that are there, does not yet (H13).
pub(crate) fn missing_in_vary(lines: Lines<'_>) -> SmallVec<[&'static str; 2]> {
    let says = |part: &[u8], name: &str| part == b"*" || part.eq_ignore_ascii_case(name.as_bytes());
    let parts = || lines.iter().flat_map(|vary| vary.split(|byte| *byte == b',')).map(<[u8]>::trim_ascii);
    ["Sec-Fetch-Site", "Origin"].into_iter().filter(|name| !parts().any(|part| says(part, name))).collect()
}
