//! What the tests stand on: an Express application that keeps its sessions as ever.

use hardtack_interop::Jar;
use serde_json::{Value, json};

use crate::common::places;

#[test]
fn express_keeps_its_sessions_in_each_store() {
    for place in places() {
        let app = &place.app;
        let mut jar = Jar::default();
        let before = app.count(&mut jar).sid();
        let login = app.login(&mut jar, "ada ü&");
        assert_eq!(login.session(), json!({ "username": "ada ü&" }), "{}", place.package);
        assert_ne!(login.sid(), before);
        app.count(&mut jar);
        app.set(&mut jar, "basket", &json!(["Tee", 2]));
        app.set(&mut jar, "gone", &json!(1));
        app.unset(&mut jar, "gone");
        let session = json!({ "username": "ada ü&", "views": 1, "basket": ["Tee", 2] });
        let peek = app.peek(&mut jar);
        assert_eq!((peek.status, peek.session()), (200, session.clone()));
        assert_eq!(app.save(&mut jar).session(), session);

        let slow = app.slow(&jar, "slow", &json!(true));
        app.set(&mut jar, "fast", &json!(true));
        assert_eq!(slow.go().session()["fast"], Value::Null, "it had loaded the session before");
        assert_eq!(app.peek(&mut jar).session()["fast"], Value::Null, "Express overwrites whole sessions");

        let stolen = jar.clone();
        assert_eq!(app.logout(&mut jar).session(), Value::Null);
        assert_eq!(app.peek(&mut stolen.clone()).session(), json!({}));
    }
}
