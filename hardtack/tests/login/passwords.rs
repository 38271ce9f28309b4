//! Hashes and the pool that makes them.

use std::time::Duration;

use hardtack::login::{Cost, PasswordError, PasswordPolicy, Passwords, Verdict, Weakness};

use crate::common::wait;

const PASSWORD: &str = "ship's biscuit & 2 knots";

fn passwords() -> Passwords {
    Passwords::new().unwrap()
}

fn verify(password: &str, hash: &str) -> Verdict {
    wait(passwords().verify(password, Some(hash))).unwrap()
}

/// I03: what others made is verified, by every scheme that is promised. The hashes come from the reference implementation (argon2), from
/// Python's hashlib (scrypt) and from libxcrypt (bcrypt).
#[test]
fn hashes_of_other_programs_are_verified_and_those_that_are_not_of_today_are_outdated() {
    let outdated = [
        "$argon2id$v=19$m=8192,t=3,p=4$MDEyMzQ1Njc4OWFiY2RlZg$1RV4DUmxwWBpnzlwIyoFyGzcHI+6TZeZrYqhrzcOEhA",
        "$argon2i$v=19$m=8192,t=3,p=1$MDEyMzQ1Njc4OWFiY2RlZg$kd5R2of1oruoqWU7ZicYUOzk/xiyMOT4pLxZ8+rc7KM",
        "$scrypt$ln=10,r=8,p=1$MDEyMzQ1Njc4OWFiY2RlZg$IuuV0+7fwQPt/mPqQB/A1NxB8UETGTtx5w7da8zIHzM",
        "$scrypt$ln=14,r=8,p=2$MDEyMzQ1Njc4OWFiY2RlZg$iOoIMHrrzSn3T5gB7YTqOTa88nqkVuRLhrl5hGlmcDU",
        "$2b$05$abcdefghijklmnopqrstuuX9sl0n17W/qkeAnTBkNhOm/kgsXiYE6",
        "$2y$05$abcdefghijklmnopqrstuuX9sl0n17W/qkeAnTBkNhOm/kgsXiYE6",
        "$2a$05$abcdefghijklmnopqrstuuX9sl0n17W/qkeAnTBkNhOm/kgsXiYE6",
    ];
    for hash in outdated {
        assert_eq!(verify(PASSWORD, hash), Verdict::Outdated, "{hash}");
        assert_eq!(verify("ship's biscuit & 3 knots", hash), Verdict::Wrong, "{hash}");
    }
    let today = "$argon2id$v=19$m=19456,t=2,p=1$MDEyMzQ1Njc4OWFiY2RlZg$YtDu4I6viFSZKd0Xhj9Puz0SGnJIf78bPuzoCOxqf4o";
    assert_eq!(verify(PASSWORD, today), Verdict::Right);
    assert_eq!(verify("", today), Verdict::Wrong);
}

/// I03: a hash that is made is Argon2id at the configured cost, under a salt of its own.
#[test]
fn a_new_hash_is_argon2id_at_its_cost_under_a_salt_of_its_own() {
    let cost = Cost::argon2id(12_288, 3).unwrap();
    let passwords = Passwords::builder().cost(cost).build().unwrap();
    let [first, second] = [(); 2].map(|()| wait(passwords.hash(PASSWORD)).unwrap());
    assert!(first.starts_with("$argon2id$v=19$m=12288,t=3,p=1$"), "{first}");
    assert_ne!(first, second);
    assert_eq!(wait(passwords.verify(PASSWORD, Some(&first))).unwrap(), Verdict::Right);
    assert_eq!(verify(PASSWORD, &first), Verdict::Outdated, "to somebody with another cost");
}

/// I03: a cost below OWASP's floor does not build, and the message says what does.
#[test]
fn a_cost_below_the_floor_is_refused_with_what_to_write_instead() {
    for (memory, passes) in [(47_103, 1), (19_455, 2), (12_287, 3), (12_287, 10), (0, 2), (65_536, 0)] {
        let error = Cost::argon2id(memory, passes).unwrap_err().to_string();
        assert!(error.contains("at least"), "{memory}, {passes}: {error}");
    }
    for (memory, passes) in [(47_104, 1), (19_456, 2), (12_288, 3), (12_288, 10), (262_144, 4)] {
        assert!(Cost::argon2id(memory, passes).is_ok(), "{memory}, {passes}");
    }
    assert!(Cost::argon2id(262_145, 4).is_err() && Cost::argon2id(19_456, 65).is_err());
    let said = Cost::argon2id(4096, 2).unwrap_err().to_string();
    assert!(said.contains("Cost::argon2id(19456, 2)"), "{said}");
}

/// I03: calibrating never goes below the default, however little time there is.
#[test]
fn calibrating_finds_no_cost_below_the_default() {
    assert_eq!(Cost::calibrated(Duration::ZERO), Cost::default());
    let more = Cost::calibrated(Duration::from_secs(3600));
    assert_eq!((more.memory_kib(), more.passes()), (262_144, 64));
}

/// I02: passwords that differ at byte 73 alone, in a NUL or in what follows one, or in their case, are different ones, and
/// so are two forms of one letter.
#[test]
fn nothing_of_a_password_is_truncated_or_folded() {
    let passwords = passwords();
    let long = "x".repeat(72);
    let pairs = [
        (format!("{long}a"), format!("{long}b")),
        (format!("{}a", "x".repeat(1023)), format!("{}b", "x".repeat(1023))),
        ("biscuit\0a".into(), "biscuit\0b".into()),
        ("biscuit\0".into(), "biscuit".into()),
        ("Biscuit".into(), "biscuit".into()),
        (" biscuit".into(), "biscuit".into()),
        ("caf\u{e9}".into(), "cafe\u{301}".into()),
        ("🍪🍪".into(), "🍪".into()),
    ];
    for (one, other) in pairs {
        let hash = wait(passwords.hash(&one)).unwrap();
        assert_eq!(wait(passwords.verify(&one, Some(&hash))).unwrap(), Verdict::Right, "{one:?}");
        assert_eq!(wait(passwords.verify(&other, Some(&hash))).unwrap(), Verdict::Wrong, "{other:?}");
    }
}

/// I02: bcrypt would look at 72 bytes and, in most programs, stop at a NUL. What it would leave out does not match.
#[test]
fn a_bcrypt_hash_matches_no_password_of_which_bcrypt_sees_a_part() {
    let of_72 = "$2a$05$abcdefghijklmnopqrstuujf8SX2ahXLwp9w/B.Y5XdysS6yR576q";
    assert_eq!(verify(&"x".repeat(72), of_72), Verdict::Outdated);
    for longer in [73, 80, 1024] {
        assert_eq!(verify(&"x".repeat(longer), of_72), Verdict::Wrong, "{longer}");
    }
    assert_eq!(verify(&"x".repeat(71), of_72), Verdict::Wrong);
    let short = "$2b$05$abcdefghijklmnopqrstuuX9sl0n17W/qkeAnTBkNhOm/kgsXiYE6";
    assert_eq!(verify(&format!("{PASSWORD}\0"), short), Verdict::Wrong);
    assert_eq!(verify(&format!("{PASSWORD}\0more"), short), Verdict::Wrong);
    let utf8 = "$2b$05$abcdefghijklmnopqrstuuUPMNA3Snzv.6SDbQXsD.jijotP3bO0e";
    assert_eq!(verify("caf\u{e9} and more", utf8), Verdict::Outdated);
}

/// What is no hash, or asks for more memory than any of ours, matches nothing and breaks nothing.
#[test]
fn a_hash_that_cannot_be_read_matches_nothing() {
    for hash in [
        "",
        "*",
        "!",
        "plain text",
        "$argon2id$v=19$m=19456,t=2,p=1$MDEyMzQ1Njc4OWFiY2RlZg",
        "$argon2id$v=19$m=4194304,t=2,p=1$MDEyMzQ1Njc4OWFiY2RlZg$YtDu4I6viFSZKd0Xhj9Puz0SGnJIf78bPuzoCOxqf4o",
        "$scrypt$ln=30,r=8,p=1$MDEyMzQ1Njc4OWFiY2RlZg$IuuV0+7fwQPt/mPqQB/A1NxB8UETGTtx5w7da8zIHzM",
        "$pbkdf2-sha256$i=600000$MDEyMzQ1Njc4OWFiY2RlZg$IuuV0+7fwQPt/mPqQB/A1NxB8UETGTtx5w7da8zIHzM",
        "$2b$31$abcdefghijklmnopqrstuuX9sl0n17W/qkeAnTBkNhOm/kgsXiYE6",
        "$2x$05$abcdefghijklmnopqrstuuX9sl0n17W/qkeAnTBkNhOm/kgsXiYE6",
        "$2b$05$short",
        "$2b$\u{e9}5$abcdefghijklmnopqrstuuX9sl0n17W/qkeAnTBkNhOm/kgsXiYE",
    ] {
        assert_eq!(verify(PASSWORD, hash), Verdict::Wrong, "{hash}");
        assert_eq!(verify("", hash), Verdict::Wrong, "{hash}");
    }
}

/// I05: a password of more than 1,024 bytes is refused before anything is hashed, a megabyte too.
#[test]
fn a_password_of_more_than_1024_bytes_is_refused_unhashed() {
    let passwords = passwords();
    assert!(wait(passwords.hash(&"x".repeat(1024))).is_ok());
    for length in [1025, 1024 * 1024] {
        let long = "x".repeat(length);
        assert_eq!(wait(passwords.hash(&long)).unwrap_err(), PasswordError::TooLong);
        assert_eq!(wait(passwords.verify(&long, None)).unwrap_err(), PasswordError::TooLong);
    }
}

/// I05: of a thousand at once one is hashed and ten wait; the others are told that it is busy, and the runtime's own thread
/// goes on with other requests meanwhile.
#[test]
fn a_thousand_at_once_are_hashed_one_by_one_and_stall_nobody() {
    let passwords = Passwords::builder().at_once(1).waiting(10).build().unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    runtime.block_on(async {
        let logins: Vec<_> = (0..1000)
            .map(|_| {
                let passwords = passwords.clone();
                tokio::spawn(async move { passwords.verify(PASSWORD, None).await })
            })
            .collect();
        let mut others = 0;
        let mut outcomes = Vec::new();
        for login in logins {
            // Another request has its turn while the passwords are hashed.
            tokio::task::yield_now().await;
            others += 1;
            outcomes.push(login.await.unwrap());
        }
        let busy = outcomes.iter().filter(|outcome| **outcome == Err(PasswordError::Busy)).count();
        let verified = outcomes.iter().filter(|outcome| **outcome == Ok(Verdict::Wrong)).count();
        assert_eq!((verified, busy, others), (11, 989, 1000));
        assert_eq!(passwords.verify(PASSWORD, None).await, Ok(Verdict::Wrong), "afterwards there is room again");
    });
}

/// I05: who gives up waiting leaves his place to others.
#[test]
fn a_request_that_is_dropped_leaves_its_place_in_the_queue() {
    let passwords = Passwords::builder().at_once(1).waiting(1).build().unwrap();
    wait(async {
        for _ in 0..5 {
            let first = tokio::spawn({
                let passwords = passwords.clone();
                async move { passwords.verify(PASSWORD, None).await }
            });
            tokio::task::yield_now().await;
            let second = tokio::spawn({
                let passwords = passwords.clone();
                async move { passwords.verify(PASSWORD, None).await }
            });
            tokio::task::yield_now().await;
            second.abort();
            assert!(second.await.unwrap_err().is_cancelled());
            assert_eq!(first.await.unwrap(), Ok(Verdict::Wrong));
        }
    });
}

/// I01: length alone counts, in code points, at least 8; there are no rules of composition.
#[test]
fn a_password_is_judged_by_its_length_in_code_points() {
    let policy = PasswordPolicy::default();
    for good in ["aaaaaaaa", "11111111", "        ", "пароль12", "🍪🍪🍪🍪🍪🍪🍪🍪", &"x".repeat(64), &"x".repeat(1024)]
    {
        assert_eq!(policy.check("ada", good), Ok(()), "{good}");
    }
    for (short, length) in [("", 0), ("aaaaaaa", 7), ("🍪🍪", 2), ("éééé", 4)] {
        assert_eq!(policy.check("ada", short), Err(Weakness::TooShort { length, least: 8 }), "{short}");
    }
    assert_eq!(policy.check("ada", &"x".repeat(1025)), Err(Weakness::TooLong));
    let strict = PasswordPolicy::default().min_length(15);
    assert_eq!(strict.check("ada", "fourteen chars"), Err(Weakness::TooShort { length: 14, least: 15 }));
    for length in [0, 7, 65, usize::MAX] {
        let builder = Passwords::builder().policy(PasswordPolicy::default().min_length(length));
        assert!(builder.build().unwrap_err().to_string().contains("8 to 64"), "{length}");
    }
}

/// I07: the application's list of common and breached passwords is asked, and so is the name.
#[test]
fn a_common_password_and_the_name_are_refused_when_they_are_chosen() {
    let policy = PasswordPolicy::default()
        .forbid(|password, _| password == "iloveyou1")
        .forbid(|password, name| password.contains(name));
    assert_eq!(policy.check("ada", "iloveyou1"), Err(Weakness::Forbidden));
    assert_eq!(policy.check("ada", "I am ada, hello"), Err(Weakness::Forbidden));
    assert_eq!(policy.check("Ada Lovelace", "ada LOVELACE"), Err(Weakness::IsTheName));
    assert_eq!(policy.check("ada", "iloveyou2"), Ok(()));
    assert!(!format!("{policy:?}").contains("iloveyou"));
}

/// A pool out of its range does not build.
#[test]
fn a_pool_out_of_its_range_is_refused() {
    assert!(Passwords::builder().at_once(0).build().is_err());
    assert!(Passwords::builder().at_once(65).build().is_err());
    assert!(Passwords::builder().waiting(100_001).build().is_err());
    assert!(Passwords::builder().at_once(64).waiting(0).build().is_ok());
}
