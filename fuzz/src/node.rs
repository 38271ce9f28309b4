//! What the targets for the cookies of Node share: one world for each format, with the vectors that the packages made.

use std::collections::BTreeSet;

use hardtack::interop::{
    ArcAlgorithm, Architect, ClientSessions, CookieSession, ExpressSession, Foreign, IronSession, SecureSession,
};
use serde_json::Value;

/// A format under the secret of most of its vectors, and all that authentic cookies say.
pub struct World {
    foreign: Foreign,
    published: BTreeSet<String>,
}

const NOW: u64 = 1_750_000_000_000;

impl World {
    /// The format that the program calls so.
    pub fn of(format: &str) -> Self {
        macro_rules! vectors {
            ($file:literal) => {
                include_str!(concat!("../../hardtack/tests/data/node/", $file))
            };
        }
        let key = std::array::from_fn(|index| index as u8);
        let (foreign, file): (Foreign, _) = match format {
            "iron-session" => (
                IronSession::new("session", "complex_password_at_least_32_characters_long").expect("iron").into(),
                vectors!("iron_session.json"),
            ),
            "client-sessions" => (
                ClientSessions::new("session", "blargadeeblargblarg").expect("client").into(),
                vectors!("client_sessions.json"),
            ),
            "express-session" => (
                ExpressSession::new("connect.sid", ["keyboard cat"]).expect("express").into(),
                vectors!("express_session.json"),
            ),
            "cookie-session" => {
                (CookieSession::new("session", ["key-one"]).expect("cookie").into(), vectors!("cookie_session.json"))
            }
            "architect" => (
                Architect::new("this-is-a-32-character-app-secre", ArcAlgorithm::A256Gcm).expect("architect").into(),
                vectors!("architect.json"),
            ),
            _ => {
                (SecureSession::new("session", [key]).expect("secure").into(), vectors!("fastify_secure_session.json"))
            }
        };
        let file: Value = serde_json::from_str(file).expect("the vectors are JSON");
        let mut world = Self { foreign, published: BTreeSet::new() };
        for vector in file["vectors"].as_array().expect("a list") {
            let text = |name: &str| vector["input"][name].as_str();
            let Some(value) = text("cookie_value") else { continue };
            let mut spellings = vec![value.to_owned()];
            if format == "iron-session" {
                // Nothing authenticates what is behind the `~`, and it decides how the session is read.
                let seal = value.split('~').next().expect("a first part");
                spellings.extend(["", "~1", "~2"].map(|version| format!("{seal}{version}")));
            }
            if let Some(signature) = text("sig_value") {
                spellings.iter_mut().for_each(|value| *value += &format!("\n{signature}"));
            }
            let said: Vec<_> = spellings.iter().filter_map(|value| world.inspect(value.as_bytes())).collect();
            world.published.extend(said);
        }
        assert!(world.published.len() > 1, "{format} has no vectors");
        world
    }

    /// What a value says; behind a line's end is the signature's cookie.
    fn inspect(&self, input: &[u8]) -> Option<String> {
        let names = self.foreign.cookie_names();
        let find = |name: &str| {
            let mut lines = input.splitn(2, |byte| *byte == b'\n');
            if name == names[0] {
                lines.next()
            } else if name.ends_with(".sig") {
                lines.nth(1)
            } else {
                None
            }
        };
        self.foreign.inspect(find).ok().map(|opened| opened.data_json().to_owned())
    }

    /// Any bytes as a cookie: nothing opens but what was published. Any text as data: what is sealed opens and says the
    /// same.
    pub fn meets(&self, input: &[u8]) {
        if let Some(data) = self.inspect(input) {
            assert!(self.published.contains(&data), "a session out of nothing: {data}");
        }
        let Ok(text) = std::str::from_utf8(input) else { return };
        let Ok(cookies) = self.foreign.seal(text, NOW) else { return };
        let lines: Vec<_> = cookies.iter().map(|(_, value)| value.as_str()).collect();
        let data = self.inspect(lines.join("\n").as_bytes()).expect("what was sealed opens");
        if !self.foreign.holds_data() {
            return;
        }
        let (mut before, after) = (serde_json::from_str::<Value>(text), serde_json::from_str::<Value>(&data));
        if let Ok(Value::Object(members)) = &mut before {
            for own in ["iat", "__ts"] {
                if matches!((self.foreign.format(), own), ("architect", "iat") | ("secure-session", "__ts")) {
                    members.remove(own);
                }
            }
        }
        // Both or neither: a lone surrogate is JSON that serde_json does not read.
        if let (Ok(before), Ok(after)) = (before, after) {
            assert_eq!(before, after);
        }
    }
}
