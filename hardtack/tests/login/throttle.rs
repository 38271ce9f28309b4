//! I06: guessing is slow, and nobody is locked out by somebody else.

use std::time::Duration;

use hardtack::{
    StoreError,
    login::{Attempts, Bucket, LoginError, MemoryAttempts, Quota, StoreAttempts, Taken, Throttle},
    store::MemoryStore,
};

use crate::{
    app::{Browser, PASSWORD, Site, quota},
    common::wait,
};

/// Three guesses for an account and for a device of it, ten for a source.
fn strict() -> Throttle {
    Throttle::in_memory().account(quota(3, 60)).device(quota(3, 60)).source(quota(10, 60))
}

fn wrong(browser: &mut Browser<'_>, name: &str) -> Result<(), LoginError> {
    browser.log_in(name, "not the password")
}

#[track_caller]
fn is_throttled(result: Result<(), LoginError>, seconds: u64) {
    let error = result.unwrap_err();
    assert!(matches!(error, LoginError::Throttled { .. }), "{error:?}");
    assert_eq!((error.status().as_u16(), error.retry_after()), (429, Some(seconds)));
}

#[track_caller]
fn is_refused(result: Result<(), LoginError>) {
    let error = result.unwrap_err();
    assert!(matches!(error, LoginError::Refused), "{error:?}");
    assert_eq!((error.status().as_u16(), error.retry_after()), (401, None));
}

/// I06: the fourth guess is not looked at, right or wrong; a minute later there is room for one, and no more than that.
#[test]
fn an_account_takes_so_many_guesses_and_then_one_a_minute() {
    let site = Site::new().throttled(strict());
    let mut eve = site.browser();
    (0..3).for_each(|_| is_refused(wrong(&mut eve, "ada")));
    is_throttled(wrong(&mut eve, "ada"), 60);
    site.clock.advance(Duration::from_secs(30));
    is_throttled(eve.log_in("ada", PASSWORD), 30);
    is_throttled(wrong(&mut eve, "ada"), 30);
    site.clock.advance(Duration::from_secs(30));
    is_refused(wrong(&mut eve, "ada"));
    is_throttled(wrong(&mut eve, "ada"), 60);
    site.clock.advance(Duration::from_secs(3600));
    (0..3).for_each(|_| is_refused(wrong(&mut eve, "ada")));
    is_throttled(wrong(&mut eve, "ada"), 60);
}

/// I04, I06: a name that nobody has is throttled as one that somebody has, in whatever letters.
#[test]
fn an_unknown_name_is_throttled_like_a_known_one() {
    let site = Site::new().throttled(strict());
    for name in ["ada", "dan", "nobody"] {
        let mut eve = site.browser().from(&format!("198.51.100.{}", name.len()));
        (0..3).for_each(|_| is_refused(wrong(&mut eve, name)));
        is_throttled(wrong(&mut eve, name), 60);
    }
    let mut eve = site.browser().from("198.51.100.99");
    for name in ["ghost", "Ghost", "GHOST"] {
        is_refused(wrong(&mut eve, name));
    }
    is_throttled(wrong(&mut eve, "gHOST"), 60);
}

/// I06: while an attacker uses up the account, its owner signs in on a device that he used before, and is not known elsewhere.
#[test]
fn an_attacker_does_not_lock_the_owner_out_of_his_own_device() {
    let site = Site::new().throttled(strict());
    let mut ada = site.browser();
    ada.log_in("ada", PASSWORD).unwrap();
    ada.cookie.clear();
    for round in 0..20 {
        let mut eve = site.browser().from(&format!("198.51.100.{round}"));
        let _ = wrong(&mut eve, "ada");
    }
    is_throttled(site.browser().log_in("ada", PASSWORD), 60);
    (0..2).for_each(|_| is_refused(wrong(&mut ada, "ada")));
    ada.log_in("ada", PASSWORD).unwrap();
    assert_eq!(ada.owner().as_deref(), Some("no. ada"));
}

/// I06: a stolen mark is a bucket like the others: it opens nothing and allows three guesses of its own.
#[test]
fn a_device_has_its_own_three_guesses_and_no_more() {
    let site = Site::new().throttled(strict());
    let mut ada = site.browser();
    ada.log_in("ada", PASSWORD).unwrap();
    let mut thief = site.browser().from("198.51.100.1");
    thief.mark = ada.mark.clone();
    assert_eq!(thief.owner(), None);
    (0..3).for_each(|_| is_refused(wrong(&mut thief, "ada")));
    is_throttled(wrong(&mut thief, "ada"), 60);
}

/// I06: somebody's own mark is worth nothing at another account.
#[test]
fn the_mark_of_one_owner_is_no_mark_of_another() {
    let site = Site::new().throttled(strict());
    let mut eve = site.browser();
    eve.log_in("eve", PASSWORD).unwrap();
    let mut others = site.browser().from("198.51.100.1");
    (0..3).for_each(|_| is_refused(wrong(&mut others, "ada")));
    is_throttled(wrong(&mut eve, "ada"), 60);
}

/// I06: an address has ten guesses, over all accounts; in IPv6 that is all of a /64, and not the next one.
#[test]
fn a_source_takes_so_many_guesses_over_all_accounts() {
    for (first, same, other) in [
        ("198.51.100.1", "::ffff:198.51.100.1", "198.51.100.2"),
        ("2001:db8::1", "2001:db8::ffff:ffff:ffff:ffff", "2001:db8:0:1::1"),
    ] {
        let site = Site::new().throttled(strict());
        let mut eve = site.browser().from(first);
        (0..10).for_each(|number| is_refused(wrong(&mut eve, &format!("user {number}"))));
        is_throttled(wrong(&mut eve, "ada"), 60);
        is_throttled(wrong(&mut site.browser().from(same), "ada"), 60);
        is_refused(wrong(&mut site.browser().from(other), "ada"));
    }
}

/// Who knows the password is not counted, however often he signs in, and he does not clear what others tried.
#[test]
fn a_login_that_succeeds_is_given_back() {
    let site = Site::new().throttled(strict());
    let mut ada = site.browser();
    for _ in 0..12 {
        let mut browser = site.browser();
        browser.log_in("ada", PASSWORD).unwrap();
    }
    (0..2).for_each(|_| is_refused(wrong(&mut ada, "ada")));
    site.browser().log_in("ada", PASSWORD).unwrap();
    is_refused(wrong(&mut ada, "ada"));
    is_throttled(wrong(&mut ada, "ada"), 60);
}

/// I06: an attempt is counted before it is hashed, so many at once are no way around; and who leaves has guessed.
#[test]
fn guesses_at_the_same_time_are_counted_before_they_are_hashed() {
    let site = Site::new().throttled(strict());
    let browser = site.browser();
    let outcomes = wait(async {
        let guesses = (0..50).map(|_| {
            let (login, sessions, visitor) = (site.login.clone(), site.sessions.clone(), browser.visitor());
            tokio::spawn(async move {
                let request = sessions.begin([]);
                let session = request.session().await.unwrap();
                login.sign_in(&session, &visitor, "ada", "not the password").await.map(|_| ())
            })
        });
        let guesses: Vec<_> = guesses.collect();
        let mut outcomes = Vec::new();
        for guess in guesses {
            outcomes.push(guess.await.unwrap());
        }
        outcomes
    });
    let refused = outcomes.iter().filter(|outcome| matches!(outcome, Err(LoginError::Refused))).count();
    let throttled = outcomes.iter().filter(|outcome| matches!(outcome, Err(LoginError::Throttled { .. }))).count();
    assert_eq!((refused, throttled), (3, 47));

    let (login, visitor) = (site.login.clone(), site.browser().from("198.51.100.1").visitor());
    wait(async {
        let request = site.sessions.begin([]);
        let session = request.session().await.unwrap();
        for _ in 0..3 {
            let mut guess = Box::pin(login.sign_in(&session, &visitor, "eve", "not the password"));
            let mut context = std::task::Context::from_waker(std::task::Waker::noop());
            assert!(guess.as_mut().poll(&mut context).is_pending());
        }
    });
    is_throttled(wrong(&mut site.browser().from("198.51.100.2"), "eve"), 60);
}

/// Counters that do not answer let nobody guess.
#[test]
fn without_its_counters_nobody_signs_in() {
    struct Away;
    impl Attempts for Away {
        async fn take(&self, _: Bucket, _: Quota, _: u64) -> Result<Taken, StoreError> {
            Err(StoreError::new("away"))
        }
        async fn give_back(&self, _: Bucket, _: Quota, _: u64) -> Result<(), StoreError> {
            Err(StoreError::new("away"))
        }
    }
    let site = Site::new().throttled(Throttle::shared(Away));
    let error = site.browser().log_in("ada", PASSWORD).unwrap_err();
    assert_eq!(error.status().as_u16(), 503);
    assert_eq!(site.count("ada"), 0);
}

/// The same rules over a store: two servers count together.
#[test]
fn servers_that_share_a_store_count_together() {
    let store = MemoryStore::new();
    let shared = || {
        let attempts = StoreAttempts::new(store.clone());
        Throttle::shared(attempts).account(quota(3, 60)).device(quota(3, 60)).source(quota(10, 60))
    };
    // The names of buckets come from the keys, which servers of one site share.
    let site = Site::new();
    let (here, there) = (site.login.clone().throttle(shared()), site.login.clone().throttle(shared()));
    let visitor = site.browser().visitor();
    let guess = |login: &hardtack::login::Login, password: &str| {
        wait(async {
            let request = site.sessions.begin([]);
            let session = request.session().await.unwrap();
            login.verify(&session, &visitor, "ada", password).await.map(|_| ())
        })
    };
    for _ in 0..5 {
        guess(&here, PASSWORD).unwrap();
        guess(&there, PASSWORD).unwrap();
    }
    is_refused(guess(&here, "wrong"));
    is_refused(guess(&there, "wrong"));
    is_refused(guess(&here, "wrong"));
    is_throttled(guess(&there, PASSWORD), 60);
    site.clock.advance(Duration::from_secs(60));
    guess(&there, PASSWORD).unwrap();
}

/// What both kinds of counters must do, with any number at the same time.
#[test]
fn counters_let_no_more_through_than_there_is_room_for() {
    fn check<A: Attempts>(attempts: A) {
        let quota = quota(5, 10);
        let attempts = std::sync::Arc::new(attempts);
        let (bucket, other) = (Bucket::from_bytes([1; 16]), Bucket::from_bytes([2; 16]));
        let now = crate::common::START;
        wait(async {
            let takers: Vec<_> = (0..40)
                .map(|_| {
                    let attempts = attempts.clone();
                    tokio::spawn(async move { attempts.take(bucket, quota, now).await.unwrap() })
                })
                .collect();
            let mut taken = 0;
            for taker in takers {
                taken += usize::from(taker.await.unwrap() == Taken::Yes);
            }
            assert_eq!(taken, 5);
            assert_eq!(attempts.take(other, quota, now).await.unwrap(), Taken::Yes, "others have their own");
            assert_eq!(attempts.take(bucket, quota, now).await.unwrap(), Taken::Wait(Duration::from_secs(10)));
            attempts.give_back(bucket, quota, now).await.unwrap();
            assert_eq!(attempts.take(bucket, quota, now).await.unwrap(), Taken::Yes);
            assert_eq!(attempts.take(bucket, quota, now + 9_999).await.unwrap(), Taken::Wait(Duration::from_millis(1)));
            assert_eq!(attempts.take(bucket, quota, now + 10_000).await.unwrap(), Taken::Yes);
            for _ in 0..9 {
                attempts.give_back(bucket, quota, now + 10_000).await.unwrap();
            }
            let later = now + 10_000;
            for _ in 0..5 {
                assert_eq!(attempts.take(bucket, quota, later).await.unwrap(), Taken::Yes);
            }
            let wait = attempts.take(bucket, quota, later).await.unwrap();
            assert_eq!(wait, Taken::Wait(Duration::from_secs(10)), "giving back too often makes no more room");
        });
    }
    check(MemoryAttempts::new());
    check(StoreAttempts::new(MemoryStore::new()));
}

/// The memory of attempts is bounded, and what is beyond is counted together.
#[test]
fn a_flood_of_names_does_not_fill_the_memory_and_is_not_forgotten() {
    let attempts = MemoryAttempts::new();
    let (quota, now) = (quota(2, 3600), crate::common::START);
    let bucket = |number: u128| Bucket::from_bytes(number.to_be_bytes());
    wait(async {
        for _ in 0..2 {
            assert_eq!(attempts.take(bucket(0), quota, now).await.unwrap(), Taken::Yes);
        }
        for number in 1..150_000 {
            attempts.take(bucket(number), quota, now).await.unwrap();
        }
        assert!(format!("{attempts:?}").contains("100001"), "{attempts:?}");
        assert_ne!(attempts.take(bucket(0), quota, now).await.unwrap(), Taken::Yes, "the first is still known");
        assert_ne!(
            attempts.take(bucket(999_999), quota, now).await.unwrap(),
            Taken::Yes,
            "there is no room for a new one"
        );
        let later = now + 2 * 3_600_000;
        assert_eq!(attempts.take(bucket(999_999), quota, later).await.unwrap(), Taken::Yes);
        assert!(format!("{attempts:?}").contains("buckets: 1 "), "{attempts:?}");
    });
}
