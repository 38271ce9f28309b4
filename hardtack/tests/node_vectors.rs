//! Cookies that the real Node packages made, and what those packages said to others: `tests/data/node/`. Each gives
//! its expected answer here, but for what the package takes and no package writes, which is refused.
#![cfg(feature = "interop")]
#![allow(clippy::unwrap_used, missing_docs)]

use hardtack::{
    BuildError,
    interop::{
        ArcAlgorithm, Architect, ClientKeys, ClientSessions, CookieSession, Encryption, ExpressSession, Foreign,
        IronSession, KeygripAlgorithm, KeygripEncoding, Refusal, SecureSession, Signature,
    },
};
use serde_json::Value;

fn vectors(file: &str) -> Vec<Value> {
    let file: Value = serde_json::from_str(file).unwrap();
    file["vectors"].as_array().unwrap().clone()
}

fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value[name].as_str().unwrap_or_default()
}

fn texts(value: &Value) -> Vec<&str> {
    match value {
        Value::String(one) => vec![one],
        Value::Array(several) => several.iter().map(|one| one.as_str().unwrap()).collect(),
        _ => vec![],
    }
}

/// The cookies of a vector's request, as the packages' own parsers find them.
fn cookies(input: &Value) -> Vec<(String, String)> {
    let name = input["cookie_name"].as_str().unwrap_or("_idx");
    let mut cookies = Vec::new();
    let header = input["cookies"].as_array().map(|list| texts(&Value::Array(list.clone())).join(";"));
    if let Some(header) = header.as_deref().or(input["cookie_header"].as_str()) {
        // `cookies`, below cookie-session, keeps blanks behind a value.
        let strip = |value: &str| if input["keys"].is_null() { value.trim().to_owned() } else { value.to_owned() };
        let pairs = header.split(';').filter_map(|pair| pair.split_once('='));
        cookies.extend(pairs.map(|(name, value)| (name.trim().to_owned(), strip(value))));
    }
    cookies.extend(input["cookie_value"].as_str().map(|value| (name.to_owned(), value.to_owned())));
    cookies.extend(input["sig_value"].as_str().map(|value| (format!("{name}.sig"), value.to_owned())));
    cookies
}

/// What a vector says is good opens and says the same; what it says is bad is refused, for the reason that it gives
/// where there are two kinds: expired or not.
fn judge(file: &str, configure: impl Fn(&Value) -> Result<Foreign, BuildError>, beside: &[&str]) {
    let (mut wrong, mut judged) = (Vec::new(), 0);
    for vector in vectors(file) {
        let (id, expect) = (text(&vector, "id"), text(&vector, "expect"));
        if beside.iter().any(|prefix| id.starts_with(prefix)) || expect == "created" {
            continue;
        }
        judged += 1;
        let input = &vector["input"];
        let foreign = match configure(input) {
            Ok(foreign) => foreign,
            Err(_) if expect == "config_error" => continue,
            Err(error) => {
                wrong.push(format!("{id}: {error}"));
                continue;
            }
        };
        let cookies = cookies(input);
        let find = |name: &str| {
            let mut found = cookies.iter().filter(|(own, _)| own == name);
            let found = if foreign.takes_the_last() { found.next_back() } else { found.next() };
            found.map(|(_, value)| value.as_bytes())
        };
        let strict = (vector["lenient"] == true || vector["dangerous"] == true) && id != "cookie-plus-and-slash-raw";
        match (foreign.open(find, input["now_ms"].as_u64().unwrap()), expect) {
            (Ok(opened), "ok") if !strict => {
                if let Some(difference) = difference(&vector, opened.data_json()) {
                    wrong.push(format!("{id}: {difference}"));
                }
                // Of tokens made by a package at a pinned time.
                if let (Some(made), Some(told)) = (vector["created_at_ms"].as_u64(), opened.created_at())
                    && made.abs_diff(told) > 500
                {
                    wrong.push(format!("{id}: created at {told} instead of {made}"));
                }
            }
            (Err(Refusal::Expired), "expired") => {}
            (Err(refusal), "malformed" | "tampered" | "wrong_key") if refusal != Refusal::Expired => {}
            (Err(_), "ok") if strict => {}
            (answer, _) => wrong.push(format!("{id}: {answer:?} instead of {expect}")),
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert!(judged > 20, "only {judged}");
}

/// What differs from the session that the package had or gave.
fn difference(vector: &Value, data: &str) -> Option<String> {
    let real = &vector["real"];
    // What client-sessions decoded, before names of its own methods went.
    let session = vector.get("session").or(real["decode"].get("content"));
    let wanted = match (vector["session_json_text"].as_str(), session) {
        (Some(text), _) => text.to_owned(),
        (None, Some(session)) => session.to_string(),
        (None, None) => text(real, "session_json").to_owned(),
    };
    let same = data == wanted
        || match (serde_json::from_str::<Value>(data), serde_json::from_str::<Value>(&wanted)) {
            (Ok(data), Ok(wanted)) => data == wanted,
            _ => false,
        };
    (!same).then(|| format!("{data} instead of {wanted}"))
}

fn iron(input: &Value) -> Result<Foreign, BuildError> {
    let name = text(input, "cookie_name");
    let iron = match &input["secret"] {
        Value::Object(map) => {
            IronSession::with_passwords(name, map.iter().map(|(id, password)| (id, password.as_str().unwrap())))
        }
        password => IronSession::new(name, password.as_str().unwrap()),
    };
    iron.map(Foreign::from)
}

fn client(input: &Value) -> Result<Foreign, BuildError> {
    let mut keys = ClientKeys::secret(text(input, "secret"));
    if let Some(key) = input["encryptionKey_b64"].as_str() {
        keys = keys.encryption_key(base64(key));
    }
    if let Some(key) = input["signatureKey_b64"].as_str() {
        keys = keys.signature_key(base64(key));
    }
    if let Some(name) = input["encryptionAlgorithm"].as_str() {
        keys = keys.encryption(Encryption::parse(name).unwrap());
    }
    if let Some(name) = input["signatureAlgorithm"].as_str() {
        keys = keys.signature(Signature::parse(name).unwrap());
    }
    ClientSessions::new(text(input, "cookie_name"), keys).map(Foreign::from)
}

fn express(input: &Value) -> Result<Foreign, BuildError> {
    ExpressSession::new(text(input, "cookie_name"), texts(&input["secret"])).map(Foreign::from)
}

fn keygrip(input: &Value) -> Result<Foreign, BuildError> {
    let name = text(input, "cookie_name");
    if input["options"]["signed"] == false {
        return CookieSession::unsigned(name).map(Foreign::from);
    }
    let keys = [texts(&input["keys"]), texts(&input["secret"])].concat();
    let algorithm = KeygripAlgorithm::parse(text(&input["keygrip"], "algorithm")).unwrap_or_default();
    let encoding = KeygripEncoding::parse(text(&input["keygrip"], "encoding")).unwrap_or_default();
    CookieSession::with_keygrip(name, keys, algorithm, encoding).map(Foreign::from)
}

fn architect(input: &Value) -> Result<Foreign, BuildError> {
    let env = &input["env"];
    let secret = text(env, "ARC_APP_SECRET");
    if !env["ARC_FORCE_LEGACY_JWE_SECRET"].is_null() {
        return Architect::legacy(secret).map(Foreign::from);
    }
    let algorithm = match env["ARC_APP_SECRET_ALGO"].as_str() {
        Some(name) => ArcAlgorithm::parse(name).ok_or(BuildError::Setting { why: name.into() })?,
        None => ArcAlgorithm::default(),
    };
    Architect::new(secret, algorithm).map(Foreign::from)
}

fn secure(input: &Value) -> Result<Foreign, BuildError> {
    let name = text(input, "cookie_name");
    if let Some(secret) = input["secret"].as_str() {
        let salt = input["salt_ascii"].as_str().map(|salt| salt.as_bytes().try_into().unwrap());
        return SecureSession::from_secret(name, secret, salt).map(Foreign::from);
    }
    let keys = texts(&input["key_hex"]).into_iter().map(|key| hex::decode(key).unwrap().try_into());
    let keys =
        keys.collect::<Result<Vec<[u8; 32]>, _>>().map_err(|_| BuildError::Setting { why: "32 bytes".into() })?;
    let mut sessions = SecureSession::new(name, keys)?;
    if let Some(seconds) = input["expiry"].as_u64() {
        sessions = sessions.expiry(std::time::Duration::from_secs(seconds));
    }
    Ok(sessions.into())
}

fn base64(text: &str) -> Vec<u8> {
    base64::Engine::decode(&base64::engine::general_purpose::STANDARD, text).unwrap()
}

#[test]
fn every_vector_of_iron_session_gives_its_answer() {
    judge(include_str!("data/node/iron_session.json"), iron, &[]);
}

/// `config-ephemeral-and-maxAge` is about the attributes of the cookie, not about what is in it.
#[test]
fn every_vector_of_client_sessions_gives_its_answer() {
    judge(include_str!("data/node/client_sessions.json"), client, &["config-ephemeral-and-maxAge"]);
}

#[test]
fn every_vector_of_cookie_session_gives_its_answer() {
    judge(include_str!("data/node/cookie_session.json"), keygrip, &[]);
}

/// Those of its DynamoDB provider (`ddb-`) are about a store.
#[test]
fn every_vector_of_architect_gives_its_answer() {
    judge(include_str!("data/node/architect.json"), architect, &["ddb-"]);
}

#[test]
fn every_vector_of_secure_session_gives_its_answer() {
    judge(include_str!("data/node/fastify_secure_session.json"), secure, &[]);
}

/// Its records are the store's; of the cookie this says which id it holds, and that ours is byte for byte the same.
#[test]
fn every_vector_of_express_session_gives_its_id_and_every_cookie_it_sent_is_ours() {
    let (mut opened, mut refused, mut written) = (0, 0, 0);
    for vector in vectors(include_str!("data/node/express_session.json")) {
        let (id, input) = (text(&vector, "id"), &vector["input"]);
        let Ok(foreign) = express(input) else {
            assert_eq!(text(&vector, "expect"), "config_error", "{id}");
            continue;
        };
        let cookies = cookies(input);
        let find = |name: &str| cookies.iter().find(|(own, _)| own == name).map(|(_, value)| value.as_bytes());
        let answer = foreign.open(find, 0).map(|opened| serde_json::from_str::<Value>(opened.data_json()).unwrap());
        match (answer, text(&vector, "expect")) {
            (Ok(data), "ok" | "expired" | "no_session" | "error") => {
                let records = input["store_records"].as_object().unwrap();
                assert!(records.contains_key(data["id"].as_str().unwrap()), "{id}: {data}");
                opened += 1;
            }
            (Err(Refusal::Absent), "created" | "config_error" | "malformed") => {}
            (Err(_), "malformed" | "tampered" | "wrong_key") => refused += 1,
            (answer, expect) => panic!("{id}: {answer:?} instead of {expect}"),
        }
        for line in vector["real"]["set_cookie"].as_array().into_iter().flatten() {
            let (name, value) = line.as_str().unwrap().split(';').next().unwrap().split_once('=').unwrap();
            let express = ExpressSession::new(name, texts(&input["secret"])).unwrap();
            assert_eq!(express.sign(&express.verify(value.as_bytes()).unwrap()), value, "{id}");
            written += 1;
        }
    }
    assert!(opened > 20 && refused > 8 && written > 8, "{opened} {refused} {written}");
}

/// The cookies of cookie-session have no chance in them: they are written byte for byte as the package writes them.
#[test]
fn the_cookies_of_cookie_session_are_written_byte_for_byte() {
    let mut written = 0;
    for vector in vectors(include_str!("data/node/cookie_session.json")) {
        let Some(lines) = vector["set_cookies"].as_array() else { continue };
        let value =
            |line: &Value| line.as_str().unwrap().split(';').next().unwrap().split_once('=').unwrap().1.to_owned();
        let input = &vector["input"];
        let sessions = CookieSession::new(text(input, "cookie_name"), texts(&input["keys"])).unwrap();
        let (body, signature) = sessions.seal(text(&vector["real"], "session_json")).unwrap();
        assert_eq!([body, signature.unwrap()], [value(&lines[0]), value(&lines[1])], "{}", vector["id"]);
        written += 1;
    }
    assert!(written > 5, "only {written}");
}
