//! What is told to whom: nothing to the visitor that he does not know, and nothing secret to the log.

use hardtack::login::{LoginError, Throttle, User};

use crate::{
    app::{PASSWORD, Site, quota},
    common::{log::logged, wait},
};

/// I04: an unknown name, a wrong password, a disabled account and an unreadable hash are answered alike.
#[test]
fn who_is_not_signed_in_does_not_learn_why() {
    let site = Site::new();
    site.users.set(User { owner: "no. bob".into(), name: "bob".into(), hash: "!".into(), disabled: false });
    let mut answers = Vec::new();
    for (name, password) in
        [("nobody", PASSWORD), ("ada", "wrong"), ("dan", PASSWORD), ("dan", "wrong"), ("bob", PASSWORD), ("", "")]
    {
        let mut eve = site.browser();
        let error = eve.log_in(name, password).unwrap_err();
        assert!(eve.cookie.is_empty() && eve.mark.is_empty(), "{name}");
        answers.push((error.status(), error.retry_after(), error.to_string(), format!("{error:?}")));
    }
    answers.dedup();
    assert_eq!(answers.len(), 1, "{answers:?}");
    assert_eq!(answers[0].2, "The name or the password is not right.");
}

/// I04: a disabled account whose password is right uses attempts up, as a wrong one does.
#[test]
fn the_right_password_of_a_disabled_account_is_counted_as_a_guess() {
    let site = Site::new().throttled(Throttle::in_memory().account(quota(2, 60)));
    for _ in 0..2 {
        assert!(matches!(site.browser().log_in("dan", PASSWORD), Err(LoginError::Refused)));
    }
    assert!(matches!(site.browser().log_in("dan", PASSWORD), Err(LoginError::Throttled { .. })));
}

/// I05: the lengths of both are bounded before anything is looked up or hashed.
#[test]
fn what_is_too_long_is_refused_before_anything_else() {
    let site = Site::new();
    for (name, password) in [("ada".to_owned(), "x".repeat(1025)), ("a".repeat(513), PASSWORD.to_owned())] {
        let error = site.browser().log_in(&name, &password).unwrap_err();
        assert!(matches!(error, LoginError::TooLong));
        assert_eq!(error.status().as_u16(), 400);
    }
    assert!(matches!(site.browser().log_in(&"a".repeat(512), &"x".repeat(1024)), Err(LoginError::Refused)));
}

/// J11, F13: every outcome is an event, accounts are told apart by keyed hashes, and neither a name, a password, a hash nor a
/// cookie is in any of them.
#[test]
fn the_log_tells_what_happened_and_no_secret() {
    let site = Site::new().throttled(Throttle::in_memory().account(quota(2, 60)));
    let mut ada = site.browser();
    let log = logged(|| {
        let _ = site.browser().log_in("my password by mistake", "wrong");
        let _ = site.browser().log_in("ada", "wrong");
        let _ = site.browser().log_in("ada", "wrong");
        let _ = site.browser().log_in("ada", "wrong");
        site.clock.advance(std::time::Duration::from_secs(60));
        ada.log_in("ada", PASSWORD).unwrap();
        let _ = ada.step_up("wrong");
        ada.step_up(PASSWORD).unwrap();
        let (login, visitor) = (site.login.clone(), ada.visitor());
        let others = hardtack::login::Others::End;
        let change = ada.request(async |session| {
            login.change_password(session, &visitor, PASSWORD, "another biscuit", others).await
        });
        change.0.unwrap();
        ada.does(async |session| session.sign_out());
    });
    for event in [
        "login refused",
        "login throttled",
        "password proved",
        "signed in",
        "signed in again in the same session",
        "password changed",
        "session ended",
    ] {
        assert!(log.contains(event), "{event}: {log}");
    }
    let lines: Vec<_> = log.lines().filter(|line| line.contains("login refused")).collect();
    let account = |line: &str| line.split("Bucket(").nth(1).unwrap().split(')').next().unwrap().to_owned();
    assert_eq!(account(lines[1]), account(lines[2]), "the same account is seen to be the same");
    assert_ne!(account(lines[0]), account(lines[1]));
    let mark = ada.mark.split_once('=').unwrap().1;
    // What stands for an account or a session is random, and may by chance hold so short a name.
    let is_public = |word: &&str| ["account=", "bucket=", "handle="].iter().any(|name| word.starts_with(name));
    let told = log.split_whitespace().filter(|word| !is_public(word)).collect::<Vec<_>>().join(" ");
    for secret in ["my password by mistake", "ada", PASSWORD, "biscuit", "$argon2id", "203.0.113.7", mark] {
        assert!(!told.contains(secret), "{secret}: {log}");
    }
}

/// F13: nothing that holds a secret shows it when it is printed for a programmer.
#[test]
fn debug_shows_no_hash() {
    let site = Site::new();
    let hash = site.hash_of("ada");
    let user = wait(hardtack::login::Users::by_name(&site.users, "ada")).unwrap();
    for shown in [format!("{user:?}"), format!("{:?}", site.login), format!("{:?}", site.users)] {
        assert!(!shown.contains(&hash) && !shown.contains("argon2id$"), "{shown}");
    }
}
