//! Passwords that change, hashes that age, accounts that end, and logins that are under way meanwhile.

use hardtack::{
    CommitError, Session,
    login::{LoginError, Others, User, Users, Weakness},
};

use crate::{
    app::{Browser, PASSWORD, PLACEMENTS, Site},
    common::wait,
};

const NEW: &str = "hard tack and rum";

fn change(browser: &mut Browser<'_>, current: &str, new: &str, others: Others) -> Result<(), LoginError> {
    let (login, visitor) = (browser.site.login.clone(), browser.visitor());
    let (done, committed) =
        browser.request(async |session| login.change_password(session, &visitor, current, new, others).await);
    committed.unwrap();
    done
}

/// I08, E03, C05: a change needs the present password, ends the other sessions, and gives this one a new cookie.
#[test]
fn a_change_of_password_needs_the_present_one_and_ends_the_others() {
    for placement in PLACEMENTS {
        let site = Site::with(placement, |builder| builder);
        let (mut desk, mut phone, mut eve) = (site.browser(), site.browser(), site.browser());
        desk.log_in("ada", PASSWORD).unwrap();
        phone.log_in("ada", PASSWORD).unwrap();
        eve.log_in("eve", PASSWORD).unwrap();

        let error = change(&mut desk, "wrong", NEW, Others::End).unwrap_err();
        assert!(matches!(error, LoginError::Refused));
        assert!(phone.owner().is_some(), "nothing changed");

        let before = desk.cookie.clone();
        change(&mut desk, PASSWORD, NEW, Others::End).unwrap();
        assert_eq!(desk.owner().as_deref(), Some("no. ada"));
        assert_ne!(desk.cookie, before);
        assert_eq!(phone.owner(), None);
        assert_eq!(eve.owner().as_deref(), Some("no. eve"));
        assert!(matches!(site.browser().log_in("ada", PASSWORD), Err(LoginError::Refused)));
        site.browser().log_in("ada", NEW).unwrap();
    }
}

/// E03: the person may leave the others signed in.
#[test]
fn the_others_stay_when_the_person_says_so() {
    let site = Site::new();
    let (mut desk, mut phone) = (site.browser(), site.browser());
    desk.log_in("ada", PASSWORD).unwrap();
    phone.log_in("ada", PASSWORD).unwrap();
    change(&mut desk, PASSWORD, NEW, Others::Stay).unwrap();
    assert!(desk.owner().is_some() && phone.owner().is_some());
}

/// I01, I07: the policy is asked before anything is hashed, and the message is for the person.
#[test]
fn a_weak_new_password_is_refused_and_nothing_changes() {
    let site = Site::new();
    let mut ada = site.browser();
    ada.log_in("ada", PASSWORD).unwrap();
    let error = change(&mut ada, PASSWORD, "short", Others::End).unwrap_err();
    assert!(matches!(error, LoginError::Weak(Weakness::TooShort { length: 5, least: 8 })), "{error:?}");
    assert_eq!(error.status().as_u16(), 422);
    site.browser().log_in("ada", PASSWORD).unwrap();
}

/// Who is not signed in changes nothing, and nobody can try another's password by it.
#[test]
fn nobody_changes_a_password_without_being_signed_in() {
    let site = Site::new();
    let error = change(&mut site.browser(), PASSWORD, NEW, Others::End).unwrap_err();
    assert!(matches!(error, LoginError::NotSignedIn));
    assert!(matches!(site.browser().step_up(PASSWORD), Err(LoginError::NotSignedIn)));
}

/// The password was changed elsewhere between the question and the answer: the later one does not win in silence.
#[test]
fn of_two_changes_at_once_one_is_told_that_it_came_too_late() {
    let site = Site::new();
    let mut ada = site.browser();
    ada.log_in("ada", PASSWORD).unwrap();
    let before = site.hash_of("ada");
    assert!(wait(site.users.replace_hash("no. ada", &before, "another")).unwrap());
    assert!(!wait(site.users.replace_hash("no. ada", &before, "a third")).unwrap());
    assert_eq!(site.hash_of("ada"), "another");
}

/// E02, E03: the password is changed, or the account ends, while a login with the old password is being verified. In every
/// placement that login signs nobody in.
#[test]
fn a_login_that_is_overtaken_by_an_ending_signs_nobody_in() {
    for placement in PLACEMENTS {
        for disable in [false, true] {
            let site = Site::with(placement, |builder| builder);
            let mut slow = site.browser();
            let (login, visitor) = (site.login.clone(), slow.visitor());
            // The table changes first, then the sessions end.
            let hash = if disable { site.hash_of("ada") } else { "changed".into() };
            let (verified, committed) = slow.request(async |session: &Session| {
                let verified = login.sign_in(session, &visitor, "ada", PASSWORD).await;
                site.users.set(User { owner: "no. ada".into(), name: "ada".into(), hash, disabled: disable });
                site.sessions.end_owner("no. ada").await.unwrap();
                verified
            });
            assert_eq!(verified.unwrap().owner(), "no. ada");
            match committed {
                Ok(()) => assert_eq!(slow.owner(), None, "without a store the session is made and has ended"),
                Err(error) => assert!(matches!(error, CommitError::OwnerEnded), "{error:?}"),
            }
            assert_eq!(slow.owner(), None);
            assert_eq!(site.count("ada"), 0);
            assert!(site.browser().log_in("ada", PASSWORD).is_err());
        }
    }
}

/// E02: a disabled user's sessions end, and he does not come back.
#[test]
fn a_disabled_user_is_out_at_once_and_stays_out() {
    for placement in PLACEMENTS {
        let site = Site::with(placement, |builder| builder);
        let (mut desk, mut phone) = (site.browser(), site.browser());
        desk.log_in("ada", PASSWORD).unwrap();
        phone.log_in("ada", PASSWORD).unwrap();
        let hash = site.hash_of("ada");
        site.users.set(User { owner: "no. ada".into(), name: "ada".into(), hash, disabled: true });
        wait(site.sessions.end_owner("no. ada")).unwrap();
        assert_eq!((desk.owner(), phone.owner()), (None, None));
        assert!(matches!(desk.log_in("ada", PASSWORD), Err(LoginError::Refused)));
    }
}

/// I03: an old hash is replaced when its owner signs in, and by nobody else.
#[test]
fn an_old_hash_is_replaced_at_the_next_sign_in() {
    let old = "$2b$05$abcdefghijklmnopqrstuuX9sl0n17W/qkeAnTBkNhOm/kgsXiYE6";
    let site = Site::new();
    site.users.set(User { owner: "no. ada".into(), name: "ada".into(), hash: old.into(), disabled: false });
    assert!(site.browser().log_in("ada", "wrong").is_err());
    assert_eq!(site.hash_of("ada"), old);
    site.browser().log_in("ada", PASSWORD).unwrap();
    let hash = site.hash_of("ada");
    assert!(hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{hash}");
    site.browser().log_in("ada", PASSWORD).unwrap();
    assert_eq!(site.hash_of("ada"), hash, "and then it stays");
}

/// C04, C07: the cookie from before the sign-in is dead, its data stays behind, and what is allow-listed comes along.
#[test]
fn a_sign_in_gives_a_new_cookie_and_leaves_the_old_data_behind() {
    const CART: hardtack::Field<u8> = hardtack::Field::new("cart");
    const PLANTED: hardtack::Field<u8> = hardtack::Field::new("planted");
    for placement in PLACEMENTS {
        let site = Site::with(placement, |builder| builder.carry_over(["cart"]));
        let mut ada = site.browser();
        ada.does(async |session: &Session| {
            session.keep();
            session.set(CART, 3);
            session.set(PLANTED, 1);
        });
        let mut planted = ada.clone();
        ada.log_in("ada", PASSWORD).unwrap();
        let fields = ada.request(async |session: &Session| (session.get(CART), session.get(PLANTED))).0;
        assert_eq!(fields, (Some(3), None));
        assert_eq!(planted.owner(), None);
        assert_eq!(planted.request(async |session: &Session| session.get(CART)).0, None);

        let mut before = ada.clone();
        ada.log_in("ada", PASSWORD).unwrap();
        assert_eq!(before.owner(), None, "the same at a full sign-in of who is signed in");
    }
}

/// I09: of a hundred requests at once one gets the code, and a dump of the store does not show it.
#[test]
fn a_code_is_used_once_by_whomever_is_first() {
    const CODE: hardtack::Field<String> = hardtack::Field::new("code");
    let store = hardtack::store::MemoryStore::new();
    let keys = hardtack::Keyring::ephemeral().unwrap();
    let sessions = hardtack::Sessions::stored(keys, store.clone()).build().unwrap();
    let cookie = wait(sessions.cookie(|session| {
        session.keep();
        session.set(CODE, "4711 0815".into());
    }));
    let cookie = cookie.unwrap();
    let rows = wait(hardtack::store::Store::scan(&store, None, 10)).unwrap();
    assert_eq!(rows.len(), 1);
    assert!(rows.iter().all(|(_, row)| !row.sealed().windows(4).any(|bytes| bytes == b"4711")));
    let winners = wait(async {
        let uses = (0..100).map(|_| {
            let (sessions, cookie) = (sessions.clone(), cookie.clone());
            tokio::spawn(async move {
                let request = sessions.begin([cookie.as_bytes()]);
                let session = request.session().await.unwrap();
                session.take_once(CODE).await.unwrap().is_some()
            })
        });
        let uses: Vec<_> = uses.collect();
        let mut winners = 0;
        for used in uses {
            winners += usize::from(used.await.unwrap());
        }
        winners
    });
    assert_eq!(winners, 1);
}

/// I11: between the password and the second factor there is a session, and nobody is signed in by it.
#[test]
fn half_a_login_is_no_login() {
    const PENDING: hardtack::Field<String> = hardtack::Field::new("pending");
    let site = Site::new();
    let mut ada = site.browser();
    let (login, visitor) = (site.login.clone(), ada.visitor());
    let (verified, _) = ada.request(async |session| {
        let verified = login.verify(session, &visitor, "ada", PASSWORD).await.unwrap();
        session.keep();
        session.set(PENDING, verified.owner().into());
        verified
    });
    assert_eq!(verified.owner(), "no. ada");
    assert_eq!(ada.owner(), None);
    assert!(!ada.is_fresh(300));
    assert_eq!(site.count("ada"), 0);
    let half = ada.clone();
    ada.does(async |session: &Session| {
        let owner = session.take_once(PENDING).await.unwrap().unwrap();
        session.prepare_sign_in().await.unwrap();
        session.sign_in(owner);
    });
    assert_eq!(ada.owner().as_deref(), Some("no. ada"));
    assert_eq!(half.clone().owner(), None, "the half of it is dead");
}
