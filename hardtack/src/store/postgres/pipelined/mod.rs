//! Connections of our own. Many calls are under way on each at a time: they are sent without waiting for the answers of
//! those before, and PostgreSQL answers in order.
//!
//! - **Two lanes.** What waits, for the disk or for a lock, keeps waiting what is behind it on its connection. So
//!   reads of one row have connections of their own, and never stand behind a write. Writes commit one after the
//!   other on one connection, and together, with one sync of the disk, on several.
//! - Each call takes the connection of its lane with the fewest calls under way.
//! - A call whose future is dropped runs to its end on the server; its answer is thrown away.
//! - A [`Slot`] makes its connection again when that is lost.

mod address;
mod link;
mod listener;
mod slot;
mod tls;

use std::sync::Arc;

use tokio_postgres::types::ToSql;

pub(super) use self::{address::Address, link::Recipe, listener::Listener};
use self::{link::Lease, slot::Slot};
use super::{
    client,
    driver::{Driver, Fault, Value},
    statements::Call,
};

/// All connections.
pub(super) struct Pipelined {
    quick: Box<[Slot]>,
    slow: Box<[Slot]>,
}

impl Pipelined {
    /// Makes so many connections for each lane, and fails when one of them cannot be made.
    pub(super) async fn open(recipe: Arc<Recipe>, quick: usize, slow: usize) -> Result<Self, String> {
        let mut slots = Vec::with_capacity(quick + slow);
        for _ in 0..quick + slow {
            slots.push(Slot::open(recipe.clone()).await?);
        }
        let slow = slots.split_off(quick).into();
        Ok(Self { quick: slots.into(), slow })
    }

    /// The connection with the fewest calls under way; of the other lane when this one has none.
    fn lease(&self, call: Call) -> Result<Lease, Fault> {
        let lanes = if call.is_quick() { [&self.quick, &self.slow] } else { [&self.slow, &self.quick] };
        let best = |lane: &[Slot]| lane.iter().filter_map(Slot::link).min_by_key(|link| link.under_way());
        let link = lanes.into_iter().find_map(|lane| best(lane));
        link.map(Lease::new).ok_or_else(|| Fault::new(self.slow.first().map_or_else(String::new, Slot::why_not)))
    }
}

impl Driver for Pipelined {
    type Answer = tokio_postgres::Row;

    async fn ask(&self, call: Call, given: &[Value<'_>]) -> Result<Vec<tokio_postgres::Row>, Fault> {
        let lease = self.lease(call)?;
        let link = lease.link();
        let answer = match link.prepared(call) {
            Some(statement) => client::ask(link.client(), statement, given).await,
            None => {
                let given: Vec<_> = given.iter().map(|value| (value as &(dyn ToSql + Sync), value.type_of())).collect();
                link.client().query_typed(link.sql(call), &given).await.map_err(Fault::from)
            }
        };
        lease.answered();
        answer
    }
}
