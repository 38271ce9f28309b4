//! Sessions in the cookies of others, in one of two roles. Only one side has the say at a time (B12).
//!
//! - [`Emission`]: both fleets live. The foreign cookie is the only one there is, what it says is the session, and its
//!   package's clocks count.
//! - [`Acceptance`]: the other fleet is gone. A foreign cookie becomes a session of ours, once, until a date.
//!
//! The formats are those of [`interop`](crate::interop).

mod acceptance;
mod building;
mod emission;

pub(crate) use acceptance::Acceptance;
pub(crate) use emission::Emission;

use aws_lc_rs::digest::{Context, SHA256};

use crate::{
    cookie::{CookiePolicy, header::Presented},
    derive,
    fields::Fields,
    interop::{Foreign, Opened},
    json::Members,
    record::{Handle, NoRandom, SessionId},
};

/// What a foreign cookie said, kept for the one that takes its place.
pub(crate) type Guest = Opened;

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
        let mut id = SessionId([0; 32]);
        id.0.copy_from_slice(hash.finish().as_ref());
        id
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

/// The handle of a session under this id.
fn handle(id: &SessionId, owner: Option<&str>) -> Result<Handle, NoRandom> {
    let mut handle = Handle([0; 16]);
    derive::from_random(&id.0, b"hardtack 1 handle", &mut handle.0).map_err(|_| NoRandom)?;
    Ok(owner.map_or(handle, |owner| handle.in_shard_of(owner)))
}
