//! All sessions of one owner (E03).

use hardtack::interop::{ConnectRedis, ExpressStore};
use hardtack_engines::{Redis, RedisCluster};
use hardtack_interop::Jar;
use serde_json::json;

use crate::common::{COOKIE, connection, new_sid, now, places, session_of};

fn session_with(member: &str) -> String {
    format!("{{\"cookie\":{COOKIE},{member}}}")
}

/// Writes sessions with these members; their ids.
async fn written(store: &impl ExpressStore, members: &[&str]) -> Vec<String> {
    let mut sids = Vec::new();
    for member in members {
        let sid = new_sid();
        assert!(store.replace(&sid, None, &session_with(member), None, now()).await.unwrap());
        sids.push(sid);
    }
    sids
}

async fn alive(store: &impl ExpressStore, sids: &[String]) -> Vec<bool> {
    let mut alive = Vec::new();
    for sid in sids {
        alive.push(store.load(sid, now()).await.unwrap().is_some());
    }
    alive
}

#[tokio::test]
async fn all_sessions_of_an_owner_end_but_one_and_those_of_nobody_else() {
    for place in places() {
        let (store, owner) = (place.store().await, format!("é \"{}\"", new_sid()));
        let name = json!(owner).to_string();
        let (here, there, other) = (&mut Jar::default(), &mut Jar::default(), &mut Jar::default());
        let kept = place.app.login(here, &owner).sid();
        place.app.login(there, &owner);
        place.app.login(other, "somebody else");
        let ended = [
            format!(r#""username":{name}"#),
            format!(r#""text":"\u0000\ud83d","username":{name}"#),
            format!(r#""username":"first","username":{name},"z":[1e21,{{}}]"#),
            format!(r#""user\u006eame" : "\u00e9{}"#, &name["\"é".len()..]),
        ];
        let others = [
            r#""username":null"#.to_owned(),
            format!(r#""other":{name},"text":"\\""#),
            format!(r#""deep":{{"username":{name}}}"#),
            format!(r#""username":{name},"username":"last""#),
            format!(r#""username":[{name}]"#),
            format!(r#""username":"{}""#, "x".repeat(600)),
        ];
        let ended = written(&store, &ended.each_ref().map(String::as_str)).await;
        let others = written(&store, &others.each_ref().map(String::as_str)).await;

        store.end_owner("username", &owner, Some(&kept)).await.unwrap();
        assert_eq!(place.app.peek(here).session(), json!({ "username": owner }), "{}", place.package);
        assert_eq!(place.app.peek(there).session(), json!({}), "{}", place.package);
        assert_eq!(place.app.peek(other).session(), json!({ "username": "somebody else" }));
        assert_eq!(alive(&store, &ended).await, [false; 4], "{}", place.package);
        assert_eq!(alive(&store, &others).await, [true; 6], "{}", place.package);

        store.end_owner("username", &owner, None).await.unwrap();
        assert_eq!(place.app.peek(here).session(), json!({}));
    }
}

#[tokio::test]
async fn an_owner_may_be_a_whole_number_as_databases_give_them() {
    for place in places() {
        let store = place.store().await;
        let sids = written(&store, &[r#""user":4200"#, r#""user":"4200""#, r#""user":42"#, r#""user":4200.5"#]).await;
        store.end_owner("user", "4200", None).await.unwrap();
        assert_eq!(alive(&store, &sids).await, [false, false, true, true], "{}", place.package);
    }
}

#[tokio::test]
async fn of_more_sessions_than_fit_in_one_step_none_is_missed() {
    for place in [places().last().unwrap(), &places()[2]] {
        let (store, owner, other) = (place.store().await, new_sid(), new_sid());
        place.fill(900, &session_of(&owner));
        place.fill(400, &session_of(&other));
        store.end_owner("username", &owner, None).await.unwrap();
        assert_eq!([place.count(&owner), place.count(&other)], [0, 400], "{}", place.package);
    }
}

#[tokio::test]
async fn a_prefix_is_taken_to_the_letter_and_what_is_no_session_is_left_alone() {
    let redis = Redis::start();
    let connection = connection(&redis.url()).await;
    let store = |prefix: &str| ConnectRedis::new(connection.clone()).prefix(prefix);
    let prefixes = ["s*", "s?", "s[a-z]", "s\\*", "", "sess:"];
    for prefix in prefixes {
        assert!(store(prefix).replace("sid", None, &session_of("ada"), None, now()).await.unwrap());
    }
    assert!(store("sx").replace("sid", None, &session_of("ada"), None, now()).await.unwrap());
    redis.cli(&["LPUSH", "s*list", "ada"]);
    redis.cli(&["SET", "s*text", "no JSON, ada"]);
    for prefix in prefixes.into_iter().filter(|prefix| !prefix.is_empty()) {
        store(prefix).end_owner("username", "ada", None).await.unwrap();
        assert_eq!(store(prefix).load("sid", now()).await.unwrap(), None, "{prefix}");
        assert!(store("sx").load("sid", now()).await.unwrap().is_some(), "{prefix}");
    }
    store("").end_owner("username", "ada", Some("sid")).await.unwrap();
    assert_eq!(redis.cli(&["DBSIZE"]), "3", "the one that is kept, the list and the text");
}

#[tokio::test]
async fn in_a_cluster_they_end_on_all_servers() {
    let cluster = RedisCluster::start(3, 0);
    let client = redis::cluster::ClusterClient::new(cluster.urls()).unwrap();
    let store = ConnectRedis::new(client.get_async_connection().await.unwrap());
    let sids = written(&store, &[r#""username":"ada""#; 60]).await;
    let others = written(&store, &[r#""username":"eve""#; 60]).await;
    store.end_owner("username", "ada", Some(&sids[0])).await.unwrap();
    assert!(alive(&store, &sids).await.iter().skip(1).all(|alive| !alive));
    assert!(alive(&store, &sids[..1]).await[0]);
    assert!(alive(&store, &others).await.iter().all(|alive| *alive));
}
