//! Break it yourself: hostile cookies, sent through the real door, and the typed reason that comes back.
//! A visitor of a real site never sees the reason; all refusals look the same there.

use std::{sync::Arc, time::Duration};

use axum::{
    Form,
    extract::State,
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Redirect, Response},
};
use hardtack::{Key, KeyFile, KeyState, Keyring, Session, Sessions};
use serde::Deserialize;

use super::{
    Site,
    views::{self, COOKIE, Finding},
};
use crate::{Failure, cli::Placement};

/// How far the clock of the "wait an hour" experiment runs ahead.
pub(super) const AHEAD: Duration = Duration::from_secs(3601);

/// How many retired keys the demo keeps before its button revokes the oldest.
const RETIRED_KEPT: usize = 3;

const FAILED: &str = "That experiment failed on the server's side.";

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum Experiment {
    /// The value as it is.
    Send,
    /// One character changed.
    Flip,
    /// A session that is signed out, its old bytes sent again.
    Replay,
    /// The value under a name that decodes to ours.
    Plant,
    /// The value, an hour from now.
    Wait,
    /// A session that another server sealed.
    Foreign,
}

#[derive(Deserialize)]
pub(super) struct LabForm {
    experiment: Experiment,
    #[serde(default)]
    value: String,
}

pub(super) async fn show(State(site): State<Arc<Site>>, session: Session, headers: HeaderMap) -> Response {
    views::lab(&site, &session, &headers, None)
}

pub(super) async fn experiment(
    State(site): State<Arc<Site>>,
    session: Session,
    headers: HeaderMap,
    Form(form): Form<LabForm>,
) -> Response {
    match conduct(&site, &form).await {
        Ok(finding) => views::lab(&site, &session, &headers, Some(finding)),
        Err(error) => views::failure(&site, &error, FAILED),
    }
}

async fn conduct(site: &Site, form: &LabForm) -> Result<Finding, Failure> {
    let value = form.value.trim();
    let (what, sessions, cookie, lesson) = match form.experiment {
        Experiment::Send => (
            "The value as you gave it.",
            &site.sessions,
            format!("{COOKIE}={value}"),
            "Paste one from before a logout, from another browser, or anything else.",
        ),
        Experiment::Flip => (
            "The value with one character in its middle changed.",
            &site.sessions,
            format!("{COOKIE}={}", flip(value)),
            "Every bit is authenticated. Nothing of a changed value is used, not even what did not change.",
        ),
        Experiment::Replay => (
            "The cookie of a session that was signed in and out a moment ago.",
            &site.sessions,
            signed_out(&site.sessions).await?,
            match site.placement {
                Placement::Stored | Placement::Hybrid => {
                    "The bytes are as good as ever; what they name is no longer in the store."
                }
                Placement::Stateless => {
                    "The bytes are as good as ever; the server remembers that the session has ended."
                }
            },
        ),
        Experiment::Plant => (
            "The value under the name __%48ost-session, which any subdomain may set.",
            &site.sessions,
            format!("__%48ost-session={value}"),
            "Names are compared byte for byte. To a library that decodes them this would be __Host-session.",
        ),
        Experiment::Wait => (
            "The value, one hour and one second from now.",
            &site.later,
            format!("{COOKIE}={value}"),
            match site.placement {
                Placement::Stored | Placement::Hybrid => {
                    "The store gives out nothing whose time is over, removed or not yet."
                }
                Placement::Stateless => {
                    "The deadline is sealed inside. What the browser believes of its age does not count."
                }
            },
        ),
        Experiment::Foreign => (
            "A cookie that another server sealed, with a key of its own.",
            &site.sessions,
            Sessions::stateless(Keyring::ephemeral()?).build()?.cookie(|session| session.sign_in("keeper")).await?,
            "The cookie names its key, and that key is not here. No other key is tried.",
        ),
    };
    let request = sessions.begin([cookie.as_bytes()]);
    let session = request.session().await?;
    let (verdict, reason) = match session.refusal() {
        Some(reason) => ("refused", reason.as_str().to_owned()),
        None if session.is_live() => ("accepted", accepted(site, &session, value)),
        None => ("not seen", "no cookie of our name came".to_owned()),
    };
    Ok(Finding { what, verdict, reason, lesson })
}

/// Whose session it is, and what the key may do that sealed it.
fn accepted(site: &Site, session: &Session, value: &str) -> String {
    let owner = session.owner().unwrap_or_else(|| "nobody".into());
    match site.sessions.inspect(value) {
        Ok(found) => format!("a live session of {owner}, sealed with a key that is {}", found.key_state().as_str()),
        Err(_) => format!("a live session of {owner}"),
    }
}

/// Changes one character to another of the same alphabet.
fn flip(value: &str) -> String {
    let middle = value.chars().count() / 2;
    value
        .chars()
        .enumerate()
        .map(|(at, char)| if at == middle { if char == 'A' { 'B' } else { 'A' } } else { char })
        .collect()
}

/// The `Cookie` header of a session that has ended.
async fn signed_out(sessions: &Sessions) -> Result<String, Failure> {
    let cookie = sessions.cookie(|session| session.sign_in("guinea pig")).await?;
    let request = sessions.begin([cookie.as_bytes()]);
    request.session().await?.sign_out();
    let _removal = request.finish().await?;
    Ok(cookie)
}

/// A new key seals from now on; the one before it only opens. For signed-in people, because it writes a file.
pub(super) async fn rotate(State(site): State<Arc<Site>>, session: Session) -> Response {
    if session.owner().is_none() {
        return views::problem(&site, StatusCode::FORBIDDEN, "Log in first: this changes the keys of the server.");
    }
    match turn(&site) {
        Ok(()) => Redirect::to("/lab").into_response(),
        Err(error) => views::failure(&site, &error, FAILED),
    }
}

fn turn(site: &Site) -> Result<(), Failure> {
    let path = site.key_file.as_ref().ok_or("the keys come from the environment")?;
    let now = site.clock.now_ms();
    let mut file = KeyFile::open(path)?;
    file.add_active(Key::generate()?, now)?;
    site.keys.reload()?;
    let retired: Vec<_> = site.keys.keys(now).into_iter().filter(|(_, state)| *state == KeyState::Retired).collect();
    for (key, _) in retired.iter().rev().skip(RETIRED_KEPT) {
        file.revoke(key.id(), now)?;
    }
    Ok(site.keys.reload()?)
}
