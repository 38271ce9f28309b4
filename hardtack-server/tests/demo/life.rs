//! First run, second run, the end, and what lies between.

use std::{fs, net::TcpListener, path::Path, process::Command};

use serde_json::json;

use crate::{
    http::Visitor,
    site::{Folder, PASSWORD, Placement::Stateless, Site},
};

claims! {
    /// The tool reads what the demo wrote; of a stored session that is its name and its time.
    inspect_reads_a_cookie_of_the_demo_with_its_file_of_keys
    /// E01: a logout holds after the process was killed, and whoever was signed in still is.
    a_restart_keeps_sessions_and_remembers_logouts
    /// G02: without the keys of before, everybody is a stranger and nothing breaks.
    lost_keys_sign_everybody_out_and_break_nothing
    /// F13: neither the console nor the log shows what could sign somebody in, at any level.
    the_most_talkative_log_shows_no_cookie_no_key_and_no_password
}

/// The password in `told`, which was made just now.
fn made(told: &str) -> &str {
    assert!(told.contains("made just now"), "{told}");
    told.split(' ').next().unwrap()
}

#[test]
fn the_first_run_makes_a_password_and_tells_it_once() {
    let folder = Folder::new();
    let first = Site::start(&mut folder.command(), &folder);
    let password = made(first.told_about("password")).to_owned();
    assert_eq!(password.chars().filter(char::is_ascii_alphanumeric).count(), 20, "{password}");
    assert_eq!(first.visitor().log_in(&password).status, 303);
    drop(first);

    let second = Site::start(&mut folder.command(), &folder);
    assert!(!second.told.contains(&password) && !second.told.contains("made just now"), "{}", second.told);
    assert_eq!(second.visitor().log_in(&password).status, 303, "and it still works");
    drop(second);

    for file in files(&folder.data()) {
        assert!(!String::from_utf8_lossy(&fs::read(&file).unwrap()).contains(&password), "{}", file.display());
    }
    fs::remove_file(folder.data().join("password")).unwrap();
    let third = Site::start(&mut folder.command(), &folder);
    assert_ne!(made(third.told_about("password")), password);
}

#[cfg(unix)]
#[test]
fn what_is_secret_is_for_its_owner_alone() {
    use std::os::unix::fs::PermissionsExt;
    let folder = Folder::new();
    drop(Site::start(folder.command().arg("--tls"), &folder));
    for secret in ["keys", "password", "sessions.db", "tls-key.pem"] {
        let mode = fs::metadata(folder.data().join(secret)).unwrap().permissions().mode();
        assert_eq!(mode & 0o077, 0, "{secret} has mode {mode:o}");
    }
}

#[test]
fn a_password_of_the_environment_is_taken_and_not_told() {
    let folder = Folder::new();
    let site = folder.start();
    assert!(!site.told.contains(PASSWORD) && site.told_about("password").contains("SECRET_PASSWORD"));
    assert_eq!(site.visitor().log_in(PASSWORD).status, 303);
    assert!(!folder.data().join("password").exists());
}

#[test]
fn a_password_in_the_file_dot_env_of_the_working_directory_is_taken() {
    let folder = Folder::new();
    fs::write(folder.path().join(".env"), "# mine\nOTHER=1\nSECRET_PASSWORD=\"four words of mine\"\n").unwrap();
    let site = Site::start(&mut folder.command(), &folder);
    assert!(site.told_about("password").contains("SECRET_PASSWORD") && !site.told.contains("four words"));
    assert_eq!(site.visitor().log_in("four words of mine").status, 303);
    assert_eq!(site.visitor().log_in(PASSWORD).status, 401);
    drop(site);

    let site = folder.start();
    assert_eq!(site.visitor().log_in(PASSWORD).status, 303, "the environment wins over the file");
    assert_eq!(site.visitor().log_in("four words of mine").status, 401);
}

#[test]
fn keys_of_the_environment_are_used_and_no_file_is_made() {
    let folder = Folder::new();
    let generate = Command::new(env!("CARGO_BIN_EXE_hardtack")).args(["keys", "generate"]).output().unwrap();
    let key = String::from_utf8(generate.stdout).unwrap();
    let site = Site::start(folder.command().env("HARDTACK_KEYS", key.trim()).env("SECRET_PASSWORD", "p"), &folder);
    assert!(site.told_about("keys").contains("HARDTACK_KEYS"));
    assert!(!folder.data().join("keys").exists());
    assert!(!site.told.contains(key.trim()));
}

fn a_restart_keeps_sessions_and_remembers_logouts(folder: &Folder) {
    let site = folder.start();
    let (mut ada, mut bob) = (site.visitor(), site.visitor());
    ada.log_in(PASSWORD);
    bob.log_in(PASSWORD);
    bob.post("/count", &[]);
    let gone = ada.cookie.clone().unwrap();
    ada.post("/logout", &[]);
    // Killed, not ended: what was answered must be on the disk.
    drop(site);

    let site = folder.start();
    assert!(!Visitor::with_cookie(site.address, &gone).is_signed_in());
    let mut bob = Visitor::with_cookie(site.address, bob.cookie.as_ref().unwrap());
    assert!(bob.is_signed_in());
    assert_eq!(bob.get("/").counter(), 1);
    drop(site);

    let site = folder.start();
    assert!(!Visitor::with_cookie(site.address, &gone).is_signed_in(), "nor after a second one");
}

fn lost_keys_sign_everybody_out_and_break_nothing(folder: &Folder) {
    let site = folder.start();
    let mut visitor = site.visitor();
    visitor.log_in(PASSWORD);
    let cookie = visitor.cookie.unwrap();
    drop(site);
    fs::remove_file(folder.data().join("keys")).unwrap();
    let site = folder.start();
    assert!(!Visitor::with_cookie(site.address, &cookie).is_signed_in());
    assert_eq!(Visitor::with_cookie(site.address, &cookie).log_in(PASSWORD).status, 303);
}

#[test]
fn a_second_stateless_process_on_the_same_folder_is_refused() {
    let folder = Folder::with(Stateless);
    let site = folder.start();
    let said = folder.refusal(folder.command().env("SECRET_PASSWORD", PASSWORD));
    assert!(said.contains("another process uses it") && said.contains("folder"), "{said}");
    assert_eq!(site.visitor().get("/healthz").status, 200, "the first goes on");
}

#[test]
fn an_address_that_cannot_be_used_is_refused_with_what_to_write_instead() {
    let folder = Folder::new();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let demo = |listen: &str| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_hardtack"));
        command.current_dir(folder.path()).args(["demo", "--listen", listen]);
        folder.refusal(&mut command)
    };
    let said = demo(&address);
    assert!(said.contains(&address) && said.contains("--listen"), "{said}");
    for wrong in ["3000", ":3000", "127.0.0.1", "127.0.0.1:99999"] {
        let said = demo(wrong);
        assert!(said.contains(wrong) && said.contains("--listen 127.0.0.1:3001"), "{wrong}: {said}");
    }
}

#[test]
fn a_data_folder_that_cannot_be_made_or_used_is_refused_by_name() {
    let folder = Folder::new();
    fs::write(folder.path().join("file"), "").unwrap();
    let said = folder.refusal(folder.command().args(["--data", "file"]));
    assert!(said.contains("file"), "{said}");

    fs::create_dir(folder.data()).unwrap();
    fs::write(folder.data().join("password"), "not a hash\n").unwrap();
    let said = folder.refusal(&mut folder.command());
    assert!(said.contains("password") && said.contains("remove"), "{said}");
}

#[test]
fn a_certificate_that_is_missing_is_refused_by_name() {
    let folder = Folder::new();
    let said = folder.refusal(folder.command().args(["--tls-cert", "no.pem", "--tls-key", "no.key"]));
    assert!(said.contains("no.pem") && said.contains("no.key"), "{said}");
    let said = folder.refusal(folder.command().args(["--tls-cert", "no.pem"]));
    assert!(said.contains("--tls-key"), "{said}");
}

#[cfg(unix)]
#[test]
fn sigterm_and_ctrl_c_end_the_demo_with_code_0() {
    let folder = Folder::new();
    for signal in ["TERM", "INT"] {
        let site = folder.start();
        assert_eq!(site.visitor().get("/").status, 200);
        let (status, last) = site.end(signal);
        assert_eq!((status.code(), last.trim()), (Some(0), "hardtack demo has ended."), "{signal}");
    }
}

fn the_most_talkative_log_shows_no_cookie_no_key_and_no_password(folder: &Folder) {
    let site = Site::start(folder.command().env("SECRET_PASSWORD", PASSWORD).env("RUST_LOG", "trace"), folder);
    let mut visitor = site.visitor();
    let mut secrets = vec![PASSWORD.to_owned(), "ship%27s".into(), "s3cret-note".into()];
    visitor.post_json("/api/session/store", r#"{"note":"s3cret-note"}"#);
    secrets.extend(visitor.cookie.clone());
    secrets.push(visitor.token());
    visitor.log_in("wrong");
    visitor.log_in(PASSWORD);
    secrets.extend(visitor.cookie.clone());
    visitor.post("/logout", &[]);
    let keys = fs::read_to_string(folder.data().join("keys")).unwrap();
    secrets.extend(keys.split_whitespace().find(|word| word.starts_with("htk1_")).map(String::from));
    assert_eq!(secrets.len(), 7);
    let log = folder.log();
    assert!(log.contains("signed in"), "J11: the log is really read");
    for secret in secrets {
        assert!(!log.contains(&secret), "{secret}");
    }
}

fn inspect_reads_a_cookie_of_the_demo_with_its_file_of_keys(folder: &Folder) {
    let site = folder.start();
    let mut visitor = site.visitor();
    visitor.log_in(PASSWORD);
    visitor.post("/count", &[]);
    fs::write(folder.path().join("cookie"), visitor.cookie.unwrap()).unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_hardtack"))
        .args(["inspect", "--format", "native", "--keys"])
        .arg(folder.data().join("keys"))
        .stdin(fs::File::open(folder.path().join("cookie")).unwrap())
        .output()
        .unwrap();
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let (data, kind, owner) = if folder.is_stored() {
        (json!({}), "stored", json!(null))
    } else {
        (json!({ "count": 1 }), "stateless", json!("keeper"))
    };
    assert_eq!((&report["status"], &report["data"]), (&json!("valid"), &data));
    assert_eq!((&report["session"]["kind"], &report["session"]["owner"]), (&json!(kind), &owner));
}

fn files(folder: &Path) -> Vec<std::path::PathBuf> {
    fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect()
}
