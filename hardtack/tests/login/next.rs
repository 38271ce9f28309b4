//! J03: where a login leads to afterwards, judged by our rule and by a WHATWG URL parser.

use hardtack::login::safe_next;
use url::Url;

/// What a login page could be asked to lead to, and must not.
fn hostile() -> Vec<String> {
    let mut all: Vec<String> = [
        "",
        " ",
        "evil.example",
        "//evil.example",
        "///evil.example",
        "////evil.example",
        "//evil.example/%2f..",
        "//evil%E3%80%82example",
        "//[::1]/",
        "//user@evil.example",
        "//@evil.example",
        "//evil.example:443/",
        "//localhost.evil.example",
        "/\\evil.example",
        "\\/evil.example",
        "\\\\evil.example",
        "\\evil.example",
        "/\\/evil.example",
        "/\\\\evil.example",
        "//\\evil.example",
        "/\t/evil.example",
        "/\n/evil.example",
        "/\r/evil.example",
        "/\r\n/evil.example",
        "/\t\\evil.example",
        "/\n\\evil.example",
        "\t//evil.example",
        "\n//evil.example",
        "\r//evil.example",
        " //evil.example",
        "\u{0}//evil.example",
        "\u{1f}//evil.example",
        "\u{b}//evil.example",
        "\u{c}//evil.example",
        "\u{a0}//evil.example",
        "\u{2028}//evil.example",
        "\u{feff}//evil.example",
        "\u{85}//evil.example",
        "/\u{0}/evil.example",
        "/\u{7f}/evil.example",
        "/\u{85}/evil.example",
        "/a\r\nSet-Cookie: a=b",
        "/a\nLocation: https://evil.example",
        "http://evil.example",
        "https://evil.example",
        "HTTPS://EVIL.EXAMPLE",
        "https:evil.example",
        "https:/evil.example",
        "https:///evil.example",
        "https:\\\\evil.example",
        "http:/\\evil.example",
        "ht\ttps://evil.example",
        "https://app.example@evil.example",
        "https://app.example.evil.example",
        "https://app.example",
        "javascript:alert(1)",
        "JaVaScRiPt:alert(1)",
        "java\tscript:alert(1)",
        "\u{1}javascript:alert(1)",
        "data:text/html,<script>alert(1)</script>",
        "vbscript:msgbox(1)",
        "blob:https://evil.example/x",
        "file:///etc/passwd",
        "ftp://evil.example",
        "ws://evil.example",
        "about:blank",
        "intent://evil.example#Intent;end",
        "mailto:eve@evil.example",
        "@evil.example",
        ".evil.example",
        "..//evil.example",
        "./\\evil.example",
        "?next=//evil.example",
        "#//evil.example",
        "login",
        "%2f%2fevil.example",
        "%5c%5cevil.example",
    ]
    .map(Into::into)
    .into();
    all.push(format!("/{}", "a".repeat(2048)));
    all.push(format!("/{}", "é".repeat(1100)));
    all
}

/// J03: none of them is taken; and those that a browser would take elsewhere are seen to be so by an independent parser.
#[test]
fn nothing_that_leads_elsewhere_is_taken() {
    let base = Url::parse("https://app.example/login").unwrap();
    let hostile = hostile();
    assert!(hostile.len() >= 60, "{}", hostile.len());
    let mut elsewhere = 0;
    for next in &hostile {
        assert_eq!(safe_next(next), None, "{next:?}");
        let leads_away = base.join(next).map_or(true, |url| url.origin() != base.origin());
        elsewhere += usize::from(leads_away);
    }
    assert!(elsewhere >= 40, "the table is hostile: {elsewhere} of {} lead away", hostile.len());
}

/// J03: whatever is taken is of this origin to a WHATWG parser, and is the path that it says.
#[test]
fn what_is_taken_stays_here() {
    let base = Url::parse("https://app.example/login").unwrap();
    for next in [
        "/",
        "/account",
        "/orders?page=2&sort=a%20b",
        "/a/../b",
        "/a//b",
        "/a/@b",
        "/a:b",
        "/#fragment",
        "/?next=//evil.example",
        "/?next=https://evil.example",
        "/https://evil.example",
        "/.//evil.example",
        "/%2f%2fevil.example",
        "/%5cevil.example",
        "/%09/evil.example",
        "/é",
        "/%00",
        &format!("/{}", "a".repeat(2047)),
    ] {
        assert_eq!(safe_next(next), Some(next), "{next}");
        let url = base.join(next).unwrap();
        assert_eq!(url.origin(), base.origin(), "{next}");
    }
}

/// J03: no text of slashes, back slashes, blanks, controls, colons and letters, up to five long, is taken and leads away.
#[test]
fn no_short_text_that_is_taken_leads_elsewhere() {
    const LETTERS: [char; 12] = ['/', '\\', '\t', '\n', ' ', '.', ':', '@', '?', '#', 'a', '\u{a0}'];
    let base = Url::parse("https://app.example/login").unwrap();
    let mut texts = vec![String::new()];
    for length in 0..5 {
        let longer: Vec<String> = texts
            .iter()
            .filter(|text| text.chars().count() == length)
            .flat_map(|text| LETTERS.map(|letter| format!("{text}{letter}")))
            .collect();
        texts.extend(longer);
    }
    let mut taken = 0;
    for text in texts.iter().filter_map(|text| safe_next(text)) {
        taken += 1;
        let url = base.join(text).unwrap();
        assert_eq!(url.origin(), base.origin(), "{text:?}");
    }
    assert!(taken > 1000, "{taken}");
}
