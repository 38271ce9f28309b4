//! G: keys change while the program runs: by the clock, by a reload, and by `KeyFile`, and no session is lost on
//! the way.
#![cfg(feature = "axum")]
#![allow(clippy::unwrap_used, missing_docs)]

mod common;
mod independent;

use std::{
    collections::BTreeSet,
    fs,
    io::Read,
    path::{Path, PathBuf},
    sync::{
        Barrier,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use common::{NOTE, START, cookie, log::logged, wait};
use hardtack::{BuildError, Clock, Key, KeyFile, KeyId, KeyState, Keyring, Reason, Sessions};
use independent::{Plain, Seal};
use tempfile::TempDir;

const LEAD: Duration = KeyFile::LEAD;

/// A key's text and id.
struct Known {
    text: String,
    id: KeyId,
}

impl Known {
    fn new() -> Self {
        let key = Key::generate().unwrap();
        Self { text: key.to_secret_text().to_string(), id: key.id() }
    }

    fn key(&self) -> Key {
        Key::parse(&self.text).unwrap()
    }

    /// A lawful session of ada under this key, whoever may seal.
    fn cookie(&self) -> String {
        Seal::new(&self.text).cookie(&Plain::of("ada", START))
    }
}

/// A folder with a file of keys in it.
struct Folder {
    folder: TempDir,
    path: PathBuf,
}

impl Folder {
    fn new(text: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("keys");
        let made = Self { folder, path };
        made.write(text);
        made
    }

    /// Replaces the file as an editor would that writes beside it and renames.
    fn write(&self, text: &str) {
        let draft = self.folder.path().join("draft");
        fs::write(&draft, text).unwrap();
        set_mode(&draft, 0o600);
        fs::rename(draft, &self.path).unwrap();
    }

    fn open(&self) -> Keyring {
        Keyring::from_existing_file(&self.path).unwrap()
    }

    fn edit(&self) -> KeyFile {
        KeyFile::open(&self.path).unwrap()
    }

    fn text(&self) -> String {
        fs::read_to_string(&self.path).unwrap()
    }

    /// What is in the folder.
    fn names(&self) -> BTreeSet<String> {
        let entries = fs::read_dir(self.folder.path()).unwrap();
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
    }

    /// The ids and states at `now`, as a server that starts now sees them.
    fn states(&self, now: u64) -> Vec<(String, &'static str)> {
        let keys = self.open();
        let live = keys.keys(now).into_iter().map(|(key, state)| (key.id().to_string(), state.as_str()));
        live.chain(keys.revoked().into_iter().map(|id| (id.to_string(), "revoked"))).collect()
    }
}

fn set_mode(path: &Path, mode: u32) {
    #[cfg(unix)]
    fs::set_permissions(path, std::os::unix::fs::PermissionsExt::from_mode(mode)).unwrap();
    #[cfg(not(unix))]
    let _ = (path, mode);
}

fn sessions(keys: &Keyring, clock: &Clock) -> Sessions {
    Sessions::stateless(keys.clone()).clock(clock.clone()).build().unwrap()
}

fn value(cookie: &str) -> &str {
    cookie.split_once('=').unwrap().1
}

/// The key under which a new session is sealed.
fn sealing(sessions: &Sessions) -> KeyId {
    let made = cookie(sessions, |session| session.sign_in("ada"));
    sessions.inspect(value(&made)).unwrap().key_id()
}

/// The state of the key of a cookie that opens, or why it does not.
fn state(sessions: &Sessions, key: &Known) -> Result<KeyState, Reason> {
    sessions.inspect(value(&key.cookie())).map(|inspection| inspection.key_state())
}

fn counter(keys: &Keyring, id: KeyId) -> (u64, Option<u64>) {
    keys.keys(START).into_iter().find(|(key, _)| key.id() == id).unwrap().0.opened_retired()
}

/// Waits until something holds that another thread does.
#[track_caller]
fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let started = Instant::now();
    while !holds() {
        assert!(started.elapsed() < Duration::from_secs(60), "{what} did not come");
        thread::sleep(Duration::from_millis(5));
    }
}

/// G01, G02: a pending key opens at once and seals from its millisecond on, not one earlier; the key before it
/// then only opens. A clock that is set back changes it back.
#[test]
fn a_pending_key_opens_at_once_and_seals_from_its_moment() {
    let (old, new) = (Known::new(), Known::new());
    let folder = Folder::new(&format!("active {}\npending {} {}\n", old.text, START + 1_000, new.text));
    let keys = folder.open();
    assert_eq!(keys.seals_from(new.id), Some(START + 1_000));
    for (ahead, seals, states) in [
        (0, &old, (KeyState::Active, KeyState::Pending)),
        (999, &old, (KeyState::Active, KeyState::Pending)),
        (1_000, &new, (KeyState::Retired, KeyState::Active)),
        (2_000, &new, (KeyState::Retired, KeyState::Active)),
        (500, &old, (KeyState::Active, KeyState::Pending)),
    ] {
        let sessions = sessions(&keys, &Clock::manual(START + ahead));
        assert_eq!(sealing(&sessions), seals.id, "{ahead} ms later");
        assert_eq!((state(&sessions, &old), state(&sessions, &new)), (Ok(states.0), Ok(states.1)), "{ahead} ms later");
    }
}

/// G02: what a clock that runs ahead has sealed with the pending key is written back under the active one by a
/// server for which the time has not come.
#[test]
fn a_write_before_the_time_moves_a_session_to_the_active_key() {
    let (old, new) = (Known::new(), Known::new());
    let folder = Folder::new(&format!("active {}\npending {} {}\n", old.text, START + 1_000, new.text));
    let sessions = sessions(&folder.open(), &Clock::manual(START));
    let made = new.cookie();
    let request = sessions.begin([made.as_bytes()]);
    let session = wait(request.session()).unwrap();
    assert_eq!(session.owner().as_deref(), Some("ada"));
    session.set(NOTE, "x".into());
    let headers = wait(request.finish()).unwrap();
    let line = headers.set_cookies().next().unwrap().to_str().unwrap();
    assert_eq!(sessions.inspect(value(line.split(';').next().unwrap())).unwrap().key_id(), old.id);
}

/// G01: of several pending keys the one whose time came last seals.
#[test]
fn of_two_keys_whose_time_has_come_the_later_one_seals() {
    let (old, next, last) = (Known::new(), Known::new(), Known::new());
    let text = format!("active {}\npending {} {}\npending {START} {}\n", old.text, START + 1, last.text, next.text);
    let clock = Clock::manual(START - 1);
    let sessions = sessions(&Folder::new(&text).open(), &clock);
    for expected in [&old, &next, &last] {
        assert_eq!(sealing(&sessions), expected.id);
        clock.advance(Duration::from_millis(1));
    }
    assert_eq!(state(&sessions, &next), Ok(KeyState::Retired));
}

/// G01, G02: what a retired key still opens is counted, with the time of the last one; what the active key opens
/// and what is forged under the retired one's id is not.
#[test]
fn what_a_retired_key_opens_is_counted() {
    let (active, retired) = (Known::new(), Known::new());
    let keys = Keyring::new(active.key(), [retired.key()]).unwrap();
    let clock = Clock::manual(START);
    let sessions = sessions(&keys, &clock);
    assert_eq!(counter(&keys, retired.id), (0, None));
    for count in 1..=3 {
        clock.advance(Duration::from_secs(1));
        let made = retired.cookie();
        assert_eq!(wait(sessions.begin([made.as_bytes()]).session()).unwrap().owner().as_deref(), Some("ada"));
        assert_eq!(counter(&keys, retired.id), (count, Some(START + count * 1_000)));
    }
    let forged = Seal { key: [1; 32], ..Seal::new(&retired.text) }.cookie(&Plain::of("ada", START));
    assert_eq!(sessions.inspect(value(&forged)).err(), Some(Reason::Forged));
    assert!(state(&sessions, &active).is_ok());
    assert_eq!(counter(&keys, retired.id).0, 3);
    assert_eq!(counter(&keys, active.id), (0, None));
}

/// G02, F05: a session under a revoked key is a visitor, whose cookie is removed; the reason says which it was.
#[test]
fn a_revoked_key_opens_nothing() {
    let (active, revoked) = (Known::new(), Known::new());
    let folder = Folder::new(&format!("active {}\nrevoked {}\n", active.text, revoked.id));
    let sessions = sessions(&folder.open(), &Clock::manual(START));
    assert_eq!(state(&sessions, &revoked), Err(Reason::RevokedKey));
    let made = revoked.cookie();
    let request = sessions.begin([made.as_bytes()]);
    assert!(!wait(request.session()).unwrap().is_live());
    let headers = wait(request.finish()).unwrap();
    let lines: Vec<_> = headers.set_cookies().collect();
    assert_eq!(lines, ["__Host-session=; Path=/; HttpOnly; SameSite=Lax; Secure; Max-Age=0"]);
}

/// G04: a reload takes what the file says now, and the counters of the keys that stay go on.
#[test]
fn a_reload_changes_the_keys_and_keeps_their_counters() {
    let (a, b, c) = (Known::new(), Known::new(), Known::new());
    let folder = Folder::new(&format!("active {}\nretired {}\n", a.text, b.text));
    let keys = folder.open();
    let sessions = sessions(&keys, &Clock::manual(START));
    for _ in 0..5 {
        assert_eq!(state(&sessions, &b), Ok(KeyState::Retired));
    }
    let shared = keys.clone();
    folder.write(&format!("retired {}\nactive {}\nretired {}\n", b.text, c.text, a.text));
    assert_eq!(sealing(&sessions), a.id, "not before it is read");
    shared.reload().unwrap();
    assert_eq!(sealing(&sessions), c.id);
    assert_eq!((state(&sessions, &a), state(&sessions, &b)), (Ok(KeyState::Retired), Ok(KeyState::Retired)));
    assert_eq!(counter(&keys, b.id), (6, Some(START)));
    assert_eq!(counter(&keys, a.id), (1, Some(START)));
    folder.write(&format!("active {}\nrevoked {}\n", c.text, b.id));
    keys.reload().unwrap();
    assert_eq!(state(&sessions, &b), Err(Reason::RevokedKey));
    assert_eq!(state(&sessions, &a), Err(Reason::UnknownKey));
}

/// G04: a file that is broken, gone or open to others is an error that changes nothing, and mending it is enough.
#[test]
fn a_broken_file_keeps_the_old_keys() {
    let (old, new) = (Known::new(), Known::new());
    let good = format!("active {}\n", old.text);
    let folder = Folder::new(&good);
    let keys = folder.open();
    let sessions = sessions(&keys, &Clock::manual(START));
    let broken = [
        String::new(),
        new.text.clone(),
        format!("active {}\nactive {}\n", new.text, old.text),
        format!("active {}\nretired {}\n", new.text, new.text),
        format!("active {}\npending soon {}\n", new.text, old.text),
        format!("active {}\nrevoked everything\n", new.text),
        format!("active {}\nrevoked {}\n", new.text, new.id),
        format!("active {}", &new.text[..47]),
    ];
    for text in &broken {
        folder.write(text);
        let error = keys.reload().unwrap_err().to_string();
        assert!(error.contains(folder.path.to_str().unwrap()) && !error.contains(&new.text[5..20]), "{error}");
        assert_eq!((sealing(&sessions), state(&sessions, &old)), (old.id, Ok(KeyState::Active)), "{error}");
    }
    fs::remove_file(&folder.path).unwrap();
    keys.reload().unwrap_err();
    #[cfg(unix)]
    {
        folder.write(&format!("active {}\n", new.text));
        set_mode(&folder.path, 0o640);
        let error = keys.reload().unwrap_err().to_string();
        assert!(error.contains("chmod 600"), "{error}");
    }
    assert_eq!(sealing(&sessions), old.id);
    folder.write(&format!("active {}\nretired {}\n", new.text, old.text));
    keys.reload().unwrap();
    assert_eq!((sealing(&sessions), state(&sessions, &old)), (new.id, Ok(KeyState::Retired)));
}

/// G04: a watched file is read when it changes, whoever changed it; a broken one in between does no harm.
#[test]
fn a_watched_file_is_read_when_it_changes() {
    let (a, b, c) = (Known::new(), Known::new(), Known::new());
    let folder = Folder::new(&format!("active {}\n", a.text));
    let keys = folder.open();
    keys.watch(Duration::from_millis(5));
    let sessions = sessions(&keys, &Clock::manual(START));
    assert_eq!(sealing(&sessions), a.id);
    folder.edit().add_active(b.key(), START).unwrap();
    until("the key that KeyFile added", || sealing(&sessions) == b.id);
    folder.write("active nothing\n");
    thread::sleep(Duration::from_millis(20));
    assert_eq!((sealing(&sessions), state(&sessions, &a)), (b.id, Ok(KeyState::Retired)));
    folder.write(&format!("active {}\nretired {}\n", c.text, b.text));
    until("the key that was written", || sealing(&sessions) == c.id);
    assert_eq!(state(&sessions, &b), Ok(KeyState::Retired));
}

/// G04: a cookie of a key that this server has not read yet has the file read, so that it is no visitor; whatever
/// cookies come, that happens once in ten seconds.
#[test]
fn an_unknown_key_id_has_the_file_read_at_most_once_in_ten_seconds() {
    let (a, b, c, never) = (Known::new(), Known::new(), Known::new(), Known::new());
    let folder = Folder::new(&format!("active {}\n", a.text));
    let sessions = sessions(&folder.open(), &Clock::manual(START));
    let keys = format!("active {}\nretired {}\n", a.text, b.text);
    folder.write(&keys);
    let started = Instant::now();
    let log = logged(|| {
        assert_eq!(state(&sessions, &b), Ok(KeyState::Retired), "read at the first unknown id");
        folder.write(&format!("{keys}retired {}\n", c.text));
        let refused: Vec<_> = (0..100).map(|at| state(&sessions, [&c, &never][at % 2])).collect();
        // A machine that is busy for ten seconds proves nothing.
        if started.elapsed() < Duration::from_secs(10) {
            assert!(refused.iter().all(|state| *state == Err(Reason::UnknownKey)), "{refused:?}");
        }
    });
    if started.elapsed() < Duration::from_secs(10) {
        assert_eq!(log.matches("keys reloaded").count(), 1, "{log}");
    }
    until("the next reload", || state(&sessions, &c) == Ok(KeyState::Retired));
    assert!(started.elapsed() >= Duration::from_secs(10), "it came too soon");
}

/// G04: an unknown id never takes what was read away: with a broken file it is refused like any other.
#[test]
fn an_unknown_key_id_beside_a_broken_file_is_refused() {
    let (a, b) = (Known::new(), Known::new());
    let folder = Folder::new(&format!("active {}\n", a.text));
    let sessions = sessions(&folder.open(), &Clock::manual(START));
    folder.write("active nothing\n");
    let log = logged(|| assert_eq!(state(&sessions, &b), Err(Reason::UnknownKey)));
    assert!(log.contains("keys not reloaded") && log.contains("line 1"), "{log}");
    assert_eq!(state(&sessions, &a), Ok(KeyState::Active));
}

/// G04, G02: a key that is scheduled sooner than every server has read it is refused, and nothing is written.
#[test]
fn a_key_is_scheduled_two_and_a_half_minutes_ahead_at_least() {
    assert_eq!(KeyFile::MIN_LEAD, Keyring::RELOAD_INTERVAL + Duration::from_secs(120));
    let (old, new) = (Known::new(), Known::new());
    let folder = Folder::new(&format!("active {}\nretired {}\n", old.text, new.text));
    let before = folder.text();
    for lead in [Duration::ZERO, Duration::from_secs(30), KeyFile::MIN_LEAD - Duration::from_nanos(1)] {
        let mut file = folder.edit();
        let added = file.add(Key::generate().unwrap(), lead, START);
        for refused in [added, file.activate(new.id, lead, START)] {
            let error = refused.unwrap_err();
            assert!(
                matches!(error, BuildError::KeyFile { .. }) && error.to_string().contains("150 seconds"),
                "{error}"
            );
        }
    }
    assert_eq!(folder.text(), before);
    folder.edit().activate(new.id, KeyFile::MIN_LEAD, START).unwrap();
    let third = Key::generate().unwrap();
    let id = third.id();
    folder.edit().add(third, LEAD, START).unwrap();
    let keys = folder.open();
    assert_eq!(keys.seals_from(new.id), Some(START + 150_000));
    assert_eq!(keys.seals_from(id), Some(START + 300_000));
    assert_eq!(keys.keys(START)[0].0.id(), old.id);
}

/// G01, G02: the whole life of two keys, as the commands do it.
#[test]
fn a_key_is_added_seals_retires_and_is_revoked() {
    let (old, new) = (Known::new(), Known::new());
    let (one, two) = (old.id.to_string(), new.id.to_string());
    let pair = |id: &str, state| (id.to_owned(), state);
    let folder = Folder::new(&format!("# ours\nactive {}\n", old.text));
    folder.edit().add(new.key(), LEAD, START).unwrap();
    assert_eq!(folder.states(START), [pair(&one, "active"), pair(&two, "pending")]);
    let later = START + 300_000;
    assert_eq!(folder.states(later), [pair(&two, "active"), pair(&one, "retired")]);
    // Whatever change comes next writes down what time has done.
    folder.edit().retire(old.id, later).unwrap();
    assert_eq!(folder.states(START), [pair(&two, "active"), pair(&one, "retired")], "the clock is asked no more");
    folder.edit().activate(old.id, LEAD, later).unwrap();
    assert_eq!(folder.states(later), [pair(&two, "active"), pair(&one, "pending")]);
    folder.edit().retire(old.id, later).unwrap();
    folder.edit().revoke(old.id, later).unwrap();
    assert_eq!(folder.states(later), [pair(&two, "active"), pair(&one, "revoked")]);
    assert!(!folder.text().contains(&old.text[5..]), "the secret of a revoked key is gone");
}

/// G02: a leaked key is replaced in one step; what it sealed ends, and what the others sealed lives.
#[test]
fn a_leaked_key_is_replaced_at_once() {
    let (leaked, new, other) = (Known::new(), Known::new(), Known::new());
    let folder = Folder::new(&format!("active {}\nretired {}\n", leaked.text, other.text));
    let keys = folder.open();
    let sessions = sessions(&keys, &Clock::manual(START));
    folder.edit().replace_active(other.id, new.key(), START).unwrap_err();
    folder.edit().replace_active(leaked.id, new.key(), START).unwrap();
    keys.reload().unwrap();
    assert_eq!(sealing(&sessions), new.id);
    assert_eq!(state(&sessions, &leaked), Err(Reason::RevokedKey));
    assert_eq!(state(&sessions, &other), Ok(KeyState::Retired));
    assert!(!folder.text().contains(&leaked.text[5..]));
}

/// F09: what cannot be done is refused with a reason, and leaves the file as it was.
#[test]
fn an_edit_that_makes_no_sense_changes_nothing() {
    let (active, retired, revoked, unknown) = (Known::new(), Known::new(), Known::new(), Known::new());
    let text = format!("active {}\nretired {}\nrevoked {}\n", active.text, retired.text, revoked.id);
    let folder = Folder::new(&text);
    let edit = |work: &dyn Fn(&mut KeyFile) -> Result<(), BuildError>, why: &str| {
        let message = work(&mut folder.edit()).unwrap_err().to_string();
        assert!(message.contains(why) && message.contains(folder.path.to_str().unwrap()), "{message}");
        for secret in [&active.text, &retired.text, &revoked.text, &unknown.text] {
            assert!(!message.contains(&secret[5..]), "{message}");
        }
        assert_eq!(folder.text(), text);
    };
    for (known, why) in [(&active, "already"), (&retired, "already"), (&revoked, "was revoked")] {
        edit(&|file| file.add(known.key(), LEAD, START), why);
        edit(&|file| file.add_active(known.key(), START), why);
        edit(&|file| file.add_retired(known.key(), START), why);
        edit(&|file| file.replace_active(active.id, known.key(), START), why);
    }
    for (known, why) in [(&active, "is active"), (&revoked, "is revoked"), (&unknown, "there is no key")] {
        edit(&|file| file.activate(known.id, LEAD, START), why);
        edit(&|file| file.retire(known.id, START), why);
        edit(&|file| file.revoke(known.id, START), why);
    }
    edit(&|file| file.replace_active(retired.id, unknown.key(), START), "is not active");
    assert!(KeyFile::open(folder.folder.path().join("none")).is_err());
}

/// G04: programs that change the file at the same time wait for each other; none loses another's key.
#[test]
fn edits_at_the_same_time_lose_nothing() {
    let active = Known::new();
    let folder = Folder::new(&format!("active {}\n", active.text));
    let start = Barrier::new(8);
    let added: BTreeSet<KeyId> = thread::scope(|scope| {
        let threads: Vec<_> = (0..8)
            .map(|_| {
                scope.spawn(|| {
                    start.wait();
                    (0..5)
                        .map(|_| {
                            let key = Key::generate().unwrap();
                            let id = key.id();
                            folder.edit().add(key, LEAD, START).unwrap();
                            id
                        })
                        .collect::<Vec<_>>()
                })
            })
            .collect();
        threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
    });
    let there: BTreeSet<_> = folder.open().keys(START).into_iter().map(|(key, _)| key.id()).collect();
    assert_eq!(added.len(), 40);
    assert_eq!(there, added.into_iter().chain([active.id]).collect());
}

/// G04, F13: a server that reads while the file is changed sees the keys before or after, never half of them; who
/// holds the old file open goes on reading it; the new one is its owner's alone, and no draft stays behind.
#[test]
fn the_file_is_replaced_whole() {
    let folder = Folder::new(&format!("active {}\n", Known::new().text));
    let before = folder.text();
    let mut held = fs::File::open(&folder.path).unwrap();
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            let mut keys = 1;
            while !done.load(Ordering::Relaxed) {
                let now = folder.open().keys(START).len();
                assert!(now >= keys, "a key was gone for a moment");
                keys = now;
            }
        });
        for _ in 0..30 {
            folder.edit().add_retired(Key::generate().unwrap(), START).unwrap();
        }
        done.store(true, Ordering::Relaxed);
    });
    assert_eq!(folder.open().keys(START).len(), 31);
    let mut old = String::new();
    held.read_to_string(&mut old).unwrap();
    assert_eq!(old, before);
    assert_eq!(folder.names(), ["keys", "keys.lock"].map(str::to_owned).into());
    #[cfg(unix)]
    for name in folder.names() {
        use std::os::unix::fs::PermissionsExt;
        let mode = fs::metadata(folder.folder.path().join(&name)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{name}");
    }
}

/// G04: a key file that is reached through a symbolic link stays behind it, and nothing is left beside it.
#[cfg(unix)]
#[test]
fn an_edit_through_a_link_changes_the_file_behind_it() {
    let old = Known::new();
    let folder = Folder::new(&format!("active {}\n", old.text));
    let link = folder.folder.path().join("link");
    std::os::unix::fs::symlink(&folder.path, &link).unwrap();
    KeyFile::open(&link).unwrap().add(Key::generate().unwrap(), LEAD, START).unwrap();
    assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
    assert_eq!(folder.text().lines().filter(|line| line.starts_with("pending")).count(), 1);
    let left: Vec<_> = fs::read_dir(folder.folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert!(left.iter().all(|name| !name.to_string_lossy().starts_with('.')), "{left:?}");
}
