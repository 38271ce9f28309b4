//! Origins: scheme, host and port, as browsers write them into `Origin` (RFC 6454 §6.2).

use std::net::{Ipv4Addr, Ipv6Addr};

use crate::cookie::policy::is_loopback;

/// Where a page comes from. `H` is a text: borrowed from a header, or kept in a policy.
#[derive(Clone, Debug)]
pub(crate) struct Origin<H> {
    https: bool,
    host: H,
    port: u16,
}

impl<'a> Origin<&'a str> {
    /// Reads `scheme://host[:port]`. Anything else, `null` first of all, is no origin; the error says what to write
    /// instead.
    pub(crate) fn read(text: &'a [u8]) -> Result<Self, &'static str> {
        let text = std::str::from_utf8(text).ok().filter(|text| text.is_ascii());
        let text = text.ok_or("write an international host as browsers send it, in letters of ASCII: xn--…")?;
        let (https, rest) = match text.split_once("://") {
            Some(("https", rest)) => (true, rest),
            Some(("http", rest)) => (false, rest),
            Some(_) => return Err("its scheme is \"https\" or \"http\", in small letters"),
            None => return Err("write its scheme too, as in \"https://app.example\""),
        };
        if rest.contains(['/', '?', '#']) {
            return Err("write nothing after the host and its port, not even a slash");
        }
        let (host, port) = authority(rest).ok_or(
            "write a host after the scheme, and a port if it is not the usual one: \"https://app.example:8443\"",
        )?;
        Ok(Self { https, host, port: port.unwrap_or(usual_port(https)) })
    }

    /// Whether its pages are served at `host`, which a request was sent to. A `Host` does not tell the scheme. Session
    /// cookies are `Secure`, so it is https, or http on this machine, where browsers keep them too.
    pub(crate) fn is_served_at(&self, host: &str) -> bool {
        let Some((name, port)) = authority(host) else { return false };
        (self.https || is_loopback(host.as_bytes()))
            && self.host.eq_ignore_ascii_case(name)
            && self.port == port.unwrap_or(usual_port(self.https))
    }

    pub(crate) fn to_owned(&self) -> Origin<Box<str>> {
        Origin { https: self.https, host: self.host.into(), port: self.port }
    }
}

impl Origin<Box<str>> {
    /// The same scheme, host and port.
    pub(crate) fn is(&self, other: &Origin<&str>) -> bool {
        self.https == other.https && self.port == other.port && self.host.eq_ignore_ascii_case(other.host)
    }
}

fn usual_port(https: bool) -> u16 {
    if https { 443 } else { 80 }
}

/// Host and port of `host[:port]`; `None` when that is neither a name nor an address.
fn authority(text: &str) -> Option<(&str, Option<u16>)> {
    let end = match text.strip_prefix('[') {
        Some(rest) => rest.find(']')? + 2,
        None => text.find(':').unwrap_or(text.len()),
    };
    let (host, port) = text.split_at(end);
    let port = match port.strip_prefix(':') {
        None if port.is_empty() => None,
        // The parser would take a sign.
        Some(port) if port.bytes().all(|byte| byte.is_ascii_digit()) => Some(port.parse().ok()?),
        _ => return None,
    };
    is_host(host).then_some((host, port))
}

fn is_host(host: &str) -> bool {
    if let Some(address) = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
        return address.parse::<Ipv6Addr>().is_ok();
    }
    let is_label = |label: &str| {
        !label.is_empty() && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
    };
    let name = host.strip_suffix('.').unwrap_or(host);
    // A name that ends in a number is an address to browsers (WHATWG URL, "ends in a number").
    let is_number = name.rsplit('.').next().is_some_and(|last| last.bytes().all(|byte| byte.is_ascii_digit()));
    name.split('.').all(is_label) && (!is_number || name.parse::<Ipv4Addr>().is_ok())
}
