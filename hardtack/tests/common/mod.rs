//! Shared by the behaviour tests: sessions on a clock that stands still, a server on a loopback port, and a
//! client that sends exact bytes, because those of a hostile client are no `HeaderValue`.
//!
//! The server has a thread of its own, so the client may block, in a `#[tokio::test]` too.
#![allow(dead_code, unreachable_pub, clippy::unwrap_used)]

pub mod corpus;
pub mod log;

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
    time::Duration,
};

use axum::{Router, routing::get};
use hardtack::{Clock, Field, Keyring, Session, Sessions, SessionsBuilder};

/// A moment in 2027, in milliseconds.
pub const START: u64 = 1_800_000_000_000;

/// A field that means nothing.
pub const NOTE: Field<String> = Field::new("note");

/// Stateless sessions under a new key, and the clock that moves them.
pub fn builder() -> (SessionsBuilder, Clock) {
    let clock = Clock::manual(START);
    (Sessions::stateless(Keyring::ephemeral().unwrap()).clock(clock.clone()), clock)
}

/// The defaults, on a clock that stands still.
pub fn sessions() -> Sessions {
    builder().0.build().unwrap()
}

/// Waits for a future that waits for nothing outside of it.
pub fn wait<F: Future>(future: F) -> F::Output {
    tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(future)
}

/// The `NAME=VALUE` of a session on which `prepare` was done.
pub fn cookie(sessions: &Sessions, prepare: impl FnOnce(&Session)) -> String {
    wait(sessions.cookie(prepare)).unwrap()
}

/// Answers who is signed in, or "nobody".
pub async fn who(session: Session) -> String {
    session.owner().unwrap_or_else(|| "nobody".into())
}

/// An application that knows [`who`] alone.
pub fn who_app(sessions: &Sessions) -> Router {
    Router::new().route("/", get(who)).layer(sessions.layer())
}

/// Serves `app` on a loopback port until the process ends.
pub fn serve(app: Router) -> SocketAddr {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let listener = tokio::net::TcpListener::from_std(listener).unwrap();
            axum::serve(listener, app).await.unwrap();
        });
    });
    address
}

/// What came back.
#[derive(Debug)]
pub struct Reply {
    pub status: u16,
    /// Names in small letters, in the order of the wire.
    pub headers: Vec<(String, Vec<u8>)>,
    /// As it travelled: a chunked one still has its chunk sizes.
    pub body: Vec<u8>,
}

impl Reply {
    /// All values of a header.
    pub fn all(&self, name: &str) -> Vec<&str> {
        let fields = self.headers.iter().filter(|(known, _)| known == name);
        fields.map(|(_, value)| std::str::from_utf8(value).unwrap()).collect()
    }

    /// The only value of a header.
    #[track_caller]
    pub fn one(&self, name: &str) -> &str {
        let all = self.all(name);
        assert_eq!(all.len(), 1, "{name}: {all:?}");
        all[0]
    }

    pub fn set_cookies(&self) -> Vec<&str> {
        self.all("set-cookie")
    }

    /// The `NAME=VALUE` of the only `Set-Cookie`, to send back.
    #[track_caller]
    pub fn cookie(&self) -> String {
        self.one("set-cookie").split(';').next().unwrap().to_owned()
    }

    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }
}

/// `GET path` with these `Cookie` fields.
#[track_caller]
pub fn fetch<C: AsRef<[u8]>>(server: SocketAddr, path: &str, cookies: impl IntoIterator<Item = C>) -> Reply {
    let mut fields = b"Host: app.example\r\n".to_vec();
    for cookie in cookies {
        fields.extend_from_slice(&[b"Cookie: ", cookie.as_ref(), b"\r\n"].concat());
    }
    request(server, "GET", path, &fields, b"")
}

/// `GET path` without a cookie.
#[track_caller]
pub fn fetch_bare(server: SocketAddr, path: &str) -> Reply {
    fetch(server, path, [""; 0])
}

/// One request. `fields` are whole lines; `Connection` and `Content-Length` are added.
#[track_caller]
pub fn request(server: SocketAddr, method: &str, path: &str, fields: &[u8], body: &[u8]) -> Reply {
    let head = format!("{method} {path} HTTP/1.1\r\nConnection: close\r\nContent-Length: {}\r\n", body.len());
    exchange(server, &[head.as_bytes(), fields, b"\r\n", body].concat()).unwrap()
}

/// Sends exactly `bytes` and reads until the server closes, or has switched to another protocol. `None` when
/// it closes without an answer.
pub fn exchange(server: SocketAddr, bytes: &[u8]) -> Option<Reply> {
    let mut stream = TcpStream::connect(server).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    stream.write_all(bytes).unwrap();
    let mut received = Vec::new();
    let mut buffer = [0; 16 * 1024];
    loop {
        let count = stream.read(&mut buffer).unwrap();
        received.extend_from_slice(&buffer[..count]);
        let switched = received.starts_with(b"HTTP/1.1 101 ") && received.windows(4).any(|four| four == b"\r\n\r\n");
        if count == 0 || switched {
            break;
        }
    }
    parse(&received)
}

fn parse(received: &[u8]) -> Option<Reply> {
    let end = received.windows(4).position(|four| four == b"\r\n\r\n")?;
    let mut lines = received[..end].split(|byte| *byte == b'\n').map(|line| line.strip_suffix(b"\r").unwrap_or(line));
    let status = std::str::from_utf8(lines.next()?).ok()?.split(' ').nth(1)?.parse().ok()?;
    let field = |line: &[u8]| {
        let colon = line.iter().position(|byte| *byte == b':')?;
        let name = std::str::from_utf8(&line[..colon]).ok()?.to_ascii_lowercase();
        Some((name, line[colon + 1..].trim_ascii().to_vec()))
    };
    Some(Reply { status, headers: lines.map(field).collect::<Option<_>>()?, body: received[end + 4..].to_vec() })
}
