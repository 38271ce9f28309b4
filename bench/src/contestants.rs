//! Who takes part. A contestant enters a run with one line in [`ALL`].

use crate::http::Served;
use crate::measure::Bench;
use crate::payload::{Case, cases};
use crate::{b64, bare, floor, inproc, ours, peers, stored};

/// What a module puts into the run.
pub struct Contestant {
    /// Benches of the tables `seal`, `open1` and `open12` for one payload.
    pub micro: fn(&Case) -> Vec<Bench>,
    /// Routers to be called in process and over HTTP.
    pub services: fn() -> Vec<inproc::Service>,
}

/// Everybody, in the order of the tables' rows.
pub const ALL: &[Contestant] = &[
    floor::CONTESTANT,
    bare::CONTESTANT,
    ours::CONTESTANT,
    peers::cookie_rs::CONTESTANT,
    peers::axum_extra::CONTESTANT,
    peers::actix::CONTESTANT,
    peers::tower_sessions::CONTESTANT,
];

/// All routers.
pub fn services() -> Vec<inproc::Service> {
    ALL.iter().flat_map(|contestant| (contestant.services)()).collect()
}

/// All servers: the routers, and what answers only inside a runtime.
pub fn served() -> Vec<Served> {
    services().into_iter().map(Served::from).chain(stored::served()).collect()
}

/// All benches of the section `micro` or `inproc`.
pub fn benches(section: &str) -> Vec<Bench> {
    match section {
        "micro" => {
            let cases = cases();
            let contestants = ALL.iter().flat_map(|contestant| cases.iter().flat_map(contestant.micro));
            contestants.chain(b64::benches()).collect()
        }
        "inproc" => services().iter().flat_map(inproc::benches).collect(),
        _ => Vec::new(),
    }
}
