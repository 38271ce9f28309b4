//! H01–H05, H07, H08, H13–H16: the verdict on the headers of a request, over HTTP, by the tables of Go and Rails and
//! by our own. The program's tests run the same tables over TLS.
#![cfg(feature = "axum")]
#![allow(clippy::unwrap_used, missing_docs)]

mod common;
#[path = "common/csrf_rows.rs"]
mod csrf_rows;

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use axum::{
    Router,
    extract::Request,
    middleware::{Next, from_fn},
    response::Response,
    routing::{any, get},
};
use common::{Reply, cookie, exchange, serve, sessions};
use csrf_rows::{POLICIES, policy, tables};
use hardtack::{
    BuildError, Sessions,
    csrf::{CsrfLayer, CsrfPolicy, CsrfRefusal, Verdict},
};
use http::{HeaderMap, Method, Uri};
use tower::Layer;

/// A site that counts what gets through, on every path.
struct Site {
    server: SocketAddr,
    ran: Arc<AtomicUsize>,
    cookie: String,
    token: String,
}

impl Site {
    fn new(policy: CsrfPolicy) -> Self {
        Self::with(&sessions(), CsrfLayer::with(policy))
    }

    fn with(sessions: &Sessions, layer: CsrfLayer) -> Self {
        let ran = Arc::new(AtomicUsize::new(0));
        let counter = ran.clone();
        let run = move || {
            counter.fetch_add(1, Ordering::Relaxed);
            async { "ran" }
        };
        let guarded = Router::new().route("/", any(run.clone())).route("/api/", any(run.clone()));
        let guarded = guarded.route("/varies", any(async || ([("vary", "Accept, sec-fetch-site")], "ran")));
        let exempt = Router::new().route("/bypass/", any(run.clone())).route("/only/{foo}", any(run));
        let app = guarded.layer(layer).merge(exempt).layer(sessions.layer());
        let mut token = String::new();
        let cookie = cookie(sessions, |session| token = session.csrf_token());
        Self { server: serve(app), ran, cookie, token }
    }

    /// The answer, and whether the handler ran.
    fn send(&self, request: &[u8]) -> (Reply, bool) {
        let before = self.ran.load(Ordering::Relaxed);
        let reply = exchange(self.server, request).unwrap();
        (reply, self.ran.load(Ordering::Relaxed) > before)
    }

    fn get(&self, path: &str, lines: &str) -> Reply {
        let head = format!("GET {path} HTTP/1.1\r\nHost: example.com\r\nConnection: close\r\n{lines}\r\n");
        exchange(self.server, head.as_bytes()).unwrap()
    }

    fn post(&self, path: &str, lines: &str) -> Reply {
        let (cookie, token) = (&self.cookie, &self.token);
        let head = format!(
            "POST {path} HTTP/1.1\r\nHost: example.com\r\nContent-Length: 0\r\nConnection: close\r\nCookie: {cookie}\r\nX-CSRF-Token: {token}\r\n{lines}\r\n"
        );
        exchange(self.server, head.as_bytes()).unwrap()
    }
}

/// H01–H05, H07, H08, H14–H16
#[test]
fn the_tables_of_go_and_rails_and_our_own_hold() {
    let tables = tables();
    let sites: Vec<_> = POLICIES.iter().map(|name| (*name, Site::new(policy(name)))).collect();
    assert!(tables.rows.len() > 100);
    for row in &tables.rows {
        let (_, site) = sites.iter().find(|(name, _)| *name == row.policy).unwrap();
        let (reply, ran) = site.send(&row.request(&row.path, &site.cookie, &site.token));
        assert_eq!(ran, row.passes(), "{}: {}", row.name(), reply.status);
        // What is no route is not found: there is nothing to run.
        let allowed: &[u16] = if row.passes() { &[200] } else { &[403, 404] };
        assert!(allowed.contains(&reply.status), "{}: {}", row.name(), reply.status);
    }
}

/// H01–H03, H14: a token is not asked for instead of good headers, nor the other way: without one, what passed before
/// is refused, unless it is a GET, or exempt.
#[test]
fn good_headers_do_not_excuse_a_missing_token() {
    let sites: Vec<_> = POLICIES.iter().map(|name| (*name, Site::new(policy(name)))).collect();
    let mut refused = 0;
    for mut row in tables().rows {
        let is_exempt = row.path.starts_with("/bypass") || row.path.starts_with("/only");
        let is_safe = ["GET", "HEAD", "OPTIONS"].contains(&&*row.method);
        if !row.passes() || is_exempt || is_safe {
            continue;
        }
        let (_, site) = sites.iter().find(|(name, _)| *name == row.policy).unwrap();
        row.token = false;
        let (reply, ran) = site.send(&row.request(&row.path, &site.cookie, ""));
        assert_eq!((reply.status, ran), (403, false), "{}", row.name());
        refused += 1;
    }
    assert!(refused > 30, "{refused}");
}

/// H04: what is no origin does not build, and the error says what to write instead.
#[test]
fn a_trusted_origin_is_scheme_host_and_port_or_an_error() {
    for text in tables().origins {
        for built in [CsrfPolicy::new().trust_origin(&text.text), CsrfPolicy::new().own_origin(&text.text)] {
            assert_eq!(built.is_ok(), text.good, "{}: {:?}", text.of, text.text);
            if let Err(error) = built {
                assert!(matches!(error, BuildError::Setting { .. }));
                assert!(
                    error.to_string().contains("is no origin: write")
                        || error.to_string().contains("is no origin: its"),
                    "{error}"
                );
            }
        }
    }
}

/// H05: an exemption is a route that stands outside of the layer, so it holds for what the router takes for that
/// route, and for nothing that only looks like it.
#[test]
fn no_other_spelling_of_a_path_is_exempt() {
    let site = Site::new(CsrfPolicy::new());
    let foreign = "Origin: https://attacker.example\r\nSec-Fetch-Site: cross-site\r\n";
    assert_eq!(site.post("/bypass/", foreign).status, 200);
    assert_eq!(site.post("/bypass/?next=/api/", foreign).status, 200);
    let before = site.ran.load(Ordering::Relaxed);
    for path in [
        "/",
        "/api/",
        "/bypass/../api/",
        "/bypass/..%2fapi/",
        "/bypass/%2e%2e/api/",
        "/bypass//../api/",
        "/api/?/bypass/",
        "/api/;/bypass/",
        "//bypass/",
        "/bypass",
        "/Bypass/",
        "/%62ypass/",
        "/foo/../bypass/",
        "/bypass/.",
        "/only/1/../../api/",
        "/only/1/",
        "/only/",
        "*",
        "http://example.com/api/",
    ] {
        let reply = site.post(path, foreign);
        assert!([403, 404].contains(&reply.status), "{path}: {}", reply.status);
    }
    assert_eq!(site.ran.load(Ordering::Relaxed), before);
}

/// H08: a layer that replaces the method cannot weaken what is sent, on either side of ours.
#[test]
fn a_replaced_method_is_judged_by_what_was_sent() {
    async fn replace(mut request: Request, next: Next) -> Response {
        let method =
            request.headers().get("x-http-method-override").map(|method| Method::from_bytes(method.as_bytes()));
        if let Some(Ok(method)) = method {
            *request.method_mut() = method;
        }
        next.run(request).await
    }
    let sessions = sessions();
    let mut token = String::new();
    let made = cookie(&sessions, |session| token = session.csrf_token());
    for outside in [true, false] {
        // Around a router, because inside of it the route is chosen already.
        let routes = || Router::new().route("/", get(async || "read").delete(async || "deleted"));
        let replaced = |inner: Router| Router::new().fallback_service(from_fn(replace).layer(inner));
        let guarded = |inner: Router| Router::new().fallback_service(CsrfLayer::new().layer(inner));
        let app = if outside { replaced(guarded(routes())) } else { guarded(replaced(routes())) };
        let server = serve(app.layer(sessions.layer()));
        // The control: it is obeyed where nobody guards.
        let bare = serve(replaced(routes()));
        let head = b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nX-HTTP-Method-Override: DELETE\r\n\r\n";
        assert_eq!(exchange(bare, head).unwrap().text(), "deleted");
        let send = |method: &str, lines: &str| {
            let head = format!(
                "{method} / HTTP/1.1\r\nHost: example.com\r\nContent-Length: 0\r\nConnection: close\r\nCookie: {made}\r\n{lines}\r\n"
            );
            exchange(server, head.as_bytes()).unwrap().status
        };
        for method in ["GET", "POST", "DELETE"] {
            for replaced in ["GET", "HEAD", "OPTIONS", "DELETE", "nonsense"] {
                let lines = format!("X-HTTP-Method-Override: {replaced}\r\n");
                assert_eq!(send(method, &lines), 403, "{method} as {replaced}, outside: {outside}");
                let foreign = format!("{lines}X-CSRF-Token: {token}\r\nSec-Fetch-Site: cross-site\r\n");
                assert_eq!(send(method, &foreign), 403, "{method} as {replaced}, outside: {outside}");
            }
        }
        assert_eq!(send("GET", ""), 200);
        assert_eq!(send("DELETE", &format!("X-CSRF-Token: {token}\r\n")), 200);
    }
}

/// H13: caches are told what an answer depends on, once, beside what the application said; where nothing was judged
/// nothing is said.
#[test]
fn answers_vary_by_what_was_judged() {
    let site = Site::new(CsrfPolicy::new());
    let vary = |reply: &Reply| {
        let mut names: Vec<_> =
            reply.all("vary").iter().flat_map(|line| line.split(", ")).map(str::to_ascii_lowercase).collect();
        names.sort_unstable();
        names
    };
    for lines in ["", "Sec-Fetch-Site: same-origin\r\n", "Sec-Fetch-Site: cross-site\r\n", "Origin: null\r\n"] {
        let reply = site.post("/", lines);
        let mut expected = vec!["origin", "sec-fetch-site"];
        // The session was asked for its token where the headers were good.
        if reply.status == 200 {
            expected.insert(0, "cookie");
        }
        assert_eq!(vary(&reply), expected, "{lines}");
    }
    assert_eq!(vary(&site.post("/varies", "")), ["accept", "cookie", "origin", "sec-fetch-site"]);
    assert_eq!(vary(&site.get("/", "Sec-Fetch-Site: cross-site\r\n")), [""; 0]);
    assert_eq!(vary(&site.get("/", "Accept: text/event-stream\r\n")), ["origin", "sec-fetch-site"]);
    assert_eq!(vary(&site.post("/bypass/", "")), [""; 0]);
}

/// The statuses of requests over one connection of HTTP/2.
fn over_http2(server: SocketAddr, requests: impl IntoIterator<Item = http::request::Builder>) -> Vec<u16> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let stream = tokio::net::TcpStream::connect(server).await.unwrap();
        let (mut client, connection) = h2::client::handshake(stream).await.unwrap();
        tokio::spawn(connection);
        // The server's settings come first: whether it understands an extended CONNECT is one of them.
        while !client.is_extended_connect_protocol_enabled() {
            tokio::task::yield_now().await;
        }
        let mut statuses = Vec::new();
        for request in requests {
            client = client.ready().await.unwrap();
            let (answer, mut body) = client.send_request(request.body(()).unwrap(), false).unwrap();
            body.send_data(axum::body::Bytes::new(), true).unwrap();
            statuses.push(answer.await.unwrap().status().as_u16());
        }
        statuses
    })
}

/// H14: in HTTP/2 a WebSocket begins with an extended CONNECT (RFC 8441), which is judged by its headers and needs no
/// token, because no browser can send one with it.
#[test]
fn an_extended_connect_is_judged_by_its_headers() {
    let site = Site::new(CsrfPolicy::new());
    let cases = [
        (&[("origin", "https://example.com")][..], 200),
        (&[("origin", "https://attacker.example")], 403),
        (&[("origin", "http://example.com")], 403),
        (&[("origin", "null")], 403),
        (&[("origin", "https://example.com"), ("sec-fetch-site", "cross-site")], 403),
        (&[("sec-fetch-site", "same-origin")], 200),
        (&[], 200),
    ];
    let requests = cases.map(|(lines, _)| {
        let connect = http::Request::builder().method(Method::CONNECT).uri("https://example.com/");
        let connect = connect.extension(h2::ext::Protocol::from_static("websocket"));
        lines.iter().fold(connect, |request, (name, value)| request.header(*name, *value))
    });
    assert_eq!(over_http2(site.server, requests), cases.map(|(_, status)| status));
}

/// H02, in HTTP/2: the host is that of `:authority`.
#[test]
fn the_authority_of_http_2_is_the_own_host() {
    let site = Site::new(CsrfPolicy::new());
    let cases =
        [("https://example.com", 200), ("https://attacker.example", 403), ("http://example.com", 403), ("null", 403)];
    let requests = cases.map(|(origin, _)| {
        let post = http::Request::post("https://example.com/").header("origin", origin);
        post.header("cookie", &site.cookie).header("x-csrf-token", &site.token)
    });
    assert_eq!(over_http2(site.server, requests), cases.map(|(_, status)| status));
}

/// The verdict alone, as those without a framework ask for it; bytes that are no text are refused and no panic.
#[test]
fn the_verdict_can_be_asked_for_without_a_framework() {
    let policy = CsrfPolicy::new();
    let ask = |method: Method, lines: &[(&'static str, &[u8])]| {
        let headers: HeaderMap =
            lines.iter().map(|(name, value)| (name.parse().unwrap(), value.to_vec().try_into().unwrap())).collect();
        policy.judge(&method, &Uri::from_static("/"), &headers)
    };
    assert_eq!(ask(Method::GET, &[]), Ok(Verdict::Safe));
    assert_eq!(ask(Method::POST, &[]), Ok(Verdict::NeedsToken));
    assert_eq!(ask(Method::GET, &[("upgrade", b"websocket")]), Ok(Verdict::Stream));
    assert_eq!(ask(Method::CONNECT, &[]), Ok(Verdict::Stream));
    assert_eq!(ask(Method::POST, &[("sec-fetch-site", b"cross-site")]), Err(CsrfRefusal::CrossSite));
    assert_eq!(ask(Method::POST, &[("sec-fetch-site", b"\xff")]), Err(CsrfRefusal::CrossSite));
    assert_eq!(ask(Method::POST, &[("origin", b"https://\xff")]), Err(CsrfRefusal::ForeignOrigin));
    let both: &[(_, &[u8])] = &[("host", b"\xff"), ("origin", b"https://example.com")];
    assert_eq!(ask(Method::POST, both), Err(CsrfRefusal::ForeignOrigin));
    let twice: &[(_, &[u8])] = &[("host", b"example.com"), ("origin", b"https://example.com")];
    assert_eq!(ask(Method::POST, twice), Ok(Verdict::NeedsToken));
    let required = CsrfPolicy::new().require_headers();
    let nothing = required.judge(&Method::POST, &Uri::from_static("/"), &HeaderMap::new());
    assert_eq!(nothing, Err(CsrfRefusal::NoHeaders));
}

/// H02: on this machine, and nowhere else, a page without https is the site's own.
#[test]
fn an_own_page_without_https_is_on_this_machine() {
    let policy = CsrfPolicy::new();
    for (host, origin, passes) in [
        ("127.0.0.1:3000", "http://127.0.0.1:3000", true),
        ("localhost:3000", "http://localhost:3000", true),
        ("app.localhost", "http://app.localhost", true),
        ("[::1]:3000", "http://[::1]:3000", true),
        ("[::1]:3000", "https://[::1]:3000", true),
        ("localhost:3000", "http://localhost:3001", false),
        ("localhost:3000", "http://127.0.0.1:3000", false),
        ("192.0.2.1:3000", "http://192.0.2.1:3000", false),
        ("192.0.2.1:3000", "https://192.0.2.1:3000", true),
        ("localhost.example", "http://localhost.example", false),
    ] {
        let headers: HeaderMap = [("host", host), ("origin", origin)]
            .into_iter()
            .map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap()))
            .collect();
        let verdict = policy.judge(&Method::POST, &Uri::from_static("/"), &headers);
        assert_eq!(verdict.is_ok(), passes, "{origin} at {host}");
    }
}
