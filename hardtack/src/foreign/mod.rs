//! Sessions in the cookies or the store of others, in one of three roles. Only one side has the say at a time (B12).
//!
//! - [`Emission`]: both fleets live. The foreign cookie is the only one there is, what it says is the session, and its
//!   package's clocks count.
//! - [`Sharing`]: both fleets live, and the session is a row in the store of Express.
//! - [`Acceptance`]: the other fleet is gone. A foreign cookie becomes a session of ours, once, until a date.
//!
//! The formats are those of [`interop`](crate::interop).

mod acceptance;
mod building;
mod emission;
mod mark;
mod sharing;

#[cfg(any(feature = "deadpool-postgres-0_14", feature = "redis-1"))]
pub(crate) use self::mark::owner_in;
pub(crate) use self::{
    acceptance::Acceptance,
    emission::Emission,
    sharing::{ExpressShelf, Found, Row, Sharing},
};

use aws_lc_rs::digest::{Context, SHA256};

use crate::{
    cookie::{CookiePolicy, header::Presented},
    error::BuildError,
    fields::Fields,
    interop::{Foreign, Opened},
    json::Members,
    record::SessionId,
};

/// What came from the other fleet, kept for what takes its place.
pub(crate) enum Guest {
    /// What a foreign cookie said.
    Cookie(Opened),
    /// A row of the store that both have.
    Row(Row),
}

/// A format, and the names of its cookies but for the first, which is looked for as ours or not at all.
struct Cookies {
    foreign: Foreign,
    names: Vec<String>,
}

impl Cookies {
    fn new(foreign: Foreign) -> Self {
        let names = foreign.cookie_names();
        Self { foreign, names }
    }

    /// What no role can take.
    fn check(&self, needs: &str) -> Result<(), BuildError> {
        self.foreign.check()?;
        match self.foreign.holds_data() {
            true => Ok(()),
            false => Err(BuildError::Setting {
                why: format!(
                    "of express-session only the id is in the cookie, and {needs}; its sessions are in its store: write \
                     Sessions::shared(keys, express, store)"
                ),
            }),
        }
    }

    /// The principal cookie as its package would have it.
    fn policy(&self) -> CookiePolicy {
        let same_site = self.foreign.attributes().same_site.unwrap_or_default();
        CookiePolicy::from_name(&self.names[0]).same_site(same_site)
    }

    /// An id for the session in these cookies. Who can compute it holds them, which is all that they ask for.
    fn fingerprint<'a>(&self, find: impl Fn(&str) -> Option<&'a [u8]>) -> SessionId {
        let mut hash = Context::new(&SHA256);
        hash.update(b"hardtack 1 foreign");
        for name in &self.names {
            for part in [name.as_bytes(), find(name).unwrap_or_default()] {
                hash.update(&part.len().to_be_bytes());
                hash.update(part);
            }
        }
        SessionId::hashed(hash)
    }

    /// The value that was presented under a name.
    fn value<'a>(presented: &'a Presented, names: &[String], name: &str) -> Option<&'a [u8]> {
        let place = names.iter().position(|known| known == name)?;
        presented.foreign().iter().find(|(at, _)| usize::from(*at) == place).map(|(_, value)| &**value)
    }
}

/// The names whose places are set in `presented`.
fn presented(names: &[String], presented: u8) -> impl Iterator<Item = &str> {
    names.iter().enumerate().filter(move |(place, _)| presented & 1 << place != 0).map(|(_, name)| name.as_str())
}

/// The members of a foreign session as fields. `None` when one has a name that no field can have.
fn fields(guest: &Opened) -> Option<Fields> {
    let Members(members) = serde_json::from_str(guest.data_json()).ok()?;
    let mut fields = Fields::empty();
    for (name, value) in members {
        fields.set(&name, value.get()).ok()?;
    }
    Some(fields)
}

/// The names of our cookie under a policy.
fn names_of(policy: &CookiePolicy) -> Vec<String> {
    let loopback = policy.for_loopback().map(|policy| policy.name().to_owned());
    std::iter::once(policy.name().to_owned()).chain(loopback).collect()
}

/// The site's cookie must have the name that the other fleet gives it.
fn must_be(name: &str, policy: &CookiePolicy) -> Result<(), BuildError> {
    match names_of(policy).into_iter().find(|other| other != name) {
        Some(other) => Err(BuildError::Setting {
            why: format!(
                "the foreign cookie is {name:?} and the policy's {other:?}; write CookiePolicy::from_name({name:?})"
            ),
        }),
        None => Ok(()),
    }
}
