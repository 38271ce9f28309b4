//! Who is trying: [`Visitor`], and the proxies that are believed about where he comes from.

use std::net::{IpAddr, Ipv6Addr};

use http::{HeaderMap, HeaderValue, header};

use super::device;
use crate::{
    cookie::header::{ForeignNames, find},
    error::BuildError,
};

/// The header in which proxies tell whom they speak for.
const FORWARDED: &str = "x-forwarded-for";

/// Where an attempt comes from, and the mark of its device. Made by [`Login::visitor`](super::Login::visitor).
#[derive(Clone, Debug)]
pub struct Visitor {
    pub(super) source: IpAddr,
    /// What came under the name of the mark; four at most are looked at.
    pub(super) marks: Vec<Box<[u8]>>,
}

impl Visitor {
    /// From this address, with a device that nobody knows.
    pub fn from_source(source: IpAddr) -> Self {
        Self { source: source.to_canonical(), marks: Vec::new() }
    }

    /// The address that is counted: behind the [`TrustedProxies`], the one that the last of them saw.
    pub fn source(&self) -> IpAddr {
        self.source
    }

    pub(super) fn of(peer: IpAddr, headers: &HeaderMap, proxies: &TrustedProxies) -> Self {
        let cookies = headers.get_all(header::COOKIE).iter().map(HeaderValue::as_bytes);
        let (found, _) = find(cookies, device::NAME.as_bytes(), None, ForeignNames::default());
        Self { source: proxies.source(peer, headers), marks: found.present.iter().map(Into::into).collect() }
    }

    /// What is counted together: an IPv4 address; in IPv6 a /64, of which everybody has 2^64 addresses.
    pub(super) fn network(&self) -> Vec<u8> {
        match self.source {
            IpAddr::V4(address) => address.octets().to_vec(),
            IpAddr::V6(address) => address.octets()[..8].to_vec(),
        }
    }
}

/// The proxies in front of the application that are believed: their own addresses, never guessed. Default none, and then
/// `X-Forwarded-For` is not read: anybody can send it.
///
/// From the right, the first hop that is no trusted proxy is the source: what stands further to the left came from
/// whoever that is.
///
/// ```
/// use hardtack::login::TrustedProxies;
/// use http::{HeaderMap, HeaderValue};
///
/// let proxies = TrustedProxies::new(["10.0.0.0/8", "2001:db8::1"])?;
/// let mut headers = HeaderMap::new();
/// headers.insert("x-forwarded-for", HeaderValue::from_static("6.6.6.6, 203.0.113.7, 10.1.2.3"));
/// let source = |peer: [u8; 4]| proxies.source(peer.into(), &headers).to_string();
/// assert_eq!(source([10, 0, 0, 1]), "203.0.113.7");
/// assert_eq!(source([198, 51, 100, 1]), "198.51.100.1", "it is no proxy of ours, so it is believed nothing");
/// # Ok::<_, hardtack::BuildError>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct TrustedProxies {
    ranges: Vec<(u128, u32)>,
}

impl TrustedProxies {
    /// None.
    pub fn none() -> Self {
        Self::default()
    }

    /// Addresses such as `10.1.2.3` and ranges such as `10.0.0.0/8` and `2001:db8::/32`.
    ///
    /// # Errors
    ///
    /// [`BuildError::Setting`] for anything else, and for the whole Internet.
    pub fn new<'a>(ranges: impl IntoIterator<Item = &'a str>) -> Result<Self, BuildError> {
        let ranges = ranges.into_iter().map(|text| {
            range(text).ok_or_else(|| BuildError::Setting {
                why: format!("{text:?} is no trusted proxy; write 10.1.2.3, 10.0.0.0/8 or 2001:db8::/32, for example"),
            })
        });
        Ok(Self { ranges: ranges.collect::<Result<_, _>>()? })
    }

    /// Where a request comes from that `peer` handed on with these headers.
    pub fn source(&self, peer: IpAddr, headers: &HeaderMap) -> IpAddr {
        let mut source = peer.to_canonical();
        let fields = headers.get_all(FORWARDED).iter().rev();
        let hops = fields.flat_map(|field| field.as_bytes().rsplit(|byte| *byte == b','));
        for hop in hops {
            if !self.trusts(source) {
                break;
            }
            // A hop that is no address was not written by a proxy that is worth its trust.
            let Some(next) = std::str::from_utf8(hop).ok().and_then(|hop| address(hop.trim())) else { break };
            source = next;
        }
        source
    }

    fn trusts(&self, address: IpAddr) -> bool {
        let address = bits(address);
        self.ranges.iter().any(|(range, length)| (address ^ range).leading_zeros() >= *length)
    }
}

/// All addresses in one space: those of IPv4 as IPv6 maps them.
fn bits(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(address) => address.to_ipv6_mapped().to_bits(),
        IpAddr::V6(address) => address.to_bits(),
    }
}

fn range(text: &str) -> Option<(u128, u32)> {
    let (address, length) = match text.split_once('/') {
        Some((address, length)) => (address, Some(length.parse::<u32>().ok()?)),
        None => (text, None),
    };
    let address: IpAddr = address.parse().ok()?;
    let (most, before) = if address.is_ipv4() { (32, 96) } else { (128, 0) };
    let length = length.unwrap_or(most);
    (1..=most).contains(&length).then(|| (bits(address), before + length))
}

/// An address with or without a port, in brackets or not.
fn address(hop: &str) -> Option<IpAddr> {
    let bare = |text: &str| text.parse::<IpAddr>().ok();
    let with_port = || hop.parse::<std::net::SocketAddr>().ok().map(|socket| socket.ip());
    let in_brackets = || hop.strip_prefix('[')?.strip_suffix(']')?.parse::<Ipv6Addr>().ok().map(IpAddr::V6);
    bare(hop).or_else(with_port).or_else(in_brackets).map(|address| address.to_canonical())
}
