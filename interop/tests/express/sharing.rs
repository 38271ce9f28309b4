//! Both sides read and change the same session (J07).

use hardtack::interop::ExpressStore;
use hardtack_interop::Jar;
use serde_json::{Value, json};

use crate::common::{new_sid, now, places, session_of, visitor, with};

#[tokio::test]
async fn a_session_that_express_wrote_is_loaded_byte_for_byte() {
    for place in places() {
        let (store, mut jar) = (place.store().await, Jar::default());
        place.app.login(&mut jar, "ada");
        place.app.set(&mut jar, "12", &json!("keys that are numbers come first"));
        place.app.set(&mut jar, "text", &json!("\"quoted\" \\ / \u{1}\u{7f} é 🐎 \u{2028}"));
        place.app.set(&mut jar, "deep", &json!({ "z": [1e21, 0.1, -0.0, null], "a": {} }));
        let sid = place.app.set(&mut jar, "long", &json!("x".repeat(8_000))).sid();
        let text = store.load(&sid, now()).await.unwrap().unwrap();
        assert_eq!(text, place.raw(&sid), "{}", place.package);
        assert!(
            text.starts_with(r#"{"12":"keys"#) && text.contains(r#"{"a":{},"z":[1e+21,0.1,0,null]}"#),
            "{text:.500}"
        );
    }
}

#[tokio::test]
async fn express_reads_what_we_replace_and_both_go_on_from_there() {
    for place in places() {
        let (store, mut jar) = (place.store().await, Jar::default());
        let sid = place.app.login(&mut jar, "ada").sid();
        for views in 1..=3 {
            let text = store.load(&sid, now()).await.unwrap().unwrap();
            let ours = with(&text, &format!(r#""ours{views}":{views}"#));
            assert!(store.replace(&sid, Some(&text), &ours, None, now()).await.unwrap(), "{}", place.package);
            assert_eq!(place.raw(&sid), ours);
            place.app.count(&mut jar);
        }
        let session = json!({ "username": "ada", "ours1": 1, "ours2": 2, "ours3": 3, "views": 3 });
        assert_eq!(place.app.peek(&mut jar).session(), session, "{}", place.package);
        let text = store.load(&sid, now()).await.unwrap().unwrap();
        assert!(text.starts_with(r#"{"cookie":{"originalMaxAge":null,"#), "what is Express' own stays: {text}");
    }
}

#[tokio::test]
async fn express_takes_a_session_that_we_made() {
    for place in places() {
        let (store, sid) = (place.store().await, new_sid());
        assert!(store.replace(&sid, None, &session_of("ada"), None, now()).await.unwrap());
        let mut jar = visitor(&sid);
        let answer = place.app.count(&mut jar);
        assert_eq!((answer.sid(), answer.session()), (sid.clone(), json!({ "username": "ada", "views": 1 })));
        let text = store.load(&sid, now()).await.unwrap().unwrap();
        assert_eq!(text, with(&session_of("ada"), r#""views":1"#), "{}", place.package);
    }
}

#[tokio::test]
async fn a_write_of_ours_does_not_undo_one_of_express() {
    for place in places() {
        let (store, mut jar) = (place.store().await, Jar::default());
        let sid = place.app.count(&mut jar).sid();
        let text = store.load(&sid, now()).await.unwrap().unwrap();
        place.app.set(&mut jar, "theirs", &json!(true));
        let late = store.replace(&sid, Some(&text), &with(&text, r#""ours":true"#), None, now()).await.unwrap();
        assert!(!late, "{}", place.package);
        assert_eq!(place.app.peek(&mut jar).session(), json!({ "views": 1, "theirs": true }));

        // On what is there now it succeeds.
        let text = store.load(&sid, now()).await.unwrap().unwrap();
        assert!(store.replace(&sid, Some(&text), &with(&text, r#""ours":true"#), None, now()).await.unwrap());
        assert_eq!(place.app.peek(&mut jar).session(), json!({ "views": 1, "theirs": true, "ours": true }));
    }
}

/// What no store of ours can prevent, said plainly: Express writes whole sessions and does not compare.
#[tokio::test]
async fn a_request_of_express_that_loaded_before_our_write_undoes_it() {
    for place in places() {
        let (store, mut jar) = (place.store().await, Jar::default());
        let sid = place.app.count(&mut jar).sid();
        let slow = place.app.slow(&jar, "theirs", &json!(true));
        let text = store.load(&sid, now()).await.unwrap().unwrap();
        assert!(store.replace(&sid, Some(&text), &with(&text, r#""ours":true"#), None, now()).await.unwrap());
        slow.go();
        assert_eq!(place.app.peek(&mut jar).session(), json!({ "views": 1, "theirs": true }), "{}", place.package);
    }
}

/// E07.
#[tokio::test]
async fn a_session_that_either_side_ended_is_gone_for_both_and_no_late_write_brings_it_back() {
    for place in places() {
        let (store, mut jar) = (place.store().await, Jar::default());
        let sid = place.app.login(&mut jar, "ada").sid();
        let text = store.load(&sid, now()).await.unwrap().unwrap();
        place.app.logout(&mut jar);
        assert_eq!(store.load(&sid, now()).await.unwrap(), None, "{}", place.package);
        assert!(!store.replace(&sid, Some(&text), &with(&text, r#""late":1"#), None, now()).await.unwrap());
        store.touch(&sid, Some(now() + 60_000), now()).await.unwrap();
        assert_eq!(place.end(&sid), -2);

        let sid = place.app.login(&mut jar, "ada").sid();
        store.delete(&sid).await.unwrap();
        store.delete(&sid).await.unwrap();
        let after = place.app.peek(&mut jar);
        assert_eq!(after.session(), json!({}), "{}", place.package);
        assert_ne!(after.sid(), sid, "Express makes no session of an id that it does not know");
        assert_eq!(place.raw(&sid), "");
    }
}

#[tokio::test]
async fn what_is_there_is_not_inserted_and_what_is_not_there_is_not_replaced() {
    for place in places() {
        let (store, sid, text) = (place.store().await, new_sid(), session_of("ada"));
        assert_eq!(store.load(&sid, now()).await.unwrap(), None);
        assert!(!store.replace(&sid, Some(&text), &text, None, now()).await.unwrap(), "{}", place.package);
        assert!(store.replace(&sid, None, &text, None, now()).await.unwrap());
        assert!(!store.replace(&sid, None, &session_of("mallory"), None, now()).await.unwrap());
        // One byte is enough, also one that means nothing in JSON.
        assert!(
            !store.replace(&sid, Some(&text.replace(':', ": ")), &session_of("mallory"), None, now()).await.unwrap()
        );
        assert_eq!(place.app.peek(&mut visitor(&sid)).session(), json!({ "username": "ada" }));
        assert_eq!(place.app.peek(&mut visitor(&sid)).session()["mallory"], Value::Null);
    }
}
