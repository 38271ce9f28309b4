//! hardtack's sessions in a store, over HTTP alone: a store on a disk answers nothing to a loop without a runtime.
//!
//! 64 visitors, one for each connection of the load generator, so that writes meet writes of other sessions and not
//! their own.

use std::path::PathBuf;

use axum::Router;
use axum::routing::{MethodRouter, get};
use hardtack::store::{MemoryStore, SqliteStore, Store};
use hardtack::{Field, Keyring, Session, Sessions};

use crate::http::Served;
use crate::payload::{Item, Payload};
use crate::{bare, peers};

/// How many sessions are loaded.
pub(crate) const VISITORS: usize = 64;

const USER: Field<u64> = Field::new("user");
const NAME: Field<String> = Field::new("name");
const CART: Field<Vec<Item>> = Field::new("cart");

/// The servers.
pub fn served() -> Vec<Served> {
    vec![
        Served::new("hardtack MemoryStore, read", bare::NO_OP, || Box::pin(router(MemoryStore::new(), get(read)))),
        Served::new("hardtack MemoryStore, write", bare::NO_OP, || Box::pin(router(MemoryStore::new(), get(write)))),
        Served::new("hardtack SqliteStore, read", bare::NO_OP, || Box::pin(router(sqlite(), get(read)))),
        Served::new("hardtack SqliteStore, write", bare::NO_OP, || Box::pin(router(sqlite(), get(write)))),
    ]
}

/// A file that no other process has, on the disk that the bench runs on.
fn sqlite() -> SqliteStore {
    let name = format!("hardtack-bench-{}.db", std::process::id());
    let path: PathBuf = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| "target".into(), PathBuf::from).join(name);
    SqliteStore::open(path).expect("the target directory takes a file")
}

pub(crate) async fn router(store: impl Store, route: MethodRouter) -> (Router, Vec<String>) {
    let keys = Keyring::ephemeral().expect("the system has random numbers");
    let sessions = Sessions::stored(keys, store).build().expect("the defaults build");
    serve(&sessions, route).await
}

/// These sessions, with all visitors signed in.
pub(crate) async fn serve(sessions: &Sessions, route: MethodRouter) -> (Router, Vec<String>) {
    let mut cookies = Vec::new();
    for visitor in 0..VISITORS {
        let cookie = sessions.cookie(|session| {
            let Payload { user, name, cart } = Payload::medium();
            session.sign_in(visitor.to_string());
            session.set(USER, user);
            session.set(NAME, name);
            session.set(CART, cart);
        });
        cookies.push(cookie.await.expect("the store takes a session"));
    }
    (Router::new().route("/", route).layer(sessions.layer()), cookies)
}

pub(crate) async fn read(session: Session) -> &'static str {
    peers::greeting(session.get(USER))
}

pub(crate) async fn write(session: Session) -> &'static str {
    session.update(USER, |user| user.unwrap_or_default() + 1);
    peers::greeting(session.get(USER))
}
