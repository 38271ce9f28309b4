//! The hybrid placement on the home page: where the session is, how old its copy is, and what this server hears of others.

use std::{sync::Arc, time::Duration};

use axum::{
    Form,
    extract::State,
    response::{IntoResponse, Redirect, Response},
};
use hardtack::{
    Field, Inspection, Kind, Session,
    store::feed::{Feed, News},
};
use serde::Deserialize;

use super::{
    Site,
    facts::{Fact, fact, words},
};
use crate::store::Engine;

pub(super) const TEXT: Field<String> = Field::new("text");

/// How this server tells others when something ended here, so that they see how long news take.
pub(super) struct Marks {
    feed: Engine,
    node: u64,
}

impl Marks {
    pub(super) fn new(feed: Engine) -> Self {
        Self { feed, node: rand::random() }
    }
}

/// Something ended here a moment ago. A mark that does not arrive is missing on a page and nowhere else.
pub(super) async fn mark(site: &Site) {
    if let Some(marks) = &site.marks {
        let now = site.clock.now_ms();
        let _ = marks.feed.publish(vec![News::mark(marks.node, now)], now).await;
    }
}

/// What there is to say of the copy in a cookie, and of the feed that vouches for it.
pub(super) fn facts(site: &Site, envelope: &Inspection) -> Vec<Fact> {
    let Some(marks) = &site.marks else { return Vec::new() };
    let heard = match site.sessions.feed_age() {
        Some(age) if age < Duration::from_secs(2) => format!("{} ms ago", age.as_millis()),
        Some(age) => format!("{} s ago: every session is loaded from the store", age.as_secs()),
        None => "nothing yet: every session is loaded from the store".into(),
    };
    let arrived = match site.sessions.feed_delay(marks.node) {
        Some(delay) => format!("{} ms", delay.as_millis()),
        None => "none came yet".into(),
    };
    let age = site.clock.now_ms().saturating_sub(envelope.confirmed_at());
    let mut facts = match envelope.kind() {
        Kind::Hybrid => vec![
            fact("Data", format!("a copy in the cookie, the record {}", site.place), ""),
            fact("Version", envelope.version().to_string(), "counts the writes of the record"),
            fact("Age of the copy", words(age), "used for a minute at most"),
        ],
        Kind::Stored => vec![fact("Data", format!("{} alone", site.place), "it does not fit into the cookie")],
        _ => vec![fact("Data", "in the cookie alone".into(), "until there is something worth a record")],
    };
    facts.extend([
        fact("The store was heard", heard, "what ended elsewhere is known up to then"),
        fact("The last ending elsewhere took", arrived, "from another server to this one"),
    ]);
    facts
}

#[derive(Deserialize)]
pub(super) struct TextForm {
    #[serde(default)]
    text: String,
}

/// Keeps a text, as long as anybody likes: beyond a cookie it spills into the store.
pub(super) async fn keep_text(State(_): State<Arc<Site>>, session: Session, Form(form): Form<TextForm>) -> Response {
    session.keep();
    session.set(TEXT, form.text);
    Redirect::to("/").into_response()
}
