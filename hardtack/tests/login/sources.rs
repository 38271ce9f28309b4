//! Where a request comes from: proxies are believed when they are named, and never guessed.

use hardtack::login::TrustedProxies;
use http::{HeaderMap, HeaderValue};

fn source(proxies: &[&str], peer: &str, forwarded: &[&str]) -> String {
    let mut headers = HeaderMap::new();
    for field in forwarded {
        headers.append("x-forwarded-for", HeaderValue::from_bytes(field.as_bytes()).unwrap());
    }
    let proxies = TrustedProxies::new(proxies.iter().copied()).unwrap();
    proxies.source(peer.parse().unwrap(), &headers).to_string()
}

/// I06: without a trusted proxy nobody's header is read.
#[test]
fn without_trusted_proxies_the_peer_is_the_source() {
    for forwarded in [&[][..], &["6.6.6.6"], &["6.6.6.6, 127.0.0.1"]] {
        assert_eq!(source(&[], "203.0.113.7", forwarded), "203.0.113.7");
        assert_eq!(source(&[], "127.0.0.1", forwarded), "127.0.0.1");
    }
}

/// I06: the rightmost hop that is no trusted proxy counts. What the client wrote stands to its left.
#[test]
fn the_rightmost_hop_that_is_not_trusted_is_the_source() {
    let ours = ["10.0.0.0/8", "192.0.2.1", "2001:db8:ffff::/48"];
    for (peer, forwarded, expected) in [
        ("10.0.0.1", &["203.0.113.7"][..], "203.0.113.7"),
        ("10.0.0.1", &["6.6.6.6, 203.0.113.7"], "203.0.113.7"),
        ("10.0.0.1", &["6.6.6.6, 10.6.6.6, 203.0.113.7, 10.1.2.3"], "203.0.113.7"),
        ("10.0.0.1", &["6.6.6.6", "203.0.113.7, 192.0.2.1"], "203.0.113.7"),
        ("10.0.0.1", &["6.6.6.6, 203.0.113.7", "10.1.2.3"], "203.0.113.7"),
        ("10.0.0.1", &[], "10.0.0.1"),
        ("10.0.0.1", &["10.1.2.3"], "10.1.2.3"),
        ("198.51.100.1", &["203.0.113.7"], "198.51.100.1"),
        ("192.0.2.2", &["203.0.113.7"], "192.0.2.2"),
        ("::ffff:10.0.0.1", &["203.0.113.7"], "203.0.113.7"),
        ("10.0.0.1", &["::ffff:203.0.113.7"], "203.0.113.7"),
        ("2001:db8:ffff::1", &["2001:db8::7"], "2001:db8::7"),
        ("10.0.0.1", &["203.0.113.7:4711"], "203.0.113.7"),
        ("10.0.0.1", &["[2001:db8::7]:4711"], "2001:db8::7"),
        ("10.0.0.1", &["[2001:db8::7]"], "2001:db8::7"),
        ("10.0.0.1", &[" 203.0.113.7 "], "203.0.113.7"),
        // What is no address ends the trust: the proxy itself is counted.
        ("10.0.0.1", &["203.0.113.7, garbage"], "10.0.0.1"),
        ("10.0.0.1", &["203.0.113.7, "], "10.0.0.1"),
        ("10.0.0.1", &["unknown"], "10.0.0.1"),
        ("10.0.0.1", &["203.0.113.7, caf\u{e9}, 10.1.2.3"], "10.1.2.3"),
    ] {
        assert_eq!(source(&ours, peer, forwarded), expected, "{peer} {forwarded:?}");
    }
}

#[test]
fn a_range_ends_where_it_says() {
    let source = |range: &str, peer: &str| source(&[range], peer, &["203.0.113.7"]) == "203.0.113.7";
    for (range, inside, outside) in [
        ("10.1.2.3", "10.1.2.3", "10.1.2.4"),
        ("10.1.2.0/30", "10.1.2.3", "10.1.2.4"),
        ("10.1.2.3/24", "10.1.2.255", "10.1.3.0"),
        ("128.0.0.0/1", "255.255.255.255", "127.255.255.255"),
        ("2001:db8::/32", "2001:db8:ffff::", "2001:db9::"),
        ("::1", "::1", "::2"),
    ] {
        assert!(source(range, inside) && !source(range, outside), "{range}");
    }
}

#[test]
fn what_is_no_range_is_refused_with_what_to_write_instead() {
    for bad in
        ["", "localhost", "10.0.0.0/33", "10.0.0.0/0", "::/0", "::/129", "10.0.0.0/", "10.0.0.0/x", "10.0.0", "*"]
    {
        let error = TrustedProxies::new([bad]).unwrap_err().to_string();
        assert!(error.contains("10.0.0.0/8"), "{bad}: {error}");
    }
}
