//! What comes back is what was put in, byte for byte: otherwise the sealed data of a row does not open.

use super::{
    Place,
    node::Node,
    rows::{ANY, DAY, Draft, LAST, NOW, key, keys_of, row},
};
use crate::store::{Created, Replaced, Row, Store};

/// Puts a row in, and takes it out by every door of the other node.
async fn comes_back<S: Store>([here, there]: &[Node<S>; 2], at: u64, draft: &Draft, what: &str) {
    let made = draft.made();
    let at = made.owner().map_or_else(|| key(at), |owner| keys_of(owner)(at));
    assert_eq!(here.create(at, &made, ANY, NOW).await, Created::Created, "create of a row with {what}");
    assert_same(there.load(at, NOW).await, &made, "load", what);
    let scanned = there.all().await.into_iter().find_map(|(there, row)| (there == at).then_some(row));
    assert_same(scanned, &made, "scan", what);
    if let Some(owner) = made.owner() {
        let listed = there.owned_by(owner, NOW).await.into_iter().find_map(|(there, row)| (there == at).then_some(row));
        assert_same(listed, &made, "owned_by", what);
    }
    let next = draft.clone().version(made.facts().version + 1).made();
    let replaced = there.replace(at, made.facts().version, &next, NOW).await;
    assert_eq!(replaced, Replaced::Replaced, "replace by a row with {what}");
    assert_same(here.load(at, NOW).await, &next, "load after replace", what);
}

/// Compares without printing a mebibyte.
fn assert_same(found: Option<Row>, expected: &Row, call: &str, what: &str) {
    let Some(found) = found else { panic!("{call} does not give the row with {what}") };
    let (got, put) = (found.sealed(), expected.sealed());
    assert_eq!(got.len(), put.len(), "{call}: bytes of the sealed data of a row with {what}");
    let differs = got.iter().zip(put).position(|(got, put)| got != put);
    assert_eq!(differs, None, "{call}: the first byte of the sealed data that differs, in a row with {what}");
    assert!(found == *expected, "{call} gives {found:?}, and what was put in, a row with {what}, is {expected:?}");
}

/// D03: each fact has a place of its own, for its whole range.
pub(super) async fn every_fact_comes_back(place: impl Place) {
    let nodes = Node::two(&place).await;
    let different = row().seen(NOW + 1).idle_until(NOW + 2).facts(|facts| {
        facts.version = 3;
        facts.generation = 4;
        facts.remembered = true;
        facts.epoch = 5;
        facts.created = 6;
        facts.authenticated = 7;
        facts.renewed = 8;
        facts.absolute_deadline = NOW + 9;
    });
    comes_back(&nodes, 1, &different, "a different value in every fact").await;
    let greatest = row().seen(LAST).idle_until(LAST).facts(|facts| {
        facts.version = LAST;
        facts.generation = u32::MAX;
        facts.remembered = true;
        facts.epoch = LAST;
        (facts.created, facts.authenticated, facts.renewed, facts.absolute_deadline) = (LAST, LAST, LAST, LAST);
    });
    comes_back(&nodes, 2, &greatest, "the greatest value in every fact").await;
    let smallest = row().seen(0).facts(|facts| (facts.version, facts.created) = (0, 0));
    comes_back(&nodes, 3, &smallest, "the smallest value in every fact").await;
    let remembered = row().facts(|facts| facts.remembered = true);
    comes_back(&nodes, 4, &remembered, "\"remember me\"").await;
}

/// F03: sealed data are bytes, not text.
pub(super) async fn every_byte_comes_back(place: impl Place) {
    let nodes = Node::two(&place).await;
    let all: Vec<u8> = (0..=255).collect();
    let back: Vec<u8> = all.iter().rev().copied().collect();
    comes_back(&nodes, 1, &row().sealed(all), "all byte values").await;
    comes_back(&nodes, 2, &row().of("ada").label("a phone").sealed(back), "all byte values, backwards").await;
    comes_back(&nodes, 3, &row().sealed([]), "no sealed data").await;
    comes_back(&nodes, 4, &row().of("ada").label("a phone").sealed([]), "no sealed data, an owner and a label").await;
    comes_back(&nodes, 5, &row().sealed([0; 64]), "zeros").await;
    comes_back(&nodes, 6, &row().sealed("{\"a\":1}\r\n\0"), "text").await;
}

/// E05: names are kept as they were written, to their full length, and "none" is not an empty one.
pub(super) async fn owners_and_labels_come_back(place: impl Place) {
    let nodes = Node::two(&place).await;
    let texts = [
        "x",
        "Firefox on Linux",
        "a\0b",
        "\0",
        "'\"`\\%_",
        "né e\u{301} 日本 🍪",
        "  blanks \t\r\n",
        "null",
        "\u{feff}\u{202e}",
    ];
    for (at, text) in (1..).zip(texts) {
        comes_back(&nodes, at, &row().of(text), "an unusual owner").await;
        comes_back(&nodes, 100 + at, &row().label(text), "an unusual label and no owner").await;
        comes_back(&nodes, 200 + at, &row().of(text).label(text), "an unusual owner and label").await;
    }
    let (owner, label) = ("🍪".repeat(Row::MAX_OWNER / 4), "é".repeat(Row::MAX_LABEL / 2) + "l");
    assert_eq!((owner.len(), label.len()), (Row::MAX_OWNER, Row::MAX_LABEL));
    comes_back(&nodes, 300, &row().of(&owner).label(&label), "the longest owner and label").await;
}

/// J09: a store has no limit of its own below a mebibyte.
pub(super) async fn a_mebibyte_comes_back(place: impl Place) {
    let nodes = Node::two(&place).await;
    // Bytes that no engine compresses and no shift leaves alike.
    let mut state = 1_u32;
    let mut next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 24) as u8
    };
    for (at, size) in (1..).zip([4_095, 4_096, 4_097, 65_535, 65_536, 1 << 20]) {
        let sealed: Vec<u8> = (0..size).map(|_| next()).collect();
        comes_back(&nodes, at, &row().of("ada").sealed(sealed), &format!("{size} bytes")).await;
    }
}

/// J07: a shorter row leaves nothing of a longer one behind.
pub(super) async fn data_may_grow_and_shrink(place: impl Place) {
    let key = keys_of("ada");
    let [here, there] = Node::two(&place).await;
    let draft = row().of("ada").until(NOW + DAY);
    here.put(key(1), &draft).await;
    for (version, size) in (1..).zip([100_000, 10, 0, 5_000, 1, 70_000, 0]) {
        let labelled = if size % 3 == 0 { draft.clone() } else { draft.clone().label(&"l".repeat(size % 200)) };
        let next = labelled.version(version + 1).sealed(vec![version as u8; size]).made();
        assert_eq!(here.replace(key(1), version, &next, NOW).await, Replaced::Replaced);
        assert_same(there.load(key(1), NOW).await, &next, "load after replace", &format!("{size} bytes"));
    }
}
