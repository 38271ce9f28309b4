//! Ids, texts and tables that nobody expects.

use hardtack::interop::{ConnectPgSimple, ExpressStore};
use serde_json::json;

use crate::common::{COOKIE, Package, express, new_sid, now, places, pool, session_of, visitor, with};

#[tokio::test]
async fn odd_ids_are_ids_like_others() {
    let long = "x".repeat(2_000);
    let odd = [
        "it's",
        "a\"b",
        "a\\b",
        "ü🐎",
        "%_%s$1",
        " ",
        "  two  ",
        "../..",
        "a:b{c}d",
        "'; DROP TABLE session; --",
        "line\nbreak\r",
        "__proto__",
        "*",
        "-1",
        &long,
    ];
    for place in places() {
        let store = place.store().await;
        for sid in odd {
            let text = session_of(sid);
            assert!(store.replace(sid, None, &text, None, now()).await.unwrap(), "{sid:?} {}", place.package);
            assert_eq!(store.load(sid, now()).await.unwrap(), Some(text.clone()));
            assert_eq!(place.app.peek(&mut visitor(sid)).session(), json!({ "username": sid }), "{}", place.package);
            assert!(store.replace(sid, Some(&text), &with(&text, r#""n":1"#), None, now()).await.unwrap());
            store.touch(sid, None, now()).await.unwrap();
        }
        // Each is itself alone.
        for sid in odd {
            assert!(store.load(sid, now()).await.unwrap().is_some_and(|text| text.contains(&json!(sid).to_string())));
            store.delete(sid).await.unwrap();
            assert_eq!(store.load(sid, now()).await.unwrap(), None);
        }
    }
}

#[tokio::test]
async fn an_id_with_a_nul_is_no_session_of_postgresql_and_no_fault_when_it_is_asked_for() {
    let store = places()[3].connect_pg_simple();
    assert_eq!(store.load("a\0b", now()).await.unwrap(), None);
    store.touch("a\0b", None, now()).await.unwrap();
    store.delete("a\0b").await.unwrap();
    let error = store.replace("a\0b", None, "{}", None, now()).await.unwrap_err();
    assert!(error.to_string().contains("NUL"), "{error}");
}

#[tokio::test]
async fn a_text_is_kept_to_the_letter() {
    let long = format!(r#""long":"{}""#, "🐎é\\n".repeat(50_000));
    let members = [
        r#""spaces" : [ 1 ,2,  3 ] "#,
        r#""twice":1,"twice":2"#,
        r#""10":1,"9":2,"b":3,"a":4"#,
        r#""numbers":[1e21,1E-7,-0,0.10,12345678901234567890]"#,
        r#""escapes":"\u0000\u0041\ud83d\/\b\"\\""#,
        "\"raw\":\"\u{7f}\u{2028}\u{feff}e\u{301}\"",
        r#""__proto__":{"a":1}"#,
        &long,
    ];
    for place in places() {
        let store = place.store().await;
        for member in members {
            let (sid, text) = (new_sid(), format!("{{\"cookie\":{COOKIE},{member}}}"));
            assert!(store.replace(&sid, None, &text, None, now()).await.unwrap(), "{} {member:.80}", place.package);
            assert_eq!(store.load(&sid, now()).await.unwrap().as_ref(), Some(&text), "{}", place.package);
            let more = with(&text, r#""more":1"#);
            assert!(
                store.replace(&sid, Some(&text), &more, None, now()).await.unwrap(),
                "{} {member:.80}",
                place.package
            );
            assert_eq!(store.load(&sid, now()).await.unwrap().as_ref(), Some(&more));
            let theirs = place.app.peek(&mut visitor(&sid)).text;
            assert!(theirs.contains(r#""more":1"#), "Express reads it: {theirs:.200}");
        }
    }
}

#[tokio::test]
async fn schemas_and_tables_have_any_name_that_postgresql_takes() {
    let url = hardtack_engines::Postgres::shared().new_database();
    let names = [("", "sessions of \"ours\""), ("my \"shop\"; --", "session"), ("a.b", "Tést'$1")];
    for (schema, table) in names {
        let mut options = json!({ "createTableIfMissing": true, "tableName": table });
        let mut store = ConnectPgSimple::new(pool(&url, "")).table(table);
        if !schema.is_empty() {
            let sql = format!("CREATE SCHEMA \"{}\"", schema.replace('"', "\"\""));
            hardtack_engines::Postgres::shared().psql(url.rsplit('/').next().unwrap(), &sql);
            options["schemaName"] = json!(schema);
            store = store.schema(schema);
        }
        let app = express(Package::ConnectPgSimple, &url, &options, &json!({}), &[]);
        let mut jar = hardtack_interop::Jar::default();
        let sid = app.count(&mut jar).sid();
        let text = store.load(&sid, now()).await.unwrap().expect(table);
        assert!(store.replace(&sid, Some(&text), &with(&text, r#""ours":1"#), None, now()).await.unwrap());
        assert!(store.replace(&new_sid(), None, &text, None, now()).await.unwrap());
        store.touch(&sid, None, now()).await.unwrap();
        assert_eq!(app.peek(&mut jar).session(), json!({ "views": 1, "ours": 1 }));
        assert_eq!(store.prune(now()).await.unwrap(), 0);
        store.delete(&sid).await.unwrap();
        assert_eq!(app.peek(&mut jar).session(), json!({}));
    }
}
