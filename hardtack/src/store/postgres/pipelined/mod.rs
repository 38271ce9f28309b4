//! Connections of our own. Many calls are under way on each at a time: they are sent without waiting for the answers of
//! those before, and PostgreSQL answers in order.
//!
//! - **Two lanes.** What waits, for the disk or for a lock, keeps waiting what is behind it on its connection. So
//!   reads of one row have connections of their own, and never stand behind a write. Writes commit one after the
//!   other on one connection, and together, with one sync of the disk, on several.
//! - Each call takes the connection of its lane with the fewest calls under way. When each has one, the lane gets another
//!   connection, up to its size: a quiet program has few.
//! - A call whose future is dropped runs to its end on the server; its answer is thrown away.
//! - Behind a pooler each connection has one call at a time.
//! - A [`Slot`] makes its connection again when that is lost, and who finds no other waits for the first attempt.

mod address;
mod link;
mod listener;
mod slot;
mod tls;

use std::sync::Arc;

use tokio::runtime::Handle;

pub(super) use self::{address::Address, link::Recipe, listener::Listener};
use self::{link::Lease, slot::Slot};
use super::{
    driver::{Driver, Fault, Value},
    statements::Call,
};

/// All connections.
pub(super) struct Pipelined {
    quick: Box<[Slot]>,
    slow: Box<[Slot]>,
    runtime: Handle,
}

/// So many of the connections are for reads; half of them where each is for one call at a time.
const QUICK: usize = 2;

impl Pipelined {
    /// Makes the first connections of each lane, and fails when one of them cannot be made. There may be so many in all,
    /// at least two.
    pub(super) async fn open(recipe: &Arc<Recipe>, connections: usize) -> Result<Self, String> {
        let mut quick: Vec<_> = (0..connections).map(|_| Slot::new(recipe.clone())).collect();
        let size = if recipe.prepares { QUICK.min(connections - 1) } else { connections / 2 };
        let slow = quick.split_off(size);
        for slot in quick.iter().take(QUICK).chain(slow.first()) {
            slot.open().await?;
        }
        Ok(Self { quick: quick.into(), slow: slow.into(), runtime: Handle::current() })
    }

    /// The connection with the fewest calls under way; of the other lane when this one has none.
    fn best(&self, call: Call) -> Option<Lease> {
        let lanes = if call.is_quick() { [&self.quick, &self.slow] } else { [&self.slow, &self.quick] };
        let best = |lane: &[Slot]| lane.iter().filter_map(Slot::link).min_by_key(|link| link.under_way());
        let link = lanes.into_iter().find_map(|lane| best(lane))?;
        if link.under_way() > 0 {
            lanes[0].iter().find(|slot| slot.is_free()).into_iter().for_each(|slot| slot.start(&self.runtime));
        }
        Some(Lease::new(link))
    }

    /// A connection to ask. When all were lost just now, whoever comes waits for the first attempts to make them again;
    /// while those fail, nobody waits.
    async fn lease(&self, call: Call) -> Result<Lease, Fault> {
        for slot in self.slow.iter().chain(&self.quick) {
            match self.best(call) {
                Some(lease) => return Ok(lease),
                None => slot.settle().await,
            };
        }
        self.best(call).ok_or_else(|| Fault::new(self.slow.first().map_or_else(String::new, Slot::why_not)))
    }
}

impl Driver for Pipelined {
    type Answer = tokio_postgres::Row;

    async fn ask(&self, call: Call, given: &[Value<'_>]) -> Result<Vec<tokio_postgres::Row>, Fault> {
        let mut more = self.quick.len() + self.slow.len();
        loop {
            let lease = self.lease(call).await?;
            let answer = lease.link().ask(call, given).await;
            lease.answered();
            match answer {
                // Where one connection was lost, others may be lost too without its being known yet. A read can be
                // asked again; whether a write was done is for the caller to find out.
                Err(fault) if call.is_quick() && fault.code.is_none() && more > 0 => more -= 1,
                answer => return answer,
            }
        }
    }
}
