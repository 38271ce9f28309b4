//! `hardtack inspect` and `seal` for the cookies of Node, as somebody at a shell sees them. The vectors are those of the
//! library, made by the real packages.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

use std::{
    fs,
    io::Write,
    process::{Command, Stdio},
};

use serde_json::{Map, Value, json};
use tempfile::TempDir;

const NOW: u64 = 1_750_000_000_000;
const PASSWORD: &str = "complex_password_at_least_32_characters_long";

struct Answer {
    code: Option<i32>,
    out: String,
    err: String,
}

impl Answer {
    fn json(&self, code: i32) -> Value {
        assert_eq!(self.code, Some(code), "{}{}", self.out, self.err);
        serde_json::from_str(&self.out).expect("one JSON object")
    }

    /// What was sealed: exactly the lines of the cookies' values.
    fn sealed(&self) -> &str {
        assert_eq!(self.code, Some(0), "{}", self.err);
        self.out.strip_suffix('\n').expect("a line")
    }

    /// What was said on standard error by a command that could not work.
    fn failure(&self) -> &str {
        assert_eq!((self.code, &*self.out), (Some(2), ""), "{}", self.err);
        &self.err
    }
}

fn hardtack(command: &str, format: &str, options: &Value, now: u64, input: &str) -> Answer {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("options.json");
    fs::write(&file, options.to_string()).unwrap();
    let mut child = Command::new(env!("CARGO_BIN_EXE_hardtack"))
        .args([command, "--format", format, "--now", &now.to_string(), "--options"])
        .arg(file)
        .env_remove("HARDTACK_KEYS")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program starts");
    // A command that fails before it reads closes the pipe, which is no fault of the test.
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    let output = child.wait_with_output().unwrap();
    let text = |bytes| String::from_utf8(bytes).expect("UTF-8");
    Answer { code: output.status.code(), out: text(output.stdout), err: text(output.stderr) }
}

/// The options of each format, without secrets that are the same twice.
fn formats() -> [(&'static str, Value); 6] {
    [
        ("iron-session", json!({ "cookieName": "session", "password": PASSWORD })),
        ("client-sessions", json!({ "cookieName": "session", "secret": "blargadeeblargblarg" })),
        ("express-session", json!({ "secret": ["keyboard cat", "old"] })),
        ("cookie-session", json!({ "keys": ["key-one", "key-two"] })),
        ("architect", json!({ "ARC_APP_SECRET": "this-is-a-32-character-app-secre" })),
        ("secure-session", json!({ "key": "00".repeat(31) + "01" })),
    ]
}

/// The options of a vector, under the package's own names.
fn options(format: &str, input: &Value) -> Value {
    if format == "architect" {
        return input["env"].clone();
    }
    let mut options = Map::new();
    for (name, value) in input.as_object().unwrap() {
        let name = match (format, name.as_str()) {
            ("express-session" | "cookie-session", "cookie_name") => "name",
            (_, "cookie_name") => "cookieName",
            ("iron-session", "secret") => "password",
            (_, "encryptionKey_b64") => "encryptionKey",
            (_, "signatureKey_b64") => "signatureKey",
            (_, "key_hex") => "key",
            (_, "salt_ascii") => "salt",
            (_, "options") => {
                options.extend(value.as_object().unwrap().clone());
                continue;
            }
            ("client-sessions" | "cookie-session", name @ ("duration" | "activeDuration" | "keygrip" | "cookie")) => {
                name
            }
            (_, name @ ("ttl" | "expiry" | "secret" | "keys" | "encryptionAlgorithm" | "signatureAlgorithm")) => name,
            _ => continue,
        };
        options.insert(name.to_owned(), value.clone());
    }
    Value::Object(options)
}

fn judge(format: &str, file: &str) {
    let file: Value = serde_json::from_str(file).unwrap();
    let (mut wrong, mut judged) = (Vec::new(), 0);
    for vector in file["vectors"].as_array().unwrap() {
        let (id, input, expect) = (&vector["id"], &vector["input"], vector["expect"].as_str().unwrap());
        // Its DynamoDB provider is a store, and a header is none of the program's business.
        if input["provider"] == "ddb" || input["cookie_value"].is_null() && expect != "config_error" {
            continue;
        }
        let lines = [&input["cookie_value"], &input["sig_value"]].into_iter().filter_map(Value::as_str);
        let stdin = lines.collect::<Vec<_>>().join("\n");
        let now = input["now_ms"].as_u64().unwrap();
        let answer = hardtack("inspect", format, &options(format, input), now, &stdin);
        let raw = id == "cookie-plus-and-slash-raw";
        let strict = (vector["lenient"] == true || vector["dangerous"] == true) && !raw;
        let wanted = match expect {
            "config_error" => "config_error",
            _ if id == "config-ephemeral-and-maxAge" => "config_error",
            "expired" if format != "express-session" => "expired",
            "ok" | "expired" | "no_session" | "error" if !strict => "valid",
            _ => "invalid",
        };
        // Not parsed: serde_json refuses the lone surrogates that a session of JavaScript may hold.
        let said = |status: &str| answer.out.starts_with(&format!("{{\n  \"status\": \"{status}\",\n"));
        let status = match answer.code {
            Some(2) => "config_error",
            _ => ["valid", "expired", "invalid"].into_iter().find(|status| said(status)).unwrap_or("nothing"),
        };
        if status != wanted {
            wrong.push(format!("{id}: {status} instead of {wanted}: {}{}", answer.out, answer.err));
        }
        judged += 1;
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert!(judged > 20, "only {judged}");
}

#[test]
fn every_vector_of_iron_session_has_its_status() {
    judge("iron-session", include_str!("../../hardtack/tests/data/node/iron_session.json"));
}

#[test]
fn every_vector_of_client_sessions_has_its_status() {
    judge("client-sessions", include_str!("../../hardtack/tests/data/node/client_sessions.json"));
}

#[test]
fn every_vector_of_express_session_has_its_status() {
    judge("express-session", include_str!("../../hardtack/tests/data/node/express_session.json"));
}

#[test]
fn every_vector_of_cookie_session_has_its_status() {
    judge("cookie-session", include_str!("../../hardtack/tests/data/node/cookie_session.json"));
}

#[test]
fn every_vector_of_architect_has_its_status() {
    judge("architect", include_str!("../../hardtack/tests/data/node/architect.json"));
}

#[test]
fn every_vector_of_secure_session_has_its_status() {
    judge("secure-session", include_str!("../../hardtack/tests/data/node/fastify_secure_session.json"));
}

#[test]
fn what_seal_makes_inspect_reads() {
    for (format, options) in formats() {
        let data = r#"{"id":"Žluťoučký 🐎","n":1e21,"__proto__":[null]}"#;
        let sealed = hardtack("seal", format, &options, NOW, data);
        let report = hardtack("inspect", format, &options, NOW, sealed.sealed()).json(0);
        let wanted = if format == "express-session" {
            json!({ "id": "Žluťoučký 🐎" })
        } else {
            serde_json::from_str(data).unwrap()
        };
        assert_eq!(
            (&report["status"], &report["reason"], &report["data"]),
            (&json!("valid"), &Value::Null, &wanted),
            "{format}"
        );
        for absent in ["owner", "session"] {
            assert_eq!(report.get(absent), None, "{format}");
        }
    }
}

#[test]
fn times_and_keys_are_reported_where_the_format_has_them() {
    let day = 86_400_000;
    let expected = [
        (Value::Null, json!(NOW + 14 * day), json!("1")),
        (json!(NOW), json!(NOW + day), Value::Null),
        (Value::Null, Value::Null, json!("0")),
        (Value::Null, Value::Null, json!("0")),
        (json!(NOW), json!(NOW + 7 * day), Value::Null),
        (json!(NOW), json!(NOW + day + 1000), json!("0")),
    ];
    for ((format, options), (created, expires, key)) in formats().into_iter().zip(expected) {
        let sealed = hardtack("seal", format, &options, NOW, r#"{"id":"x"}"#);
        let report = hardtack("inspect", format, &options, NOW, sealed.sealed()).json(0);
        assert_eq!(
            (&report["created_at"], &report["expires_at"], &report["key_id"]),
            (&created, &expires, &key),
            "{format}"
        );
        if expires.is_null() {
            continue;
        }
        let report = hardtack("inspect", format, &options, NOW + 15 * day, sealed.sealed()).json(1);
        assert_eq!((&report["status"], &report["reason"]), (&json!("expired"), &json!("expired")), "{format}");
        assert_eq!(report["data"], json!({ "id": "x" }), "{format}");
    }
}

/// A wrong key, a flipped bit, a truncation and garbage.
#[test]
fn what_is_not_authentic_is_invalid_with_a_reason() {
    for (format, options) in formats() {
        let sealed = hardtack("seal", format, &options, NOW, r#"{"id":"x"}"#);
        let value = sealed.sealed();
        let flipped = value.replacen(&value[12..14], if &value[12..14] == "AA" { "BB" } else { "AA" }, 1);
        let mut other = options.clone();
        for (name, secret) in other.as_object_mut().unwrap() {
            match name.as_str() {
                "cookieName" => {}
                "key" => *secret = json!("77".repeat(32)),
                _ => *secret = json!("another secret of at least 32 characters"),
            }
        }
        let report = hardtack("inspect", format, &other, NOW, value).json(1);
        assert_eq!((&report["status"], &report["reason"]), (&json!("invalid"), &json!("forged")), "{format}");
        for input in [&flipped, &value[..value.len() / 2], "garbage", "", "%", "🐎", "a\nb\nc", "a.b.c.d.e", "\0"] {
            let report = hardtack("inspect", format, &options, NOW, input).json(1);
            assert_eq!(report["status"], "invalid", "{format}: {input}");
            assert!(report["reason"].is_string() && report["data"].is_null(), "{format}: {input}");
        }
    }
}

#[test]
fn a_signature_and_chunks_have_lines_of_their_own() {
    let (format, options) = ("cookie-session", json!({ "name": "session", "keys": ["key-one"] }));
    let sealed = hardtack("seal", format, &options, NOW, r#"{"user":{"id":42,"name":"Ada"},"visits":3}"#);
    let both = "eyJ1c2VyIjp7ImlkIjo0MiwibmFtZSI6IkFkYSJ9LCJ2aXNpdHMiOjN9\n6S6Ho6w6jIaXXpj6YeC_VG32cEU";
    assert_eq!(sealed.sealed(), both);
    let (value, _) = both.split_once('\n').unwrap();
    assert_eq!(hardtack("inspect", format, &options, NOW, value).json(1)["reason"], "malformed");

    let data = json!({ "blob": "x".repeat(8000) }).to_string();
    let (format, mut options) = ("iron-session", json!({ "cookieName": "session", "password": PASSWORD }));
    let failure = hardtack("seal", format, &options, NOW, &data);
    assert!(failure.failure().contains("4096"), "{}", failure.err);
    options["chunk"] = json!(true);
    let sealed = hardtack("seal", format, &options, NOW, &data);
    assert_eq!(sealed.sealed().lines().count(), 3);
    assert_eq!(hardtack("inspect", format, &options, NOW, &sealed.out).json(0)["data"].to_string(), data);
    assert_eq!(hardtack("inspect", format, &options, NOW, &sealed.out.replace('\n', "")).json(0)["status"], "valid");
}

#[test]
fn values_are_sealed_as_the_package_writes_them_and_read_raw_as_well() {
    for (format, separator, raw) in [("express-session", "%3A", ":"), ("secure-session", "%3B", ";")] {
        let options = formats().into_iter().find(|(name, _)| *name == format).unwrap().1;
        let sealed = hardtack("seal", format, &options, NOW, r#"{"id":"x"}"#);
        assert!(sealed.sealed().contains(separator), "{}", sealed.out);
        let decoded =
            sealed.sealed().replace(separator, raw).replace("%2B", "+").replace("%2F", "/").replace("%3D", "=");
        assert!(!decoded.contains('%'), "{decoded}");
        assert_eq!(hardtack("inspect", format, &options, NOW, &decoded).json(0)["status"], "valid");
    }
}

/// Exit code 2, and what to write instead.
#[test]
fn bad_options_end_with_code_2_and_say_what_to_write() {
    let bad = [
        ("iron-session", json!({}), "password"),
        ("iron-session", json!({ "password": "short" }), "32"),
        ("iron-session", json!({ "password": {} }), "number"),
        ("iron-session", json!({ "password": { "1": 5 } }), "text"),
        ("iron-session", json!({ "password": PASSWORD, "ttl": "1 day" }), "ttl as a number"),
        ("iron-session", json!({ "password": PASSWORD, "tll": 60 }), "\"tll\" is no option"),
        ("iron-session", json!([]), "no JSON object"),
        ("client-sessions", json!({}), "secret"),
        ("client-sessions", json!({ "secret": "x", "encryptionAlgorithm": "aes512" }), "aes128, aes192 or aes256"),
        ("client-sessions", json!({ "secret": "x", "signatureAlgorithm": "md5" }), "sha256"),
        ("client-sessions", json!({ "encryptionKey": "!", "signatureKey": "!" }), "base64"),
        ("client-sessions", json!({ "secret": "x", "cookieName": "a=b" }), "cookie name"),
        ("express-session", json!({ "secret": [] }), "no secret"),
        ("express-session", json!({ "secret": 5 }), "array of texts"),
        ("cookie-session", json!({ "keys": [] }), "no secret"),
        ("cookie-session", json!({ "keys": ["a"], "keygrip": { "algorithm": "md4" } }), "sha1"),
        ("architect", json!({}), "everybody knows"),
        ("architect", json!({ "ARC_APP_SECRET": "short" }), "takes 32"),
        ("architect", json!({ "ARC_APP_SECRET": PASSWORD, "ARC_APP_SECRET_ALGO": "A256CBC-HS512" }), "A256GCM"),
        ("architect", json!({ "ARC_APP_SECRET": PASSWORD, "ARC_SESSION_TABLE_NAME": "t" }), "DynamoDB"),
        ("secure-session", json!({}), "key"),
        ("secure-session", json!({ "key": "0102" }), "32 bytes"),
        ("secure-session", json!({ "secret": "short" }), "at least 32"),
        ("secure-session", json!({ "secret": PASSWORD, "salt": "short" }), "salt as 16"),
    ];
    for (format, options, hint) in bad {
        for command in ["inspect", "seal"] {
            let answer = hardtack(command, format, &options, NOW, "{}");
            assert!(
                answer.failure().starts_with("hardtack: ") && answer.err.contains(hint),
                "{format} {options}: {}",
                answer.err
            );
        }
    }
    let run = |args: &[&str]| Command::new(env!("CARGO_BIN_EXE_hardtack")).args(args).output().unwrap();
    for args in [
        &["inspect", "--format", "iron-session"][..],
        &["inspect", "--format", "iron-session", "--options", "/nowhere/options.json"],
        &["seal", "--format", "iron-session", "--options", "o.json", "--owner", "ada"],
        &["seal", "--format", "iron-session", "--options", "o.json", "--realm", "shop"],
        &["inspect", "--format", "native", "--options", "o.json"],
    ] {
        let output = run(args);
        assert_eq!((output.status.code(), output.stdout.len()), (Some(2), 0), "{args:?}");
    }
}
