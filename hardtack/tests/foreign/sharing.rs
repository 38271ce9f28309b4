//! Both fleets live, and the session is a row in the store of Express. Here Express is a map that a test writes to as
//! Express would; `interop/tests` has the real one over Redis and PostgreSQL.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
    time::Duration,
};

use hardtack::{
    BuildError, Clock, CommitError, CookiePolicy, Field, Keyring, Reason, SameSite, Session, Sessions, SessionsBuilder,
    StoreError,
    interop::{ExpressSession, ExpressStore, IronSession},
    store::MemoryStore,
};
use serde_json::value::RawValue;

use crate::{COUNT, DAY, Jar, MINUTE, PASSWORD, common::START, member};

const SID: &str = "q2VkYXRlLXNpZC0wMDEtYWJjZGVm_-Zz";
const NOTE: Field<String> = Field::new("note");
const EXACT: &str = r#"{"z":1e+21,"a":-0.0,"10":1.10,"n":null,"__proto__":{"x":[{},[]]},"u":"é\ud83d\u2028🐎"}"#;
/// As Express writes it, with an expiry that has passed for long: it was touched since.
const COOKIE: &str = r#"{"originalMaxAge":3600000,"expires":"2025-01-01T00:00:00.000Z","secure":true,"httpOnly":true,"domain":"shop.example","path":"/shop","sameSite":"strict"}"#;

/// Something that Express does between our reading and our writing.
type Between = Box<dyn FnOnce(&mut BTreeMap<String, String>) + Send>;

/// A session, and what its row says about its end.
type Touched = (String, Option<u64>);

/// The rows, and what was touched until when.
#[derive(Clone, Default)]
struct Rows {
    rows: Arc<Mutex<BTreeMap<String, String>>>,
    touched: Arc<Mutex<Vec<Touched>>>,
    between: Arc<Mutex<Option<Between>>>,
    away: Arc<Mutex<bool>>,
    silent: Arc<Mutex<bool>>,
}

impl Rows {
    fn with(data: &str) -> Self {
        let rows = Self::default();
        rows.put(SID, &format!(r#"{{"cookie":{COOKIE}{data}}}"#));
        rows
    }

    fn put(&self, sid: &str, text: &str) {
        self.rows.lock().unwrap().insert(sid.into(), text.into());
    }

    fn text(&self, sid: &str) -> Option<String> {
        self.rows.lock().unwrap().get(sid).cloned()
    }

    fn sids(&self) -> Vec<String> {
        self.rows.lock().unwrap().keys().cloned().collect()
    }

    fn before_the_next_write(&self, work: impl FnOnce(&mut BTreeMap<String, String>) + Send + 'static) {
        *self.between.lock().unwrap() = Some(Box::new(work));
    }

    fn is_there(&self) -> Result<(), StoreError> {
        if *self.away.lock().unwrap() { Err(StoreError::new("away")) } else { Ok(()) }
    }
}

impl ExpressStore for Rows {
    async fn load(&self, sid: &str, _: u64) -> Result<Option<String>, StoreError> {
        self.is_there()?;
        if *self.silent.lock().unwrap() {
            std::future::pending::<()>().await;
        }
        Ok(self.text(sid))
    }

    async fn replace(
        &self,
        sid: &str,
        previous: Option<&str>,
        text: &str,
        expires: Option<u64>,
        _: u64,
    ) -> Result<bool, StoreError> {
        self.is_there()?;
        // Others come to their turn.
        tokio::task::yield_now().await;
        let mut rows = self.rows.lock().unwrap();
        if let Some(between) = self.between.lock().unwrap().take() {
            between(&mut rows);
        }
        let fits = rows.get(sid).map(String::as_str) == previous;
        if fits {
            rows.insert(sid.into(), text.into());
            self.touched.lock().unwrap().push((sid.into(), expires));
        }
        Ok(fits)
    }

    async fn touch(&self, sid: &str, expires: Option<u64>, _: u64) -> Result<(), StoreError> {
        self.is_there()?;
        self.touched.lock().unwrap().push((sid.into(), expires));
        Ok(())
    }

    async fn delete(&self, sid: &str) -> Result<(), StoreError> {
        self.is_there()?;
        self.rows.lock().unwrap().remove(sid);
        Ok(())
    }

    async fn end_owner(&self, field: &str, owner: &str, except: Option<&str>) -> Result<(), StoreError> {
        self.is_there()?;
        let is_his = |text: &str| member(text, field) == Some(format!("\"{owner}\""));
        self.rows.lock().unwrap().retain(|sid, text| except == Some(sid) || !is_his(text));
        Ok(())
    }
}

fn express() -> ExpressSession {
    ExpressSession::new("connect.sid", ["keyboard cat", "an older secret"]).unwrap()
}

fn sharing(rows: &Rows) -> SessionsBuilder {
    Sessions::shared(Keyring::ephemeral().unwrap(), express(), rows.clone())
        .owner_field("user")
        .clock(Clock::manual(START))
}

/// A browser to which Express gave its cookie.
fn browser(sid: &str) -> Jar {
    Jar([("connect.sid".to_owned(), express().sign(sid))].into())
}

/// The id in a browser's cookie.
fn sid(jar: &Jar) -> String {
    express().verify(jar.0["connect.sid"].as_bytes()).unwrap()
}

/// What the response of one request sets.
async fn lines(sessions: &Sessions, jar: &Jar, work: impl FnOnce(&Session)) -> Vec<String> {
    let request = sessions.begin([jar.header().as_bytes()]);
    work(&request.session().await.unwrap());
    let headers = request.finish().await.unwrap();
    headers.set_cookies().map(|line| line.to_str().unwrap().to_owned()).collect()
}

/// Reads, and no more.
fn looks(session: &Session) {
    assert!(session.is_live());
}

#[tokio::test]
async fn what_express_wrote_is_read_and_what_is_not_ours_stays_as_it_is() {
    let long = "x".repeat(300);
    let rows = Rows::with(&format!(r#","7":[1],"values":{EXACT},"{long}":0,"count":41,"user":"ada","":1"#));
    let sessions = sharing(&rows).build().unwrap();
    let mut jar = browser(SID);
    let seen = jar.visit(&sessions, |session| (session.owner(), session.get(COUNT))).await;
    assert_eq!(seen, ((Some("ada".into()), Some(41)), 0), "reading sets nothing");
    let values = Field::<Box<RawValue>>::new("values");
    assert_eq!(jar.visit(&sessions, |session| session.get(values).unwrap().get().to_owned()).await.0, EXACT);

    let before = rows.text(SID).unwrap();
    jar.visit(&sessions, |session| session.update(COUNT, |count| count.unwrap_or_default() + 1)).await;
    jar.visit(&sessions, |session| session.set(NOTE, "hello".into())).await;
    jar.visit(&sessions, |session| session.remove(COUNT)).await;
    let text = rows.text(SID).unwrap();
    let begin = before.split(r#","count""#).next().unwrap();
    let expires = r#""expires":"2025-01-01T00:00:00.000Z""#;
    assert!(!text.contains(expires), "the deadline is written anew: {text}");
    let year = START / 1000 / 31_556_952 + 1970;
    let renewed = text.split(r#""expires":""#).nth(1).unwrap().split('"').next().unwrap();
    assert!(renewed.starts_with(&year.to_string()) && renewed.ends_with('Z') && renewed.len() == 24, "{renewed}");
    let text = text.replace(&format!(r#""expires":"{renewed}""#), expires);
    assert!(text.starts_with(begin), "order, numbers, escapes and what no field can hold: {text}\n{begin}");
    assert_eq!(member(&text, "").as_deref(), Some("1"));
    assert_eq!(member(&text, "note").as_deref(), Some("\"hello\""));
    assert_eq!(member(&text, "count"), None);
}

/// The row's cookie counts, as in Express: its attributes, its `maxAge`, and a line only when the session was written.
#[tokio::test]
async fn the_cookie_has_the_attributes_that_its_row_says() {
    let rows = Rows::with(r#","count":1"#);
    let sessions = sharing(&rows).build().unwrap();
    let jar = browser(SID);
    let written = lines(&sessions, &jar, |session| session.set(COUNT, 2)).await;
    let value = &jar.0["connect.sid"];
    let attributes = "; Domain=shop.example; Path=/shop; HttpOnly; Secure; SameSite=Strict";
    assert_eq!(written, [format!("connect.sid={value}; Max-Age=3600{attributes}")]);
    assert_eq!(rows.touched.lock().unwrap().pop(), Some((SID.into(), Some(START + 3_600_000))));
    assert!(lines(&sessions, &jar, looks).await.is_empty());
    assert_eq!(rows.touched.lock().unwrap().pop(), Some((SID.into(), Some(START + 3_600_000))), "used, so touched");
    lines(&sessions, &jar, Session::peek).await;
    assert_eq!(rows.touched.lock().unwrap().pop(), None, "who only looks does not touch");
    let removed = lines(&sessions, &jar, Session::sign_out).await;
    assert_eq!(removed, [format!("connect.sid=; Max-Age=0{attributes}")]);

    rows.put(SID, r#"{"cookie":{"originalMaxAge":null,"expires":null,"httpOnly":true,"path":"/"},"count":1}"#);
    let other = sharing(&rows).build().unwrap();
    assert!(lines(&other, &jar, |session| session.set(COUNT, 3)).await.is_empty(), "the browser has all it needs");
    assert_eq!(rows.touched.lock().unwrap().pop(), Some((SID.into(), None)), "the store says for how long");
    rows.put(SID, r#"{"cookie":{"originalMaxAge":null,"path":"/;Domain=evil"},"count":1}"#);
    let request = other.begin([jar.header().as_bytes()]);
    request.session().await.unwrap().sign_out();
    assert!(matches!(request.finish().await, Err(CommitError::Field { .. })), "no attribute is made of two");

    let rolling = Sessions::shared(Keyring::ephemeral().unwrap(), express().rolling(true), Rows::with(""));
    let rolled = lines(&rolling.build().unwrap(), &jar, looks).await;
    assert_eq!(rolled, [format!("connect.sid={value}; Max-Age=3600{attributes}")]);
}

/// C01, C04: what begins here is a row that Express reads, under 256 random bits.
#[tokio::test]
async fn what_begins_here_is_a_row_of_express() {
    let rows = Rows::default();
    let policy = CookiePolicy::plain("connect.sid").same_site(SameSite::Strict).domain("shop.example").path("/shop");
    let express = express().max_age(Duration::from_millis(DAY));
    let sessions = Sessions::shared(Keyring::ephemeral().unwrap(), express, rows.clone())
        .cookie(policy)
        .clock(Clock::manual(START))
        .build()
        .unwrap();
    let mut jar = Jar::default();
    jar.visit(&sessions, |session| session.owner()).await;
    assert!(jar.0.is_empty() && rows.sids().is_empty(), "a visitor makes no row");
    let token = jar.visit(&sessions, Session::csrf_token).await.0;
    let id = sid(&jar);
    assert_eq!(id.len(), 43);
    assert!(jar.visit(&sessions, |session| session.verify_csrf(&token)).await.0);
    jar.visit(&sessions, |session| session.set(COUNT, 1)).await;
    let text = rows.text(&id).unwrap();
    let cookie = member(&text, "cookie").unwrap();
    assert!(text.starts_with(r#"{"cookie":{"originalMaxAge":86400000,"expires":""#), "{text}");
    assert!(
        cookie.ends_with(
            r#"Z","secure":true,"httpOnly":true,"domain":"shop.example","path":"/shop","sameSite":"strict"}"#
        ),
        "{cookie}"
    );
    for name in ["id", "save", "cookie", "__proto__"] {
        let field: Field<u64> = Field::new(name);
        let refused = jar.try_visit(&sessions, move |session| session.set(field, 1)).await;
        assert!(matches!(refused, Err(CommitError::Field { .. })), "Express would drop {name}");
    }
}

/// C04, C07, E01: a sign-in is another id, a sign-out no row; what was copied is nobody's.
#[tokio::test]
async fn signing_in_and_out_holds_in_both_fleets() {
    let rows = Rows::with(r#","count":1"#);
    let sessions = sharing(&rows).carry_over(["note"]).build().unwrap();
    let mut jar = browser(SID);
    let before = jar.clone();
    jar.visit(&sessions, |session| session.sign_in("ada")).await;
    let signed_in = sid(&jar);
    assert!(rows.sids() == [&*signed_in], "the row from before is gone");
    let text = rows.text(&signed_in).unwrap();
    assert_eq!((member(&text, "user").as_deref(), member(&text, "count")), (Some("\"ada\""), None));
    assert_eq!(before.owner(&sessions).await, None);
    let hour = Duration::from_secs(3600);
    assert!(jar.visit(&sessions, |session| session.is_fresh(hour)).await.0, "a password was proved here");
    let copy = jar.clone();
    jar.visit(&sessions, Session::sign_out).await;
    assert!(jar.0.is_empty() && rows.sids().is_empty());
    assert_eq!(copy.owner(&sessions).await, None);

    // A request of Express that began before the sign-out puts its session back.
    rows.put(&signed_in, &text);
    let request = sessions.begin([copy.header().as_bytes()]);
    let session = request.session().await.unwrap();
    assert_eq!((session.owner(), session.refusal()), (None, Some(Reason::Ended)));
    assert!(rows.sids().is_empty(), "it is removed again");
}

/// D05: only a password that was proved here is fresh, and a copied mark proves nothing.
#[tokio::test]
async fn who_signed_in_at_express_is_not_fresh_and_a_copied_mark_proves_nothing() {
    let rows = Rows::with(r#","user":"ada""#);
    let sessions = sharing(&rows).build().unwrap();
    let hour = Duration::from_secs(3600);
    let mut jar = browser(SID);
    assert!(!jar.visit(&sessions, |session| session.is_fresh(hour)).await.0);
    jar.visit(&sessions, |session| session.step_up()).await;
    assert!(jar.visit(&sessions, |session| session.is_fresh(hour)).await.0);
    // `req.session.regenerate()`, and everything of the old session put into the new one.
    rows.put("another-id", &rows.text(SID).unwrap());
    let mut other = browser("another-id");
    let (fresh, handle) = other.visit(&sessions, |session| (session.is_fresh(hour), session.handle())).await.0;
    assert!(!fresh && handle != jar.visit(&sessions, Session::handle).await.0);
    let token = jar.visit(&sessions, Session::csrf_token).await.0;
    assert!(!other.visit(&sessions, |session| session.verify_csrf(&token)).await.0, "nor does its token");
}

/// Fault: the lost update. What Express wrote between our reading and our writing stays.
#[tokio::test]
async fn a_write_of_express_in_between_is_not_lost_and_neither_is_ours() {
    let rows = Rows::with(r#","count":1"#);
    let sessions = sharing(&rows).build().unwrap();
    let mut jar = browser(SID);
    let text = format!(r#"{{"cookie":{COOKIE},"count":10,"theirs":true}}"#);
    rows.before_the_next_write(move |rows| drop(rows.insert(SID.into(), text)));
    jar.visit(&sessions, |session| session.update(COUNT, |count| count.unwrap_or_default() + 1)).await;
    let text = rows.text(SID).unwrap();
    assert_eq!((member(&text, "count").as_deref(), member(&text, "theirs").as_deref()), (Some("11"), Some("true")));

    rows.before_the_next_write(|rows| drop(rows.remove(SID)));
    jar.visit(&sessions, |session| session.set(COUNT, 5)).await;
    assert!(rows.sids().is_empty(), "a session that ended meanwhile does not come back");

    let rows = Rows::with(r#","user":"ada""#);
    let sessions = sharing(&rows).build().unwrap();
    let text = format!(r#"{{"cookie":{COOKIE},"user":"bob"}}"#);
    rows.before_the_next_write(move |rows| drop(rows.insert(SID.into(), text)));
    let refused = jar.try_visit(&sessions, |session| session.set(NOTE, "ada's".into())).await;
    assert!(matches!(refused, Err(CommitError::Conflict)), "bob gets nothing of ada's");
    assert_eq!(member(&rows.text(SID).unwrap(), "note"), None);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hundred_writers_at_once_lose_nothing_and_one_takes() {
    let rows = Rows::with(r#","note":"once""#);
    let sessions = sharing(&rows).build().unwrap();
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..100 {
        let (sessions, mut jar) = (sessions.clone(), browser(SID));
        tasks.spawn(async move {
            let request = sessions.begin([jar.header().as_bytes()]);
            let session = request.session().await.unwrap();
            session.update(COUNT, |count| count.unwrap_or_default() + 1);
            let taken = session.take_once(NOTE).await.unwrap();
            jar.take(&request.finish().await.unwrap());
            taken.is_some()
        });
    }
    let taken = tasks.join_all().await.into_iter().filter(|taken| *taken).count();
    assert_eq!((taken, member(&rows.text(SID).unwrap(), "count").as_deref()), (1, Some("100")));
}

/// C03, F07: an id that the store does not know is not adopted, and a cookie that Express might know is left alone.
#[tokio::test]
async fn an_unknown_id_is_nobody_and_is_not_adopted() {
    let rows = Rows::default();
    let sessions = sharing(&rows).build().unwrap();
    let mut jar = browser("planted");
    assert_eq!(jar.visit(&sessions, |session| session.refusal()).await, (Some(Reason::Absent), 0));
    jar.visit(&sessions, |session| session.set(COUNT, 1)).await;
    assert!(sid(&jar) != "planted" && rows.sids() == [sid(&jar)]);
    for value in ["s%3Aplanted.AAAA", "planted", "s%3A", "%", "j%3A%7B%7D"] {
        let mut jar = Jar([("connect.sid".to_owned(), value.to_owned())].into());
        assert_eq!(jar.visit(&sessions, Session::is_live).await, (false, 0), "{value}");
    }
    for text in ["", "null", "[]", "{}", r#"{"cookie":1}"#, r#"{"cookie":{}"#] {
        rows.put(SID, text);
        let refusal = browser(SID).visit(&sessions, |session| session.refusal()).await;
        assert_eq!(refusal, (Some(Reason::Unreadable), 0), "{text}");
        assert_eq!(rows.text(SID).as_deref(), Some(text), "what cannot be read is left alone");
    }
}

/// An id under an older secret is signed again when the session is written.
#[tokio::test]
async fn an_id_under_an_older_secret_is_signed_anew() {
    let rows = Rows::with("");
    let sessions = sharing(&rows).build().unwrap();
    let older = ExpressSession::new("connect.sid", ["an older secret"]).unwrap();
    let mut jar = Jar([("connect.sid".to_owned(), older.sign(SID))].into());
    assert!(jar.visit(&sessions, Session::is_live).await.0);
    jar.visit(&sessions, |session| session.set(COUNT, 1)).await;
    assert_eq!(jar, browser(SID));
}

/// B12: when Express is gone its sessions become ours, once, whoever comes first.
#[tokio::test]
async fn sessions_of_express_become_ours_once() {
    let rows = Rows::with(r#","count":41,"user":"ada""#);
    let sharing = sharing(&rows).build().unwrap();
    let mut jar = browser(SID);
    jar.visit(&sharing, |session| session.step_up()).await;
    let clock = Clock::manual(START);
    let until = std::time::UNIX_EPOCH + Duration::from_millis(START + DAY);
    let sessions = Sessions::stored(Keyring::ephemeral().unwrap(), MemoryStore::new())
        .accept_shared(express(), rows.clone(), until, |session| session.get("user"))
        .clock(clock.clone())
        .build()
        .unwrap();
    let mut jars: Vec<_> = (0..10).map(|_| browser(SID)).collect();
    for jar in &mut jars {
        let (owner, lines) = jar.visit(&sessions, Session::owner).await;
        assert_eq!((owner.as_deref(), lines), (Some("ada"), 2));
        assert!(jar.0.keys().eq(["__Host-session"]), "ours came and Express' went: {jar:?}");
        jar.visit(&sessions, |session| session.update(COUNT, |count| count.unwrap_or_default() + 1)).await;
        assert!(!jar.visit(&sessions, |session| session.is_fresh(Duration::from_secs(60))).await.0);
    }
    assert_eq!(jars[0].visit(&sessions, |session| session.get(COUNT)).await.0, Some(51), "they are one");
    jars[3].visit(&sessions, Session::sign_out).await;
    for jar in [&mut browser(SID), &mut jars[0]] {
        assert_eq!(jar.owner(&sessions).await, None, "the sign-out holds for copies of either cookie");
    }
    rows.put("another", &rows.text(SID).unwrap());
    assert_eq!(browser("another").owner(&sessions).await.as_deref(), Some("ada"));
    assert_eq!(browser("unknown").owner(&sessions).await, None);
    clock.advance(Duration::from_millis(DAY));
    assert_eq!(browser("another").owner(&sessions).await, None, "after the date nothing is accepted");

    let stateless = Sessions::stateless(Keyring::ephemeral().unwrap());
    let refused = stateless.accept_shared(express(), rows, until, |_| None).build();
    assert!(refused.is_err_and(|error| error.to_string().contains("write Sessions::stored(keys, store)")));
}

/// E02, E03: in the store itself, so for Express too.
#[tokio::test]
async fn the_sessions_of_an_owner_end_in_both_fleets() {
    let rows = Rows::with(r#","user":"ada""#);
    let sessions = sharing(&rows).build().unwrap();
    let (mut here, of_express) = (Jar::default(), browser(SID));
    here.visit(&sessions, |session| session.sign_in("ada")).await;
    let request = sessions.begin([here.header().as_bytes()]);
    let session = request.session().await.unwrap();
    sessions.end_others(&session).await.unwrap();
    assert_eq!((here.owner(&sessions).await.as_deref(), of_express.owner(&sessions).await), (Some("ada"), None));
    assert!(session.confirm().await.unwrap());
    sessions.end_owner("ada").await.unwrap();
    assert!(!session.confirm().await.unwrap());
    assert!(rows.sids().is_empty());
    here.visit(&sessions, |session| session.sign_in("ada")).await;
    assert_eq!(here.owner(&sessions).await.as_deref(), Some("ada"), "signed in again at once");
}

/// J01: without its store nobody is signed in and nothing is written; the pages that ask nobody go on.
#[tokio::test]
async fn without_the_store_sessions_fail_closed() {
    let rows = Rows::with(r#","user":"ada""#);
    let sessions = sharing(&rows).build().unwrap();
    let jar = browser(SID);
    let request = sessions.begin([jar.header().as_bytes()]);
    let session = request.session().await.unwrap();
    session.set(COUNT, 1);
    *rows.away.lock().unwrap() = true;
    assert!(matches!(request.finish().await, Err(CommitError::Store(_))));
    assert!(sessions.begin([jar.header().as_bytes()]).session().await.is_err());
    assert_eq!(sessions.begin([jar.header().as_bytes()]).finish().await.unwrap().set_cookies().count(), 0);
}

/// J06: while both fleets live, and when Express is gone.
#[tokio::test]
async fn a_store_that_says_nothing_is_given_up_after_the_sites_deadline() {
    let rows = Rows::with(r#","user":"ada""#);
    *rows.silent.lock().unwrap() = true;
    let until = std::time::UNIX_EPOCH + Duration::from_millis(START + DAY);
    let accepting = Sessions::stored(Keyring::ephemeral().unwrap(), MemoryStore::new())
        .accept_shared(express(), rows.clone(), until, |session| session.get("user"))
        .clock(Clock::manual(START));
    for builder in [sharing(&rows), accepting] {
        let sessions = builder.store_deadline(Duration::from_millis(10)).build().unwrap();
        let Err(error) = sessions.begin([browser(SID).header().as_bytes()]).session().await else {
            panic!("nobody answered, and there is a session");
        };
        assert!(error.to_string().ends_with("no answer within 10ms"), "{error}");
    }
}

#[test]
fn what_cannot_be_is_refused_with_what_to_write() {
    let refused = |builder: SessionsBuilder, says: &str| {
        let Err(error) = builder.build() else { panic!("{says}") };
        assert!(matches!(error, BuildError::Setting { .. }) && error.to_string().contains(says), "{error}");
    };
    let rows = Rows::default();
    let iron = || IronSession::new("iron", PASSWORD).unwrap();
    refused(sharing(&rows).emit_as(iron()), "leave emit_as and accept out");
    refused(sharing(&rows).accept(iron(), std::time::SystemTime::now(), |_| None), "leave emit_as and accept out");
    refused(sharing(&rows).renewal(Duration::from_millis(10 * MINUTE)), "leave renewal out");
    refused(sharing(&rows).cookie(CookiePolicy::host("session")), "from_name(\"connect.sid\")");
    let keys = || Keyring::ephemeral().unwrap();
    refused(Sessions::stateless(keys()).emit_as(express()), "write Sessions::shared(keys, express, store)");
}
