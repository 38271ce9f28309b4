//! Many at once (J07).

use hardtack::interop::ExpressStore;
use serde_json::json;
use tokio::task::JoinSet;

use crate::common::{AnyStore, new_sid, now, places, session_of, visitor, with};

const CALLERS: usize = 20;

/// How many of twenty that say this at once are told that they wrote, and who.
async fn winners(store: &AnyStore, sid: &str, previous: Option<&str>, texts: &[String]) -> Vec<usize> {
    let mut callers = JoinSet::new();
    for (caller, text) in texts.iter().cloned().enumerate() {
        let (store, sid, previous) = (store.clone(), sid.to_owned(), previous.map(str::to_owned));
        callers.spawn(async move {
            store.replace(&sid, previous.as_deref(), &text, None, now()).await.unwrap().then_some(caller)
        });
    }
    callers.join_all().await.into_iter().flatten().collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_twenty_that_insert_or_replace_at_once_one_wins() {
    for place in places() {
        let (store, sid) = (place.store().await, new_sid());
        let texts: Vec<_> = (0..CALLERS).map(|caller| session_of(&format!("caller {caller}"))).collect();
        let won = winners(&store, &sid, None, &texts).await;
        assert_eq!(won.len(), 1, "{}: {won:?}", place.package);
        assert_eq!(place.app.peek(&mut visitor(&sid)).session(), json!({ "username": format!("caller {}", won[0]) }));

        let there = &texts[won[0]];
        let texts: Vec<_> = (0..CALLERS).map(|caller| with(there, &format!(r#""n":{caller}"#))).collect();
        let won = winners(&store, &sid, Some(there), &texts).await;
        assert_eq!(won.len(), 1, "{}: {won:?}", place.package);
        assert_eq!(store.load(&sid, now()).await.unwrap().as_ref(), Some(&texts[won[0]]));
    }
}

/// The loser of a race sees a conflict and not a fault, whatever the database isolates by default.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn stricter_transactions_than_the_default_make_conflicts_and_no_faults() {
    let place = places().last().unwrap();
    for level in ["repeatable\\ read", "serializable"] {
        let pool = crate::common::pool(&place.url, &format!("-c default_transaction_isolation={level}"));
        let (store, sid) = (AnyStore::Postgres(hardtack::interop::ConnectPgSimple::new(pool)), new_sid());
        let texts: Vec<_> = (0..CALLERS).map(|caller| session_of(&format!("caller {caller}"))).collect();
        let won = winners(&store, &sid, None, &texts).await;
        assert_eq!(won.len(), 1, "{level}: {won:?}");
        let texts: Vec<_> = (0..CALLERS).map(|caller| with(&texts[won[0]], &format!(r#""n":{caller}"#))).collect();
        let there = store.load(&sid, now()).await.unwrap().unwrap();
        assert_eq!(winners(&store, &sid, Some(&there), &texts).await.len(), 1, "{level}");
    }
}

/// Whoever is told no loads again, as the library does.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hundred_increments_in_loops_of_load_and_replace_make_a_hundred() {
    for place in places() {
        let (store, sid) = (place.store().await, new_sid());
        let text = |count: u32| format!(r#"{{"cookie":{},"views":{count}}}"#, crate::common::COOKIE);
        assert!(store.replace(&sid, None, &text(0), None, now()).await.unwrap());
        let mut callers = JoinSet::new();
        for _ in 0..10 {
            let (store, sid) = (store.clone(), sid.clone());
            callers.spawn(async move {
                for _ in 0..10 {
                    loop {
                        let there = store.load(&sid, now()).await.unwrap().unwrap();
                        let session: serde_json::Value = serde_json::from_str(&there).unwrap();
                        let count = u32::try_from(session["views"].as_u64().unwrap()).unwrap();
                        if store.replace(&sid, Some(&there), &text(count + 1), None, now()).await.unwrap() {
                            break;
                        }
                    }
                }
            });
        }
        callers.join_all().await;
        assert_eq!(place.app.count(&mut visitor(&sid)).session(), json!({ "views": 101 }), "{}", place.package);
    }
}
