//! Who it is, for how long, and under which name.

use std::time::Duration;

use super::Session;
use crate::{clock::millis, devices::Device, error::StoreError, events, record::Handle, store::Row};

/// Who it is, and for how long.
impl Session {
    /// Signs `owner` in, an opaque name of your own of 1 to 512 bytes: the session gets a new id, the one
    /// that was presented ends, and both deadlines start again (C04). Of an anonymous visitor's fields
    /// only those of [`carry_over`](crate::SessionsBuilder::carry_over) stay; of another owner's, none.
    ///
    /// Call it after the password was verified, and write what belongs to the owner afterwards. Whether the
    /// owner may have one more session is known when the response is made: ask
    /// [`commit`](Self::commit) to know it earlier.
    pub fn sign_in(&self, owner: impl AsRef<str>) {
        self.shared.with(|state, system| {
            if let Err(error) = state.sign_in(system, owner.as_ref()) {
                state.fail(error);
            }
        });
    }

    /// Ends the session: its cookie is removed, and the same bytes never open again (E01). What is
    /// written afterwards in this request belongs to a new anonymous session.
    pub fn sign_out(&self) {
        self.shared.with(|state, _| {
            if let Err(error) = state.sign_out() {
                state.fail(error);
            }
        });
    }

    /// Call it before a password is verified: when the owner's sessions are ended meanwhile, because the
    /// password was changed, the [`sign_in`](Self::sign_in) that follows in this request fails with
    /// [`CommitError::OwnerEnded`](crate::CommitError::OwnerEnded) or makes a session that has ended. Without it,
    /// a slow login with the old password outlives the change.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when the store does not answer.
    pub async fn prepare_sign_in(&self) -> Result<(), StoreError> {
        let system = &self.shared.sessions.system;
        let epoch = match &system.store {
            Some(store) => store.epoch().await?,
            None => system.revocations.epoch(system.now()),
        };
        self.shared.with(|state, _| state.prepared = Some(epoch));
        Ok(())
    }

    /// What the owner sees this session called in a list of [devices](crate::Device): "Firefox on Linux",
    /// for example. At most 255 bytes; the rest is cut off. Kept in a store only, in clear.
    pub fn set_label(&self, label: &str) {
        let label: Box<str> = label[..label.floor_char_boundary(Row::MAX_LABEL)].into();
        let result = self.shared.with(|state, system| {
            state.change(system, move |_, record| {
                let known = &mut record.header.label;
                let changed = known.as_deref().unwrap_or_default() != &*label;
                *known = Some(label.clone()).filter(|label| !label.is_empty());
                Ok(changed)
            })
        });
        self.or_fail(result);
    }

    /// This session as a list of devices shows it; `None` for a visitor without one.
    pub fn device(&self) -> Option<Device> {
        self.shared.with(|state, system| Some(Device::new(&state.record.as_ref()?.header, &system.lifetime)))
    }

    /// Who is signed in.
    pub fn owner(&self) -> Option<String> {
        self.shared.with(|state, _| state.record.as_ref()?.header.owner.as_deref().map(Into::into))
    }

    /// Whether a credential was proved within the last `window` (D05).
    pub fn is_fresh(&self, window: Duration) -> bool {
        self.shared.with(|state, system| {
            let proved = state.record.as_ref().map_or(0, |record| record.header.authenticated);
            proved != 0 && !state.outdated && system.now() < proved.saturating_add(millis(window))
        })
    }

    /// Makes the session [fresh](Self::is_fresh) in place: call it after its owner proved the password again. The session
    /// goes on with its data, its forms and its absolute deadline, under a new generation and so a new cookie (C05).
    ///
    /// With a store the cookie from before is taken for another minute, by requests that were under way; it is not fresh,
    /// and it gets no new one. After that minute it ends the session (D10). Does nothing for a session without an owner.
    pub fn step_up(&self) {
        let result = self.shared.with(|state, system| {
            if state.record.as_ref().is_none_or(|record| record.header.owner.is_none()) {
                return Ok(());
            }
            let now = system.now();
            let generation = state.record_mut(system)?.header.generation.saturating_add(1);
            state.renew(system, generation, now);
            state.outdated = false;
            state.change(system, move |_, record| {
                record.header.authenticated = now;
                record.header.renewed = record.header.renewed.max(now);
                Ok(true)
            })?;
            if let Some(record) = &state.record {
                events::stepped_up(record.header.handle);
            }
            Ok(())
        });
        self.or_fail(result);
    }

    /// Only looks: this request does not keep the session from becoming idle, and does not renew it, unless it changes
    /// something. For a page that asks how much [time is left](Self::expires_in).
    pub fn peek(&self) {
        self.shared.with(|state, _| state.peeks = true);
    }

    /// Chooses the timeouts of [`Lifetime::remember_me`](crate::Lifetime::remember_me) for this session,
    /// and a cookie that outlives the browser; or takes that back. Call it after
    /// [`sign_in`](Self::sign_in). Without those timeouts only the cookie outlives the browser.
    pub fn remember_me(&self, remember: bool) {
        let result = self.shared.with(|state, system| {
            let now = system.now();
            state.change(system, move |system, record| {
                let changed = record.header.remembered != remember;
                if changed {
                    record.header.remembered = remember;
                    system.lifetime.begin(&mut record.header, now);
                }
                Ok(changed)
            })?;
            state.changes.lasting = true;
            Ok(())
        });
        self.or_fail(result);
    }

    /// Renews the session now: the same session and data, a new generation, a new cookie. See
    /// [`Lifetime::renewal`](crate::Lifetime::renewal) for what that is worth in the stateless placement.
    /// Does nothing for a visitor without a session.
    pub fn renew(&self) {
        let result = self.shared.with(|state, system| {
            if state.record.is_some() {
                let generation = state.record_mut(system)?.header.generation.saturating_add(1);
                state.renew(system, generation, system.now());
            }
            Ok(())
        });
        self.or_fail(result);
    }

    /// Makes an anonymous visitor's session a recorded one, because its state matters: with a store it
    /// gets a record there. In the stateless placement that is a mark and nothing more.
    pub fn keep(&self) {
        let result = self.shared.with(|state, system| {
            state.change(system, |system, record| {
                let changed = record.header.kind != system.recorded;
                record.header.kind = system.recorded;
                Ok(changed)
            })
        });
        self.or_fail(result);
    }

    /// The public name of the session; `None` for a visitor without one.
    pub fn handle(&self) -> Option<Handle> {
        self.shared.with(|state, _| Some(state.record.as_ref()?.header.handle))
    }

    /// How long the session lives if it is not used again; `None` for a visitor without one.
    pub fn expires_in(&self) -> Option<Duration> {
        self.shared.with(|state, system| {
            let header = &state.record.as_ref()?.header;
            let deadline = system.deadline(header);
            Some(Duration::from_millis(deadline.saturating_sub(system.now())))
        })
    }

    /// Asks now whether the session still lives: after a wait, or in a stream whose head has left. A
    /// visitor without a session has nothing to confirm.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when nobody can tell. Never in the stateless placement.
    pub async fn confirm(&self) -> Result<bool, StoreError> {
        self.shared.confirm().await
    }

    /// Ends the owner's other sessions and puts this one above them.
    pub(crate) async fn end_others(&self) -> Result<(), StoreError> {
        self.shared.end_others().await
    }
}
