//! `hardtack inspect`, `seal` and `keys`, as somebody at a shell sees them.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

use std::{
    fs,
    io::Write,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use serde_json::{Value, json};
use tempfile::TempDir;

const HOUR: u64 = 3_600_000;
/// A moment in 2026, in milliseconds.
const THEN: u64 = 1_790_000_000_000;

struct Answer {
    code: Option<i32>,
    out: String,
    err: String,
}

impl Answer {
    /// What was printed, after the expected exit code.
    fn text(&self, code: i32) -> &str {
        assert_eq!(self.code, Some(code), "{}{}", self.out, self.err);
        self.out.trim_end()
    }

    fn json(&self, code: i32) -> Value {
        serde_json::from_str(self.text(code)).expect("one JSON object")
    }

    /// What was said on standard error by a command that could not work. Nothing else was printed.
    fn failure(&self) -> &str {
        assert_eq!((self.code, &*self.out), (Some(2), ""), "{}", self.err);
        &self.err
    }
}

/// A command line without keys in its environment.
fn bare(args: &[&str], input: &[u8]) -> Answer {
    run(Command::new(env!("CARGO_BIN_EXE_hardtack")).args(args).env_remove("HARDTACK_KEYS"), input)
}

fn with_keys(keys: &str, args: &[&str], input: &[u8]) -> Answer {
    run(Command::new(env!("CARGO_BIN_EXE_hardtack")).args(args).env("HARDTACK_KEYS", keys), input)
}

fn run(command: &mut Command, input: &[u8]) -> Answer {
    let command = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("the program starts");
    // A command that fails before it reads closes the pipe, which is no fault of the test.
    let _ = child.stdin.take().unwrap().write_all(input);
    let output = child.wait_with_output().unwrap();
    let text = |bytes| String::from_utf8(bytes).expect("UTF-8");
    Answer { code: output.status.code(), out: text(output.stdout), err: text(output.stderr) }
}

fn new_key() -> String {
    bare(&["keys", "generate"], b"").text(0).to_owned()
}

fn seal(keys: &str, data: &str) -> String {
    with_keys(keys, &["seal", "--format", "native"], data.as_bytes()).text(0).to_owned()
}

fn inspect(keys: &str, value: impl AsRef<[u8]>) -> Answer {
    with_keys(keys, &["inspect", "--format", "native"], value.as_ref())
}

fn at(keys: &str, command: &str, now: u64, more: &[&str], input: &str) -> Answer {
    let now = now.to_string();
    let args = [&[command, "--format", "native", "--now", &now], more].concat();
    with_keys(keys, &args, input.as_bytes())
}

/// A file of keys that only its owner can read.
fn key_file(folder: &TempDir, text: &str) -> PathBuf {
    let path = folder.path().join("keys");
    fs::write(&path, text).unwrap();
    set_mode(&path, 0o600);
    path
}

fn set_mode(path: &Path, mode: u32) {
    #[cfg(unix)]
    fs::set_permissions(path, std::os::unix::fs::PermissionsExt::from_mode(mode)).unwrap();
    #[cfg(not(unix))]
    let _ = (path, mode);
}

#[track_caller]
fn assert_invalid(answer: &Answer, reason: &str) {
    let report = answer.json(1);
    assert_eq!((&report["status"], &report["reason"]), (&json!("invalid"), &json!(reason)));
    for nothing in ["data", "created_at", "expires_at", "key_id", "session"] {
        assert_eq!(report[nothing], Value::Null, "{nothing} of what did not open");
    }
}

#[test]
fn what_seal_makes_inspect_reads_with_the_same_file_of_keys() {
    let folder = TempDir::new().unwrap();
    let path = key_file(&folder, &format!("# ours\nactive {}\nretired {}\n", new_key(), new_key()));
    let keys = path.to_str().unwrap();

    let value = bare(&["seal", "--format", "native", "--keys", keys], br#"{"count":3}"#);
    assert!(!value.text(0).contains("count"), "F11: the data is not readable in the cookie");
    let report = bare(&["inspect", "--format", "native", "--keys", keys], value.out.as_bytes()).json(0);

    assert_eq!((&report["status"], &report["reason"]), (&json!("valid"), &Value::Null));
    assert_eq!(report["data"], json!({ "count": 3 }));
    let (created, expires) = (report["created_at"].as_u64().unwrap(), report["expires_at"].as_u64().unwrap());
    assert_eq!(expires - created, 24 * HOUR, "the default of --ttl");
    assert_eq!(report["session"]["owner"], Value::Null);
    assert_eq!(report["session"]["key_state"], "active");
}

#[test]
fn what_seal_makes_inspect_reads_with_the_same_keys_in_the_environment() {
    let keys = new_key();
    let report = inspect(&keys, seal(&keys, r#"{"note":"naïve ☕"}"#)).json(0);
    assert_eq!((&report["status"], &report["data"]), (&json!("valid"), &json!({ "note": "naïve ☕" })));
}

#[test]
fn a_file_of_keys_wins_over_the_environment() {
    let folder = TempDir::new().unwrap();
    let (file, environment) = (new_key(), new_key());
    let path = key_file(&folder, &format!("active {file}\n"));
    let value = with_keys(&environment, &["seal", "--format", "native", "--keys", path.to_str().unwrap()], b"{}");
    assert_eq!(inspect(&file, &value.out).json(0)["status"], "valid");
    assert_invalid(&inspect(&environment, &value.out), "unknown_key");
}

#[test]
fn white_space_around_a_pasted_value_does_not_matter() {
    let keys = new_key();
    let value = seal(&keys, r#"{"a":1}"#);
    assert_eq!(inspect(&keys, format!("\n  {value}\t\r\n")).json(0)["data"], json!({ "a": 1 }));
}

/// D01, D03, D07: the sealed deadline counts, and `now == deadline` is expired.
#[test]
fn a_session_is_valid_until_its_last_millisecond_and_expired_from_its_deadline_on() {
    let keys = new_key();
    let value = at(&keys, "seal", THEN, &["--ttl", "60"], r#"{"a":1}"#);
    let value = value.text(0);

    let last = at(&keys, "inspect", THEN + 59_999, &[], value).json(0);
    assert_eq!((&last["status"], &last["expires_at"]), (&json!("valid"), &json!(THEN + 60_000)));

    for now in [THEN + 60_000, THEN + 365 * 24 * HOUR] {
        let report = at(&keys, "inspect", now, &[], value).json(1);
        assert_eq!(report["status"], "expired");
        assert!(["idle", "absolute"].contains(&report["reason"].as_str().unwrap()), "{report}");
        assert_eq!(report["data"], json!({ "a": 1 }), "an expired session still tells what was in it");
    }
}

/// D07: a token from the future beyond the skew is refused.
#[test]
fn a_session_from_the_future_is_invalid() {
    let keys = new_key();
    let value = at(&keys, "seal", THEN + HOUR, &[], "{}");
    let report = at(&keys, "inspect", THEN, &[], value.text(0)).json(1);
    assert_eq!((&report["status"], &report["reason"]), (&json!("invalid"), &json!("from_the_future")));
}

#[test]
fn a_cookie_of_other_keys_is_invalid() {
    let value = seal(&new_key(), r#"{"a":1}"#);
    assert_invalid(&inspect(&new_key(), value), "unknown_key");
}

/// F01: the version, the key id, the nonce, the ciphertext and the tag are all authenticated.
#[test]
fn one_changed_character_anywhere_makes_a_cookie_invalid() {
    let keys = new_key();
    let value = seal(&keys, r#"{"count":3}"#);
    for at in (0..value.len() - 1).step_by(value.len() / 24) {
        let mut changed = value.clone().into_bytes();
        changed[at] = if changed[at] == b'A' { b'B' } else { b'A' };
        let report = inspect(&keys, changed).json(1);
        assert_eq!((&report["status"], &report["data"]), (&json!("invalid"), &Value::Null), "character {at}");
        let reason = report["reason"].as_str().unwrap();
        // One version byte, four of the key's id: the first seven characters. The rest is up to the tag.
        let expected: &[_] = if at < 7 { &["unknown_version", "unknown_key"] } else { &["forged"] };
        assert!(expected.contains(&reason), "character {at}: {reason}");
    }
}

/// B11, B14, F12: whatever comes in, the answer is a report.
#[test]
fn what_is_no_cookie_of_ours_is_invalid_and_never_a_crash() {
    let keys = new_key();
    let value = seal(&keys, r#"{"count":3}"#).into_bytes();
    let garbage: [&[u8]; 7] = [
        b"",
        b"\n",
        b"{\"count\":3}",
        b"\xff\xfe\x00\x80",
        &[&value[..40], b"\xc3\x28", &value[42..]].concat(),
        &[&value[..], b"="].concat(),
        &[b"__Host-session=", &value[..]].concat(),
    ];
    for input in garbage {
        assert_invalid(&inspect(&keys, input), "malformed");
    }
    for length in [1, 7, 45, value.len() / 2, value.len() - 4, value.len() - 1] {
        let report = inspect(&keys, &value[..length]).json(1);
        assert_eq!(report["status"], "invalid", "cut after {length}");
        assert!(report["reason"].is_string());
    }
    let long = inspect(&keys, "A".repeat(500_000)).json(1);
    assert_eq!(long["status"], "invalid");
}

/// F03: the cookie's name and the realm are bound into the seal.
#[test]
fn a_value_is_worth_nothing_under_another_name_or_in_another_realm() {
    let keys = new_key();
    let ours = ["--cookie-name", "__Host-shop", "--realm", "shop"];
    let value = with_keys(&keys, &[&["seal", "--format", "native"], &ours[..]].concat(), b"{}").out;
    let read = |args: &[&str]| with_keys(&keys, &[&["inspect", "--format", "native"], args].concat(), value.as_bytes());
    assert_eq!(read(&ours).json(0)["status"], "valid");
    assert_invalid(&read(&["--cookie-name", "__Host-other", "--realm", "shop"]), "forged");
    assert_invalid(&read(&["--cookie-name", "__Host-shop", "--realm", "other"]), "forged");
    assert_invalid(&read(&["--cookie-name", "__Host-shop"]), "forged");
    assert_invalid(&read(&["--realm", "shop"]), "forged");
}

#[test]
fn numbers_text_and_the_order_of_keys_survive_as_they_were_written() {
    let keys = new_key();
    let data = r#"{"zebra":1.50,"apple":123456789012345678901234567890,"mango":1e-7,"kiwi":-0.0,"€":"\u00e9","a":[ ],"":null}"#;
    let report = inspect(&keys, seal(&keys, data));
    assert!(report.text(0).contains(data), "{}", report.out);
}

#[test]
fn an_owner_is_told_with_the_time_of_the_proof() {
    let keys = new_key();
    let value = at(&keys, "seal", THEN, &["--owner", "ada"], r#"{"a":1}"#);
    let session = &at(&keys, "inspect", THEN, &[], value.text(0)).json(0)["session"];
    assert_eq!((&session["owner"], &session["authenticated_at"]), (&json!("ada"), &json!(THEN)));
    assert_eq!(session["kind"], "stateless");
}

/// A copy of a stored record says of which version it is and when the store last answered for it; other sessions say
/// nothing of the kind.
#[test]
fn a_copy_of_a_stored_session_is_told_with_what_it_is_a_copy_of() {
    let vectors: Value = serde_json::from_str(include_str!("../../hardtack/tests/data/envelopes.json")).unwrap();
    let (keys, now) = (vectors["key"].as_str().unwrap(), vectors["now"].as_u64().unwrap());
    let mut copies = 0;
    // One of the others has a number in it that this test's reader of JSON does not take.
    let is_plain = |vector: &&Value| vector["header"]["kind"].as_u64() >= Some(3) || vector["fields"] == json!([]);
    for vector in vectors["open"].as_array().unwrap().iter().filter(is_plain) {
        let (published, code) = (&vector["header"], i32::from(vector["verdict"] != "live"));
        let session = &at(keys, "inspect", now, &[], vector["value"].as_str().unwrap()).json(code)["session"];
        if published["kind"] != 4 {
            assert_eq!(session.get("copy"), None, "{}", vector["name"]);
            continue;
        }
        copies += 1;
        let unless = |name: &str, none: Value| Some(&published[name]).filter(|value| **value != none);
        let copy = json!({
            "confirmed_at": published["confirmed"],
            "version": published["version"],
            "renewed_at": unless("renewed", json!(0)),
            "label": unless("label", json!("")),
        });
        assert_eq!((&session["kind"], &session["copy"]), (&json!("hybrid"), &copy), "{}", vector["name"]);
    }
    assert!(copies >= 4, "{copies} copies");
}

/// C01, F02: nothing repeats.
#[test]
fn the_same_data_is_never_sealed_twice_to_the_same_value() {
    let keys = new_key();
    let seal = || at(&keys, "seal", THEN, &[], r#"{"a":1}"#).text(0).to_owned();
    let (one, two) = (seal(), seal());
    assert_ne!(one, two);
    let handle = |value: &str| at(&keys, "inspect", THEN, &[], value).json(0)["session"]["handle"].clone();
    assert_ne!(handle(&one), handle(&two));
}

/// A06: what a browser would not keep is not printed.
#[test]
fn data_that_no_cookie_can_hold_is_refused_with_its_size() {
    let keys = new_key();
    let data = json!({ "big": "x".repeat(4096) }).to_string();
    let answer = with_keys(&keys, &["seal", "--format", "native"], data.as_bytes());
    let message = answer.failure();
    assert!(message.starts_with("hardtack: ") && message.contains("4096"), "{message}");
}

#[test]
fn what_is_no_json_object_is_not_sealed() {
    let keys = new_key();
    for input in ["", "{", "[1]", "3", "null", "\"text\"", "{} {}", "{\"a\":}"] {
        let answer = with_keys(&keys, &["seal", "--format", "native"], input.as_bytes());
        assert!(answer.failure().starts_with("hardtack: "), "{input}: {}", answer.err);
    }
}

#[test]
fn endless_input_is_refused_instead_of_read() {
    let keys = new_key();
    for command in ["inspect", "seal"] {
        let answer = with_keys(&keys, &[command, "--format", "native"], &vec![b' '; (1 << 20) + 1]);
        assert!(answer.failure().contains("1 MiB"), "{}", answer.err);
    }
}

#[test]
fn a_wrong_command_line_ends_with_code_2_and_says_why() {
    let keys = new_key();
    let wrong: [&[&str]; 14] = [
        &[],
        &["bake"],
        &["inspect"],
        &["seal"],
        &["inspect", "--format", "jwt"],
        &["inspect", "--format", "native", "--now", "yesterday"],
        &["inspect", "--format", "native", "--now", "-1"],
        &["seal", "--format", "native", "--ttl", "0"],
        &["seal", "--format", "native", "--ttl", "34560001"],
        &["seal", "--format", "native", "--cookie-name", "a b"],
        &["seal", "--format", "native", "--cookie-name", ""],
        &["keys"],
        &["keys", "list", "--keys"],
        &["demo", "--placement", "elsewhere"],
    ];
    for args in wrong {
        let answer = with_keys(&keys, args, b"{}");
        assert!(!answer.failure().trim().is_empty(), "{args:?}");
    }
}

#[test]
fn help_and_version_are_answers_and_no_errors() {
    for args in [&["--help"][..], &["demo", "--help"], &["inspect", "--help"], &["keys", "--help"]] {
        assert!(bare(args, b"").text(0).contains("Usage: hardtack"), "{args:?}");
    }
    assert_eq!(bare(&["--version"], b"").text(0), concat!("hardtack ", env!("CARGO_PKG_VERSION")));
}

/// F09: start-up stops, and the message is of use.
#[test]
fn the_error_for_missing_keys_holds_a_key_that_can_be_used_as_it_stands() {
    for answer in [
        bare(&["inspect", "--format", "native"], b""),
        bare(&["seal", "--format", "native"], b"{}"),
        bare(&["keys", "list"], b""),
        with_keys(" \n", &["keys", "list"], b""),
    ] {
        let line = answer.failure().lines().find_map(|line| line.trim().strip_prefix("HARDTACK_KEYS="));
        let key = line.expect("a line to paste");
        assert_eq!(inspect(key, seal(key, "{}")).json(0)["status"], "valid");
    }
}

/// F09, F13: a passphrase is refused, and not repeated on the screen.
#[test]
fn a_weak_key_is_refused_without_showing_it() {
    for weak in
        ["correct-horse-battery-staple-correct-horse", "htk1_", "htk1_AAAA", &format!("htk1_{}", "A".repeat(43))]
    {
        let answer = with_keys(weak, &["seal", "--format", "native"], b"{}");
        let message = answer.failure();
        let example = message.lines().map(str::trim).find(|line| line.starts_with("htk1_")).expect("a fresh key");
        assert_eq!(inspect(example, seal(example, "{}")).json(0)["status"], "valid");
        assert!(weak == "htk1_" || !message.replace(example, "").contains(weak), "{message}");
    }
}

#[test]
fn the_same_key_twice_is_refused() {
    let key = new_key();
    let answer = with_keys(&format!("{key},{key}"), &["keys", "list"], b"");
    assert!(!answer.failure().contains(&key));
}

#[test]
fn a_generated_key_is_new_each_time_and_can_be_used_at_once() {
    let (one, two) = (new_key(), new_key());
    assert_ne!(one, two);
    assert_eq!((one.len(), &one[..5]), (48, "htk1_"));
    assert_eq!(inspect(&one, seal(&one, "{}")).json(0)["status"], "valid");
}

/// F13: ids and states, never secrets.
#[test]
fn the_list_of_keys_shows_ids_and_states_and_no_secret() {
    let folder = TempDir::new().unwrap();
    let (active, retired) = (new_key(), new_key());
    let sealed_by = |key: &str| inspect(key, seal(key, "{}")).json(0)["key_id"].as_str().unwrap().to_owned();
    let expected = format!("{}  active\n{}  retired", sealed_by(&active), sealed_by(&retired));

    let path = key_file(&folder, &format!("retired {retired}\nactive {active}\n"));
    let of_file = bare(&["keys", "list", "--keys", path.to_str().unwrap()], b"");
    let of_environment = with_keys(&format!("{active} {retired}"), &["keys", "list"], b"");
    for answer in [of_file, of_environment] {
        assert_eq!((answer.text(0), &*answer.err), (&*expected, ""));
        assert!(
            !expected.contains(&active["htk1_".len()..][..8]) && !expected.contains(&retired["htk1_".len()..][..8])
        );
    }
}

/// G01: the newest key seals, all keys open.
#[test]
fn a_retired_key_still_opens_and_no_longer_seals() {
    let (old, new) = (new_key(), new_key());
    let before = seal(&old, r#"{"a":1}"#);
    let both = format!("{new} {old}");
    let report = inspect(&both, before).json(0);
    assert_eq!((&report["data"], &report["session"]["key_state"]), (&json!({ "a": 1 }), &json!("retired")));
    let after = seal(&both, "{}");
    assert_invalid(&inspect(&old, &after), "unknown_key");
    assert_eq!(inspect(&new, &after).json(0)["session"]["key_state"], "active");
}

#[test]
fn a_missing_file_of_keys_is_an_error_and_is_not_made() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("keys");
    let answer = bare(&["inspect", "--format", "native", "--keys", path.to_str().unwrap()], b"");
    assert!(answer.failure().contains(path.to_str().unwrap()));
    assert!(!path.exists());
}

#[cfg(unix)]
#[test]
fn a_file_of_keys_that_others_can_read_is_refused() {
    let folder = TempDir::new().unwrap();
    let path = key_file(&folder, &format!("active {}\n", new_key()));
    for mode in [0o640, 0o604] {
        set_mode(&path, mode);
        let answer = bare(&["keys", "list", "--keys", path.to_str().unwrap()], b"");
        assert!(answer.failure().contains(path.to_str().unwrap()));
    }
    set_mode(&path, 0o400);
    bare(&["keys", "list", "--keys", path.to_str().unwrap()], b"").text(0);
}
