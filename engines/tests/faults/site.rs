//! A small application on a real socket: a public page, one that reads the session and routes that write it.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::{
    Router,
    extract::{Path, State},
    routing::{get, post},
};
use hardtack::{Field, Keyring, Session, Sessions, store::Store};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};

const COUNT: Field<u64> = Field::new("count");

/// What the next request that counts does after its session was loaded and before it is saved.
type Interruption = Arc<Mutex<Option<Box<dyn FnOnce() + Send>>>>;

#[derive(Clone)]
pub struct Site {
    address: SocketAddr,
    interruption: Interruption,
}

#[derive(Debug)]
pub struct Reply {
    pub status: u16,
    /// The value of the cookie that was set; empty when it was removed.
    pub cookie: Option<String>,
    pub body: String,
}

impl Site {
    /// Serves until the test ends. The store has so long for an answer.
    pub async fn start(store: impl Store, store_deadline: Duration) -> Self {
        let keys = Keyring::ephemeral().unwrap();
        let sessions = Sessions::stored(keys, store).store_deadline(store_deadline).build().unwrap();
        let interruption = Interruption::default();
        let app = Router::new()
            .route("/public", get(async || "for everybody"))
            .route("/who", get(who))
            .route("/count", post(count))
            .route("/sign-in/{name}", post(sign_in))
            .route("/sign-out", post(async |session: Session| session.sign_out()))
            .layer(sessions.layer())
            .with_state(Arc::clone(&interruption));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move { axum::serve(listener, app).await });
        Self { address, interruption }
    }

    #[allow(dead_code)] // for the measurement in examples/unrelated.rs
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Does this in the middle of the next request that counts.
    pub fn interrupt(&self, with: impl FnOnce() + Send + 'static) {
        *self.interruption.lock().unwrap() = Some(Box::new(with));
    }

    pub async fn send(&self, method: &str, path: &str, cookie: &str) -> Reply {
        let mut stream = TcpStream::connect(self.address).await.expect("the site listens");
        let cookie = if cookie.is_empty() { String::new() } else { format!("Cookie: __Host-session={cookie}\r\n") };
        let head = format!("{method} {path} HTTP/1.1\r\nHost: test\r\nConnection: close\r\n{cookie}\r\n");
        stream.write_all(head.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").expect("an answer");
        let cookie = head.lines().find_map(|line| line.strip_prefix("set-cookie: __Host-session="));
        Reply {
            status: head.split(' ').nth(1).unwrap().parse().unwrap(),
            cookie: cookie.map(|value| value.split(';').next().unwrap().to_owned()),
            body: body.to_owned(),
        }
    }

    /// Sends it meanwhile.
    pub fn begin(&self, method: &'static str, path: &'static str, cookie: &str) -> JoinHandle<Reply> {
        let (site, cookie) = (self.clone(), cookie.to_owned());
        tokio::spawn(async move { site.send(method, path, &cookie).await })
    }
}

async fn who(session: Session) -> String {
    let owner = session.owner().unwrap_or_else(|| "nobody".into());
    format!("{owner} {}", session.get(COUNT).unwrap_or_default())
}

async fn count(State(interruption): State<Interruption>, session: Session) {
    let interrupt = interruption.lock().unwrap().take();
    if let Some(interrupt) = interrupt {
        interrupt();
    }
    session.update(COUNT, |count| count.unwrap_or_default() + 1);
}

async fn sign_in(Path(name): Path<String>, session: Session) {
    session.sign_in(name);
}
