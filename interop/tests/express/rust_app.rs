//! The application in Rust: the routes of `express_app.mjs`, over the same sessions.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use axum::{
    Json, Router,
    extract::{Query, State},
    routing::{get, post},
};
use hardtack::{
    CookiePolicy, Field, Keyring, Session, Sessions,
    interop::{ExpressSession, ExpressStore},
};
use hardtack_interop::{Answer, Jar};
use serde_json::{Value, json};
use tokio::{net::TcpListener, runtime::Runtime, sync::Notify};

use crate::common::{Place, SECRET};

const VIEWS: Field<u64> = Field::new("views");
const VALUE: Field<Value> = Field::new("value");
const USERNAME: Field<String> = Field::new("username");

/// A server in this process.
pub(crate) struct RustApp {
    pub(crate) sessions: Sessions,
    address: SocketAddr,
    gate: Arc<Gate>,
    // Last, because what runs in it is dropped with it.
    runtime: Runtime,
}

/// Where a slow request waits with its session in hand.
#[derive(Default)]
struct Gate {
    came: Notify,
    go: Notify,
}

impl RustApp {
    /// Over the sessions of a place.
    pub(crate) fn start(place: &Place) -> Self {
        let runtime = Runtime::new().unwrap();
        let express = ExpressSession::new("connect.sid", [SECRET]).unwrap();
        let sessions = runtime.block_on(async { sharing(express, place.store().await) });
        let gate = Arc::new(Gate::default());
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
        let address = listener.local_addr().unwrap();
        let app = router(gate.clone()).layer(sessions.layer());
        runtime.spawn(async move { axum::serve(listener, app).await });
        Self { sessions, address, gate, runtime }
    }

    pub(crate) fn peek(&self, jar: &mut Jar) -> Answer {
        jar.get(self.address, "/peek")
    }

    pub(crate) fn post(&self, jar: &mut Jar, path: &str) -> Answer {
        let answer = jar.post(self.address, path);
        assert_eq!(answer.status, 200, "{path}: {}", answer.text);
        answer
    }

    /// A request that has loaded its session when this returns; `between` happens before it writes `views` + 1.
    pub(crate) fn slow_count(&self, jar: &Jar, between: impl FnOnce()) -> Answer {
        let (address, mut jar) = (self.address, jar.clone());
        let request = std::thread::spawn(move || jar.post(address, "/slow"));
        self.block_on(self.gate.came.notified());
        between();
        self.gate.go.notify_one();
        request.join().unwrap()
    }

    pub(crate) fn block_on<T>(&self, work: impl Future<Output = T>) -> T {
        self.runtime.block_on(work)
    }
}

fn sharing(express: ExpressSession, store: impl ExpressStore) -> Sessions {
    let policy = CookiePolicy::from_name("connect.sid").insecure_on_loopback();
    let sessions = Sessions::shared(Keyring::ephemeral().unwrap(), express, store).owner_field("username");
    sessions.cookie(policy).build().unwrap()
}

fn router(gate: Arc<Gate>) -> Router {
    Router::new()
        .route("/peek", get(answer))
        .route("/set", post(set))
        .route("/count", post(async |session: Session| count(&session)))
        .route("/login", post(login))
        .route("/logout", post(async |session: Session| session.sign_out()))
        .route("/slow", post(slow))
        .with_state(gate)
}

async fn answer(session: Session) -> Json<Value> {
    let fresh = session.is_fresh(Duration::from_secs(600));
    let members =
        json!({ "views": session.get(VIEWS), "value": session.get(VALUE), "username": session.get(USERNAME) });
    Json(json!({ "owner": session.owner(), "fresh": fresh, "session": members }))
}

async fn set(session: Session, Query(query): Query<Vec<(String, String)>>) {
    let json = query.iter().find(|(name, _)| name == "json").map(|(_, json)| serde_json::from_str(json).unwrap());
    session.set(VALUE, json.unwrap());
}

fn count(session: &Session) {
    session.update(VIEWS, |views| views.unwrap_or_default() + 1);
}

async fn login(session: Session, Query(query): Query<Vec<(String, String)>>) {
    session.sign_in(&query[0].1);
}

async fn slow(State(gate): State<Arc<Gate>>, session: Session) {
    gate.came.notify_one();
    gate.go.notified().await;
    count(&session);
}
