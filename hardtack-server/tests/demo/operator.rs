//! `hardtack sessions` beside a demo that runs: what is ended here is out there at its next request.

use std::{fs, process::Command, time::SystemTime};

use serde_json::Value;

use crate::{
    http::Visitor,
    site::{Folder, PASSWORD, Site},
};

pub(crate) struct Answer {
    code: Option<i32>,
    out: String,
    pub(crate) err: String,
}

impl Answer {
    /// What was printed, after the expected exit code.
    #[track_caller]
    pub(crate) fn text(&self, code: i32) -> &str {
        assert_eq!(self.code, Some(code), "{}{}", self.out, self.err);
        self.out.trim_end()
    }

    #[track_caller]
    pub(crate) fn json(&self, code: i32) -> Value {
        serde_json::from_str(self.text(code)).expect("JSON")
    }
}

/// `hardtack sessions` in the working directory of the demo, whose data folder is the default one.
pub(crate) fn sessions(folder: &Folder, args: &[&str]) -> Answer {
    let mut command = Command::new(env!("CARGO_BIN_EXE_hardtack"));
    let output =
        command.current_dir(folder.path()).arg("sessions").args(args).env_remove("HARDTACK_STORE").output().unwrap();
    let text = |bytes| String::from_utf8(bytes).expect("UTF-8");
    Answer { code: output.status.code(), out: text(output.stdout), err: text(output.stderr) }
}

fn signed_in(site: &Site) -> Visitor {
    let mut visitor = site.visitor();
    assert_eq!(visitor.log_in(PASSWORD).status, 303);
    visitor
}

fn handle(visitor: &mut Visitor) -> String {
    let devices = visitor.get("/api/devices").json();
    let current = devices.as_array().unwrap().iter().find(|device| device["current"] == true).unwrap().clone();
    current["handle"].as_str().unwrap().to_owned()
}

fn now_ms() -> u128 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_millis()
}

/// E05, F13: owners, times and labels; no data, no id, no sealed bytes.
#[test]
fn the_list_shows_what_a_store_knows_in_clear_and_nothing_else() {
    let folder = Folder::new();
    let site = folder.start();
    let mut visitor = signed_in(&site);
    visitor.post_json("/api/session/store", r#"{"note":"s3cret-note"}"#);
    let (cookie, handle) = (visitor.cookie.clone().unwrap(), handle(&mut visitor));
    site.visitor().post("/count", &[]);

    let table = sessions(&folder, &["list"]);
    let lines: Vec<_> = table.text(0).lines().collect();
    assert_eq!(lines.len(), 3, "{lines:?}");
    assert!(lines[0].starts_with("HANDLE"));
    let mine = lines.iter().find(|line| line.starts_with(&handle)).expect("the handle");
    assert!(mine.contains("live") && mine.contains("keeper") && mine.ends_with("Unknown device"), "{mine}");

    let json = sessions(&folder, &["list", "--json"]).json(0);
    let listed = json.as_array().unwrap();
    let row = listed.iter().find(|row| row["handle"] == *handle).unwrap();
    assert_eq!((&row["owner"], &row["expired"], &row["generation"]), (&"keeper".into(), &false.into(), &0.into()));
    let (created, idle) = (row["created_at"].as_u64().unwrap(), row["idle_deadline"].as_u64().unwrap());
    assert!(idle - created >= 3_600_000 && row["absolute_deadline"].as_u64().unwrap() == created + 86_400_000);
    assert_eq!(sessions(&folder, &["list", "--json", "--owner", "keeper"]).json(0).as_array().unwrap().len(), 1);
    assert_eq!(sessions(&folder, &["list", "--json", "--owner", "nobody"]).json(0).as_array().unwrap().len(), 0);
    assert_eq!(sessions(&folder, &["list", "--json", "--limit", "1"]).json(0).as_array().unwrap().len(), 1);
    assert_eq!(sessions(&folder, &["list", "--limit", "1"]).text(0).lines().count(), 2);

    let shown = sessions(&folder, &["show", &handle]);
    assert!(shown.text(0).contains("keeper") && shown.text(0).contains(&handle));
    assert_eq!(sessions(&folder, &["show", "--json", &handle]).json(0), *row);
    let stats = sessions(&folder, &["stats", "--json"]).json(0);
    let counted = ["sessions", "live", "expired", "signed_in", "owners"].map(|name| stats[name].as_u64().unwrap());
    assert_eq!(counted, [2, 2, 0, 1, 1]);
    let told = sessions(&folder, &["stats"]);

    let all = [&table, &shown, &told].map(|answer| answer.out.clone()).concat() + &json.to_string();
    for secret in ["s3cret-note", PASSWORD, &cookie, &cookie[..24], "note"] {
        assert!(!all.contains(secret), "{secret}");
    }
}

/// D08: what is over is marked, and removed when asked.
#[test]
fn expired_sessions_are_marked_and_purged() {
    let folder = Folder::new();
    let site = folder.start();
    let handle = handle(&mut signed_in(&site));
    let later = (now_ms() + 2 * 3_600_000).to_string();
    let at = |args: &[&str]| sessions(&folder, &[args, &["--now", &later]].concat());
    assert_eq!(at(&["list", "--json"]).json(0)[0]["expired"], true);
    assert!(at(&["list"]).text(0).contains("expired"));
    assert!(at(&["show", &handle]).text(0).contains("expired"));
    assert_eq!(at(&["stats", "--json"]).json(0)["expired"], 1);
    assert_eq!(sessions(&folder, &["purge"]).text(0), "0 rows removed", "nothing is over yet");
    assert_eq!(at(&["purge"]).text(0), "1 row removed");
    assert_eq!(sessions(&folder, &["stats", "--json"]).json(0)["sessions"], 0);
}

/// E04, E05: an operator ends one session, and no other.
#[test]
fn ending_a_handle_ends_that_session_in_the_server_that_runs() {
    let folder = Folder::new();
    let site = folder.start();
    let mut visitors = [signed_in(&site), signed_in(&site)];
    let [ada, bob] = &mut visitors;
    let handle = handle(ada);
    assert_eq!(sessions(&folder, &["end", &handle]).text(0), format!("{handle} ended"));
    assert!(!ada.is_signed_in() && bob.is_signed_in());
    for command in ["end", "show"] {
        let answer = sessions(&folder, &[command, &handle]);
        assert_eq!(answer.text(1), "", "{command}");
        assert!(answer.err.contains("no session"), "{}", answer.err);
    }
    for wrong in ["x", "", "AAAAAAAAAAAAAAAAAAAAAAA", "\u{1b}[2J", "-x"] {
        let answer = sessions(&folder, &["end", wrong]);
        assert_eq!(answer.text(2), "", "{wrong:?}");
        assert!(answer.err.contains("handle") && !answer.err.contains('\u{1b}'), "{}", answer.err);
    }
}

/// E02, E04
#[test]
fn ending_an_owner_ends_all_devices_and_no_visitor() {
    let folder = Folder::new();
    let site = folder.start();
    let mut visitors = [signed_in(&site), signed_in(&site)];
    let mut visitor = site.visitor();
    visitor.post("/count", &[]);
    assert_eq!(sessions(&folder, &["end-owner", "keeper"]).text(0), "2 sessions of keeper ended");
    assert!(visitors.iter_mut().all(|visitor| !visitor.is_signed_in()));
    assert_eq!(visitor.get("/").counter(), 1);
    assert!(signed_in(&site).is_signed_in(), "who signs in afterwards is not affected");
    assert_eq!(sessions(&folder, &["end-owner", "nobody"]).text(0), "0 sessions of nobody ended");
}

/// E04: after a backup was restored, what it brought back ends.
#[test]
fn ending_all_ends_what_is_older_than_a_moment_or_everything() {
    let folder = Folder::new();
    let site = folder.start();
    let mut old = signed_in(&site);
    // Times are compared to the millisecond, so the moment is one that has begun after the sign-in.
    let between = now_ms() + 1;
    while now_ms() <= between {}
    let mut new = signed_in(&site);
    assert_eq!(sessions(&folder, &["end-all", "--before", "1970-01-01T00:00:01Z"]).text(0), "0 sessions ended");
    assert_eq!(sessions(&folder, &["end-all", "--before", &between.to_string()]).text(0), "1 session ended");
    assert!(!old.is_signed_in() && new.is_signed_in());
    assert_eq!(sessions(&folder, &["end-all", "--before", "2999-01-01T00:00:00+02:00"]).text(0), "1 session ended");
    assert!(!new.is_signed_in());

    let (mut ada, mut visitor) = (signed_in(&site), site.visitor());
    visitor.post("/count", &[]);
    assert_eq!(sessions(&folder, &["end-all"]).text(0), "2 sessions ended");
    assert!(!ada.is_signed_in());
    assert_eq!(visitor.get("/").counter(), 0);
    for wrong in ["yesterday", "", "-1", "2026-01-31", "2026-13-31T12:00:00Z"] {
        let answer = sessions(&folder, &["end-all", &format!("--before={wrong}")]);
        assert_eq!(answer.text(2), "", "{wrong}");
    }
}

#[test]
fn a_store_that_is_not_there_is_refused_and_not_made() {
    let folder = Folder::new();
    fs::create_dir(folder.data()).unwrap();
    for args in
        [&["list"][..], &["list", "--store", "no.db"], &["purge", "--data", "nowhere"], &["stats", "--data", "."]]
    {
        let answer = sessions(&folder, args);
        assert_eq!(answer.text(2), "", "{args:?}");
        assert!(answer.err.contains("--store"), "{}", answer.err);
    }
    for (store, says) in
        [("memory:", "memory"), ("mysql://x", "sqlite:PATH"), ("", "sqlite:PATH"), ("hardtack-data", "is no file")]
    {
        let answer = sessions(&folder, &["list", "--store", store]);
        assert_eq!(answer.text(2), "", "{store}");
        assert!(answer.err.contains(says), "{store}: {}", answer.err);
    }
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "only the empty folder");
    assert_eq!(fs::read_dir(folder.data()).unwrap().count(), 0);
    fs::write(folder.path().join("text"), "no database, whatever its name may be").unwrap();
    assert_eq!(sessions(&folder, &["list", "--store", "text"]).text(2), "");
}

/// The commands find the same store by its folder and by its name.
#[test]
fn a_store_is_named_by_its_file_or_its_folder() {
    let folder = Folder::new();
    let site = folder.start();
    site.visitor().post("/count", &[]);
    for args in [
        &["--data", "hardtack-data"][..],
        &["--store", "hardtack-data/sessions.db"],
        &["--store", "sqlite:hardtack-data/sessions.db"],
    ] {
        let before = sessions(&folder, &[args, &["stats", "--json"]].concat()).json(0);
        let after = sessions(&folder, &[&["stats", "--json"], args].concat()).json(0);
        assert_eq!((&before["sessions"], &after["sessions"]), (&1.into(), &1.into()), "{args:?}");
    }
}
