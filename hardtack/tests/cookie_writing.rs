//! What `Set-Cookie` says: section A of the requirements.
#![cfg(feature = "axum")]
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

mod common;

use std::{collections::BTreeMap, net::SocketAddr, time::Duration};

use axum::{
    Router,
    body::{Body, Bytes},
    http::{HeaderMap, Response, StatusCode, header},
    response::{IntoResponse, Redirect},
    routing::{any, get},
};
use common::{NOTE, Reply, builder, cookie, exchange, fetch, fetch_bare, request, serve, sessions, wait};
use futures_util::stream;
use hardtack::{BuildError, Clock, CommitError, CookiePolicy, Keyring, SameSite, Session, Sessions};
use proptest::prelude::*;

/// A `Set-Cookie` line as a browser takes it apart (RFC 6265bis §5.6): nothing but SP and HTAB is stripped,
/// the rest of a line that it would drop or cut is `None`.
struct Line {
    name: String,
    value: String,
    /// Names in small letters, in order.
    attributes: Vec<(String, String)>,
}

impl Line {
    fn parse(line: &str) -> Option<Self> {
        if line.bytes().any(|byte| byte == 0x7f || (byte < b' ' && byte != b'\t')) {
            return None;
        }
        let blanks = [' ', '\t'];
        let mut parts = line.split(';');
        let (name, value) = parts.next()?.split_once('=')?;
        let (name, value) = (name.trim_matches(blanks).to_owned(), value.trim_matches(blanks).to_owned());
        let attributes = parts.map(|part| part.split_once('=').unwrap_or((part, "")));
        let attributes = attributes
            .map(|(name, value)| {
                (name.trim_matches(blanks).to_ascii_lowercase(), value.trim_matches(blanks).to_owned())
            })
            .filter(|(_, value)| value.len() <= 1024)
            .collect();
        (!name.is_empty() && name.len() + value.len() <= 4096).then_some(Self { name, value, attributes })
    }

    fn get(&self, name: &str) -> Option<&str> {
        self.attributes.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// All attributes but `Max-Age`; A08: none of them twice.
    fn lasting(&self) -> BTreeMap<&str, &str> {
        let pairs = self.attributes.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        let mut map: BTreeMap<_, _> = pairs.collect();
        assert_eq!(map.len(), self.attributes.len(), "an attribute stands twice: {:?}", self.attributes);
        map.remove("max-age");
        map
    }
}

#[track_caller]
fn only_line(reply: &Reply) -> Line {
    Line::parse(reply.one("set-cookie")).unwrap()
}

/// Sessions with this cookie.
fn with(policy: CookiePolicy) -> Result<Sessions, BuildError> {
    builder().0.cookie(policy).build()
}

/// The `Set-Cookie` lines of a request that does `work`, asked at the framework-free door.
fn lines(sessions: &Sessions, cookies: &str, work: impl FnOnce(&Session)) -> Vec<String> {
    let request = sessions.begin([cookies.as_bytes()]);
    work(&wait(request.session()).unwrap());
    let headers = wait(request.finish()).unwrap();
    headers.set_cookies().map(|line| line.to_str().unwrap().to_owned()).collect()
}

/// The line that sets a new session.
fn setting(sessions: &Sessions) -> Line {
    let lines = lines(sessions, "", |session| session.set(NOTE, "x".into()));
    assert_eq!(lines.len(), 1);
    Line::parse(&lines[0]).unwrap()
}

/// Everything that an application does to a session.
fn busy_app(sessions: &Sessions) -> Router {
    Router::new()
        .route("/sign-in", any(async |session: Session| session.sign_in("ada")))
        .route("/sign-out", any(async |session: Session| session.sign_out()))
        .route("/set", any(async |session: Session| session.set(NOTE, "x".into())))
        .route("/remember", any(remember))
        .route("/token", any(async |session: Session| session.csrf_token()))
        .route("/redirect", any(redirect))
        .route("/error", any(error))
        .route("/too-large", any(async |session: Session| session.set(NOTE, "x".repeat(5000))))
        .route("/read", any(common::who))
        .route("/debug", any(async |session: Session| format!("{session:?}")))
        .route("/nothing", any(async || "nothing"))
        .layer(sessions.layer())
}

async fn remember(session: Session) {
    session.sign_in("ada");
    session.remember_me(true);
}

async fn redirect(session: Session) -> Redirect {
    session.sign_in("bob");
    Redirect::to("/home")
}

async fn error(session: Session) -> (StatusCode, &'static str) {
    session.set(NOTE, "seen".into());
    (StatusCode::INTERNAL_SERVER_ERROR, "broken")
}

const CRAWL: [&str; 11] = [
    "/sign-in",
    "/set",
    "/token",
    "/remember",
    "/read",
    "/debug",
    "/redirect",
    "/error",
    "/too-large",
    "/nothing",
    "/sign-out",
];

/// Visits everything, with no cookie, a forged one and the one that was given last.
fn crawl(server: SocketAddr) -> Vec<(String, Reply)> {
    let mut replies = Vec::new();
    let mut jar = String::new();
    for path in CRAWL {
        replies.push((path.to_owned(), fetch_bare(server, path)));
        replies.push((path.to_owned(), fetch(server, path, ["__Host-session=forged"])));
        let reply = fetch(server, path, [&jar]);
        if let [line] = reply.set_cookies()[..] {
            jar = line.split(';').next().unwrap().to_owned();
        }
        replies.push((path.to_owned(), reply));
    }
    replies
}

/// A01, A04, A05, A08, A13: every cookie of a crawl over sign-in, renewal, sign-out, errors, redirects and
/// removals has the prefix, `Secure`, `HttpOnly`, an explicit `SameSite` and no domain.
#[test]
fn every_cookie_of_a_crawl_is_secure_and_http_only_and_bound_to_its_host() {
    let server = serve(busy_app(&sessions()));
    let mut seen = 0;
    for (path, reply) in crawl(server) {
        for line in reply.set_cookies() {
            let line = Line::parse(line).unwrap();
            assert_eq!(line.name, "__Host-session", "{path}");
            let wanted = [("httponly", ""), ("path", "/"), ("samesite", "Lax"), ("secure", "")];
            assert_eq!(line.lasting(), BTreeMap::from(wanted), "{path}");
            seen += 1;
        }
    }
    assert!(seen >= 20, "{seen}");
}

/// A04: the value of a cookie is in no body and in no header but its `Set-Cookie`, in no error page and in no
/// `Debug` output.
#[test]
fn the_token_is_in_no_body_and_in_no_other_header() {
    let server = serve(busy_app(&sessions()));
    let mut tokens = Vec::new();
    let replies = crawl(server);
    for (_, reply) in &replies {
        tokens.extend(reply.set_cookies().iter().map(|line| Line::parse(line).unwrap().value));
    }
    tokens.retain(|token| !token.is_empty());
    assert!(tokens.len() > 8);
    for (path, reply) in &replies {
        let others = reply.headers.iter().filter(|(name, _)| name != "set-cookie").flat_map(|(_, value)| value);
        let text: Vec<u8> = reply.body.iter().chain(others).copied().collect();
        for token in &tokens {
            // Forty characters from the middle would do for whoever finds them.
            let part = &token.as_bytes()[60..100];
            assert!(!text.windows(part.len()).any(|window| window == part), "{path}");
        }
    }
}

/// A02, A05–A07, A12: what a browser would drop, or what would protect less than it says, does not build, and
/// the message says what is wrong and what to write.
#[test]
fn a_policy_that_a_browser_would_drop_does_not_build() {
    type Policy = CookiePolicy;
    let long = "x".repeat(300);
    let bad = [
        (Policy::host("session").domain("app.example"), "CookiePolicy::secure("),
        (Policy::host("session").path("/app"), "CookiePolicy::secure("),
        (Policy::host("session").path(""), "CookiePolicy::secure("),
        (Policy::host_http("session").domain("app.example"), "CookiePolicy::secure("),
        (Policy::host_http("session").path("/app"), "CookiePolicy::secure("),
        (Policy::host(""), "letters, digits"),
        (Policy::host_http(""), "letters, digits"),
        (Policy::secure(""), "letters, digits"),
        (Policy::plain(""), "letters, digits"),
        (Policy::plain("a b"), "letters, digits"),
        (Policy::plain("a;b"), "letters, digits"),
        (Policy::plain("a=b"), "letters, digits"),
        (Policy::plain("a,b"), "letters, digits"),
        (Policy::plain("a\tb"), "letters, digits"),
        (Policy::plain("a\r\nSet-Cookie: b"), "letters, digits"),
        (Policy::plain("a\0"), "letters, digits"),
        (Policy::plain("\"a\""), "letters, digits"),
        (Policy::plain("naïve"), "letters, digits"),
        (Policy::plain("[a]"), "letters, digits"),
        (Policy::plain(&long), "at most 256"),
        (Policy::plain("__Host-session"), "CookiePolicy::host("),
        (Policy::plain("__host-session"), "CookiePolicy::host("),
        (Policy::plain("__HOST-HTTP-session"), "CookiePolicy::host("),
        (Policy::plain("__Secure-session"), "CookiePolicy::host("),
        (Policy::plain("__Http-session"), "CookiePolicy::host("),
        (Policy::secure("__Secure-session"), "CookiePolicy::host("),
        (Policy::plain("session").path("app"), "start with '/'"),
        (Policy::plain("session").path(""), "start with '/'"),
        (Policy::plain("session").path("/; Domain=evil.example"), "start with '/'"),
        (Policy::plain("session").path("/;Domain=evil.example"), "start with '/'"),
        (Policy::plain("session").path("/a\r\nb"), "start with '/'"),
        (Policy::plain("session").path("/a\0"), "start with '/'"),
        (Policy::plain("session").path("/é"), "start with '/'"),
        // A browser strips the blank: another path than the one that was written.
        (Policy::plain("session").path("/app "), "start with '/'"),
        (Policy::plain("session").path(format!("/{}", "x".repeat(1024))), "no path"),
        (Policy::plain("session").domain(""), "example.com"),
        (Policy::plain("session").domain(".app.example"), "without a dot"),
        (Policy::plain("session").domain("app.example."), "example.com"),
        (Policy::plain("session").domain("app..example"), "example.com"),
        (Policy::plain("session").domain("app.example; Path=/"), "example.com"),
        (Policy::plain("session").domain("app.example:443"), "example.com"),
        (Policy::plain("session").domain("https://app.example"), "example.com"),
        (Policy::plain("session").domain("-app.example"), "example.com"),
        (Policy::plain("session").domain("bücher.example"), "example.com"),
        (Policy::plain("session").domain(vec!["x".repeat(60); 5].join(".")), "example.com"),
        (Policy::host("session").same_site(SameSite::None).insecure_on_loopback(), "insecure_on_loopback"),
        (Policy::plain("session").same_site(SameSite::None).insecure_on_loopback(), "insecure_on_loopback"),
    ];
    for (policy, hint) in bad {
        let message = match with(policy.clone()) {
            Ok(_) => panic!("builds: {policy:?}"),
            Err(error) => error.to_string(),
        };
        assert!(message.starts_with("the cookie policy: ") && message.contains(hint), "{policy:?}: {message}");
        assert!(!message.contains(['\r', '\n', '\0']), "{message:?}");
    }
}

/// A02, B12: the previous policy is held to the same rules, and is another name.
#[test]
fn a_previous_policy_that_could_not_work_does_not_build() {
    let until = std::time::SystemTime::now();
    let previous = |policy| builder().0.previous_name(policy, until).build().map(|_| ()).unwrap_err().to_string();
    assert!(previous(CookiePolicy::plain("a b")).contains("letters, digits"));
    assert!(previous(CookiePolicy::host("old").path("/app")).contains("CookiePolicy::secure("));
    assert!(previous(CookiePolicy::host("session")).contains("previous_name"));
}

/// A02, A13: the default is a `__Host-` cookie whose name does not tell the product.
#[test]
fn the_default_name_is_prefixed_and_neutral() {
    let line = setting(&sessions());
    assert_eq!(line.name, "__Host-session");
    assert!(!line.name.to_ascii_lowercase().contains("hardtack"));
    assert_eq!(line.get("domain"), None);
}

/// A03: `__Host-Http-` keeps every rule of `__Host-`, so that older browsers enforce those.
#[test]
fn the_newest_prefix_obeys_the_rules_of_the_older_ones() {
    let line = setting(&with(CookiePolicy::host_http("session")).unwrap());
    assert_eq!(line.name, "__Host-Http-session");
    let wanted = [("httponly", ""), ("path", "/"), ("samesite", "Lax"), ("secure", "")];
    assert_eq!(line.lasting(), BTreeMap::from(wanted));
}

/// A05: `SameSite` is written out whichever it is, and `None` is `Secure`.
#[test]
fn same_site_is_always_written_out() {
    for (same_site, text) in [(SameSite::Lax, "Lax"), (SameSite::Strict, "Strict"), (SameSite::None, "None")] {
        for policy in [CookiePolicy::host("s"), CookiePolicy::secure("s"), CookiePolicy::plain("s")] {
            let line = setting(&with(policy.same_site(same_site)).unwrap());
            assert_eq!((line.get("samesite"), line.get("secure")), (Some(text), Some("")));
        }
    }
}

/// Sessions whose cookie value has 4,071 characters, the longest below 4,096 (94 blocks of 32 bytes in the
/// envelope), under a name that makes `size` bytes of both.
fn of_size(size: usize) -> (Sessions, String) {
    let name = "n".repeat(size - 4071);
    (with(CookiePolicy::plain(&name)).unwrap(), name)
}

/// The note that fills 94 blocks beside the 106 bytes of the header, the count of fields (2), the field's own
/// lengths and name (1 + 4 + 4) and two quotes.
fn filling_note() -> String {
    "x".repeat(94 * 32 - 106 - 2 - 9 - 2)
}

/// A06: 4,095 and 4,096 bytes of name and value are sent and come back whole; 4,097 are a typed error, a 500
/// and no cookie, and never a session that was cut or silently lost.
#[test]
fn name_and_value_have_4096_bytes_at_most() {
    for size in [4095, 4096] {
        let (sessions, name) = of_size(size);
        let app = Router::new()
            .route("/set", get(async |session: Session| session.set(NOTE, filling_note())))
            .route("/get", get(async |session: Session| session.get(NOTE).unwrap_or_default()))
            .layer(sessions.layer());
        let server = serve(app);
        let reply = fetch_bare(server, "/set");
        let line = only_line(&reply);
        assert_eq!((reply.status, line.name.len() + line.value.len()), (200, size));
        assert_eq!(fetch(server, "/get", [format!("{name}={}", line.value)]).text(), filling_note());
    }
    let (sessions, name) = of_size(4097);
    let small = cookie(&sessions, |session| session.set(NOTE, "small".into()));
    let app = Router::new()
        .route("/set", get(async |session: Session| session.set(NOTE, filling_note())))
        .route("/get", get(async |session: Session| session.get(NOTE).unwrap_or_default()))
        .layer(sessions.layer());
    let server = serve(app);
    for cookies in ["", &small] {
        let reply = fetch(server, "/set", [cookies]);
        assert_eq!((reply.status, reply.set_cookies()), (500, vec![]));
    }
    assert_eq!(fetch(server, "/get", [&small]).text(), "small");
    let request = sessions.begin([]);
    wait(request.session()).unwrap().set(NOTE, filling_note());
    match wait(request.finish()).unwrap_err() {
        CommitError::TooLarge { size, limit } => assert_eq!((size, limit), (4097, 4096), "{name}"),
        other => panic!("{other:?}"),
    }
}

/// A06: no attribute is longer than 1,024 bytes, which a browser would drop.
#[test]
fn an_attribute_has_1024_bytes_at_most() {
    let path = format!("/{}", "x".repeat(1023));
    let line = setting(&with(CookiePolicy::secure("s").path(&path)).unwrap());
    assert_eq!(line.get("path"), Some(path.as_str()));
    assert!(with(CookiePolicy::secure("s").path(format!("{path}x"))).is_err());
}

fn any_text() -> impl Strategy<Value = String> {
    prop_oneof![
        "[a-zA-Z0-9_-]{1,12}",
        "/[a-z0-9/]{0,12}",
        "[a-z]{1,8}(\\.[a-z]{1,8}){0,3}",
        "/?[ -~]{0,12}",
        "/[a-c; ,\"]{0,3}",
        "[ -~\t\r\n\0éß]{0,12}",
        prop::arbitrary::any::<String>(),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4096, ..ProptestConfig::default() })]

    /// A07, A08, J04: whatever configuration is accepted, a browser reads exactly that from the line.
    #[test]
    fn what_is_configured_is_what_a_browser_reads(
        prefix in 0..4_u8,
        name in any_text(),
        path in prop::option::of(any_text()),
        domain in prop::option::of(any_text()),
        same_site in prop::sample::select(vec![SameSite::Lax, SameSite::Strict, SameSite::None]),
        partitioned: bool,
        persistent: bool,
    ) {
        let mut policy = match prefix {
            0 => CookiePolicy::host(&name),
            1 => CookiePolicy::host_http(&name),
            2 => CookiePolicy::secure(&name),
            _ => CookiePolicy::plain(&name),
        };
        policy = policy.same_site(same_site);
        let mut wanted = BTreeMap::from([("httponly", ""), ("secure", ""), ("path", "/")]);
        wanted.insert("samesite", match same_site {
            SameSite::Lax => "Lax",
            SameSite::Strict => "Strict",
            SameSite::None => "None",
        });
        if let Some(path) = &path {
            policy = policy.path(path);
            wanted.insert("path", path);
        }
        if let Some(domain) = &domain {
            policy = policy.domain(domain);
            wanted.insert("domain", domain);
        }
        if partitioned {
            policy = policy.partitioned();
            wanted.insert("partitioned", "");
        }
        if persistent {
            policy = policy.persistent();
        }
        let full_name = policy.name().to_owned();
        if let Ok(sessions) = with(policy) {
            let line = setting(&sessions);
            prop_assert_eq!(&line.name, &full_name);
            prop_assert!(full_name.ends_with(&name));
            prop_assert_eq!(line.lasting(), wanted);
            prop_assert_eq!(line.get("max-age").is_some(), persistent);
            prop_assert!(line.value.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte)));
            prop_assert_eq!(&line.name, line.name.trim());
        }
    }
}

/// A09: one handler that sets, signs in, signs out and sets again sends one cookie.
#[test]
fn set_and_sign_in_and_sign_out_in_one_request_are_one_cookie() {
    async fn all(session: Session) {
        session.set(NOTE, "a".into());
        session.sign_in("ada");
        session.set(NOTE, "b".into());
        session.sign_in("bob");
        session.sign_out();
    }
    async fn all_and_more(session: Session) {
        all(session.clone()).await;
        session.set(NOTE, "c".into());
        session.csrf_token();
    }
    let sessions = sessions();
    let app = Router::new().route("/all", get(all)).route("/more", get(all_and_more)).layer(sessions.layer());
    let server = serve(app);
    let live = cookie(&sessions, |session| session.sign_in("ada"));
    assert!(fetch_bare(server, "/all").set_cookies().is_empty());
    assert_eq!(only_line(&fetch(server, "/all", [&live])).get("max-age"), Some("0"));
    assert!(!only_line(&fetch_bare(server, "/more")).value.is_empty());
    assert!(!only_line(&fetch(server, "/more", [&live])).value.is_empty());
}

const DAY: Duration = Duration::from_secs(24 * 3600);
const CAP: &str = "34560000";

fn max_age(sessions: &Sessions, cookies: &str, work: impl FnOnce(&Session)) -> Option<String> {
    let lines = lines(sessions, cookies, work);
    assert_eq!(lines.len(), 1);
    let line = Line::parse(&lines[0]).unwrap();
    assert_eq!(line.get("expires"), None);
    line.get("max-age").map(|age| {
        assert!(age.bytes().all(|byte| byte.is_ascii_digit()), "{age}");
        age.to_owned()
    })
}

/// A10: a persistent cookie lives for 400 days at most, also when the clock was set back meanwhile, and a
/// policy of more does not build.
#[test]
fn a_cookie_lives_for_400_days_at_most() {
    let (builder, clock) = builder();
    let sessions = builder.cookie(CookiePolicy::default().persistent()).absolute(400 * DAY).build().unwrap();
    assert_eq!(max_age(&sessions, "", |session| session.sign_in("ada")).as_deref(), Some(CAP));
    let live = cookie(&sessions, |session| session.sign_in("ada"));
    clock.rewind(Duration::from_secs(30));
    assert_eq!(max_age(&sessions, &live, |session| session.set(NOTE, "x".into())).as_deref(), Some(CAP));
    let second = Duration::from_secs(1);
    assert!(common::builder().0.absolute(400 * DAY + second).build().is_err());
    assert!(common::builder().0.remember_me(400 * DAY + second).build().is_err());
    assert!(common::builder().0.remember_me(Duration::MAX).build().is_err());
}

/// A10: `Max-Age` follows the absolute deadline and never goes below zero.
#[test]
fn max_age_counts_down_to_zero_and_not_below() {
    let (builder, clock) = builder();
    let sessions = builder.cookie(CookiePolicy::default().persistent()).idle(DAY).absolute(DAY).build().unwrap();
    let live = cookie(&sessions, |session| session.sign_in("ada"));
    let write = |session: &Session| session.set(NOTE, "x".into());
    assert_eq!(max_age(&sessions, &live, write).as_deref(), Some("86400"));
    clock.advance(DAY - Duration::from_millis(1));
    assert_eq!(max_age(&sessions, &live, write).as_deref(), Some("1"));
    let passes = |session: &Session| {
        clock.advance(2 * DAY);
        write(session);
    };
    assert_eq!(max_age(&sessions, &live, passes).as_deref(), Some("0"));
}

/// A10: no year breaks it: 1970, past 2038, past 9999, and the end of the format.
#[test]
fn no_year_breaks_the_lifetime() {
    for year in [0, 68, 69, 130, 8029, 8030, 8900] {
        let clock = Clock::manual(year * 31_556_952_000 + 1000);
        let sessions = Sessions::stateless(Keyring::ephemeral().unwrap()).clock(clock);
        let sessions = sessions.cookie(CookiePolicy::default().persistent()).build().unwrap();
        assert_eq!(max_age(&sessions, "", |session| session.sign_in("ada")).as_deref(), Some("86400"), "{year}");
    }
    let sessions = Sessions::stateless(Keyring::ephemeral().unwrap()).clock(Clock::manual(u64::MAX));
    let sessions = sessions.cookie(CookiePolicy::default().persistent()).build().unwrap();
    assert_eq!(max_age(&sessions, "", |session| session.sign_in("ada")).as_deref(), Some("0"));
}

/// A10: a cookie that is to end with the browser has no lifetime at all; a remembered one has.
#[test]
fn only_a_remembered_session_outlives_the_browser() {
    let sessions = builder().0.remember_me(30 * DAY).build().unwrap();
    assert_eq!(max_age(&sessions, "", |session| session.sign_in("ada")), None);
    let remember = |session: &Session| {
        session.sign_in("ada");
        session.remember_me(true);
    };
    assert_eq!(max_age(&sessions, "", remember).as_deref(), Some("2592000"));
}

/// A11, A12: the removal repeats every attribute of the cookie, `Partitioned` and `Domain` too: otherwise a
/// browser would keep it.
#[test]
fn the_removal_repeats_every_attribute() {
    let none = |policy: CookiePolicy| policy.same_site(SameSite::None).partitioned();
    for policy in [
        CookiePolicy::default(),
        CookiePolicy::host_http("s").same_site(SameSite::Strict),
        none(CookiePolicy::host("s")),
        CookiePolicy::secure("s").path("/app").domain("app.example"),
        none(CookiePolicy::secure("s").domain("app.example")),
        CookiePolicy::plain("s").path("/x").persistent(),
    ] {
        let sessions = with(policy.clone()).unwrap();
        let set = setting(&sessions);
        let live = format!("{}={}", set.name, set.value);
        let removals =
            [lines(&sessions, &live, Session::sign_out), lines(&sessions, &format!("{}=forged", set.name), |_| ())];
        for removal in removals {
            assert_eq!(removal.len(), 1);
            let removal = Line::parse(&removal[0]).unwrap();
            assert_eq!((removal.name.as_str(), removal.value.as_str()), (set.name.as_str(), ""));
            assert_eq!(removal.get("max-age"), Some("0"));
            assert_eq!(removal.lasting(), set.lasting(), "{policy:?}");
        }
    }
}

/// A12: `Partitioned` never goes without `Secure`, on loopback under the development word neither.
#[test]
fn partitioned_never_goes_without_secure() {
    for policy in [CookiePolicy::host("s"), CookiePolicy::secure("s"), CookiePolicy::plain("s")] {
        let sessions = with(policy.partitioned().insecure_on_loopback()).unwrap();
        let server = serve(sign_in_app(&sessions));
        for host in ["app.example", "localhost"] {
            let line = only_line(&request(server, "GET", "/", format!("Host: {host}\r\n").as_bytes(), b""));
            let secure = host == "app.example";
            assert_eq!((line.get("partitioned").is_some(), line.get("secure").is_some()), (secure, secure));
        }
    }
}

/// A13: a domain is written only where it was asked for.
#[test]
fn a_domain_is_written_only_when_it_was_chosen() {
    for policy in [CookiePolicy::default(), CookiePolicy::secure("s"), CookiePolicy::plain("s")] {
        assert_eq!(setting(&with(policy).unwrap()).get("domain"), None);
    }
    let shared = setting(&with(CookiePolicy::secure("s").domain("app.example")).unwrap());
    assert_eq!(shared.get("domain"), Some("app.example"));
}

/// A14: reading a session, or not asking for it, sends no cookie; nor does a write that changes nothing.
#[test]
fn a_request_that_only_reads_sends_no_cookie() {
    async fn read(session: Session) -> String {
        let note = session.get(NOTE);
        session.set(NOTE, "x".into());
        session.remove(hardtack::Field::<String>::new("absent"));
        format!("{note:?} {:?} {:?}", session.owner(), session.expires_in())
    }
    async fn absent(session: Session) {
        session.remove(NOTE);
        session.take(NOTE);
        session.clear();
        session.sign_out();
    }
    let sessions = sessions();
    let live = cookie(&sessions, |session| {
        session.sign_in("ada");
        session.set(NOTE, "x".into());
    });
    let app = Router::new()
        .route("/read", get(read))
        .route("/absent", get(absent))
        .route("/nothing", get(async || "nothing"))
        .layer(sessions.layer());
    let server = serve(app);
    assert!(fetch(server, "/read", [&live]).set_cookies().is_empty());
    assert!(fetch(server, "/nothing", [&live]).set_cookies().is_empty());
    assert!(fetch(server, "/nothing", ["__Host-session=forged"]).set_cookies().is_empty());
    assert!(fetch_bare(server, "/nothing").set_cookies().is_empty());
    assert!(fetch_bare(server, "/absent").set_cookies().is_empty());
}

/// A15, A17: the application's own cookies stay, in their order, and ours is a field of its own beside them.
#[test]
fn the_cookies_of_the_application_stay() {
    async fn own(session: Session) -> impl IntoResponse {
        session.sign_in("ada");
        let mut headers = HeaderMap::new();
        headers.append(header::SET_COOKIE, "theme=dark; Path=/".parse().unwrap());
        headers.append(header::SET_COOKIE, "lang=en; Expires=Wed, 21 Oct 2026 07:28:00 GMT".parse().unwrap());
        (headers, "own")
    }
    let server = serve(Router::new().route("/", get(own)).layer(sessions().layer()));
    let reply = fetch_bare(server, "/");
    let lines = reply.set_cookies();
    assert_eq!(lines[..2], ["theme=dark; Path=/", "lang=en; Expires=Wed, 21 Oct 2026 07:28:00 GMT"]);
    assert_eq!(lines.len(), 3);
    assert!(lines[2].starts_with("__Host-session="));
}

fn sign_in_app(sessions: &Sessions) -> Router {
    Router::new().route("/", any(async |session: Session| session.sign_in("ada"))).layer(sessions.layer())
}

/// A16: no header of a proxy decides what the cookie says.
#[test]
fn no_forwarded_header_changes_the_cookie() {
    let policies = [CookiePolicy::default(), CookiePolicy::default().insecure_on_loopback()];
    for policy in policies {
        let server = serve(sign_in_app(&with(policy).unwrap()));
        let plain = only_line(&request(server, "GET", "/", b"Host: app.example\r\n", b""));
        for header in [
            "X-Forwarded-Proto: http",
            "X-Forwarded-Proto: https",
            "X-Forwarded-Scheme: http",
            "X-Forwarded-Ssl: off",
            "X-Forwarded-Host: localhost",
            "X-Forwarded-For: 127.0.0.1",
            "X-Forwarded-Server: localhost",
            "X-Host: localhost",
            "X-Real-IP: 127.0.0.1",
            "Forwarded: proto=http;host=localhost",
            "Origin: http://localhost",
            "Referer: http://localhost/",
        ] {
            let fields = format!("{header}\r\nHost: app.example\r\n{header}\r\n");
            let line = only_line(&request(server, "GET", "/", fields.as_bytes(), b""));
            assert_eq!((line.name.as_str(), line.lasting()), ("__Host-session", plain.lasting()), "{header}");
        }
    }
}

const LOOPBACK: [&str; 11] = [
    "localhost",
    "LocalHost",
    "localhost:3000",
    "app.localhost",
    "a.b.localhost:80",
    "127.0.0.1",
    "127.0.0.1:8080",
    "127.255.255.254",
    "[::1]",
    "[::1]:3000",
    "localhost:65535",
];
const ELSEWHERE: [&str; 24] = [
    "app.example",
    "localhost.example",
    "evil-localhost",
    "notlocalhost",
    "127.0.0.1.example",
    "localhost.example:80",
    "128.0.0.1",
    "0.0.0.0",
    "10.0.0.1",
    "192.168.0.1",
    "127.1",
    "2130706433",
    "0x7f.0.0.1",
    "0127.0.0.1",
    "[::2]",
    "[::]",
    "[::1].example",
    "[::1]evil",
    "localhost:80:80",
    "localhost:x",
    "localhost:99999",
    "user@localhost",
    "localhost@evil",
    "",
];

/// A16: the development word is judged by the host of the request: loopback names and addresses lose the
/// prefix and `Secure`, no other host does, however it resembles them.
#[test]
fn the_development_word_acts_on_loopback_hosts_only() {
    let sessions = with(CookiePolicy::default().insecure_on_loopback()).unwrap();
    let server = serve(sign_in_app(&sessions));
    let ask = |host: &str| only_line(&request(server, "GET", "/", format!("Host: {host}\r\n").as_bytes(), b""));
    for host in LOOPBACK {
        let line = ask(host);
        assert_eq!((line.name.as_str(), line.get("secure")), ("session", None), "{host}");
        assert_eq!((line.get("httponly"), line.get("samesite")), (Some(""), Some("Lax")), "{host}");
    }
    for host in ELSEWHERE {
        let line = ask(host);
        assert_eq!((line.name.as_str(), line.get("secure")), ("__Host-session", Some("")), "{host}");
    }
    let http10 = exchange(server, b"GET / HTTP/1.0\r\n\r\n").unwrap();
    assert_eq!(only_line(&http10).name, "__Host-session", "no host at all");
}

/// A16: the request's target outranks the `Host` field (RFC 9112 §3.2.2), and on the loopback host the
/// other cookie is not read: one of plain http never is one of the site.
#[test]
fn the_target_outranks_the_host_field_and_the_two_cookies_stay_apart() {
    let sessions = with(CookiePolicy::default().insecure_on_loopback()).unwrap();
    let app = Router::new()
        .route("/", get(common::who))
        .route("/in", get(async |session: Session| session.sign_in("ada")))
        .layer(sessions.layer());
    let server = serve(app);
    let target = |target: &str, host: &str| {
        only_line(&request(server, "GET", target, format!("Host: {host}\r\n").as_bytes(), b"")).name
    };
    assert_eq!(target("http://app.example/in", "localhost"), "__Host-session");
    assert_eq!(target("http://localhost/in", "app.example"), "session");

    let ask = |host: &str, cookies: &str| {
        request(server, "GET", "/", format!("Host: {host}\r\nCookie: {cookies}\r\n").as_bytes(), b"")
    };
    let insecure = request(server, "GET", "/in", b"Host: localhost\r\n", b"").cookie();
    assert_eq!(ask("localhost", &insecure).text(), "ada");
    assert_eq!(ask("app.example", &insecure).text(), "nobody");
    assert_eq!(ask("app.example", &format!("__Host-{insecure}")).text(), "nobody");
}

/// A16: without the development word no host weakens anything.
#[test]
fn without_the_development_word_loopback_is_like_any_host() {
    let server = serve(sign_in_app(&sessions()));
    for host in LOOPBACK {
        let line = only_line(&request(server, "GET", "/", format!("Host: {host}\r\n").as_bytes(), b""));
        assert_eq!((line.name.as_str(), line.get("secure")), ("__Host-session", Some("")), "{host}");
    }
}

/// A17: the cookie is in the head of every kind of response, in a field of its own, and opens.
#[test]
fn every_kind_of_response_carries_the_cookie() {
    async fn kind(kind: axum::extract::Path<String>, session: Session) -> Response<Body> {
        session.sign_in("ada");
        let (status, body) = match kind.as_str() {
            "streaming" => {
                let chunks = ["one ", "two ", "three"].map(|chunk| Ok::<_, std::io::Error>(Bytes::from(chunk)));
                (200, Body::from_stream(stream::iter(chunks)))
            }
            "upgrade" => {
                let response = Response::builder().status(101).header("connection", "upgrade");
                return response.header("upgrade", "demo").body(Body::empty()).unwrap();
            }
            number => (number.parse().unwrap(), Body::from("body")),
        };
        let location = (300..400).contains(&status).then_some(("location", "/elsewhere"));
        let mut response = Response::builder().status(status);
        if let Some((name, value)) = location {
            response = response.header(name, value);
        }
        response.body(if matches!(status, 204 | 304) { Body::empty() } else { body }).unwrap()
    }
    let sessions = sessions();
    let app = Router::new().route("/who", get(common::who)).route("/{kind}", any(kind)).layer(sessions.layer());
    let server = serve(app);
    let opens = |what: &str, reply: &Reply| {
        let line = only_line(reply);
        assert_eq!(line.name, "__Host-session", "{what}");
        assert_eq!(fetch(server, "/who", [reply.cookie()]).text(), "ada", "{what}");
    };
    for status in [200, 201, 204, 206, 301, 302, 303, 304, 307, 308, 400, 401, 403, 404, 418, 429, 500, 502, 503] {
        for method in ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"] {
            let reply = request(server, method, &format!("/{status}"), b"Host: app.example\r\n", b"");
            assert_eq!(reply.status, status);
            opens(&format!("{method} {status}"), &reply);
        }
    }
    let streamed = fetch_bare(server, "/streaming");
    assert_eq!(streamed.one("transfer-encoding"), "chunked");
    assert!(streamed.text().contains("two"));
    opens("streaming", &streamed);
    let upgrade =
        exchange(server, b"GET /upgrade HTTP/1.1\r\nHost: app.example\r\nConnection: Upgrade\r\nUpgrade: demo\r\n\r\n");
    let upgrade = upgrade.unwrap();
    assert_eq!(upgrade.status, 101);
    opens("upgrade", &upgrade);
}

/// A17: the fallback of the router, a method that is not allowed and a rejection of another extractor are
/// responses as well: what a middleware wrote is saved with them.
#[test]
fn responses_that_no_handler_made_carry_the_cookie() {
    async fn mark(session: Session, request: axum::extract::Request, next: axum::middleware::Next) -> Response<Body> {
        session.set(NOTE, "marked".into());
        next.run(request).await
    }
    let app = Router::new()
        .route("/number/{number}", get(async |_: axum::extract::Path<u64>| ()))
        .fallback(async || StatusCode::NOT_FOUND)
        .layer(axum::middleware::from_fn(mark))
        .layer(sessions().layer());
    let server = serve(app);
    for (method, path, status) in [("GET", "/x", 404), ("POST", "/number/1", 405), ("GET", "/number/x", 400)] {
        let reply = request(server, method, path, b"Host: app.example\r\n", b"");
        assert_eq!(reply.status, status);
        assert_eq!(only_line(&reply).name, "__Host-session", "{path}");
    }
}
