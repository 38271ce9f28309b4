//! `owned_by`: the devices of one owner, and of nobody else, whatever he is called.

use super::{
    Place,
    node::Node,
    rows::{DAY, HOUR, LATER, NOW, keys_of, row},
};
use crate::store::{Replaced, Row};

/// E05: an owner's list has all that is alive, with all that a row says, and nothing else.
pub(super) async fn an_owner_has_his_live_rows_and_no_others(place: impl Place) {
    let key = keys_of("ada");
    let [here, there] = Node::two(&place).await;
    let mut adas = Vec::new();
    for at in 0..10 {
        let draft = row().label(&format!("device {at}")).sealed(vec![at as u8; at as usize]);
        match at % 3 {
            0 => adas.push((key(at), here.put(key(at), &draft.of("ada")).await)),
            1 => _ = here.put(keys_of("bob")(at), &draft.of("bob")).await,
            _ => _ = here.put(key(at), &draft.of("ada").idle_until(NOW + at)).await,
        }
    }
    adas.sort_by_key(|(key, _)| *key);
    let mut listed = there.owned_by("ada", NOW + HOUR - 1).await;
    listed.sort_by_key(|(key, _)| *key);
    assert_eq!(listed, adas, "owned_by: the live rows of one owner, whole");
    assert_eq!(there.owned_by("ada", NOW + DAY).await, [], "owned_by when all rows are expired");
    assert_eq!(there.owned_by("carol", NOW).await, [], "owned_by of an owner without rows");
}

/// E02, E05: an owner is the bytes of his name. No pattern, no case, no prefix, no other spelling is him too.
pub(super) async fn similar_names_are_different_owners(place: impl Place) {
    let node = Node::of(&place).await;
    let names = similar_names();
    let key = |at| keys_of(&names[at as usize])(at);
    for (at, name) in (0..).zip(&names) {
        node.put(key(at), &row().of(name)).await;
    }
    for (at, name) in (0..).zip(&names) {
        let listed = node.owned_by(name, NOW).await;
        let keys: Vec<_> = listed.iter().map(|(key, _)| *key).collect();
        assert_eq!(keys, [key(at)], "owned_by({name:?}) where each of many similar names has one row");
        assert_eq!(listed[0].1.owner(), Some(name.as_str()), "the owner of the row that owned_by listed");
    }
    let count = names.len() as u64;
    for (at, name) in (0..).zip(&names) {
        node.end_owner(name, None, LATER).await;
        assert_eq!(node.keys_of(name, NOW).await, [], "owned_by({name:?}) after his end");
        assert_eq!(node.load(key(at), NOW).await, None, "the row of {name:?} after his end");
        for other in at + 1..count {
            let alive = node.load(key(other), NOW).await.is_some();
            assert!(alive, "the end of {name:?} ended the row of {:?} too", names[other as usize]);
        }
    }
}

/// E05: owners' lists are never out of step with the rows.
pub(super) async fn the_list_of_an_owner_follows_every_write(place: impl Place) {
    let key = keys_of("ada");
    let [here, there] = Node::two(&place).await;
    for at in 1..=4 {
        here.put(key(at), &row().of("ada").idle_until(NOW + HOUR)).await;
    }
    let listed = |rows: Vec<(_, Row)>, of| rows.into_iter().find_map(|(key, row)| (key == of).then_some(row));
    let new = row().of("ada").version(2).label("renamed").sealed("new").made();
    assert_eq!(here.replace(key(1), 1, &new, NOW).await, Replaced::Replaced);
    let found = listed(there.owned_by("ada", NOW).await, key(1));
    assert_eq!(found, Some(new), "owned_by after a replace: the new row, with its label");
    here.touch(key(1), NOW + 9, NOW + 2 * HOUR).await;
    here.delete(key(2), LATER).await;
    assert_eq!(there.keys_of("ada", NOW).await.len(), 3, "owned_by after a delete");
    assert_eq!(there.keys_of("ada", NOW + HOUR).await, [key(1)], "owned_by: only one was touched, the others expired");
    there.purge_all(NOW + HOUR).await;
    let Some(found) = listed(here.owned_by("ada", NOW + HOUR).await, key(1)) else {
        panic!("owned_by does not list a touched row after a purge");
    };
    assert_eq!((found.last_seen(), found.facts().version), (NOW + 9, 2), "the touched row in owned_by");
    assert_eq!(here.keys_of("ada", NOW).await, [key(1)], "owned_by after a purge, by a clock that is behind");
}

/// E05: no page of an engine cuts the list.
pub(super) async fn an_owner_may_have_hundreds_of_rows(place: impl Place) {
    let node = Node::of(&place).await;
    let mut keys: Vec<_> = (0..600).map(keys_of("ada")).collect();
    let draft = row().of("ada");
    super::node::crowd(keys.len(), |at| {
        let (node, key, draft) = (node.clone(), keys[at], draft.clone());
        async move { _ = node.put(key, &draft).await }
    })
    .await;
    keys.sort_unstable();
    assert_eq!(node.keys_of("ada", NOW).await, keys, "owned_by of an owner with 600 rows");
    node.end_owner("ada", Some(keys[300]), LATER).await;
    assert_eq!(node.keys_of("ada", NOW).await, [keys[300]], "owned_by after 599 of 600 rows were ended");
    assert_eq!(node.all().await.len(), 1, "scan after 599 of 600 rows were ended");
}

/// J10: visitors who are nobody are not one owner; ending somebody ends none of them.
pub(super) async fn rows_without_an_owner_belong_to_nobody(place: impl Place) {
    let key = keys_of("ada");
    let node = Node::of(&place).await;
    node.put(key(1), &row()).await;
    node.put(key(2), &row()).await;
    node.put(keys_of("ada")(3), &row().of("ada")).await;
    for name in ["ada", "null", "NULL", "none", "\0"] {
        node.end_owner(name, None, LATER).await;
        assert_eq!(node.owned_by(name, NOW).await, [], "owned_by({name:?}) after his end");
    }
    for at in [1, 2] {
        let Some(loaded) = node.load(key(at), NOW).await else { panic!("an ending took a row without an owner") };
        assert_eq!(loaded.owner(), None, "the owner of a row without one");
    }
}

/// Names that an engine may take for one another, or for a part of its own language.
fn similar_names() -> Vec<String> {
    let long = "x".repeat(Row::MAX_OWNER - 1);
    let (last, other) = (format!("{long}a"), format!("{long}b"));
    let names = [
        "ada",
        "Ada",
        "ADA",
        "ad",
        "adaa",
        "ada ",
        " ada",
        "ada\t",
        "ada\n",
        "ada\0",
        "ada\0a",
        "\0",
        "a",
        "%",
        "_",
        "%%",
        "a%",
        "a_a",
        "ad_",
        "%ada",
        "ada%",
        "\\",
        "\\%",
        "a\\_a",
        "*",
        "a*",
        "?",
        "ad?",
        "[a-z]",
        "ad[a]",
        "{ada}",
        "{}",
        ":",
        "ada:1",
        "1",
        "01",
        "1.0",
        "1e0",
        "0",
        "-1",
        "null",
        "NULL",
        "true",
        "'",
        "''",
        "\"",
        "`",
        "'; DROP TABLE rows; --",
        "ada' OR '1'='1",
        "$1",
        "?1",
        ":owner",
        "@ada",
        "#",
        "--",
        "/*",
        "ada/*",
        "../ada",
        "ada.",
        ".",
        "..",
        "é",
        "e\u{301}",
        "É",
        "ß",
        "ss",
        "ẞ",
        "ı",
        "i",
        "İ",
        "I",
        "ſ",
        "s",
        "ａｄａ",
        "аda",
        "日本",
        "🍪",
        "🍪🍪",
        "\u{feff}ada",
        "ada\u{200d}",
        "\u{202e}ada",
        "\u{10ffff}",
        "\u{7f}",
        "\u{80}",
        "\r\n",
        "ada\r\n",
        "&amp;",
        "<ada>",
        "%61da",
        "ada@example.com",
        "ADA@example.com",
        "ada+1@example.com",
    ];
    names.into_iter().map(str::to_owned).chain([long, last, other]).collect()
}
