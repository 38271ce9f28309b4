//! Through the public door: who can write to the store is still nobody. A row that was changed or moved does
//! not open; its visitor is anonymous, and never somebody else (C09, J05, fault 37).

use super::{
    Place,
    door::{NOTE, is_live, servers, signed_in, then, visit},
    node::Node,
    rows::{ANY, HOUR, NOW, neighbour_of, row},
};
use crate::{
    Reason, Sessions,
    store::{Created, Facts, Row, Store, StoreKey},
};

/// Puts another row under a key, as somebody with access to the engine would.
async fn put_in_place<S: Store>(node: &Node<S>, key: StoreKey, row: &Row) {
    node.delete(key, 1).await;
    node.purge_all(1).await;
    let admission = crate::store::Admission { epoch: node.epoch().await, ..ANY };
    assert_eq!(node.create(key, row, admission, NOW).await, Created::Created, "create after a delete and a purge");
}

/// The key under which a session's row is.
async fn key_of(sessions: &Sessions, cookie: &str) -> StoreKey {
    match visit(sessions, cookie).await.session.handle() {
        Some(handle) => handle.into(),
        None => panic!("a session that was just made is not there"),
    }
}

async fn row_of<S: Store>(node: &Node<S>, key: StoreKey) -> Row {
    node.load(key, NOW).await.unwrap_or_else(|| panic!("a session that was just made has no row"))
}

async fn is_nobody(sessions: &Sessions, cookie: &str, what: &str) {
    let visit = visit(sessions, cookie).await;
    let session = &visit.session;
    assert_eq!(
        (session.owner(), session.get(NOTE), session.is_live()),
        (None, None, false),
        "the visitor, after {what}"
    );
    assert_eq!(session.refusal(), Some(Reason::Unreadable), "why the visitor is nobody, after {what}");
    visit.done().await;
}

/// Fault 37: any changed byte of the data, and data that is cut, longer, empty or of another.
pub(super) async fn a_corrupt_row_is_nobody(place: impl Place) {
    let (servers, _) = servers(&place, |builder| builder).await;
    let node = Node::of(&place).await;
    let cookie = then(&servers[0], "", |session| {
        session.sign_in("ada");
        session.set(NOTE, "secret".into());
    })
    .await;
    let key = key_of(&servers[0], &cookie).await;
    let made = row_of(&node, key).await;
    let sealed = |bytes: &[u8]| {
        let (owner, label) = (made.owner(), made.label());
        Row::new(*made.facts(), owner, label, bytes, made.last_seen(), made.idle_deadline())
    };
    let whole = made.sealed();
    for at in 0..whole.len() {
        let mut bytes = whole.to_vec();
        bytes[at] ^= 1 << (at % 8);
        put_in_place(&node, key, &sealed(&bytes)).await;
        is_nobody(&servers[at % 2], &cookie, &format!("byte {at} of its data was changed")).await;
    }
    for length in (0..whole.len()).step_by(7) {
        put_in_place(&node, key, &sealed(&whole[..length])).await;
        is_nobody(&servers[0], &cookie, &format!("its data was cut to {length} bytes")).await;
    }
    put_in_place(&node, key, &sealed(&[whole, &[0]].concat())).await;
    is_nobody(&servers[0], &cookie, "a byte was added to its data").await;
    put_in_place(&node, key, &made).await;
    assert!(is_live(&servers[1], &cookie).await, "the row as it was, put back");
}

/// C09: who can write rows cannot make himself another owner, nor fresh, nor immortal.
pub(super) async fn a_row_whose_facts_were_changed_is_nobody(place: impl Place) {
    // A longer name that begins the same, in the same shard.
    let mut names = (0..u64::MAX).map(|number| format!("mallory{number}"));
    let longer = names.find(|name| StoreKey::shard_of(name) == StoreKey::shard_of("mallory")).unwrap_or_default();
    let more = &longer["mallory".len()..];
    let (servers, _) = servers(&place, |builder| builder).await;
    let node = Node::of(&place).await;
    let cookie = then(&servers[0], "", |session| {
        session.sign_in("mallory");
        session.set_label(&format!("{more} phone"));
    })
    .await;
    let key = key_of(&servers[0], &cookie).await;
    let made = row_of(&node, key).await;
    let changed = |owner, label, change: fn(&mut Facts)| {
        let mut facts = *made.facts();
        change(&mut facts);
        Row::new(facts, owner, label, made.sealed(), made.last_seen(), made.idle_deadline())
    };
    let (owner, label) = (made.owner(), made.label());
    let nothing: fn(&mut Facts) = |_| ();
    let changes = [
        ("its owner was changed", changed(Some(&neighbour_of("mallory")), label, nothing)),
        ("its owner was taken", changed(None, label, nothing)),
        ("its owner was made a longer one", changed(Some(&longer), Some(" phone"), nothing)),
        ("its label was changed", changed(owner, Some("a laptop"), nothing)),
        ("its label was taken", changed(owner, None, nothing)),
        ("its version was changed", changed(owner, label, |facts| facts.version += 1)),
        ("its version was set back", changed(owner, label, |facts| facts.version = 0)),
        ("its generation was changed", changed(owner, label, |facts| facts.generation += 1)),
        ("it was remembered", changed(owner, label, |facts| facts.remembered ^= true)),
        ("it was made younger", changed(owner, label, |facts| facts.created -= 1)),
        ("it was made fresh", changed(owner, label, |facts| facts.authenticated += 1)),
        ("its renewal was changed", changed(owner, label, |facts| facts.renewed += 1)),
        ("it was made to last", changed(owner, label, |facts| facts.absolute_deadline += HOUR)),
    ];
    for (what, row) in changes {
        put_in_place(&node, key, &row).await;
        is_nobody(&servers[0], &cookie, what).await;
        is_nobody(&servers[1], &cookie, what).await;
    }
    put_in_place(&node, key, &made).await;
    assert!(is_live(&servers[1], &cookie).await, "the row as it was, put back");
}

/// C09, fault 37: two rows that were swapped, and one that was copied, open for neither visitor.
pub(super) async fn swapped_rows_are_nobodys(place: impl Place) {
    let other = neighbour_of("mallory");
    let (servers, _) = servers(&place, |builder| builder).await;
    let node = Node::of(&place).await;
    let (ada, mallory) = (signed_in(&servers[0], &other).await, signed_in(&servers[0], "mallory").await);
    let (adas, mallorys) = (key_of(&servers[0], &ada).await, key_of(&servers[0], &mallory).await);
    let rows = (row_of(&node, adas).await, row_of(&node, mallorys).await);
    put_in_place(&node, mallorys, &rows.0).await;
    is_nobody(&servers[1], &mallory, "somebody's row was copied to his key").await;
    assert!(is_live(&servers[1], &ada).await, "the session whose row was copied");
    put_in_place(&node, adas, &rows.1).await;
    is_nobody(&servers[0], &ada, "two rows were swapped").await;
    is_nobody(&servers[0], &mallory, "two rows were swapped").await;
    put_in_place(&node, adas, &row().of(&other).made()).await;
    is_nobody(&servers[0], &ada, "a row was made up").await;
}

/// C09: what a store holds opens no session: no byte string of it is a cookie.
pub(super) async fn a_copy_of_the_store_signs_nobody_in(place: impl Place) {
    let (servers, _) = servers(&place, |builder| builder).await;
    let node = Node::of(&place).await;
    let cookie = then(&servers[0], "", |session| {
        session.sign_in("ada");
        session.set(NOTE, "a secret of ada's".into());
    })
    .await;
    let (name, value) = cookie.split_once('=').unwrap_or_default();
    for (key, row) in node.all().await {
        let sealed = row.sealed();
        assert!(!sealed.windows(5).any(|bytes| bytes == b"ada's"), "a row shows its data");
        let handle = crate::Handle::from(key).to_string();
        assert!(!value.contains(&handle), "the cookie holds the key of the row in clear");
        for forged in [handle, hex(key.as_bytes()), hex(sealed), base64(sealed), base64(key.as_bytes())] {
            assert!(!is_live(&servers[0], &format!("{name}={forged}")).await, "a part of a row is a cookie");
        }
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn base64(bytes: &[u8]) -> String {
    crate::envelope::base64url_encode(bytes)
}
