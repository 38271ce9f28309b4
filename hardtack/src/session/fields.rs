//! Reading and writing the data of a session.

use serde::{Serialize, de::DeserializeOwned};
use serde_json::value::RawValue;

use super::Session;
use crate::{
    error::{CommitError, FieldError},
    events,
    field::Field,
    fields::Fields,
    json::{Members, decode, encode, object_text},
};

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
}
