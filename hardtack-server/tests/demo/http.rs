//! A visitor: a small HTTP/1.1 client that keeps one cookie as a browser would, and holds every answer
//! against what must always be true.

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
};

const NAME: &str = "__Host-session";
/// How the mark of a device begins, which is no session.
const DEVICE: &str = "__Host-device=";
const FORM: &str = "application/x-www-form-urlencoded";

pub(crate) struct Visitor {
    address: SocketAddr,
    /// The cookie's value, while there is one.
    pub(crate) cookie: Option<String>,
    /// The mark of the device, with its name.
    pub(crate) device: Option<String>,
    /// What it says of itself.
    pub(crate) agent: Option<&'static str>,
}

#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    headers: Vec<(String, String)>,
    pub(crate) body: String,
}

impl Reply {
    pub(crate) fn all(&self, name: &str) -> impl Iterator<Item = &str> {
        self.headers.iter().filter(move |(known, _)| known == name).map(|(_, value)| &**value)
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let found: Vec<_> = self.all(name).filter(|value| !value.starts_with(DEVICE)).collect();
        assert!(found.len() < 2, "{name} came more than once: {found:?}");
        found.first().copied()
    }

    pub(crate) fn location(&self) -> &str {
        self.header("location").expect("a redirect")
    }

    pub(crate) fn json(&self) -> serde_json::Value {
        assert_eq!(self.header("content-type"), Some("application/json"), "{self:?}");
        serde_json::from_str(&self.body).expect("JSON")
    }

    /// The number in the biscuit on the home page.
    pub(crate) fn counter(&self) -> u64 {
        let (_, rest) = self.body.split_once("<strong").expect("a counter");
        let (_, rest) = rest.split_once('>').unwrap();
        rest.split('<').next().unwrap().parse().expect("a number")
    }
}

impl Visitor {
    pub(crate) fn new(address: SocketAddr) -> Self {
        Self { address, cookie: None, device: None, agent: None }
    }

    /// Somebody else who brings this cookie.
    pub(crate) fn with_cookie(address: SocketAddr, cookie: &str) -> Self {
        Self { address, cookie: Some(cookie.into()), device: None, agent: None }
    }

    pub(crate) fn get(&mut self, path: &str) -> Reply {
        self.send("GET", path, &[], b"")
    }

    /// Posts a form with the token of a page that was loaded before.
    pub(crate) fn post(&mut self, path: &str, fields: &[(&str, &str)]) -> Reply {
        let token = self.token();
        let fields = [&[("csrf_token", &*token)], fields].concat();
        self.post_without_token(path, &fields)
    }

    pub(crate) fn post_without_token(&mut self, path: &str, fields: &[(&str, &str)]) -> Reply {
        let body: Vec<_> = fields.iter().map(|(name, value)| format!("{name}={}", percent(value))).collect();
        self.send("POST", path, &[("Content-Type", FORM)], body.join("&").as_bytes())
    }

    /// Posts JSON as a script would, with the token in its header.
    pub(crate) fn post_json(&mut self, path: &str, body: impl AsRef<[u8]>) -> Reply {
        let token = self.get("/api/session").json()["csrfToken"].as_str().unwrap().to_owned();
        self.send("POST", path, &[("Content-Type", "application/json"), ("X-CSRF-Token", &token)], body.as_ref())
    }

    pub(crate) fn log_in(&mut self, password: &str) -> Reply {
        self.post("/login", &[("password", password)])
    }

    /// The token in the forms of a page.
    pub(crate) fn token(&mut self) -> String {
        let page = self.get("/login").body;
        let (_, rest) = page.split_once("name=\"csrf_token\" value=\"").expect("a form with a token");
        rest.split('"').next().unwrap().to_owned()
    }

    pub(crate) fn is_signed_in(&mut self) -> bool {
        match self.get("/protected").status {
            200 => true,
            303 => false,
            other => panic!("/protected answered {other}"),
        }
    }

    pub(crate) fn send(&mut self, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Reply {
        let mut head = format!("{method} {path} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n", self.address);
        if let Some(value) = &self.cookie {
            head += &format!("Cookie: {NAME}={value}\r\n");
        }
        if let Some(mark) = &self.device {
            head += &format!("Cookie: {mark}\r\n");
        }
        if let Some(agent) = self.agent {
            head += &format!("User-Agent: {agent}\r\n");
        }
        for (name, value) in headers {
            head += &format!("{name}: {value}\r\n");
        }
        if method == "POST" {
            head += &format!("Content-Length: {}\r\n", body.len());
        }
        head += "\r\n";
        let reply = exchange(self.address, &[head.as_bytes(), body].concat());
        self.take_cookie(&reply, method, path);
        reply
    }

    /// A01, A04, A05, A08, A09, A13, J01, J02 hold for every answer there is.
    fn take_cookie(&mut self, reply: &Reply, method: &str, path: &str) {
        let place = format!("{method} {path}");
        assert!(reply.header("content-security-policy").is_some(), "{place}");
        assert_eq!(reply.header("x-content-type-options"), Some("nosniff"), "{place}");
        for mark in reply.all("set-cookie").filter(|line| line.starts_with(DEVICE)) {
            let mut flags: Vec<_> = mark.split("; ").skip(1).filter(|flag| !flag.starts_with("Max-Age=")).collect();
            flags.sort_unstable();
            assert_eq!(flags, ["HttpOnly", "Path=/", "SameSite=Strict", "Secure"], "{place}: {mark}");
            self.device = mark.split(';').next().map(Into::into);
        }
        let Some(line) = reply.header("set-cookie") else { return };
        let mut parts = line.split("; ");
        let (name, value) = parts.next().unwrap().split_once('=').unwrap();
        let attributes: Vec<_> = parts.collect();
        let (max_age, mut flags): (Vec<_>, Vec<_>) = attributes.iter().partition(|part| part.starts_with("Max-Age="));
        flags.sort_unstable();
        assert_eq!((name, flags), (NAME, vec!["HttpOnly", "Path=/", "SameSite=Lax", "Secure"]), "{place}: {line}");
        assert!(max_age.len() < 2, "{place}: {line}");
        assert_eq!(reply.header("cache-control"), Some("no-store"), "{place}");
        assert!(reply.all("vary").any(|vary| vary.eq_ignore_ascii_case("cookie")), "{place}");
        let removal = max_age.first() == Some(&"Max-Age=0");
        assert_eq!(value.is_empty(), removal, "{place}: {line}");
        self.cookie = (!removal).then(|| value.to_owned());
    }
}

/// Sends raw bytes and reads one answer.
pub(crate) fn exchange(address: SocketAddr, request: &[u8]) -> Reply {
    let mut stream = TcpStream::connect(address).expect("the demo listens");
    // A server that refuses a body may hang up before all of it was sent; its answer still counts.
    let _ = stream.write_all(request);
    let mut bytes = Vec::new();
    let end = stream.read_to_end(&mut bytes);
    let text = String::from_utf8_lossy(&bytes);
    let (head, body) = text.split_once("\r\n\r\n").unwrap_or_else(|| panic!("no answer: {end:?} {text:?}"));
    let mut lines = head.lines();
    let status = lines.next().unwrap().split(' ').nth(1).unwrap().parse().unwrap();
    let headers =
        lines.filter_map(|line| line.split_once(": ")).map(|(name, value)| (name.to_lowercase(), value.into()));
    Reply { status, headers: headers.collect(), body: body.into() }
}

fn percent(text: &str) -> String {
    text.bytes()
        .map(|byte| if byte.is_ascii_alphanumeric() { char::from(byte).to_string() } else { format!("%{byte:02X}") })
        .collect()
}
