//! The endings in memory, bounded.
//!
//! Sessions of owners and of nobody have separate budgets, so that no flood of anonymous endings
//! pushes out a real logout. An ending costs 40 to 80 bytes. When a budget is full after the expired
//! ones have gone, the table becomes coarser instead of forgetting: the owners with the most endings
//! get a raised epoch for them, then every session of the class from before this moment has ended.

use std::collections::HashMap;

use aws_lc_rs::digest::{SHA256, digest};

use crate::{
    clock::MAX_MS,
    events,
    record::{Handle, Header},
};

/// How much longer than needed an ending is remembered, in milliseconds: one hour, by which a clock may
/// be set back without bringing a session to life again (D07).
const MARGIN: u64 = 3_600_000;

/// One thing that ends sessions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    /// One session, to be remembered until it would have expired.
    Session { handle: Handle, until: u64, owner: Option<OwnerHash> },
    /// All sessions of one owner that were sealed with a lower epoch.
    Owner { owner: OwnerHash, epoch: u64 },
    /// All sessions of a class that were made before or at a time.
    Class { signed_in: bool, floor: u64 },
}

impl Ending {
    /// The ending of one session, to be remembered until its sealed absolute deadline.
    pub(crate) fn of(header: &Header) -> Self {
        Self::Session {
            handle: header.handle,
            until: header.absolute_deadline.saturating_add(MARGIN),
            owner: header.owner.as_deref().map(OwnerHash::of),
        }
    }
}

/// Stands for an owner without naming it: 64 bits of SHA-256. Two owners that met in one would be
/// signed out together, nothing worse.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct OwnerHash(pub(crate) u64);

impl OwnerHash {
    pub(crate) fn of(owner: &str) -> Self {
        let hash = digest(&SHA256, owner.as_bytes());
        Self(hash.as_ref().iter().take(8).fold(0, |number, byte| number << 8 | u64::from(*byte)))
    }
}

pub(super) struct Table {
    limit: usize,
    signed_in: Class,
    anonymous: Class,
    epochs: HashMap<OwnerHash, u64>,
}

#[derive(Default)]
struct Class {
    handles: HashMap<Handle, (u64, Option<OwnerHash>)>,
    floor: u64,
}

impl Table {
    pub(super) fn new(limit: usize) -> Self {
        Self { limit, signed_in: Class::default(), anonymous: Class::default(), epochs: HashMap::new() }
    }

    pub(super) fn has_ended(&self, header: &Header) -> bool {
        let owner = header.owner.as_deref();
        let class = if owner.is_some() { &self.signed_in } else { &self.anonymous };
        let epoch = owner.filter(|_| !self.epochs.is_empty()).and_then(|owner| self.epochs.get(&OwnerHash::of(owner)));
        header.created <= class.floor
            || epoch.is_some_and(|epoch| header.epoch < *epoch)
            || self.signed_in.handles.contains_key(&header.handle)
            || self.anonymous.handles.contains_key(&header.handle)
    }

    pub(super) fn birth(&self, owner: Option<&str>, now: u64) -> u64 {
        let class = if owner.is_some() { &self.signed_in } else { &self.anonymous };
        let epoch = owner.and_then(|owner| self.epochs.get(&OwnerHash::of(owner)));
        let above_floor = if class.floor == 0 { 0 } else { class.floor + 1 };
        now.max(above_floor).max(epoch.copied().unwrap_or(0)).min(MAX_MS)
    }

    pub(super) fn end(&mut self, ending: &Ending, now: u64) {
        match *ending {
            Ending::Session { handle, until, owner } => {
                if until <= now {
                    return;
                }
                self.class(owner.is_some()).handles.insert(handle, (until, owner));
                if self.class(owner.is_some()).handles.len() > self.limit {
                    self.shrink(owner.is_some(), now);
                }
            }
            Ending::Owner { owner, epoch } => {
                let known = self.epochs.entry(owner).or_default();
                *known = epoch.max(*known);
                if self.epochs.len() > self.limit {
                    self.raise_floor(true, now);
                }
            }
            Ending::Class { signed_in, floor } => {
                let class = self.class(signed_in);
                class.floor = class.floor.max(floor);
            }
        }
    }

    /// Everything in the table, for a journal to write.
    pub(super) fn endings(&self, now: u64) -> impl Iterator<Item = Ending> {
        let floors = [(true, &self.signed_in), (false, &self.anonymous)].into_iter();
        let floors = floors.filter(|(_, class)| class.floor > 0);
        let floors = floors.map(|(signed_in, class)| Ending::Class { signed_in, floor: class.floor });
        let handles = self.signed_in.handles.iter().chain(&self.anonymous.handles);
        let handles = handles.filter(move |(_, (until, _))| *until > now);
        let handles =
            handles.map(|(handle, (until, owner))| Ending::Session { handle: *handle, until: *until, owner: *owner });
        floors
            .chain(self.epochs.iter().map(|(owner, epoch)| Ending::Owner { owner: *owner, epoch: *epoch }))
            .chain(handles)
    }

    fn class(&mut self, signed_in: bool) -> &mut Class {
        if signed_in { &mut self.signed_in } else { &mut self.anonymous }
    }

    /// Makes room for at least a sixteenth of the budget, so that its cost is spread over as many endings.
    fn shrink(&mut self, signed_in: bool, now: u64) {
        let room = self.limit - self.limit / 16;
        let class = self.class(signed_in);
        class.handles.retain(|_, (until, _)| *until > now);
        if class.handles.len() <= room {
            return;
        }
        let mut owners: HashMap<OwnerHash, usize> = HashMap::new();
        for owner in class.handles.values().filter_map(|(_, owner)| *owner) {
            *owners.entry(owner).or_default() += 1;
        }
        let mut owners: Vec<_> = owners.into_iter().filter(|(_, endings)| *endings > 1).collect();
        owners.sort_by_key(|(_, endings)| std::cmp::Reverse(*endings));
        let mut over = class.handles.len() - room;
        owners.retain(|(_, endings)| {
            let needed = over > 0;
            over = over.saturating_sub(*endings);
            needed
        });
        if over > 0 || self.epochs.len() + owners.len() > self.limit {
            self.raise_floor(signed_in, now);
            return;
        }
        events::coarsened("all sessions of some owners");
        let epoch = now.saturating_add(1);
        self.epochs.extend(owners.into_iter().map(|(owner, _)| (owner, epoch)));
        let Self { epochs, signed_in, .. } = self;
        signed_in.handles.retain(|_, (_, owner)| !owner.is_some_and(|owner| epochs.get(&owner) == Some(&epoch)));
    }

    fn raise_floor(&mut self, signed_in: bool, now: u64) {
        events::coarsened(if signed_in { "all signed-in sessions" } else { "all anonymous sessions" });
        if signed_in {
            self.epochs.clear();
        }
        let class = self.class(signed_in);
        class.floor = class.floor.max(now);
        class.handles.clear();
    }
}
