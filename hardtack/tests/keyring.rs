//! G, F09, F10: where keys come from, which one seals, and that nothing weak or public becomes one.
#![cfg(feature = "axum")]
#![allow(clippy::unwrap_used, missing_docs)]

mod common;
mod independent;

use std::{
    collections::HashSet,
    fs,
    path::Path,
    process::{Child, Command, Stdio},
};

use common::{NOTE, START, cookie, fetch, serve, wait, who_app};
use hardtack::{BuildError, Clock, KEYS_VARIABLE, Key, KeyState, Keyring, Reason, Sessions};
use independent::{Plain, Seal, base64url, derive, secret};

fn text() -> String {
    Key::generate().unwrap().to_secret_text().to_string()
}

fn ring(active: &str, retired: &[&str]) -> Keyring {
    Keyring::new(Key::parse(active).unwrap(), retired.iter().map(|text| Key::parse(text).unwrap())).unwrap()
}

fn sessions(keys: Keyring) -> Sessions {
    Sessions::stateless(keys).clock(Clock::manual(START)).build().unwrap()
}

fn value(cookie: &str) -> &str {
    cookie.split_once('=').unwrap().1
}

/// The id of the key that seals.
fn sealing(keys: &Keyring) -> String {
    let sessions = sessions(keys.clone());
    let made = cookie(&sessions, |session| session.sign_in("ada"));
    sessions.inspect(value(&made)).unwrap().key_id().to_string()
}

/// The state in which `keys` know the key of `text`: `None` when they do not open what it seals.
fn state(keys: &Keyring, text: &str) -> Option<KeyState> {
    let made = Seal::new(text).cookie(&Plain::of("ada", START));
    sessions(keys.clone()).inspect(value(&made)).ok().map(|inspection| inspection.key_state())
}

fn id(text: &str) -> String {
    Key::parse(text).unwrap().id().to_string()
}

/// F10: the id and the envelope's key come from HKDF-SHA256 under their own labels. Known answers, computed by
/// another implementation once, and by it again now.
#[test]
fn the_known_answers_of_the_derivation_hold() {
    let known = "htk1_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8";
    assert_eq!(secret(known), std::array::from_fn(|at| at as u8));
    assert_eq!(id(known), "b644ff53");
    assert_eq!(
        hex::encode(derive::<32>(&secret(known), "hardtack 1 envelope")),
        "6430129dc8fbdabe4ddc713349e4b4cb1fca9801143a42f0f4be233c47f32bc6"
    );
    assert_eq!(state(&ring(known, &[]), known), Some(KeyState::Active));
    for _ in 0..100 {
        let text = text();
        assert_eq!(id(&text), hex::encode(derive::<4>(&secret(&text), "hardtack 1 key id")));
        assert_eq!(state(&ring(&text, &[]), &text), Some(KeyState::Active));
    }
}

/// F10: no subkey is another's beginning, and none is the key itself.
#[test]
fn subkeys_are_unrelated() {
    let text = text();
    let (id, envelope) = (Seal::new(&text).key_id, Seal::new(&text).key);
    assert_ne!(envelope[..4], id);
    assert_ne!(secret(&text)[..4], id);
    let raw = Seal { key: secret(&text), ..Seal::new(&text) };
    let forged = raw.cookie(&Plain::of("ada", START));
    assert_eq!(sessions(ring(&text, &[])).inspect(value(&forged)).err(), Some(Reason::Forged));
}

/// F09: a generated key is new, survives its text, and has 256 bits.
#[test]
fn generated_keys_are_all_different() {
    let texts: HashSet<_> = (0..1_000).map(|_| text()).collect();
    assert_eq!(texts.len(), 1_000);
    for text in &texts {
        assert_eq!((text.len(), &text[..5]), (48, "htk1_"));
        assert_eq!(*Key::parse(text).unwrap().to_secret_text(), *text);
    }
}

/// F09: passphrases, short secrets, placeholders, other encodings and truncated keys are no keys. The message brings
/// a fresh one and does not repeat the wrong one.
#[test]
fn a_passphrase_is_not_a_key() {
    let good = text();
    let wrong = [
        String::new(),
        "htk1_".into(),
        "changeme".into(),
        "correct horse battery staple and some more to make it very long indeed".into(),
        "x".repeat(48),
        format!("htk1_{}", "A".repeat(43)),
        format!("htk1_{}", base64url(&[0xff; 32])),
        format!("htk1_{}", base64url(&[7; 32])),
        good[5..].to_owned(),
        good[..47].to_owned(),
        format!("{good}A"),
        format!("{good}="),
        format!(" {good}"),
        good.replace("htk1_", "HTK1_"),
        good.replace("htk1_", "htk2_"),
        format!("htk1_{}", hex::encode(secret(&good))),
        format!("htk1_{}", base64url(&secret(&good)[..31])),
        format!("htk1_{}", base64url(&[&secret(&good)[..], &[1]].concat())),
    ];
    for text in wrong {
        let error = Key::parse(&text).err().unwrap();
        assert!(matches!(error, BuildError::WeakKey { .. }), "{text:?}");
        let message = format!("{error} {error:?}");
        assert!(text.len() < 8 || !message.contains(&text), "the message repeats {text:?}");
        let fresh = message.split_whitespace().find(|word| word.len() == 48 && word.starts_with("htk1_")).unwrap();
        assert!(Key::parse(fresh).is_ok());
    }
}

/// G01: the first key seals, all of them open, and the order says which is which, both ways round.
#[test]
fn the_active_key_seals_and_all_keys_open() {
    let (old, new) = (text(), text());
    for (active, retired) in [(&old, &new), (&new, &old)] {
        let keys = ring(active, &[retired]);
        assert_eq!(sealing(&keys), id(active));
        assert_eq!((state(&keys, active), state(&keys, retired)), (Some(KeyState::Active), Some(KeyState::Retired)));
        assert_eq!(state(&keys, &text()), None);
    }
}

/// G01: a session under a retired key is moved to the active one by its next write or touch, and a read leaves
/// it alone.
#[test]
fn a_session_moves_to_the_active_key_when_it_is_written() {
    let (old, new) = (text(), text());
    let made = cookie(&sessions(ring(&old, &[])), |session| session.sign_in("ada"));
    let sessions = sessions(ring(&new, &[&old]));
    let read = sessions.begin([made.as_bytes()]);
    assert_eq!(wait(read.session()).unwrap().owner().as_deref(), Some("ada"));
    assert_eq!(wait(read.finish()).unwrap().set_cookies().count(), 0);
    let write = sessions.begin([made.as_bytes()]);
    wait(write.session()).unwrap().set(NOTE, "x".into());
    let headers = wait(write.finish()).unwrap();
    let line = headers.set_cookies().next().unwrap().to_str().unwrap();
    let moved = sessions.inspect(value(line.split(';').next().unwrap())).unwrap();
    assert_eq!((moved.key_id().to_string(), moved.owner()), (id(&new), Some("ada")));
}

/// G02: add, switch, drop. With old and new nodes side by side no phase loses a session.
#[test]
fn a_rolling_change_of_keys_loses_no_session() {
    let (a, b) = (text(), text());
    let phases = [ring(&a, &[]), ring(&a, &[&b]), ring(&b, &[&a]), ring(&b, &[])].map(sessions);
    let mut made = cookie(&phases[0], |session| session.sign_in("ada"));
    for pair in phases.windows(2) {
        // In each step requests alternate between nodes before and after it, writing on each.
        for (round, node) in [0, 1, 0, 1, 1].into_iter().enumerate() {
            let request = pair[node].begin([made.as_bytes()]);
            let session = wait(request.session()).unwrap();
            assert_eq!(session.owner().as_deref(), Some("ada"), "round {round}");
            session.set(NOTE, format!("round {round} of {}", pair[node].inspect(value(&made)).unwrap().key_id()));
            let headers = wait(request.finish()).unwrap();
            if let Some(line) = headers.set_cookies().next() {
                made = line.to_str().unwrap().split(';').next().unwrap().to_owned();
            }
        }
    }
    assert_eq!(phases[3].inspect(value(&made)).unwrap().key_id().to_string(), id(&b));
}

/// G02: a session whose key was dropped is a visitor, gets a removal cookie and no error page.
#[test]
fn a_dropped_key_makes_its_sessions_anonymous() {
    let (old, new) = (text(), text());
    let made = cookie(&sessions(ring(&old, &[])), |session| session.sign_in("ada"));
    let after = sessions(ring(&new, &[]));
    assert_eq!(after.inspect(value(&made)).err(), Some(Reason::UnknownKey));
    let reply = fetch(serve(who_app(&after)), "/", [&made]);
    assert_eq!((reply.status, reply.text()), (200, "nobody"));
    assert_eq!(reply.one("set-cookie"), "__Host-session=; Path=/; HttpOnly; SameSite=Lax; Secure; Max-Age=0");
}

/// F09: the same key twice is a mistake that stops start-up, whoever is which.
#[test]
fn the_same_key_twice_is_refused() {
    let (one, two) = (text(), text());
    for (active, retired) in [(&one, vec![&one]), (&one, vec![&two, &two]), (&one, vec![&two, &one])] {
        let retired: Vec<_> = retired.into_iter().map(|text| Key::parse(text).unwrap()).collect();
        let error = Keyring::new(Key::parse(active).unwrap(), retired).err().unwrap();
        assert!(matches!(error, BuildError::DuplicateKey { .. }), "{error}");
    }
}

const CHILD: &str = "HARDTACK_TEST_CHILD";

/// This test binary as another process that runs one of its ignored tests.
fn child(test: &str, prepare: impl FnOnce(&mut Command)) -> Child {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", test, "--ignored", "--nocapture"]).env_remove(KEYS_VARIABLE);
    prepare(&mut command);
    command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

#[track_caller]
fn passed(child: Child) {
    let output = child.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && said.contains("1 passed"), "{said}");
}

/// G01, F09: the environment names the sealing key first, then those that only open, in any usual separation.
#[test]
fn the_environment_holds_the_active_key_first() {
    let (a, b, c) = (text(), text(), text());
    for joined in
        [format!("{a},{b},{c}"), format!("{a} {b} {c}"), format!("  {a}\n{b}\r\n\t{c}\n"), format!("{a}, {b}, {c},")]
    {
        passed(child("child_reads_three_keys", |command| {
            command.env(KEYS_VARIABLE, &joined).env(CHILD, format!("{a} {b} {c}"));
        }));
    }
}

#[test]
#[ignore = "run by the_environment_holds_the_active_key_first"]
fn child_reads_three_keys() {
    let texts = std::env::var(CHILD).unwrap();
    let texts: Vec<_> = texts.split(' ').collect();
    let keys = Keyring::from_env().unwrap();
    assert_eq!(sealing(&keys), id(texts[0]));
    let states: Vec<_> = texts.iter().map(|text| state(&keys, text).unwrap().as_str()).collect();
    assert_eq!(states, ["active", "retired", "retired"]);
}

/// F09: a variable that is missing, empty, a passphrase, or holds one good and one bad key stops start-up; the
/// message for a missing one brings a fresh key to paste, and no message repeats what was there.
#[test]
fn a_bad_environment_stops_the_start() {
    let good = text();
    passed(child("child_finds_no_keys", |_| {}));
    for empty in ["", " ", " ,\n,"] {
        passed(child("child_finds_no_keys", |command| {
            command.env(KEYS_VARIABLE, empty);
        }));
    }
    for bad in
        ["hunter2hunter2", "my secret pass phrase", &format!("{good},short"), &format!("{good},{good}"), &good[..40]]
    {
        passed(child("child_finds_bad_keys", |command| {
            command.env(KEYS_VARIABLE, bad);
        }));
    }
}

#[test]
#[ignore = "run by a_bad_environment_stops_the_start"]
fn child_finds_no_keys() {
    let error = Keyring::from_env().err().unwrap();
    assert!(matches!(error, BuildError::MissingKeys { .. }), "{error}");
    let message = error.to_string();
    let line = message.lines().find(|line| line.contains("HARDTACK_KEYS=")).unwrap();
    assert!(Key::parse(line.trim().strip_prefix("HARDTACK_KEYS=").unwrap()).is_ok(), "{message}");
}

#[test]
#[ignore = "run by a_bad_environment_stops_the_start"]
fn child_finds_bad_keys() {
    let error = Keyring::from_env().err().unwrap();
    let message = format!("{error} {error:?}");
    let variable = std::env::var(KEYS_VARIABLE).unwrap();
    for word in variable.split([' ', ',']).filter(|word| word.len() > 6) {
        assert!(!message.contains(word), "the message repeats a secret");
    }
}

/// F09, F13: the file is made on first run, for its owner alone, with a good key; the next run uses the same.
#[test]
fn a_key_file_is_made_once_and_for_its_owner_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("deep/er/keys");
    let first = Keyring::from_file(&path).unwrap();
    let written = fs::read_to_string(&path).unwrap();
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    }
    let second = Keyring::from_file(&path).unwrap();
    assert_eq!(sealing(&first), sealing(&second));
    assert_eq!(fs::read_to_string(&path).unwrap(), written);
    let made = cookie(&sessions(first), |session| session.sign_in("ada"));
    let reopened = sessions(second);
    assert_eq!(wait(reopened.begin([made.as_bytes()]).session()).unwrap().owner().as_deref(), Some("ada"));
    assert_eq!(left_behind(path.parent().unwrap()), ["keys"], "drafts stay behind");
}

fn left_behind(folder: &Path) -> Vec<String> {
    fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

/// F13: a file that others may read is refused, with the command that mends it; so is a writable one.
#[cfg(unix)]
#[test]
fn a_key_file_that_others_may_read_is_refused() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("keys");
    Keyring::from_file(&path).unwrap();
    for mode in [0o644, 0o640, 0o604, 0o620, 0o602, 0o601, 0o610, 0o777] {
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        let error = Keyring::from_file(&path).err().unwrap().to_string();
        assert!(error.contains("chmod 600") && error.contains(path.to_str().unwrap()), "{mode:o}: {error}");
    }
    for mode in [0o600, 0o400] {
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        assert!(Keyring::from_file(&path).is_ok(), "{mode:o}");
    }
}

fn write(path: &Path, text: &str) {
    fs::write(path, text).unwrap();
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        fs::set_permissions(path, fs::Permissions::from_mode(0o600)).unwrap();
    }
}

/// G01: the states in a file count, not the order of its lines.
#[test]
fn a_key_file_says_which_key_is_active() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("keys");
    let (a, b, c) = (text(), text(), text());
    for lines in [
        format!("active {a}\nretired {b}\nretired {c}\n"),
        format!("retired {b}\nretired {c}\nactive {a}"),
        format!("# comment\n\n  retired\t{b}  \nactive \t {a}\r\n\nretired {c}\n"),
    ] {
        write(&path, &lines);
        let keys = Keyring::from_file(&path).unwrap();
        assert_eq!(sealing(&keys), id(&a));
        let states = [&a, &b, &c].map(|text| state(&keys, text).unwrap().as_str());
        assert_eq!(states, ["active", "retired", "retired"], "{}", lines.replace(&a, "A"));
    }
}

/// F09: a file with anything else in it is refused, is not overwritten, and its secrets are not repeated.
#[test]
fn a_damaged_key_file_is_refused_and_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("keys");
    let (a, b) = (text(), text());
    for lines in [
        String::new(),
        "# nothing\n".into(),
        format!("{a}\n"),
        format!("active{a}\n"),
        format!("retired {a}\n"),
        format!("active {a}\nactive {b}\n"),
        format!("active {a}\nretired {a}\n"),
        format!("Active {a}\n"),
        format!("active {}\n", &a[..40]),
        "active correct-horse-battery-staple\n".into(),
        format!("active {a}\nretired {b} extra\n"),
        format!("active {a}\nunheard-of {b}\n"),
    ] {
        write(&path, &lines);
        let error = Keyring::from_file(&path).err().unwrap_or_else(|| panic!("accepted {lines:?}"));
        let message = format!("{error} {error:?}");
        assert!(message.contains(path.to_str().unwrap()), "{message}");
        for secret in [&a[5..30], &b[5..30], "correct-horse"] {
            assert!(!message.contains(secret), "{message}");
        }
        assert_eq!(fs::read_to_string(&path).unwrap(), lines);
    }
    fs::write(&path, [0xff, 0xfe, 0x00]).unwrap();
    assert!(Keyring::from_file(&path).is_err());
    assert!(Keyring::from_file(folder.path()).is_err(), "a folder is no key file");
}

/// F09: of many threads that start at once on an empty folder, all get the same key.
#[test]
fn threads_that_start_at_once_agree_on_the_key() {
    for _ in 0..20 {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("keys");
        let start = std::sync::Barrier::new(8);
        let ids: HashSet<_> = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..8)
                .map(|_| {
                    scope.spawn(|| {
                        start.wait();
                        sealing(&Keyring::from_file(&path).unwrap())
                    })
                })
                .collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        assert_eq!(ids.len(), 1);
        assert_eq!(left_behind(folder.path()), ["keys"]);
    }
}

/// F09: and so do processes.
#[test]
fn processes_that_start_at_once_agree_on_the_key() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("keys");
    let children: Vec<_> = (0..6)
        .map(|at| {
            child("child_makes_a_key_file", |command| {
                command.env(CHILD, &path).env("HARDTACK_TEST_OUT", folder.path().join(format!("id{at}")));
            })
        })
        .collect();
    children.into_iter().for_each(passed);
    let ids: HashSet<_> = (0..6).map(|at| fs::read_to_string(folder.path().join(format!("id{at}"))).unwrap()).collect();
    assert_eq!(ids.len(), 1, "{ids:?}");
    assert_eq!(ids, HashSet::from([sealing(&Keyring::from_file(&path).unwrap())]));
}

#[test]
#[ignore = "run by processes_that_start_at_once_agree_on_the_key"]
fn child_makes_a_key_file() {
    let keys = Keyring::from_file(std::env::var_os(CHILD).unwrap()).unwrap();
    fs::write(std::env::var_os("HARDTACK_TEST_OUT").unwrap(), sealing(&keys)).unwrap();
}
