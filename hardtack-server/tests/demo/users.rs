//! Users with names, what they do with their accounts, and what the command line does to them while the demo runs.

use std::{
    io::Write,
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use crate::{
    http::{Reply, Visitor},
    site::{Folder, PASSWORD, Placement, Site},
};

const ADAS: &str = "four biscuits a day";
const NEW: &str = "hard tack and rum";

/// `hardtack users ARGS` in the folder, with `input` on standard input: its code and what it said.
fn users(folder: &Folder, args: &[&str], input: &str) -> (i32, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_hardtack"));
    command.current_dir(folder.path()).arg("users").args(args).env_remove("HARDTACK_STORE");
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    let said = [output.stdout, output.stderr].concat();
    (output.status.code().unwrap(), String::from_utf8(said).unwrap())
}

#[track_caller]
fn done(folder: &Folder, args: &[&str], input: &str) -> String {
    let (code, said) = users(folder, args, input);
    assert_eq!(code, 0, "{said}");
    said
}

fn with_ada(placement: Placement) -> (Folder, Site) {
    let folder = Folder::with(placement);
    let site = folder.start();
    done(&folder, &["add", "ada"], ADAS);
    (folder, site)
}

fn log_in(visitor: &mut Visitor, name: &str, password: &str) -> Reply {
    visitor.post("/login", &[("name", name), ("password", password)])
}

fn signed_in(site: &Site, name: &str, password: &str) -> Visitor {
    let mut visitor = site.visitor();
    let reply = log_in(&mut visitor, name, password);
    assert_eq!((reply.status, reply.location()), (303, "/protected"));
    visitor
}

/// Asks until the answer is no, because a demo that has its sessions in cookies looks once a second. A minute is for slow
/// machines.
#[track_caller]
fn is_out_soon(visitor: &mut Visitor) {
    let end = Instant::now() + Duration::from_secs(60);
    while visitor.is_signed_in() {
        assert!(Instant::now() < end, "still signed in");
        thread::sleep(Duration::from_millis(50));
    }
}

const PLACEMENTS: [Placement; 3] = [Placement::Stored, Placement::Stateless, Placement::Hybrid];

/// A user who is added while the demo runs signs in by name, in any letters, beside the one password; and the sign-in with
/// the one password needs nothing but that, with and without users.
#[test]
fn a_user_who_was_added_signs_in_by_name_beside_the_one_password() {
    let folder = Folder::new();
    let site = folder.start();
    assert!(!site.visitor().get("/login").body.contains("name=\"name\""));
    assert_eq!(site.visitor().log_in(PASSWORD).status, 303);
    done(&folder, &["add", "Ada"], &format!("{ADAS}\n"));
    assert!(site.visitor().get("/login").body.contains("name=\"name\""));
    for name in ["ada", "ADA", " ada "] {
        let mut ada = signed_in(&site, name, ADAS);
        assert!(ada.get("/protected").body.contains("<span class=\"breakable\">ada</span>"));
    }
    assert_eq!(site.visitor().log_in(PASSWORD).status, 303);
    assert_eq!(site.visitor().post("/login", &[("name", ""), ("password", PASSWORD)]).status, 303);
    for (name, password) in [("ada", PASSWORD), ("", ADAS), ("eve", ADAS), ("keeper", PASSWORD)] {
        let reply = log_in(&mut site.visitor(), name, password);
        assert_eq!(reply.status, 401, "{name}");
        assert!(reply.body.contains("role=\"alert\""));
    }
}

/// I04: whether there is such a user is not to be had from the answer.
#[test]
fn an_unknown_name_a_wrong_password_and_a_disabled_user_look_alike() {
    let (folder, site) = with_ada(Placement::Stored);
    done(&folder, &["add", "dan"], ADAS);
    done(&folder, &["disable", "dan"], "");
    let answer = |name: &str, password: &str| {
        let mut visitor = site.visitor();
        let token = visitor.token();
        let fields = [("csrf_token", &*token), ("name", name), ("password", password)];
        let reply = visitor.post_without_token("/login", &fields);
        let token = reply.body.split("name=\"csrf_token\" value=\"").nth(1).unwrap().split('"').next().unwrap();
        let body = reply.body.replace(token, "TOKEN").replace(&format!("value=\"{name}\""), "NAME");
        (reply.status, reply.header("set-cookie").is_some(), body)
    };
    let of_nobody = answer("nob", "wrong");
    assert_eq!(of_nobody.0, 401);
    assert_eq!(answer("ada", "wrong"), of_nobody);
    assert_eq!(answer("dan", ADAS), of_nobody);
}

/// E02, E03: a user who is disabled or removed, and one whose password is set anew, is out on all devices, and others are not.
#[test]
fn what_the_operator_does_to_an_account_ends_its_sessions() {
    for placement in PLACEMENTS {
        for (command, input) in [("disable", ""), ("remove", ""), ("passwd", NEW)] {
            let (folder, site) = with_ada(placement);
            done(&folder, &["add", "bob"], ADAS);
            let (mut desk, mut phone) = (signed_in(&site, "ada", ADAS), signed_in(&site, "ada", ADAS));
            let mut bob = signed_in(&site, "bob", ADAS);
            let said = done(&folder, &[command, "ada"], input);
            if placement != Placement::Stateless {
                assert!(said.contains("2 sessions ended"), "{said}");
            }
            if placement == Placement::Stored {
                assert!(!desk.is_signed_in() && !phone.is_signed_in(), "at once");
            }
            is_out_soon(&mut desk);
            is_out_soon(&mut phone);
            assert!(bob.is_signed_in());
            assert_eq!(log_in(&mut site.visitor(), "ada", ADAS).status, 401, "{command}");
            if command == "disable" {
                done(&folder, &["enable", "ada"], "");
                signed_in(&site, "ada", ADAS);
            }
        }
    }
}

/// E02: of a crowd that is signing in while its account is disabled nobody is left.
#[test]
fn a_login_that_is_being_made_does_not_survive_the_end_of_its_account() {
    let (folder, site) = with_ada(Placement::Stored);
    let mut crowd: Vec<_> = (0..20).map(|_| site.visitor()).map(|mut visitor| (visitor.token(), visitor)).collect();
    let statuses: Vec<_> = thread::scope(|scope| {
        let logins: Vec<_> = crowd
            .iter_mut()
            .map(|(token, visitor)| {
                scope.spawn(move || {
                    let fields = [("csrf_token", &**token), ("name", "ada"), ("password", ADAS)];
                    visitor.post_without_token("/login", &fields).status
                })
            })
            .collect();
        done(&folder, &["disable", "ada"], "");
        logins.into_iter().map(|login| login.join().unwrap()).collect()
    });
    assert!(statuses.iter().all(|status| matches!(status, 303 | 401 | 409)), "{statuses:?}");
    for (_, visitor) in &mut crowd {
        assert!(!visitor.is_signed_in());
    }
}

/// I08, E03: a change of password needs the present one and ends the other devices, unless the person says no.
#[test]
fn a_change_of_password_on_the_page_ends_the_other_devices() {
    let (_folder, site) = with_ada(Placement::Stored);
    let (mut desk, mut phone) = (signed_in(&site, "ada", ADAS), signed_in(&site, "ada", ADAS));
    let mut change = |current: &str, new: &str, again: &str, others: bool| {
        let mut fields = vec![("current", current), ("new", new), ("again", again)];
        if others {
            fields.push(("others", "on"));
        }
        desk.post("/password", &fields)
    };
    for (current, new, again, status, says) in [
        ("wrong", NEW, NEW, 401, "not your present password"),
        (ADAS, "short", "short", 422, "at least 8 characters"),
        (ADAS, "password123", "password123", 422, "easy to guess"),
        (ADAS, NEW, "hard tack and gin", 422, "two different"),
        (ADAS, &"x".repeat(1025), &"x".repeat(1025), 422, "at most 1024 bytes"),
    ] {
        let reply = change(current, new, again, true);
        assert_eq!(reply.status, status, "{new}");
        assert!(reply.body.contains(says), "{new}: {}", reply.body);
    }
    assert!(phone.is_signed_in());
    let reply = change(ADAS, NEW, NEW, false);
    assert_eq!(reply.status, 200);
    assert!(reply.body.contains("Your password is changed.") && reply.body.contains("End all others"));
    assert!(phone.is_signed_in(), "the person said no");
    assert_eq!(change(NEW, ADAS, ADAS, true).status, 200);
    assert!(!phone.is_signed_in());
    assert!(desk.is_signed_in());
    assert_eq!(log_in(&mut site.visitor(), "ada", NEW).status, 401);
    signed_in(&site, "ada", ADAS);
}

/// The one password is not changed here, and its page says where it is.
#[test]
fn the_one_password_is_not_changed_on_the_page() {
    let folder = Folder::new();
    let site = folder.start();
    let mut keeper = site.visitor();
    keeper.log_in(PASSWORD);
    assert!(keeper.get("/password").body.contains("SECRET_PASSWORD"));
    let fields = [("current", PASSWORD), ("new", NEW), ("again", NEW)];
    assert_eq!(keeper.post("/password", &fields).status, 409);
    assert_eq!(site.visitor().log_in(PASSWORD).status, 303);
}

/// D05, C05: the danger zone asks for the password again after five minutes, in the same session.
#[test]
fn the_danger_zone_asks_for_the_password_again_in_the_same_session() {
    for placement in [Placement::Stored, Placement::Stateless] {
        let folder = Folder::with(placement);
        let site = folder.start();
        let mut ada = site.visitor();
        assert_eq!(ada.get("/danger").location(), "/login?next=/danger");
        ada.log_in(PASSWORD);
        ada.post("/count", &[]);
        assert_eq!(ada.get("/danger").status, 200);
        drop(site);

        let site = folder.start_with(&["--clock-ahead", "301"]);
        let mut ada = Visitor::with_cookie(site.address, ada.cookie.as_ref().unwrap());
        assert_eq!(ada.get("/danger").location(), "/confirm?next=/danger");
        assert_eq!(ada.post("/danger", &[]).location(), "/confirm");
        let as_json = ada.send("GET", "/danger", &[("Accept", "application/json")], b"");
        assert_eq!((as_json.status, &as_json.json()["error"]), (401, &"Confirm your password first.".into()));
        let page = ada.get("/confirm?next=//evil.example").body;
        assert!(page.contains("name=\"next\" value=\"/danger\""), "{page}");
        let wrong = ada.post("/confirm", &[("password", "wrong"), ("next", "/danger")]);
        assert_eq!(wrong.status, 401);
        let before = ada.cookie.clone();
        let reply = ada.post("/confirm", &[("password", PASSWORD), ("next", "/danger")]);
        assert_eq!((reply.status, reply.location()), (303, "/danger"));
        assert_ne!(ada.cookie, before);
        assert!(ada.get("/danger").body.contains("<strong>1</strong>"), "the session and its number go on");
        assert_eq!(ada.post("/danger", &[]).status, 303);
        assert_eq!(ada.get("/").counter(), 0);
    }
}

/// I06: an account takes so many wrong passwords; the right one then waits too, and is told how long.
#[test]
fn too_many_wrong_passwords_are_answered_with_429_and_for_how_long() {
    for placement in [Placement::Stored, Placement::Stateless] {
        let folder = Folder::with(placement);
        let site = folder.start_with(&["--attempts", "3"]);
        done(&folder, &["add", "ada"], ADAS);
        let mut device = signed_in(&site, "ada", ADAS);
        let mut eve = site.visitor();
        for _ in 0..3 {
            assert_eq!(log_in(&mut eve, "ada", "wrong").status, 401);
        }
        let reply = log_in(&mut eve, "ada", ADAS);
        assert_eq!(reply.status, 429);
        let seconds: u64 = reply.header("retry-after").unwrap().parse().unwrap();
        assert!((1..=60).contains(&seconds), "{seconds}");
        assert!(reply.body.contains("too often") && reply.body.contains("name=\"csrf_token\""));
        assert_eq!(site.visitor().log_in(PASSWORD).status, 303, "another account");

        device.post("/logout", &[]);
        let reply = log_in(&mut device, "ada", ADAS);
        assert_eq!(reply.status, 303, "a device that signed in before has a bucket of its own");
    }
}

/// A peek tells how long the session lives, makes none, and keeps none alive.
#[test]
fn a_peek_tells_the_time_that_is_left_and_changes_nothing() {
    for placement in PLACEMENTS {
        let folder = Folder::with(placement);
        let site = folder.start();
        let mut stranger = site.visitor();
        let reply = stranger.get("/api/session?peek=1");
        assert_eq!(reply.header("set-cookie"), None);
        assert_eq!(reply.json(), serde_json::json!({ "isLogin": false, "secondsLeft": null }));
        let mut ada = site.visitor();
        ada.log_in(PASSWORD);
        drop(site);

        // Half of the idle hour has passed: any other request would move the deadline.
        let site = folder.start_with(&["--clock-ahead", "2000"]);
        let mut ada = Visitor::with_cookie(site.address, ada.cookie.as_ref().unwrap());
        for _ in 0..3 {
            let reply = ada.get("/api/session?peek=1");
            assert_eq!(reply.header("set-cookie"), None, "{placement:?}");
            let left = reply.json()["secondsLeft"].as_u64().unwrap();
            assert!((1500..=1600).contains(&left), "{placement:?}: {left}");
        }
        ada.get("/api/session");
        let left = ada.get("/api/session?peek=1").json()["secondsLeft"].as_u64().unwrap();
        assert!(left > 3500, "{placement:?}: {left}");
    }
}

/// E11: a logout may ask the browser to forget the site.
#[test]
fn a_logout_clears_the_sites_data_when_it_is_asked_to() {
    let folder = Folder::new();
    let site = folder.start();
    for (path, clear) in [("/logout", None), ("/logout?clear=true", Some("\"cache\", \"storage\""))] {
        let mut ada = site.visitor();
        ada.log_in(PASSWORD);
        let reply = ada.post(path, &[]);
        assert_eq!((reply.status, reply.header("clear-site-data")), (303, clear));
        assert_eq!(reply.header("cache-control"), Some("no-store"));
        assert_eq!(ada.cookie, None);
    }
}

/// The page's script is for who is signed in, comes from the site itself, and no other one may run.
#[test]
fn the_countdown_is_a_script_of_the_site_for_who_is_signed_in() {
    let folder = Folder::new();
    let site = folder.start();
    let mut ada = site.visitor();
    assert!(!ada.get("/").body.contains("<script"));
    ada.log_in(PASSWORD);
    let page = ada.get("/");
    assert!(
        page.body.contains("<script src=\"/session.js\" defer></script>") && page.body.contains("id=\"time-left\"")
    );
    let policy = page.header("content-security-policy").unwrap();
    assert!(policy.contains("script-src 'self';") && !policy.contains("unsafe"), "{policy}");
    let script = ada.get("/session.js");
    assert!(script.header("content-type").unwrap().starts_with("text/javascript"));
    assert!(script.body.contains("/api/session?peek=1"));
}

/// The command's codes: 0 for done, 1 for no such user, 2 for what cannot work. The password never comes from the arguments
/// and is never shown.
#[test]
fn the_command_says_what_it_did_and_shows_no_secret() {
    let folder = Folder::new();
    assert_eq!(users(&folder, &["list"], "").0, 0);
    assert_eq!(users(&folder, &["disable", "ada"], ""), (1, "hardtack: there is no user ada\n".into()));
    assert_eq!(done(&folder, &["add", "ada"], ADAS), "ada added\n");
    let (code, said) = users(&folder, &["add", "ADA"], ADAS);
    assert!(code == 1 && said.contains("already"), "{said}");
    for name in ["", "keeper", "Keeper", "a b", "-a", "a\u{e9}", "a/b", &"a".repeat(65)] {
        let (code, said) = users(&folder, &["add", "--", name], ADAS);
        assert!(code == 2 && said.contains("is no name"), "{name}: {said}");
    }
    for weak in ["", "short", "password123", "ada", "two\nlines of it", &"x".repeat(1025)] {
        let (code, said) = users(&folder, &["add", "bob"], weak);
        assert_eq!(code, 2, "{weak}: {said}");
        assert!(weak.len() < 8 || !said.contains(weak), "{said}");
    }
    assert_eq!(users(&folder, &["add", "bob", ADAS], "").0, 2, "never as an argument");
    done(&folder, &["disable", "ada"], "");
    let listed: serde_json::Value = serde_json::from_str(&done(&folder, &["list", "--json"], "")).unwrap();
    assert_eq!((&listed[0]["name"], &listed[0]["disabled"]), (&"ada".into(), &true.into()));
    assert!(done(&folder, &["list"], "").contains("disabled"));
    let file = std::fs::read(folder.data().join("users.db")).unwrap();
    assert!(!file.windows(ADAS.len()).any(|bytes| bytes == ADAS.as_bytes()));
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = std::fs::metadata(folder.data().join("users.db")).unwrap().permissions().mode();
        assert_eq!(mode & 0o077, 0, "{mode:o}");
    }
    done(&folder, &["remove", "ada"], "");
    assert_eq!(done(&folder, &["list", "--json"], "").trim(), "[]");
}
