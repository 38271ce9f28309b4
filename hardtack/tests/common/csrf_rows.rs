//! The tables in `tests/data/csrf.json`, whose `about` explains them. Tests of the program and of the library run them.
#![allow(dead_code, unreachable_pub, clippy::unwrap_used)]

use hardtack::csrf::CsrfPolicy;

#[derive(serde::Deserialize)]
pub struct Tables {
    pub rows: Vec<Row>,
    pub origins: Vec<Text>,
}

#[derive(serde::Deserialize)]
pub struct Row {
    of: String,
    claim: String,
    pub policy: String,
    pub method: String,
    site: Option<String>,
    origin: Option<String>,
    pub expect: String,
    #[serde(default = "root")]
    pub path: String,
    #[serde(default = "yes")]
    pub token: bool,
    #[serde(default)]
    fields: Vec<(String, String)>,
}

#[derive(serde::Deserialize)]
pub struct Text {
    pub of: String,
    pub text: String,
    pub good: bool,
}

fn root() -> String {
    "/".into()
}

fn yes() -> bool {
    true
}

pub fn tables() -> Tables {
    serde_json::from_str(include_str!("../data/csrf.json")).unwrap()
}

impl Row {
    pub fn name(&self) -> String {
        format!("{}: {} ({})", self.of, self.claim, self.policy)
    }

    pub fn passes(&self) -> bool {
        match &*self.expect {
            "passes" => true,
            "refused" => false,
            other => panic!("{other} is no expectation"),
        }
    }

    pub fn policy(&self) -> CsrfPolicy {
        policy(&self.policy)
    }

    /// The whole request, to the host of the tables, without a body.
    pub fn request(&self, path: &str, cookie: &str, token: &str) -> Vec<u8> {
        let mut head = format!("{} {path} HTTP/1.1\r\nHost: example.com\r\nContent-Length: 0\r\n", self.method);
        let mut add = |name: &str, value: &str| head += &format!("{name}: {value}\r\n");
        add("Cookie", cookie);
        if self.token {
            add("X-CSRF-Token", token);
        }
        let sent = [("Sec-Fetch-Site", &self.site), ("Origin", &self.origin)];
        for (name, value) in sent.into_iter().filter_map(|(name, value)| Some((name, value.as_deref()?))) {
            add(name, value);
        }
        for (name, value) in &self.fields {
            add(name, value);
        }
        if !self.fields.iter().any(|(name, _)| name == "Connection") {
            add("Connection", "close");
        }
        (head + "\r\n").into_bytes()
    }
}

/// The policies that the tables name.
pub fn policy(name: &str) -> CsrfPolicy {
    let policy = CsrfPolicy::new();
    match name {
        "default" => policy,
        "trusting" => {
            let policy = policy.trust_origin("https://trusted.example").unwrap();
            policy.trust_origin("https://oauth.provider.example").unwrap()
        }
        "same_site" => policy.allow_same_site(),
        "required" => policy.require_headers(),
        "own" => policy.own_origin("https://own.example").unwrap(),
        "proxied" => policy.behind_proxy(),
        other => panic!("{other} is no policy"),
    }
}

/// All policies, by name.
pub const POLICIES: [&str; 6] = ["default", "trusting", "same_site", "required", "own", "proxied"];
