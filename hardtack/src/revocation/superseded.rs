//! Which sessions a sign-in has just replaced.
//!
//! A page often has several requests under way. Those that carry the cookie from before the sign-in are
//! answered after it; a new anonymous cookie in such an answer would take the place of the signed-in one
//! and sign the visitor out. So for a minute they get none. This is a courtesy and no defence: what is
//! forgotten here has ended all the same.

use std::{
    collections::VecDeque,
    sync::{Mutex, MutexGuard, PoisonError},
};

use crate::record::Handle;

/// How long answers to the old cookie are held back: longer than most requests take.
const MINUTE: u64 = 60_000;
/// How many replaced sessions are remembered.
const MOST: usize = 10_000;

#[derive(Default)]
pub(crate) struct Superseded(Mutex<VecDeque<(Handle, u64)>>);

impl Superseded {
    /// This session has been replaced.
    pub(crate) fn add(&self, handle: Handle, now: u64) {
        let mut known = self.known();
        while known.len() >= MOST || known.front().is_some_and(|(_, at)| is_over(*at, now)) {
            known.pop_front();
        }
        known.push_back((handle, now));
    }

    /// It has not been replaced after all.
    pub(crate) fn remove(&self, handle: Handle) {
        self.known().retain(|(known, _)| *known != handle);
    }

    /// Whether this session was replaced within the last minute. Asked only for one that has ended.
    pub(crate) fn contains(&self, handle: Handle, now: u64) -> bool {
        let known = self.known();
        known.iter().rev().take_while(|(_, at)| !is_over(*at, now)).any(|(known, _)| *known == handle)
    }

    fn known(&self) -> MutexGuard<'_, VecDeque<(Handle, u64)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn is_over(at: u64, now: u64) -> bool {
    now.saturating_sub(at) >= MINUTE
}
