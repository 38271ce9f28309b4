//! What a store of the demo keeps, and what it does not.

use std::{fs, net::TcpListener};

use crate::{
    http::Visitor,
    operator::sessions,
    site::{Folder, PASSWORD, Site},
};

/// C09, F11: a copy of the file signs nobody in and shows no data.
#[test]
fn the_file_of_sessions_holds_no_cookie_no_password_and_no_data() {
    let folder = Folder::new();
    let site = folder.start();
    let mut visitor = site.visitor();
    let mut secrets = vec![PASSWORD.to_owned(), "s3cret-note".into()];
    for step in 0..3 {
        visitor.post_json("/api/session/store", r#"{"note":"s3cret-note","count":1}"#);
        visitor.post("/count", &[]);
        secrets.extend(visitor.cookie.clone());
        if step == 0 {
            visitor.log_in(PASSWORD);
        }
    }
    let file = |name: &str| fs::read(folder.data().join(name)).unwrap_or_default();
    let bytes = [file("sessions.db"), file("sessions.db-wal")].concat();
    let holds = |text: &str| bytes.windows(text.len()).any(|window| window == text.as_bytes());
    assert!(holds("keeper"), "the control: an owner is there in clear");
    for secret in secrets {
        assert!(!holds(&secret), "{secret}");
        assert!(!holds(&secret[..secret.len().min(24)]), "{secret}");
    }
    for handle in sessions(&folder, &["list", "--json"]).json(0).as_array().unwrap() {
        let handle = handle["handle"].as_str().unwrap();
        assert!(!Visitor::with_cookie(site.address, handle).is_signed_in(), "a handle opens nothing");
    }
    assert!(visitor.is_signed_in());
}

/// J08: who only looks makes no record, and a logout of nobody makes none either.
#[test]
fn two_thousand_visits_and_logouts_of_nobody_make_no_rows() {
    let folder = Folder::new();
    let site = folder.start();
    for visit in 0..2000 {
        let mut visitor = site.visitor();
        let page = ["/", "/login", "/lab", "/api/session"][visit / 2 % 4];
        assert_eq!(visitor.get(page).status, 200, "{page}");
        // The others just go, so that what they left is still there.
        if visit % 2 == 0 {
            assert_eq!(visitor.post("/logout", &[]).status, 303);
        }
    }
    let rows = || sessions(&folder, &["stats", "--json"]).json(0)["sessions"].as_u64().unwrap();
    assert_eq!(rows(), 0);
    assert_eq!(site.visitor().log_in("wrong").status, 401);
    assert_eq!(rows(), 0, "nor does a wrong password");
    site.visitor().post("/count", &[]);
    assert_eq!(rows(), 1, "the control: a number that counts is worth a record");
}

#[test]
fn a_store_is_where_it_was_said_to_be() {
    let folder = Folder::new();
    for (store, file) in [("mine.db", "mine.db"), ("sqlite:./other.db", "other.db"), ("sqlite://third.db", "third.db")]
    {
        let site = folder.start_with(&["--store", store]);
        assert!(site.told_about("placement").contains(file), "{}", site.told);
        assert_eq!(site.visitor().log_in(PASSWORD).status, 303);
        assert!(folder.path().join(file).is_file(), "{store}");
        assert!(!folder.data().join("sessions.db").exists());
    }
}

#[test]
fn a_store_in_memory_is_gone_with_its_process() {
    let folder = Folder::new();
    let start = || folder.start_with(&["--store", "memory:"]);
    let site = start();
    let mut visitor = site.visitor();
    visitor.log_in(PASSWORD);
    assert!(visitor.is_signed_in() && site.told_about("placement").contains("memory"));
    assert!(visitor.get("/").body.contains("in the server&#39;s memory"));
    drop(site);
    let site = start();
    assert!(!Visitor::with_cookie(site.address, visitor.cookie.as_ref().unwrap()).is_signed_in());
    assert!(!folder.data().join("sessions.db").exists());
}

#[test]
fn a_file_that_is_no_store_is_refused_by_name() {
    let folder = Folder::new();
    fs::write(folder.path().join("not.db"), "x".repeat(10_000)).unwrap();
    let said = folder.refusal(folder.command().args(["--store", "not.db"]));
    assert!(said.contains("not.db"), "{said}");
    assert_eq!(fs::read(folder.path().join("not.db")).unwrap().len(), 10_000, "and it is left as it was");
    let said = folder.refusal(folder.command().args(["--store", "mysql://ada:s3cret@localhost"]));
    assert!(said.contains("sqlite:PATH") && !said.contains("s3cret"), "{said}");
}

/// F13: a server that is not there is named, without what may be secret.
#[test]
fn a_server_that_nobody_runs_is_an_error_without_its_password() {
    let folder = Folder::new();
    // A port of this machine that was free a moment ago.
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    for (address, shown) in [
        (format!("redis://ada:s3cret@127.0.0.1:{port}/1"), format!("redis://127.0.0.1:{port}/1: ")),
        (format!("postgres://ada:s3cret@127.0.0.1:{port}/x"), format!("postgres://127.0.0.1:{port}/x: ")),
    ] {
        let by_option = folder.refusal(folder.command().args(["--store", &address]));
        let by_variable = folder.refusal(folder.command().env("HARDTACK_STORE", &address));
        let by_operator = sessions(&folder, &["list", "--store", &address]).err;
        for said in [by_option, by_variable, by_operator] {
            assert!(said.contains(&shown) && !said.contains("s3cret"), "{said}");
        }
    }
}

/// What is said about another engine was meant for another store.
#[test]
fn settings_of_another_engine_are_refused() {
    let folder = Folder::new();
    for (store, settings) in [
        ("sqlite:x.db", &["--redis-prefix", "shop"][..]),
        ("memory:", &["--postgres-schema", "shop"]),
        ("postgres://127.0.0.1/x", &["--redis-durable-logout", "1"]),
        ("redis://127.0.0.1", &["--postgres-pooler"]),
    ] {
        let said = folder.refusal(folder.command().args(["--store", store]).args(settings));
        assert!(said.contains(settings[0]) && said.contains("leave it out"), "{said}");
    }
}

#[test]
fn a_store_is_named_by_the_variable_unless_the_command_line_names_one() {
    let folder = Folder::new();
    let start = |args: &[&str]| {
        let mut command = folder.command();
        Site::start(command.args(args).env("HARDTACK_STORE", "sqlite:of-variable.db"), &folder)
    };
    let site = start(&[]);
    assert!(site.told_about("placement").contains("of-variable.db"), "{}", site.told);
    let site = start(&["--store", "of-option.db"]);
    assert!(site.told_about("placement").contains("of-option.db"), "{}", site.told);
    assert!(start(&["--placement", "stateless"]).told_about("placement").contains("stateless"));
    let said = folder.refusal(folder.command().env("HARDTACK_STORE", "mysql://ada:s3cret@localhost"));
    assert!(said.contains("HARDTACK_STORE") && !said.contains("s3cret"), "{said}");
}

/// What the lab's clock, an hour ahead, takes for expired stays.
#[test]
fn an_experiment_with_time_ends_nobody() {
    let folder = Folder::new();
    let site = folder.start();
    let mut visitor = site.visitor();
    visitor.log_in(PASSWORD);
    let value = visitor.cookie.clone().unwrap();
    let reply = visitor.post("/lab", &[("experiment", "wait"), ("value", &value)]);
    assert!(reply.body.contains("absent"));
    assert!(visitor.is_signed_in());
    let listed = sessions(&folder, &["list", "--json"]).json(0);
    assert_eq!(listed.as_array().unwrap().len(), 1, "{listed}");
}
