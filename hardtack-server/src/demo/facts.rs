//! What the pages say about a session: its facts, its clocks, its fields.

use axum::http::HeaderMap;
use hardtack::{Device, Inspection, Kind, Session};

use super::{Site, copies, views::presented};

pub(super) struct Fact {
    pub(super) name: &'static str,
    pub(super) value: String,
    pub(super) note: &'static str,
}

pub(super) struct ClockView {
    pub(super) name: &'static str,
    pub(super) left: String,
    pub(super) total: String,
    pub(super) percent: u64,
    pub(super) meaning: &'static str,
}

pub(super) struct FieldView {
    pub(super) name: String,
    pub(super) json: String,
}

/// What is known of a live session: from its cookie which key sealed it, from wherever it lives the rest.
pub(super) struct Known<'a> {
    site: &'a Site,
    owner: Option<String>,
    device: Device,
    envelope: Inspection,
}

impl<'a> Known<'a> {
    /// `None` for a visitor whose cookie is not a live session.
    pub(super) fn of(site: &'a Site, session: &Session, headers: &HeaderMap) -> Option<Self> {
        let envelope = site.sessions.inspect(presented(headers)?).ok()?;
        let device = session.device().filter(|device| device.handle == envelope.handle())?;
        Some(Self { site, owner: session.owner(), device, envelope })
    }

    /// How long ago the password was proved.
    pub(super) fn proved(&self) -> String {
        words(self.site.clock.now_ms().saturating_sub(self.device.authenticated_at))
    }

    /// What is in the cookie.
    pub(super) fn holds(&self) -> String {
        let held = match self.envelope.kind() {
            Kind::Stored => format!(
                "It holds an id of 32 random bytes, and when the session was made and ends at the latest. Your number \
                 and all else are {}.",
                self.site.place
            ),
            Kind::Hybrid => format!(
                "It holds a copy of the session, for a minute at a time; the session itself is {}.",
                self.site.place
            ),
            Kind::Anonymous if self.site.placement.has_store() => {
                "It holds all that is known of you, until there is something that is worth a record in the store."
                    .into()
            }
            _ => "It holds all of the session: its facts and its fields.".into(),
        };
        format!(
            "{held} The cookie is encrypted and authenticated: change one character and the server takes you for a stranger."
        )
    }

    pub(super) fn facts(&self) -> Vec<Fact> {
        let (device, envelope) = (&self.device, &self.envelope);
        let ago = |time: u64| ago(self.site.clock.now_ms(), time);
        let mut facts = vec![fact("Owner", self.owner.clone().unwrap_or_else(|| "nobody".into()), "")];
        if let Some(label) = &device.label {
            facts.push(fact("Device", label.clone(), "what your browser said of itself at sign-in"));
        }
        let place = match envelope.kind() {
            Kind::Stored | Kind::Hybrid => &*self.site.place,
            _ => "in the cookie",
        };
        facts.extend([
            fact("Handle", device.handle.to_string(), "a public name; it opens nothing"),
            fact("Kind", format!("{:?}", envelope.kind()).to_lowercase(), ""),
            fact("Data", place.into(), ""),
            fact("Made", ago(device.created_at), ""),
            fact(
                "Password proved",
                if device.authenticated_at == 0 { "never".into() } else { ago(device.authenticated_at) },
                "",
            ),
            fact("Last seen", ago(device.last_seen_at), "moves at most once per half idle window"),
            fact("Key", envelope.key_id().to_string(), envelope.key_state().as_str()),
            fact("Generation", device.generation.to_string(), "counts renewals"),
        ]);
        facts
    }

    /// Of the copy and its feed; nothing in other placements.
    pub(super) fn copy(&self) -> Vec<Fact> {
        copies::facts(self.site, &self.envelope)
    }

    pub(super) fn clocks(&self) -> Vec<ClockView> {
        let (device, now) = (&self.device, self.site.clock.now_ms());
        let clock = |name, start: u64, deadline: u64, meaning| {
            let (left, total) = (deadline.saturating_sub(now), deadline.saturating_sub(start));
            let percent = (left * 100).checked_div(total).unwrap_or(0).min(100);
            ClockView { name, left: words(left), total: words(total), percent, meaning }
        };
        let anchor = if self.owner.is_some() { device.authenticated_at } else { device.created_at };
        vec![
            clock(
                "Idle",
                device.last_seen_at,
                device.idle_deadline,
                "Ends a session that nobody uses. Using it moves this clock.",
            ),
            clock(
                "Absolute",
                anchor,
                device.absolute_deadline,
                "Ends every session. Only the password starts it again.",
            ),
        ]
    }
}

/// What there is to say of a visitor whose cookie, if one came, is no live session.
pub(super) fn stranger(site: &Site, session: &Session, headers: &HeaderMap) -> Vec<Fact> {
    let refusal = presented(headers).map(|value| {
        let reason = session.refusal().or_else(|| site.sessions.inspect(value).err());
        fact("Cookie", "refused".into(), reason.map_or("ended", |reason| reason.as_str()))
    });
    let nobody = fact("Session", "none yet".into(), "you are a visitor about whom nothing is known");
    refusal.into_iter().chain([nobody]).collect()
}

pub(super) fn fact(name: &'static str, value: String, note: &'static str) -> Fact {
    Fact { name, value, note }
}

pub(super) fn fields(session: &Session) -> Vec<FieldView> {
    let data =
        session.read::<std::collections::BTreeMap<String, Box<serde_json::value::RawValue>>>().unwrap_or_default();
    data.into_iter().map(|(name, json)| FieldView { name, json: json.get().into() }).collect()
}

/// How long before `now` that was, for people.
pub(super) fn ago(now: u64, time: u64) -> String {
    match now.saturating_sub(time) {
        0..1000 => "just now".into(),
        passed => format!("{} ago", words(passed)),
    }
}

/// A duration for people: its largest unit.
pub(super) fn words(ms: u64) -> String {
    let seconds = ms / 1000;
    let (number, unit) = match seconds {
        0..60 => (seconds, "second"),
        60..3600 => (seconds / 60, "minute"),
        3600..172_800 => (seconds / 3600, "hour"),
        _ => (seconds / 86_400, "day"),
    };
    format!("{number} {unit}{}", if number == 1 { "" } else { "s" })
}
