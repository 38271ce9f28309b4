//! The endings in memory, bounded.
//!
//! Sessions of owners and of nobody have separate budgets, so that no flood of anonymous endings
//! pushes out a real logout. An ending costs 50 to 110 bytes. When a budget is full after the expired
//! ones have gone, the table becomes coarser instead of forgetting: the owners with the most endings
//! get a raised epoch for them, then every session of the class from before this moment has ended.
//!
//! Every session is sealed with an epoch, which is the time it was made or, when something has ended
//! beyond that, more: so it is above whatever ended older ones, also when two fall into one millisecond
//! or a clock was set back.

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
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    /// One session, to be remembered until it would have expired; with its epoch or a higher one.
    Session { handle: Handle, until: u64, epoch: u64, whose: Whose },
    /// All sessions of one owner that were sealed with a lower epoch.
    Owner { owner: OwnerHash, epoch: u64 },
    /// All sessions of a class that were sealed with this epoch or a lower one.
    Class { signed_in: bool, floor: u64 },
}

impl Ending {
    /// The ending of one session, remembered until its time is over, and at least until `least`.
    pub(crate) fn of(header: &Header, least: u64) -> Self {
        Self::Session {
            handle: header.handle,
            until: header.absolute_deadline.max(least).saturating_add(MARGIN),
            epoch: header.epoch,
            whose: header.owner.as_deref().map_or(Whose::Nobody, |owner| Whose::Owner(OwnerHash::of(owner))),
        }
    }

    /// The ending of a session of which only the handle is known.
    pub(crate) fn of_handle(handle: Handle, until: u64) -> Self {
        Self::Session { handle, until, epoch: until, whose: Whose::Unknown }
    }
}

/// Whose session has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Whose {
    Owner(OwnerHash),
    Nobody,
    /// Either; such an ending counts in both budgets.
    Unknown,
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
    /// The highest epoch that any owner ever had.
    highest: u64,
}

#[derive(Default)]
struct Class {
    handles: HashMap<Handle, Ended>,
    /// 0 while there is none.
    floor: u64,
}

#[derive(Clone, Copy)]
struct Ended {
    until: u64,
    epoch: u64,
    whose: Whose,
}

impl Ended {
    fn owner(&self) -> Option<OwnerHash> {
        match self.whose {
            Whose::Owner(owner) => Some(owner),
            Whose::Nobody | Whose::Unknown => None,
        }
    }
}

impl Table {
    pub(super) fn new(limit: usize) -> Self {
        Self { limit, signed_in: Class::default(), anonymous: Class::default(), epochs: HashMap::new(), highest: 0 }
    }

    pub(super) fn has_ended(&self, header: &Header) -> bool {
        let owner = header.owner.as_deref();
        let class = if owner.is_some() { &self.signed_in } else { &self.anonymous };
        let epoch = owner.filter(|_| !self.epochs.is_empty()).and_then(|owner| self.epochs.get(&OwnerHash::of(owner)));
        class.floor > 0 && header.epoch <= class.floor
            || epoch.is_some_and(|epoch| header.epoch < *epoch)
            || self.signed_in.handles.contains_key(&header.handle)
            || self.anonymous.handles.contains_key(&header.handle)
    }

    /// The epoch for a session that is made now.
    pub(super) fn epoch(&self, now: u64) -> u64 {
        let floor = self.signed_in.floor.max(self.anonymous.floor);
        let above_floor = if floor == 0 { 0 } else { floor.saturating_add(1) };
        now.max(above_floor).max(self.highest).min(MAX_MS)
    }

    pub(super) fn end(&mut self, ending: &Ending, now: u64) {
        match *ending {
            Ending::Session { until, .. } if until <= now => {}
            Ending::Session { handle, until, epoch, whose } => {
                let classes: &[bool] = match whose {
                    Whose::Owner(_) => &[true],
                    Whose::Nobody => &[false],
                    Whose::Unknown => &[true, false],
                };
                for signed_in in classes {
                    self.class(*signed_in).handles.insert(handle, Ended { until, epoch, whose });
                    if self.class(*signed_in).handles.len() > self.limit {
                        self.shrink(*signed_in, now);
                    }
                }
            }
            Ending::Owner { owner, epoch } => {
                self.raise(owner, epoch);
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
        let owners = self.epochs.iter().map(|(owner, epoch)| Ending::Owner { owner: *owner, epoch: *epoch });
        let anonymous = self.anonymous.handles.iter().filter(|(_, ended)| ended.whose == Whose::Nobody);
        let handles = self.signed_in.handles.iter().chain(anonymous);
        let handles = handles.filter(move |(_, ended)| ended.until > now).map(|(handle, ended)| Ending::Session {
            handle: *handle,
            until: ended.until,
            epoch: ended.epoch,
            whose: ended.whose,
        });
        floors.chain(owners).chain(handles)
    }

    fn class(&mut self, signed_in: bool) -> &mut Class {
        if signed_in { &mut self.signed_in } else { &mut self.anonymous }
    }

    fn raise(&mut self, owner: OwnerHash, epoch: u64) {
        let known = self.epochs.entry(owner).or_default();
        *known = epoch.max(*known);
        self.highest = self.highest.max(epoch);
    }

    /// Makes room for at least a sixteenth of the budget, so that its cost is spread over as many endings.
    fn shrink(&mut self, signed_in: bool, now: u64) {
        let room = self.limit - self.limit / 16;
        let class = self.class(signed_in);
        class.handles.retain(|_, ended| ended.until > now);
        let mut over = class.handles.len().saturating_sub(room);
        let mut owners: HashMap<OwnerHash, usize> = HashMap::new();
        for owner in class.handles.values().filter_map(Ended::owner) {
            *owners.entry(owner).or_default() += 1;
        }
        let mut owners: Vec<_> = owners.into_iter().filter(|(_, endings)| *endings > 1).collect();
        owners.sort_by_key(|(_, endings)| std::cmp::Reverse(*endings));
        owners.retain(|(_, endings)| {
            let needed = over > 0;
            over = over.saturating_sub(*endings);
            needed
        });
        if over > 0 || self.epochs.len() + owners.len() > self.limit {
            self.raise_floor(signed_in, now);
        } else if !owners.is_empty() {
            self.coarsen(&owners.into_iter().map(|(owner, _)| owner).collect::<Vec<_>>(), now);
        }
    }

    /// Ends all sessions of some owners, in place of the many that have ended one by one.
    fn coarsen(&mut self, owners: &[OwnerHash], now: u64) {
        events::coarsened("all sessions of some owners");
        let coarse = |ended: &Ended| ended.owner().filter(|owner| owners.contains(owner));
        let ended: Vec<_> =
            self.signed_in.handles.values().filter_map(|ended| Some((coarse(ended)?, ended.epoch))).collect();
        for (owner, epoch) in ended {
            self.raise(owner, epoch.max(now).saturating_add(1));
        }
        self.signed_in.handles.retain(|_, ended| coarse(ended).is_none());
    }

    /// Ends all sessions of a class, in place of everything that is known about it.
    fn raise_floor(&mut self, signed_in: bool, now: u64) {
        events::coarsened(if signed_in { "all signed-in sessions" } else { "all anonymous sessions" });
        let epochs = if signed_in { std::mem::take(&mut self.epochs) } else { HashMap::new() };
        let class = self.class(signed_in);
        let ended = std::mem::take(&mut class.handles).into_values().map(|ended| ended.epoch);
        class.floor = ended.chain(epochs.into_values()).fold(class.floor.max(now), u64::max);
    }
}
