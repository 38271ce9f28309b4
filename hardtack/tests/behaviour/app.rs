//! The application, written once for all frameworks. A path is a list of steps, done in their order with one
//! session: `/do/sign-in.ada/set.note.hello/get.note`. The answer is what the steps had to say, with commas.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
    time::Duration,
};

use hardtack::{CommitError, Field, FieldError, Handle, Session, SessionRejection, Sessions};
use serde::{Deserialize, Serialize};

use crate::gate::{Counter, Gate};

pub const COUNT: Field<u64> = Field::new("count");
const NOTE: Field<String> = Field::new("note");
const COLOUR: Field<String> = Field::new("colour");
const CART: Field<String> = Field::new("cart");

/// What [`Session::read`] and [`Session::write`] are tried with: all texts but the cart.
#[derive(Default, Serialize, Deserialize)]
struct Texts {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    note: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    colour: Option<String>,
}

/// What the requests and the test of one world share.
#[derive(Default)]
pub struct Site {
    gates: Mutex<HashMap<String, Arc<Gate>>>,
    /// Requests that a server is busy with.
    pub busy: Counter,
}

impl Site {
    pub fn gate(&self, name: &str) -> Arc<Gate> {
        self.gates.lock().unwrap().entry(name.to_owned()).or_default().clone()
    }

    /// One request, until it is dropped.
    pub fn enter(self: &Arc<Self>) -> impl Drop + Send + 'static {
        struct Inside(Arc<Site>);
        impl Drop for Inside {
            fn drop(&mut self) {
                self.0.busy.add(-1);
            }
        }
        self.busy.add(1);
        Inside(self.clone())
    }
}

/// The application on one node.
#[derive(Clone)]
pub struct App {
    pub site: Arc<Site>,
    pub sessions: Sessions,
    /// All routes ask the store.
    pub asks: bool,
}

impl App {
    /// A node hears of endings elsewhere within milliseconds. Claims are about what it does then.
    pub async fn catch_up(&self) {
        // Without its store it goes on with what it knows.
        let _ = self.sessions.catch_up().await;
    }
}

/// Does the steps; answers the status and the body.
pub async fn act(app: &App, session: &Session, steps: &str) -> (u16, String) {
    let (mut status, mut said) = (200, Vec::new());
    for step in steps.split('/') {
        let (verb, argument) = step.split_once('.').unwrap_or((step, ""));
        match verb {
            "status" => status = argument.parse().unwrap(),
            _ => said.extend(say(app, session, verb, argument).await),
        }
    }
    (status, said.join(","))
}

/// What a handler answers that goes on without a session.
pub fn degraded(session: Result<Session, SessionRejection>) -> String {
    match session {
        Ok(session) => session.owner().unwrap_or_else(|| "nobody".into()),
        Err(SessionRejection::Store(_)) => "cannot tell".into(),
        Err(other) => panic!("{other}"),
    }
}

/// What the end of a stream says, long after the head has left.
pub async fn at_the_end(session: &Session) -> String {
    let late = session.try_set(NOTE, "late".into());
    format!("{},{}", text(session.confirm().await), matches!(late, Err(FieldError::Closed)))
}

async fn say(app: &App, session: &Session, verb: &str, argument: &str) -> Option<String> {
    if let Some(said) = ask(session, verb, argument) {
        return Some(said);
    }
    let sessions = &app.sessions;
    match verb {
        "wait" => {
            app.site.gate(argument).pass().await;
            app.catch_up().await;
        }
        "panic" => panic!("on purpose"),
        "commit" => return Some(outcome(session.commit().await)),
        "commit-until" => {
            let gate = app.site.gate(argument);
            tokio::select! {
                biased;
                () = gate.pass() => {}
                committed = session.commit() => return Some(outcome(committed)),
            }
        }
        "confirm" => return Some(text(session.confirm().await)),
        "take-once" => {
            return Some(text(session.take_once(field::<String>(argument)).await.map(Option::unwrap_or_default)));
        }
        // Two tasks of one request: the second signs in while the first waits, and lets it go on.
        "take-once-beside-sign-in" => {
            let sign_in = async {
                session.sign_in(argument);
                app.site.gate(argument).open();
            };
            let (taken, ()) = tokio::join!(biased; session.take_once(NOTE), sign_in);
            return Some(text(taken.map(Option::unwrap_or_default)));
        }
        "prepare" => return session.prepare_sign_in().await.err().map(|_| "error".into()),
        "end-others" => return sessions.end_others(session).await.err().map(|_| "error".into()),
        "end-owner" => return sessions.end_owner(argument).await.err().map(|_| "error".into()),
        "end" => return sessions.end(&Handle::parse(argument).unwrap()).await.err().map(|_| "error".into()),
        "of" => {
            let devices = sessions.of(argument).await.unwrap();
            let labels =
                devices.iter().map(|device| format!("{}:{}", device.handle, device.label.as_deref().unwrap_or("-")));
            return Some(labels.collect::<Vec<_>>().join(" "));
        }
        _ => write(session, verb, argument),
    }
    None
}

/// The steps that read.
fn ask(session: &Session, verb: &str, argument: &str) -> Option<String> {
    Some(match verb {
        "who" => session.owner().unwrap_or_else(|| "nobody".into()),
        "live" => session.is_live().to_string(),
        "get" => session.get(field(argument)).unwrap_or_else(|| "-".into()),
        "count" => session.get(COUNT).unwrap_or_default().to_string(),
        "read" => {
            let Texts { note, colour } = session.read().unwrap();
            format!("{}+{}", note.unwrap_or_default(), colour.unwrap_or_default())
        }
        "take" => session.take(field(argument)).unwrap_or_else(|| "-".into()),
        "handle" => session.handle().map_or_else(|| "-".into(), |handle| handle.to_string()),
        "fresh" => session.is_fresh(Duration::from_secs(argument.parse().unwrap())).to_string(),
        "seconds" => session.expires_in().unwrap_or_default().as_secs().to_string(),
        "refusal" => session.refusal().map_or_else(|| "-".into(), |reason| reason.to_string()),
        "csrf" => session.csrf_token(),
        "verify" => session.verify_csrf(argument).to_string(),
        _ => return None,
    })
}

/// The steps that write.
fn write(session: &Session, verb: &str, argument: &str) {
    let (name, value) = argument.split_once('.').unwrap_or((argument, ""));
    match verb {
        "set" => session.set(field(name), value.to_owned()),
        "remove" => session.remove(field::<String>(name)),
        "clear" => session.clear(),
        "append" => {
            let value = value.to_owned();
            session.update(field(name), move |text: Option<String>| text.unwrap_or_default() + &value);
        }
        "add" => {
            let by: u64 = argument.parse().unwrap();
            session.update(COUNT, move |count| count.unwrap_or_default() + by);
        }
        // Changes the colour and takes the note out.
        "write" => session.write(&Texts { note: None, colour: Some(argument.to_owned()) }),
        "sign-in" => session.sign_in(argument),
        "sign-out" => session.sign_out(),
        "remember" => session.remember_me(true),
        "renew" => session.renew(),
        "keep" => session.keep(),
        "label" => session.set_label(argument),
        "discard" => session.discard(),
        _ => panic!("no step is called {verb:?}"),
    }
}

fn field<T>(name: &str) -> Field<T> {
    let known = [NOTE, COLOUR, CART].into_iter().find(|field| field.name() == name);
    Field::new(known.unwrap_or_else(|| panic!("no field is called {name:?}")).name())
}

fn text<T: ToString, E>(result: Result<T, E>) -> String {
    result.map_or_else(|_| "error".into(), |value| value.to_string())
}

fn outcome(result: Result<hardtack::Outcome, CommitError>) -> String {
    match result {
        Ok(outcome) => format!("{outcome:?}"),
        Err(error) => format!("error {}", error.status().as_u16()),
    }
}
