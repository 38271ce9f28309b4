//! tower-sessions with its `MemoryStore`: an id in the cookie, the data in the process.

use std::sync::Arc;

use axum::Router;
use axum::routing::{MethodRouter, get};
use tower_sessions::cookie::SameSite;
use tower_sessions::cookie::time::Duration;
use tower_sessions::{Expiry, MemoryStore, Session, SessionManagerLayer};

use crate::contestants::Contestant;
use crate::inproc::{Service, Writes, block_on};
use crate::payload::Payload;
use crate::{bare, cookies};

/// See the module.
pub const CONTESTANT: Contestant = Contestant { micro: |_| Vec::new(), services };

const USER: &str = "user";

fn services() -> Vec<Service> {
    let service = |row, writes, build| Service { row, over: bare::NO_OP_ID, writes, build };
    vec![
        service("tower-sessions MemoryStore, untouched", Writes::Nothing, || router(get(untouched))),
        service("tower-sessions MemoryStore, read", Writes::Nothing, || router(get(read))),
        service("tower-sessions MemoryStore, write", Writes::Session, || router(get(write))),
    ]
}

fn router(route: MethodRouter) -> (Router, String) {
    let store = MemoryStore::default();
    let seed = Session::new(None, Arc::new(store.clone()), None);
    let id = block_on(async {
        let Payload { user, name, cart } = Payload::medium();
        seed.insert(USER, user).await?;
        seed.insert("name", name).await?;
        seed.insert("cart", cart).await?;
        seed.save().await?;
        Ok::<_, tower_sessions::session::Error>(seed.id())
    });
    let id = id.expect("the memory store has no faults").expect("a saved session has an id");
    let layer = SessionManagerLayer::new(store)
        .with_name(cookies::NAME)
        .with_same_site(SameSite::Lax)
        .with_expiry(Expiry::OnInactivity(Duration::seconds(cookies::MAX_AGE_SECONDS)));
    (Router::new().route("/", route).layer(layer), format!("{}={id}", cookies::NAME))
}

async fn untouched() -> &'static str {
    "hello"
}

async fn read(session: Session) -> &'static str {
    super::greeting(user(&session).await)
}

async fn write(session: Session) -> &'static str {
    let next = user(&session).await.unwrap_or_default() + 1;
    session.insert(USER, next).await.expect("the memory store has no faults");
    super::greeting(Some(next))
}

async fn user(session: &Session) -> Option<u64> {
    session.get(USER).await.expect("the memory store has no faults")
}
