//! What sessions that another fleet writes too hold for us: the [owner](owner_of) in a member of the application's, and a
//! member of our own, the [`Mark`].

use zeroize::Zeroizing;

use crate::{
    envelope::{base64url_decode, base64url_encode},
    error::FieldError,
    fields::Fields,
    record::{Header, MAX_OWNER, Record, SessionId},
};

/// The member of the data that is hardtack's own.
pub(super) const MARK: &str = "_hardtack";
/// The member that names the owner, unless another is said.
pub(super) const OWNER: &str = "owner";

/// Who is signed in, by a member of the data: a text, or a whole number as databases give them.
pub(super) fn owner_of(fields: &Fields, field: &str) -> Option<Box<str>> {
    owner_in(fields.get(field)?)
}

/// The owner that a member names, by its JSON.
pub(crate) fn owner_in(value: &str) -> Option<Box<str>> {
    let owner = match serde_json::from_str(value).ok()? {
        serde_json::Value::String(owner) => owner,
        serde_json::Value::Number(owner) if owner.is_u64() || owner.is_i64() => owner.to_string(),
        _ => return None,
    };
    (1..=MAX_OWNER).contains(&owner.len()).then(|| owner.into())
}

/// The fields of a session, with its owner among them.
pub(super) fn fields_of(record: &Record, owner_field: &str) -> Result<Fields, FieldError> {
    let mut fields = record.fields.clone();
    let owner = &record.header.owner;
    if let Some(owner) = owner.as_deref().filter(|_| owner_of(&fields, owner_field) != *owner) {
        fields.set(owner_field, &serde_json::Value::from(owner).to_string())?;
    }
    Ok(fields)
}

/// What is hardtack's own in the data.
pub(super) struct Mark {
    pub(super) id: SessionId,
    pub(super) created: u64,
    pub(super) authenticated: u64,
    pub(super) epoch: u64,
}

impl Mark {
    pub(super) fn of(header: &Header) -> Self {
        let Header { id, created, authenticated, epoch, .. } = header;
        Self { id: id.clone(), created: *created, authenticated: *authenticated, epoch: *epoch }
    }

    /// Takes it out of the data, where it is as we wrote it.
    pub(super) fn take(fields: &mut Fields) -> Option<Self> {
        let text = serde_json::from_str::<String>(fields.get(MARK)?).ok();
        fields.remove(MARK);
        let bytes = Zeroizing::new(base64url_decode(text?.as_bytes())?);
        let (id, times) = bytes.split_first_chunk::<32>()?;
        let (created, times) = times.split_first_chunk::<8>()?;
        let (authenticated, epoch) = times.split_first_chunk::<8>()?;
        let [created, authenticated, epoch] =
            [*created, *authenticated, epoch.try_into().ok()?].map(u64::from_be_bytes);
        Some(Self { id: SessionId(*id), created, authenticated, epoch })
    }

    /// A JSON string.
    pub(super) fn json(&self) -> String {
        let times = [self.created, self.authenticated, self.epoch].map(u64::to_be_bytes);
        format!("\"{}\"", base64url_encode(&Zeroizing::new([&self.id.0[..], times.as_flattened()].concat())))
    }
}
