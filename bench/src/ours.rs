//! hardtack, through its public door alone.
//!
//! Opening is all of it: the header read, the envelope opened, the clocks and revocations judged, the payload
//! deserialised. Sealing is a write to a live session and its commit, with the opening taken off: nobody seals a new
//! session on every request, and a new one would measure the operating system's random numbers.

use axum::routing::get;
use axum::{Router, response::IntoResponse};
use hardtack::{Field, Keyring, Session, SessionHeaders, SessionRequest, Sessions};

use crate::contestants::Contestant;
use crate::inproc::{Service, Writes, block_on};
use crate::measure::Bench;
use crate::payload::{Case, Item, Payload};
use crate::{bare, cookies, floor};

/// See the module.
pub const CONTESTANT: Contestant = Contestant { micro, services };

const ROW: &str = "hardtack stateless";
const PAYLOAD: Field<Payload> = Field::new("session");
const USER: Field<u64> = Field::new("user");
const NAME: Field<String> = Field::new("name");
const CART: Field<Vec<Item>> = Field::new("cart");

fn sessions() -> Sessions {
    let keys = Keyring::ephemeral().expect("the system has random numbers");
    Sessions::stateless(keys).build().expect("the defaults build")
}

/// `name=value` of a session that holds `payload`.
fn sealed(sessions: &Sessions, payload: &Payload) -> String {
    block_on(sessions.cookie(|session| session.set(PAYLOAD, payload.clone()))).expect("it fits")
}

fn open(sessions: &Sessions, header: &[u8]) -> (SessionRequest, Session) {
    let request = sessions.begin([header]);
    let session = block_on(request.session()).expect("stateless sessions always answer");
    (request, session)
}

fn micro(case: &Case) -> Vec<Bench> {
    let sessions = sessions();
    let cookie = sealed(&sessions, &case.payload);
    let mut benches = Vec::new();
    for (table, others) in [("open1", false), ("open12", true)] {
        let header = cookies::header(&cookie, others).into_bytes();
        let sessions = sessions.clone();
        assert_eq!(open(&sessions, &header).1.get(PAYLOAD).as_ref(), Some(&case.payload));
        benches.push(Bench::new(table, ROW, case.column, floor::ROW, move || open(&sessions, &header).1.get(PAYLOAD)));
    }
    let (header, companion) = (cookie.clone().into_bytes(), cookie.into_bytes());
    let (theirs, mut payload) = (sessions.clone(), case.payload.clone());
    let seal = move || -> SessionHeaders {
        let (request, session) = open(&sessions, &header);
        payload.user ^= 1;
        session.set(PAYLOAD, payload.clone());
        block_on(request.finish()).expect("it fits")
    };
    let copied = case.payload.clone();
    benches.push(
        Bench::new("seal", ROW, case.column, floor::ROW, seal)
            .minus(move || (open(&theirs, &companion), copied.clone())),
    );
    benches
}

fn services() -> Vec<Service> {
    let service = |row, writes, build| Service { row, over: bare::NO_OP, writes, build };
    vec![
        service("hardtack stateless, untouched", Writes::Nothing, || router(get(async || "hello"))),
        service("hardtack stateless, read", Writes::Nothing, || router(get(read))),
        service("hardtack stateless, write", Writes::Session, || router(get(write))),
    ]
}

fn router(route: axum::routing::MethodRouter) -> (Router, String) {
    let sessions = sessions();
    let Payload { user, name, cart } = Payload::medium();
    let seed = sessions.cookie(|session| {
        session.set(USER, user);
        session.set(NAME, name);
        session.set(CART, cart);
    });
    let cookie = block_on(seed).expect("it fits");
    (Router::new().route("/", route).layer(sessions.layer()), cookie)
}

async fn read(session: Session) -> impl IntoResponse {
    crate::peers::greeting(session.get(USER))
}

async fn write(session: Session) -> impl IntoResponse {
    let next = session.get(USER).unwrap_or_default() + 1;
    session.set(USER, next);
    crate::peers::greeting(Some(next))
}
