//! [`Session`]: the handle of one request.

use std::{sync::Arc, time::Duration};

use serde::{Serialize, de::DeserializeOwned};
use serde_json::value::RawValue;

use crate::{
    clock::millis,
    csrf,
    devices::Device,
    error::{CommitError, FieldError, StoreError},
    events::{self, Reason},
    field::Field,
    fields::Fields,
    json::{Members, decode, encode, object_text},
    record::Handle,
    request::{Outcome, Shared},
    store::Row,
};

/// The session of one request. Cheap to clone; all clones and extractions of a request are the same.
///
/// Reading and writing wait for nothing. What was written is committed once, before the response's head
/// leaves, for errors of the handler too; [`discard`](Self::discard) opts out.
#[derive(Clone)]
pub struct Session {
    pub(crate) shared: Arc<Shared>,
}

/// Fields.
impl Session {
    /// The value of a field. `None` when it is absent, or, with an event, when it does not fit `T`.
    pub fn get<T: DeserializeOwned>(&self, field: Field<T>) -> Option<T> {
        self.try_get(field).unwrap_or_else(|_| {
            events::undecodable(field.name());
            None
        })
    }

    /// The value of a field.
    ///
    /// # Errors
    ///
    /// [`FieldError::Decode`] when what is stored does not fit `T`.
    pub fn try_get<T: DeserializeOwned>(&self, field: Field<T>) -> Result<Option<T>, FieldError> {
        decode(&self.fields(), field)
    }

    /// Sets a field. A value that cannot be written as JSON fails the commit.
    pub fn set<T: Serialize>(&self, field: Field<T>, value: T) {
        let result = self.try_set(field, value);
        self.or_fail(result);
    }

    /// Sets a field, and says at once when that is impossible.
    ///
    /// # Errors
    ///
    /// [`FieldError::Encode`] for a value that is no JSON, [`FieldError::Closed`] after the commit.
    pub fn try_set<T: Serialize>(&self, field: Field<T>, value: T) -> Result<(), FieldError> {
        let (name, json) = (field.name(), encode(field.name(), &value)?);
        self.shared.with(|state, system| state.change(system, move |_, record| record.fields.set(name, &json)))
    }

    /// Removes a field.
    pub fn remove<T>(&self, field: Field<T>) {
        let name = field.name();
        let result = self.change_fields(move |fields| Ok(fields.remove(name)));
        self.or_fail(result);
    }

    /// Replaces the value of a field by what `update` makes of it. `update` may run again, on a newer
    /// value, so it has no side effects.
    pub fn update<T, F>(&self, field: Field<T>, update: F)
    where
        T: Serialize + DeserializeOwned,
        F: FnMut(Option<T>) -> T + Send + 'static,
    {
        let name = field.name();
        let result = self.replace_with(name, update, move |fields| {
            Ok(decode(fields, Field::new(name)).unwrap_or_else(|_| {
                events::undecodable(name);
                None
            }))
        });
        self.or_fail(result);
    }

    /// As [`update`](Self::update), and says at once when that is impossible.
    ///
    /// # Errors
    ///
    /// [`FieldError`]: what is stored does not fit, or what was made of it cannot be written.
    pub fn try_update<T, F>(&self, field: Field<T>, update: F) -> Result<(), FieldError>
    where
        T: Serialize + DeserializeOwned,
        F: FnMut(Option<T>) -> T + Send + 'static,
    {
        let name = field.name();
        self.replace_with(name, update, move |fields| decode(fields, Field::new(name)))
    }

    /// Reads a field and removes it: a message to show once. Two requests at the same time may both see it;
    /// see [`take_once`](Self::take_once).
    pub fn take<T: DeserializeOwned>(&self, field: Field<T>) -> Option<T> {
        let value = self.get(field);
        self.remove(field);
        value
    }

    /// Reads a field and removes it at once, whatever becomes of this request: of any number of requests,
    /// also on different servers, one gets the value. For what must not be used twice: a step of a login
    /// at another site, a code that was sent by mail.
    ///
    /// That needs a session in a store. A session that is all in its cookie, and one that was not committed
    /// yet, is read and changed as by [`take`](Self::take).
    ///
    /// # Errors
    ///
    /// [`CommitError`]; nobody knows then whether the value is still there. A value that does not fit `T`
    /// is a [`CommitError::Field`] and stays.
    pub async fn take_once<T: DeserializeOwned>(&self, field: Field<T>) -> Result<Option<T>, CommitError> {
        let name = field.name();
        let fits = move |fields: &Fields| decode(fields, Field::<T>::new(name)).map(|_| ());
        let taken = self.shared.take_once(name, fits).await?;
        Ok(taken.and_then(|fields| decode(&fields, field).ok()).flatten())
    }

    /// Removes all fields. The session and its owner stay.
    pub fn clear(&self) {
        let result = self.change_fields(|fields| {
            let had_some = !fields.is_empty();
            *fields = Fields::empty();
            Ok(had_some)
        });
        self.or_fail(result);
    }

    /// All fields as one struct. `None` when they do not fit it, with an event.
    pub fn read<T: DeserializeOwned>(&self) -> Option<T> {
        let read = self.try_read();
        if read.is_err() {
            events::undecodable(std::any::type_name::<T>());
        }
        read.ok()
    }

    /// All fields as one struct. A `Box<RawValue>` gets the JSON object itself.
    ///
    /// # Errors
    ///
    /// [`FieldError::Decode`] when they do not fit it; fields that may be absent are `Option` or have a
    /// serde default.
    pub fn try_read<T: DeserializeOwned>(&self) -> Result<T, FieldError> {
        serde_json::from_str(&object_text(&self.fields()))
            .map_err(|source| FieldError::Decode { field: std::any::type_name::<T>().into(), source })
    }

    /// Writes a struct: the top-level fields of it that differ from what [`read`](Self::read) gives.
    /// Fields that the struct does not know stay as they are.
    pub fn write<T: Serialize + DeserializeOwned>(&self, value: &T) {
        let result = self.try_write(value);
        self.or_fail(result);
    }

    /// As [`write`](Self::write), and says at once when that is impossible.
    ///
    /// # Errors
    ///
    /// [`FieldError`]: it is no JSON object, or the session is committed.
    pub fn try_write<T: Serialize + DeserializeOwned>(&self, value: &T) -> Result<(), FieldError> {
        let type_name = std::any::type_name::<T>();
        let members = |value: &T| -> Result<Vec<(String, Box<RawValue>)>, FieldError> {
            let text = encode(type_name, value)?;
            serde_json::from_str::<Members>(&text).map(|members| members.0).map_err(|_| FieldError::NotAnObject)
        };
        let after = members(value)?;
        let before = match self.try_read::<T>() {
            Ok(before) => members(&before)?,
            Err(_) => Vec::new(),
        };
        let was = |name: &str| before.iter().rev().find(|(known, _)| known == name).map(|(_, json)| json.get());
        let removed = before.iter().filter(|(name, _)| !after.iter().any(|(known, _)| known == name));
        let removed: Vec<_> = removed.map(|(name, _)| name.clone()).collect();
        let set: Vec<_> = after.iter().filter(|(name, json)| was(name) != Some(json.get())).cloned().collect();
        self.change_fields(move |fields| {
            let mut changed = false;
            for (name, json) in &set {
                changed |= fields.set(name, json.get())?;
            }
            for name in &removed {
                changed |= fields.remove(name);
            }
            Ok(changed)
        })
    }
}

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
    /// [`CommitError::OwnerEnded`] or makes a session that has ended. Without it, a slow login with the old
    /// password outlives the change.
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
            proved != 0 && system.now() < proved.saturating_add(millis(window))
        })
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
            let deadline = system.lifetime.idle_deadline(header).min(system.lifetime.absolute_deadline(header));
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

/// The request.
impl Session {
    /// Forgets what this request did to the session. Nothing is committed, no cookie is sent.
    pub fn discard(&self) {
        self.shared.with(|state, _| state.discarded = true);
    }

    /// Commits now, to know before the response is made. Later writes of the request are errors.
    ///
    /// # Errors
    ///
    /// [`CommitError`]; the session stays open then, so that the handler can write less and try again.
    pub async fn commit(&self) -> Result<Outcome, CommitError> {
        self.shared.commit().await
    }

    /// A token for the forms and scripts of the page that is being made; see [`csrf`]. It gives a visitor
    /// without a session an anonymous one.
    pub fn csrf_token(&self) -> String {
        let token = self.shared.with(|state, system| {
            let fresh = state.record.is_none();
            let token = csrf::issue(&state.record_mut(system)?.header.id);
            state.changes.record |= fresh;
            Ok(token)
        });
        token.unwrap_or_else(|error| {
            self.or_fail(Err(error));
            String::new()
        })
    }

    /// Whether `token` was issued for the session that this request presented. Without one, never.
    pub fn verify_csrf(&self, token: &str) -> bool {
        self.shared.with(|state, _| state.origin.as_ref().is_some_and(|origin| csrf::verify(&origin.id, token)))
    }

    /// Whether there is a session at all, as opposed to a visitor about whom nothing is known.
    pub fn is_live(&self) -> bool {
        self.shared.with(|state, _| state.record.is_some())
    }

    /// Why the cookie that came did not become a session; `None` when it did or when none came. For logs
    /// and tools: to the visitor all reasons look the same (F07).
    pub fn refusal(&self) -> Option<Reason> {
        self.shared.with(|state, _| state.refused)
    }

    fn fields(&self) -> Fields {
        self.shared.with(|state, _| state.record.as_ref().map_or_else(Fields::empty, |record| record.fields.clone()))
    }

    fn change_fields(
        &self,
        change: impl FnMut(&mut Fields) -> Result<bool, FieldError> + Send + 'static,
    ) -> Result<(), FieldError> {
        self.shared.with(|state, system| state.change_fields(system, change))
    }

    /// `read`, `update` and the encoder are the application's: they run outside the lock, again if
    /// another write came between, and again at the commit if another request was faster.
    fn replace_with<T: Serialize>(
        &self,
        name: &'static str,
        mut update: impl FnMut(Option<T>) -> T + Send + 'static,
        read: impl Fn(&Fields) -> Result<Option<T>, FieldError> + Send + 'static,
    ) -> Result<(), FieldError> {
        let mut make = move |fields: &Fields| encode(name, &update(read(fields)?));
        loop {
            let writes = self.shared.with(|state, _| state.writes);
            let json = make(&self.fields())?;
            let overtaken = self.shared.with(|state, system| {
                if state.writes != writes {
                    return Ok(Some(make));
                }
                if state.record_mut(system)?.fields.set(name, &json)? {
                    state.changes.record = true;
                    state.writes += 1;
                    state.log(system, move |_, record| {
                        let json = make(&record.fields)?;
                        record.fields.set(name, &json)
                    });
                }
                Ok(None)
            })?;
            match overtaken {
                Some(again) => make = again,
                None => return Ok(()),
            }
        }
    }

    fn or_fail(&self, result: Result<(), FieldError>) {
        if let Err(error) = result {
            self.shared.with(|state, _| {
                state.fail(match error {
                    FieldError::Closed => CommitError::Closed,
                    FieldError::Random => CommitError::Random,
                    other => CommitError::Field { why: other.to_string() },
                });
            });
        }
    }
}

impl std::fmt::Debug for Session {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Session").field("handle", &self.handle()).finish_non_exhaustive()
    }
}
