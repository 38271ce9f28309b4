//! F: what an attacker can do with the bytes of a cookie. Forgeries are made by a second implementation of the
//! published format (`independent`), which knows the key and can break one rule at a time.
#![cfg(feature = "axum")]
#![allow(clippy::unwrap_used, missing_docs)]

mod common;
mod independent;

use std::{
    collections::HashSet,
    time::{Duration, UNIX_EPOCH},
};

use common::{NOTE, Reply, START, cookie, fetch, log::logged, serve, wait, who_app};
use hardtack::{
    Clock, CookiePolicy, Field, Key, Keyring, Kind, Reason, Session, Sessions, SessionsBuilder, store::MemoryStore,
};
use independent::{Plain, Seal, base64url, from_base64url};

const ALPHABET: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/// Sessions under a key whose text the test knows.
fn known() -> (SessionsBuilder, Seal) {
    let key = Key::generate().unwrap();
    let seal = Seal::new(&key.to_secret_text());
    (under(key), seal)
}

fn under(key: Key) -> SessionsBuilder {
    Sessions::stateless(Keyring::new(key, []).unwrap()).clock(Clock::manual(START))
}

fn again(text: &str) -> SessionsBuilder {
    under(Key::parse(text).unwrap())
}

fn value(cookie: &str) -> &str {
    cookie.split_once('=').unwrap().1
}

fn owner(sessions: &Sessions, cookie: &str) -> Option<String> {
    let session = wait(sessions.begin([cookie.as_bytes()]).session()).unwrap();
    assert_eq!(session.is_live(), session.handle().is_some());
    session.owner()
}

fn is_live(sessions: &Sessions, cookie: &str) -> bool {
    wait(sessions.begin([cookie.as_bytes()]).session()).unwrap().is_live()
}

fn reason(sessions: &Sessions, value: &str) -> Option<Reason> {
    sessions.inspect(value).err()
}

/// F01, F10: what the library seals, another implementation opens, and the other way round.
#[test]
fn another_implementation_reads_and_writes_the_same_sessions() {
    let (builder, seal) = known();
    let sessions = builder.build().unwrap();
    let made = cookie(&sessions, |session| {
        session.sign_in("ada");
        session.set(NOTE, "hello".into());
    });
    let plain = seal.open(&made);
    assert_eq!((plain.kind, plain.flags, &plain.owner[..]), (2, 0, &b"ada"[..]));
    assert_eq!((plain.created, plain.authenticated, plain.last_seen), (START, START, START));
    assert_eq!((plain.idle_deadline, plain.absolute_deadline), (START + 3_600_000, START + 86_400_000));
    assert_eq!((plain.shard, plain.confirmed, plain.version, plain.generation), (0, 0, 0, 0));
    assert_eq!(plain.fields, [(b"note".to_vec(), b"\"hello\"".to_vec())]);
    assert_eq!(owner(&sessions, &made).as_deref(), Some("ada"));

    let theirs = seal.cookie(&Plain::of("grace", START).field("note", "\"bonjour\""));
    let session = wait(sessions.begin([theirs.as_bytes()]).session()).unwrap();
    assert_eq!((session.owner().as_deref(), session.get(NOTE).as_deref()), (Some("grace"), Some("bonjour")));
}

/// F02: no two cookies share a nonce, and none repeats a part of one that would weaken it.
#[test]
fn twenty_thousand_cookies_have_as_many_nonces() {
    let (builder, _) = known();
    let sessions = builder.build().unwrap();
    let (mut whole, mut first, mut second) = (HashSet::new(), HashSet::new(), HashSet::new());
    for _ in 0..20_000 {
        let raw = from_base64url(value(&cookie(&sessions, |session| session.set(NOTE, "same".into()))));
        let nonce: [u8; 24] = raw[5..29].try_into().unwrap();
        first.insert(<[u8; 12]>::try_from(&nonce[..12]).unwrap());
        second.insert(<[u8; 12]>::try_from(&nonce[12..]).unwrap());
        assert!(whole.insert(nonce));
    }
    assert_eq!((first.len(), second.len()), (20_000, 20_000));
}

/// F03: a cookie opens under its own name, in its own realm and under its own key, in no other pairing.
#[test]
fn a_cookie_moved_to_another_name_realm_or_key_is_nobody() {
    let (one, other) = (Key::generate().unwrap().to_secret_text(), Key::generate().unwrap().to_secret_text());
    let mut all = Vec::new();
    for key in [&one, &other] {
        for realm in ["", "shop", "sho"] {
            for name in ["session", "session2", "psession"] {
                let policy = CookiePolicy::host(name);
                all.push(again(key).realm(realm).cookie(policy).build().unwrap());
            }
        }
    }
    for (at, writer) in all.iter().enumerate() {
        let made = cookie(writer, |session| session.sign_in("ada"));
        for (to, reader) in all.iter().enumerate() {
            let name = cookie(reader, |session| session.keep());
            let moved = format!("{}={}", name.split_once('=').unwrap().0, value(&made));
            assert_eq!(owner(reader, &moved).is_some(), at == to, "from {at} to {to}");
            if at / 9 == to / 9 && at != to {
                assert_eq!(reason(reader, value(&made)), Some(Reason::Forged));
            }
        }
    }
}

/// F03: lengths stand before the parts, so no realm can lend its letters to the name.
#[test]
fn a_realm_and_a_name_cannot_be_joined_differently() {
    let key = Key::generate().unwrap().to_secret_text();
    let policy = |name: &str| CookiePolicy::plain(name);
    let left = again(&key).realm("ab").cookie(policy("c")).build().unwrap();
    let right = again(&key).realm("a").cookie(policy("bc")).build().unwrap();
    let made = cookie(&left, |session| session.sign_in("ada"));
    assert_eq!(reason(&right, value(&made)), Some(Reason::Forged));
}

/// F01, F06, F12: whoever changes any one bit of a cookie has nothing.
#[test]
fn every_single_changed_bit_is_refused() {
    let (builder, _) = known();
    let sessions = builder.build().unwrap();
    let made = cookie(&sessions, |session| session.sign_in("ada"));
    let raw = from_base64url(value(&made));
    assert_eq!(owner(&sessions, &made).as_deref(), Some("ada"));
    for bit in 0..raw.len() * 8 {
        let mut changed = raw.clone();
        changed[bit / 8] ^= 1 << (bit % 8);
        let forged = base64url(&changed);
        let expected = match bit / 8 {
            0 => Reason::UnknownVersion,
            1..5 => Reason::UnknownKey,
            _ => Reason::Forged,
        };
        assert_eq!(reason(&sessions, &forged), Some(expected), "bit {bit}");
        assert!(!is_live(&sessions, &format!("__Host-session={forged}")), "bit {bit}");
    }
}

/// F01, F12: every other character at every place of the text is refused as well.
#[test]
fn every_single_changed_character_is_refused() {
    let (builder, _) = known();
    let sessions = builder.build().unwrap();
    let made = cookie(&sessions, |session| session.sign_in("ada"));
    for at in 0..value(&made).len() {
        for byte in (0..=255_u8).filter(|byte| *byte != value(&made).as_bytes()[at] && *byte != b';') {
            let mut changed = value(&made).as_bytes().to_vec();
            changed[at] = byte;
            let stripped = (at == 0 || at + 1 == changed.len()) && matches!(byte, b' ' | b'\t');
            if !stripped && (ALPHABET.contains(&byte) || at % 16 == 0) {
                let field = [b"__Host-session=", &changed[..]].concat();
                assert!(!wait(sessions.begin([&field[..]]).session()).unwrap().is_live(), "byte {byte} at {at}");
            }
        }
    }
}

/// F01, F12: a cookie that was cut at any place, in its text or in its bytes, is refused; so is a longer one.
#[test]
fn every_truncation_and_every_extension_is_refused() {
    let (builder, _) = known();
    let sessions = builder.build().unwrap();
    let made = cookie(&sessions, |session| session.sign_in("ada"));
    let raw = from_base64url(value(&made));
    for length in 0..value(&made).len() {
        assert!(reason(&sessions, &value(&made)[..length]).is_some(), "{length} characters");
        assert!(reason(&sessions, &value(&made)[value(&made).len() - length..]).is_some(), "last {length} characters");
    }
    for length in 0..raw.len() {
        assert!(reason(&sessions, &base64url(&raw[..length])).is_some(), "{length} bytes");
        assert!(reason(&sessions, &base64url(&[&raw[..], &raw[..length + 1]].concat())).is_some(), "{length} more");
    }
}

/// F12: no bytes whatever panic the reader.
#[test]
fn random_bytes_are_nobody() {
    let (builder, seal) = known();
    let sessions = builder.build().unwrap();
    let mut noise = [2; 32];
    for round in 0..4_000_usize {
        noise = independent::derive(&noise, "noise");
        let mut raw: Vec<u8> = noise.iter().cycle().take(round % 400).copied().collect();
        if let Some(head) = raw.get_mut(..5) {
            head[0] = 1;
            head[1..].copy_from_slice(&seal.key_id);
        }
        assert!(reason(&sessions, &base64url(&raw)).is_some());
        let text = String::from_utf8_lossy(&raw);
        assert!(reason(&sessions, &text).is_some());
    }
}

/// F12: authentic bytes with random contents open or do not, and never panic, also when used.
#[test]
fn authentic_nonsense_never_panics() {
    let (builder, seal) = known();
    let sessions = builder.build().unwrap();
    let plain = Plain::of("ada", START).field("note", "\"x\"").field("other", "[1,2]");
    let lawful = [plain.padded(), Plain { label: b"Lynx".to_vec(), ..copy_of(plain) }.padded()];
    let mut noise = [1; 32];
    for round in 0..4_000_usize {
        noise = independent::derive(&noise, "nonsense");
        let lawful = &lawful[round / 2 % 2];
        let mut plaintext = lawful.clone();
        let at = if round % 2 == 0 {
            104 + usize::from(noise[0]) % (lawful.len() - 104)
        } else {
            usize::from(noise[0]) % 106
        };
        plaintext[at] = noise[1];
        if round % 3 == 0 {
            plaintext.truncate(32 * (1 + usize::from(noise[2]) % (lawful.len() / 32)));
        }
        let made = seal.value([round as u8; 24], &plaintext);
        if let Ok(inspection) = sessions.inspect(&made) {
            let _ = (inspection.data_json(), inspection.verdict());
        }
        let request = sessions.begin([format!("__Host-session={made}").as_bytes()]);
        let session = wait(request.session()).unwrap();
        let _ = (session.get(NOTE), session.read::<serde_json::Value>(), session.expires_in());
        session.set(NOTE, "another".into());
        assert_eq!(session.get(NOTE).as_deref(), Some("another"));
        assert_eq!(wait(request.finish()).unwrap().set_cookies().count(), 1);
    }
}

/// F05: nothing that is not sealed is ever believed, however it is written.
#[test]
fn plain_signed_and_foreign_forgeries_are_nobody() {
    let (builder, seal) = known();
    let sessions = builder.build().unwrap();
    let json = br#"{"owner":"ada","note":"x"}"#;
    let plaintext = Plain::of("ada", START).padded();
    let raw = seal.raw([1; 24], &plaintext);
    let forgeries = [
        r#"{"owner":"ada"}"#.to_owned(),
        base64url(json),
        format!("{}==", base64url(json)),
        format!("s:{}.{}", base64url(json), base64url(&[0; 32])),
        format!("{}.{}.{}", base64url(br#"{"alg":"none"}"#), base64url(json), ""),
        format!("{}--{}", base64url(json), hex::encode([0; 20])),
        base64url(&plaintext),
        base64url(&[&[1][..], &seal.key_id, &[0; 24], &plaintext, &[0; 16]].concat()),
        base64url(&[&[0][..], &seal.key_id, &[0; 24], &plaintext, &[0; 16]].concat()),
        base64url(b"\x04\x08{\x06:\x0aownerI\"\x08ada\x06:\x06ET"),
        hex::encode(&raw),
        "ada".into(),
        String::new(),
        base64url(&[&raw[..29], &vec![0; raw.len() - 29]].concat()),
    ];
    for forgery in &forgeries {
        assert!(reason(&sessions, forgery).is_some(), "{forgery}");
        assert!(!is_live(&sessions, &format!("__Host-session={forgery}")), "{forgery}");
    }
}

/// F04, F12: of one byte string there is one text. A cookie cannot be respelt to slip past a comparison.
#[test]
fn a_respelt_cookie_is_refused() {
    for owner in ["a", "ab", "abc"] {
        let (builder, seal) = known();
        let sessions = builder.build().unwrap();
        // 141 + 32n bytes leave 0, 1 or 2 spare bytes in turn; look at the ones with spare bits.
        let long = owner.repeat(12 * owner.len());
        let made = seal.value([9; 24], &Plain::of(&long, START).padded());
        assert!(sessions.inspect(&made).is_ok());
        assert!(reason(&sessions, &format!("{made}=")).is_some());
        assert!(reason(&sessions, &format!("{made}==")).is_some());
        assert!(reason(&sessions, &format!("{made}\n")).is_some());
        let last = *made.as_bytes().last().unwrap();
        let at = ALPHABET.iter().position(|byte| *byte == last).unwrap();
        let spare = match made.len() % 4 {
            2 => 16,
            3 => 4,
            _ => 1,
        };
        for other in &ALPHABET[at + 1..at + spare] {
            let respelt = format!("{}{}", &made[..made.len() - 1], *other as char);
            assert_eq!(reason(&sessions, &respelt), Some(Reason::Malformed), "{spare}");
        }
    }
}

/// F04: the versions are an allow-list of one, whatever else is right.
#[test]
fn every_other_version_is_refused() {
    let (builder, seal) = known();
    let sessions = builder.build().unwrap();
    for version in (0..=255).filter(|version| *version != 1) {
        let made = Seal { version, ..seal.clone() }.value([2; 24], &Plain::of("ada", START).padded());
        assert_eq!(reason(&sessions, &made), Some(Reason::UnknownVersion));
    }
}

/// F04, F12: kinds and flags that this placement does not write are refused, those of later placements too.
#[test]
fn every_unknown_kind_and_flag_is_nobody() {
    let (builder, seal) = known();
    let sessions = builder.build().unwrap();
    let ada = Plain::of("ada", START);
    for kind in (0..=255).filter(|kind| *kind != 2) {
        assert!(!is_live(&sessions, &seal.cookie(&Plain { kind, ..ada.clone() })), "kind {kind}");
    }
    for flags in 2..=255 {
        assert!(!is_live(&sessions, &seal.cookie(&Plain { flags, ..ada.clone() })), "flags {flags}");
    }
    for (kind, flags) in [(2, 0), (2, 1)] {
        assert!(is_live(&sessions, &seal.cookie(&Plain { kind, flags, ..ada.clone() })));
    }
}

/// F12: an anonymous session never has an owner, and an owner has at most 512 bytes of UTF-8.
#[test]
fn an_unlawful_owner_is_refused() {
    let (builder, seal) = known();
    let sessions = builder.build().unwrap();
    let ada = Plain::of("ada", START);
    for (plain, lawful) in [
        (Plain { kind: 1, ..ada.clone() }, false),
        (Plain { kind: 1, owner: Vec::new(), ..ada.clone() }, true),
        (Plain { owner: vec![b'a'; 512], ..ada.clone() }, true),
        (Plain { owner: vec![b'a'; 513], ..ada.clone() }, false),
        (Plain { owner: vec![0xff, 0xfe], ..ada.clone() }, false),
        (Plain { owner: "ž".into(), ..ada.clone() }, true),
        (Plain { owner: "ž".as_bytes()[..1].into(), ..ada.clone() }, false),
    ] {
        let made = seal.cookie(&plain);
        assert_eq!(reason(&sessions, value(&made)), (!lawful).then_some(Reason::Invalid));
        assert_eq!(is_live(&sessions, &made), lawful);
    }
}

/// As a copy of a stored record that the store has just confirmed.
fn copy_of(plain: Plain) -> Plain {
    Plain { kind: 4, confirmed: START, version: 1, ..plain }
}

/// F12: a copy of a stored record may have an owner and has a label of up to 255 bytes of UTF-8; flags and ids are under
/// the rules of all kinds, and the kinds without an owner stay without one.
#[test]
fn an_unlawful_copy_of_a_stored_session_is_refused() {
    let (builder, seal) = known();
    let sessions = builder.build().unwrap();
    let ada = copy_of(Plain::of("ada", START));
    let lawful = [
        ada.clone(),
        copy_of(Plain::of("", START)),
        Plain { flags: 1, ..ada.clone() },
        Plain { owner: vec![b'a'; 512], label: vec![b'b'; 255], ..ada.clone() },
        Plain { label: "ž".into(), ..ada.clone() },
        Plain { confirmed: 0, version: 0, ..ada.clone() },
    ];
    for (at, plain) in lawful.iter().enumerate() {
        let inspection = sessions.inspect(value(&seal.cookie(plain))).unwrap();
        let label = inspection.label().unwrap_or_default().as_bytes();
        assert_eq!((inspection.kind(), label), (Kind::Hybrid, &plain.label[..]), "{at}");
        assert_eq!((inspection.confirmed_at(), inspection.version()), (plain.confirmed, plain.version), "{at}");
    }
    let unlawful = [
        Plain { flags: 2, ..ada.clone() },
        Plain { flags: 3, ..ada.clone() },
        Plain { id: [0; 32], ..ada.clone() },
        Plain { owner: vec![b'a'; 513], ..ada.clone() },
        Plain { owner: vec![0xff], ..ada.clone() },
        Plain { label: vec![b'L', 0xff], ..ada.clone() },
        Plain { label: "ž".as_bytes()[..1].into(), ..ada.clone() },
        Plain { kind: 1, ..ada.clone() },
        Plain { kind: 3, ..ada.clone() },
        Plain { kind: 5, ..ada },
    ];
    for (at, plain) in unlawful.iter().enumerate() {
        assert_eq!(reason(&sessions, value(&seal.cookie(plain))), Some(Reason::Invalid), "{at}");
    }
}

/// F12: a copy that ends anywhere before the end of its fields is none; owners of all lengths move that end through
/// every part of it.
#[test]
fn a_copy_of_a_stored_session_that_breaks_off_is_refused() {
    let (builder, seal) = known();
    let sessions = builder.build().unwrap();
    for length in 0..64 {
        let owner = "a".repeat(length);
        let plain = Plain { label: b"Lynx".to_vec(), ..copy_of(Plain::of(&owner, START).field("note", "1")) };
        let whole = plain.bytes();
        assert_eq!(reason(&sessions, &seal.value([6; 24], &plain.padded())), None);
        for end in (32..whole.len()).step_by(32) {
            let cut = seal.value([6; 24], &whole[..end]);
            assert_eq!(reason(&sessions, &cut), Some(Reason::Invalid), "{length} and {end} of {}", whole.len());
        }
    }
}

/// F04, F12: each placement opens what it writes and what it was told to take. Of one session there are all three kinds
/// of envelope here, authentic and alive: the sessions without a store take the one that has everything, those with a
/// store the one that names a row, those with copies the copy too, and so do the others in the store while they move.
#[test]
fn each_placement_takes_its_own_kinds_alone() {
    let key = Key::generate().unwrap().to_secret_text();
    let (seal, store, clock) = (Seal::new(&key), MemoryStore::new(), Clock::manual(START));
    let keys = || Keyring::new(Key::parse(&key).unwrap(), []).unwrap();
    let stored = || Sessions::stored(keys(), store.clone()).clock(clock.clone());
    let until = UNIX_EPOCH + Duration::from_millis(START) + Duration::from_secs(60);
    let hybrid = Sessions::hybrid(keys(), store.clone()).clock(clock.clone()).build().unwrap();
    let moving = stored().migrate_from(Kind::Hybrid, until).build().unwrap();
    let made = cookie(&hybrid, |session| {
        session.sign_in("ada");
        session.set(NOTE, "hello".into());
    });
    let copy = seal.open(&made);
    assert_eq!((copy.kind, copy.flags, &copy.owner[..], copy.version), (4, 0, &b"ada"[..], 1));
    assert_eq!((copy.confirmed, copy.renewed, copy.generation), (START, 0, 0));
    assert_eq!(copy.fields, [(b"note".to_vec(), b"\"hello\"".to_vec())]);
    let name = Plain { kind: 3, owner: Vec::new(), confirmed: 0, version: 0, fields: Vec::new(), ..copy.clone() };
    let all = Plain { kind: 2, confirmed: 0, version: 0, ..copy.clone() };
    let takes = |sessions: &Sessions| {
        [&all, &name, &copy].map(|plain| {
            let cookie = seal.cookie(plain);
            let mut taken = false;
            let log = logged(|| taken = owner(sessions, &cookie).as_deref() == Some("ada"));
            assert_eq!(log.contains("\"wrong_kind\""), !taken, "kind {}: {log}", plain.kind);
            taken
        })
    };
    assert_eq!(takes(&again(&key).build().unwrap()), [true, false, false], "stateless");
    assert_eq!(takes(&stored().build().unwrap()), [false, true, false], "stored");
    assert_eq!(takes(&hybrid), [false, true, true], "hybrid");
    assert_eq!(takes(&moving), [false, true, true], "stored, as long as copies are taken");
    clock.advance(Duration::from_secs(60));
    assert_eq!(takes(&moving), [false, true, false], "stored, when that is over");
}

/// F12: a field whose name or value is no text counts as absent, and its neighbours are fine.
#[test]
fn a_field_that_is_no_text_counts_as_absent() {
    let (builder, seal) = known();
    let sessions = builder.build().unwrap();
    let mut plain = Plain::of("ada", START).field("before", "1");
    plain.fields.push((b"note".to_vec(), b"\"\xff\"".to_vec()));
    plain.fields.push((b"\xc3".to_vec(), b"2".to_vec()));
    let made = seal.cookie(&plain.field("after", "3"));
    let session = wait(sessions.begin([made.as_bytes()]).session()).unwrap();
    assert_eq!(session.get(NOTE), None);
    assert_eq!(sessions.inspect(value(&made)).unwrap().data_json(), r#"{"before":1,"after":3}"#);
    session.set(NOTE, "text".into());
    assert_eq!(session.get(NOTE).as_deref(), Some("text"));
}

/// F03: a realm and a name of the greatest length bind like any other; a longer one does not build.
#[test]
fn the_longest_realm_and_name_bind_and_longer_ones_do_not_build() {
    let key = Key::generate().unwrap().to_secret_text();
    let build = |realm: usize, name: usize| {
        let policy = CookiePolicy::host("n".repeat(name - "__Host-".len()));
        again(&key).realm("r".repeat(realm)).cookie(policy).build()
    };
    let sessions = build(256, 256).unwrap();
    let made = cookie(&sessions, |session| session.sign_in("ada"));
    assert_eq!(owner(&sessions, &made).as_deref(), Some("ada"));
    let seal = Seal { realm: "r".repeat(256), cookie: format!("__Host-{}", "n".repeat(249)), ..Seal::new(&key) };
    assert_eq!(seal.open(&made).owner, b"ada");
    assert_eq!(reason(&build(255, 256).unwrap(), value(&made)), Some(Reason::Forged));
    assert!(build(257, 256).is_err() && build(256, 257).is_err());
}

/// C11: an id that nobody drew, the default of a broken writer, is no session, even under the right key.
#[test]
fn an_all_zero_id_is_refused() {
    let (builder, seal) = known();
    let sessions = builder.build().unwrap();
    let made = seal.cookie(&Plain { id: [0; 32], ..Plain::of("ada", START) });
    assert_eq!(owner(&sessions, &made), None);
}

/// C01, C11: ids are 256 bits in which nothing of the session can be found, no two are alike, and the public
/// handle, of which the last two bytes are the owner's shard, says nothing about the secret id.
#[test]
fn ids_and_handles_are_random_and_unrelated() {
    let (builder, seal) = known();
    let sessions = builder.build().unwrap();
    let (mut seen, mut ones) = (HashSet::new(), [0_u32; 368]);
    for _ in 0..4_000 {
        let plain = seal.open(&cookie(&sessions, |session| session.sign_in("ada")));
        let random = [&plain.id[..], &plain.handle[..14]].concat();
        for (bit, ones) in ones.iter_mut().enumerate() {
            *ones += u32::from(random[bit / 8] >> (bit % 8) & 1);
        }
        assert!(!plain.id.windows(16).any(|part| part == plain.handle));
        assert!(seen.insert(plain.id.to_vec()) && seen.insert(plain.handle.to_vec()));
    }
    // Of 4,000 fair coins 1,700 to 2,300 show heads: nine standard deviations, for 368 bits.
    assert!(ones.iter().all(|ones| (1_700..=2_300).contains(ones)), "{ones:?}");
}

/// C11: the handle names the session and opens nothing.
#[test]
fn a_handle_is_no_cookie() {
    let (builder, _) = known();
    let sessions = builder.build().unwrap();
    let made = cookie(&sessions, |session| session.sign_in("ada"));
    let handle = sessions.inspect(value(&made)).unwrap().handle();
    assert!(!value(&made).contains(&handle.to_string()));
    assert!(!is_live(&sessions, &format!("__Host-session={handle}")));
}

/// F11: nothing of a session can be read or found in its cookie, in any of the usual spellings.
#[test]
fn nothing_of_the_contents_is_readable_in_the_cookie() {
    const SECRET: Field<String> = Field::new("medical_history");
    let (builder, _) = known();
    let sessions = builder.build().unwrap();
    let words = ["ada@example.com", "medical_history", "appendicitis 1815", "__Host", "session"];
    let made = cookie(&sessions, |session| {
        session.sign_in(words[0]);
        session.set(SECRET, words[2].repeat(8));
    });
    let raw = from_base64url(value(&made));
    for word in words {
        assert!(!value(&made).contains(word));
        assert!(!raw.windows(word.len()).any(|part| part == word.as_bytes()), "{word} in the bytes");
        assert!(!value(&made).contains(base64url(word.as_bytes()).get(1..word.len()).unwrap()), "{word} in base64");
    }
    let repeated = raw.chunks(16).collect::<HashSet<_>>().len();
    assert_eq!(repeated, raw.chunks(16).count(), "equal blocks of plaintext look equal");
}

/// F11: lengths come in steps of 32 bytes, so that most contents of a kind look equally long; what compresses
/// well is as long as what does not.
#[test]
fn lengths_come_in_steps_of_32_and_are_not_compressed() {
    let (builder, _) = known();
    let sessions = builder.build().unwrap();
    let size = |text: String| from_base64url(value(&cookie(&sessions, |session| session.set(NOTE, text)))).len() - 45;
    let sizes: Vec<_> = (0..160).map(|length| size("a".repeat(length))).collect();
    // 106 of the header, 2 + 5 + 4 of the field, 2 quotes.
    for (length, size) in sizes.iter().enumerate() {
        assert_eq!(*size, (106 + 13 + length).next_multiple_of(32), "{length}");
    }
    let mut noise = String::new();
    while noise.len() < 1_000 {
        noise += &Key::generate().unwrap().to_secret_text();
    }
    noise.truncate(1_000);
    assert_eq!(size("a".repeat(1_000)), size(noise));
}

async fn tell(session: Session) -> String {
    format!("{:?} {:?}", session.owner(), session.get(NOTE))
}

fn shape(mut reply: Reply) -> Reply {
    reply.headers.retain(|(name, _)| name != "date");
    reply
}

/// F07: whatever is wrong with a cookie, the answer is the same to the last byte; only the log differs.
#[test]
fn all_failures_look_the_same_from_outside() {
    let (builder, seal) = known();
    let clock = Clock::manual(START);
    let sessions = builder.clock(clock.clone()).build().unwrap();
    let app = axum::Router::new().route("/", axum::routing::get(tell).post(tell)).layer(sessions.layer());
    let server = serve(app);
    let ada = Plain::of("ada", START).field("note", "\"x\"");
    let good = seal.cookie(&ada);
    assert!(fetch(server, "/", [&good]).text().contains("ada"));
    let raw = from_base64url(value(&good));
    let flip = |at: usize| {
        let mut raw = raw.clone();
        raw[at] ^= 1;
        format!("__Host-session={}", base64url(&raw))
    };
    let other = Seal::new(&Key::generate().unwrap().to_secret_text());
    let failures = [
        ("garbage", "__Host-session=garbage".to_owned()),
        ("empty", "__Host-session=".to_owned()),
        ("long garbage", format!("__Host-session={}", "A".repeat(4_000))),
        ("too long", format!("__Host-session={}", "A".repeat(4_095))),
        ("bytes", "__Host-session=ü%00\"".to_owned()),
        ("version", flip(0)),
        ("key", flip(1)),
        ("nonce", flip(6)),
        ("ciphertext", flip(40)),
        ("tag", flip(raw.len() - 1)),
        ("other key", other.cookie(&ada)),
        ("other realm", Seal { realm: "x".into(), ..seal.clone() }.cookie(&ada)),
        ("kind", seal.cookie(&Plain { kind: 9, ..ada.clone() })),
        ("stored kind", seal.cookie(&Plain { kind: 3, owner: Vec::new(), ..ada.clone() })),
        ("a copy", seal.cookie(&copy_of(ada.clone()))),
        ("anonymous owner", seal.cookie(&Plain { kind: 1, ..ada.clone() })),
        ("idle", seal.cookie(&Plain { idle_deadline: START, ..ada.clone() })),
        ("absolute", seal.cookie(&Plain { absolute_deadline: START, ..ada.clone() })),
        ("future", seal.cookie(&Plain::of("ada", START + 3_600_001))),
    ];
    let expected = shape(fetch(server, "/", ["__Host-session=nonsense"]));
    assert_eq!((expected.status, expected.text()), (200, "None None"));
    assert_eq!(expected.set_cookies(), ["__Host-session=; Path=/; HttpOnly; SameSite=Lax; Secure; Max-Age=0"]);
    for (name, failure) in &failures {
        let reply = shape(fetch(server, "/", [failure]));
        assert_eq!(
            (reply.status, &reply.headers, &reply.body),
            (expected.status, &expected.headers, &expected.body),
            "{name}"
        );
    }
    clock.advance(Duration::from_secs(3_600));
    let expired = shape(fetch(server, "/", [&good]));
    assert_eq!((expired.status, expired.headers, expired.body), (expected.status, expected.headers, expected.body));
}

/// F07: and the log of the server does tell them apart.
#[test]
fn the_log_tells_failures_apart() {
    let (builder, seal) = known();
    let sessions = builder.build().unwrap();
    let ada = Plain::of("ada", START);
    for (cookie, reason) in [
        ("__Host-session=!".to_owned(), "malformed"),
        (Seal { version: 2, ..seal.clone() }.cookie(&ada), "unknown_version"),
        (Seal { key_id: [0; 4], ..seal.clone() }.cookie(&ada), "unknown_key"),
        (Seal { realm: "x".into(), ..seal.clone() }.cookie(&ada), "forged"),
        (seal.cookie(&Plain { kind: 0, ..ada.clone() }), "invalid"),
        (seal.cookie(&copy_of(ada.clone())), "wrong_kind"),
        (seal.cookie(&Plain { idle_deadline: 1, ..ada.clone() }), "idle"),
        (seal.cookie(&Plain { absolute_deadline: 1, ..ada.clone() }), "absolute"),
        (seal.cookie(&Plain::of("ada", START + 3_600_001)), "from_the_future"),
    ] {
        let log = logged(|| assert!(!is_live(&sessions, &cookie)));
        assert!(log.contains(&format!("\"{reason}\"")), "{reason}: {log}");
    }
}

/// F13: the log at its finest level, the errors and every `Debug` hold no token, no key, no value of a field and
/// no owner; and the log is not empty, so there was something to leak into.
#[test]
fn no_secret_reaches_the_log_or_debug() {
    const NUMBER: Field<u64> = Field::new("number");
    const VALUE: &str = "xyzzy-plugh-4711";
    const OWNER: &str = "ada-lovelace-1815";
    let key = Key::generate().unwrap();
    let key_text = key.to_secret_text().to_string();
    let mut shown = format!("{key:?}");
    let (old, old_key) = (under(Key::generate().unwrap()).build().unwrap(), &key_text);
    let keys = Keyring::new(Key::parse(old_key).unwrap(), []).unwrap();
    shown += &format!("{keys:?}");
    let sessions = under(key).build().unwrap();
    let mut tokens = Vec::new();
    let log = logged(|| {
        let forged = cookie(&old, |session| session.sign_in(OWNER));
        let made = cookie(&sessions, |session| {
            session.sign_in(OWNER);
            session.set(NOTE, VALUE.into());
            shown += &format!("{session:?}");
        });
        let request = sessions.begin([made.as_bytes()]);
        let session = wait(request.session()).unwrap();
        let csrf = session.csrf_token();
        assert!(!session.verify_csrf(&csrf[1..]));
        assert_eq!(session.get(NUMBER_OF_NOTE), None);
        assert!(session.read::<Vec<u8>>().is_none());
        let error = session.try_get(NUMBER_OF_NOTE).unwrap_err();
        shown += &error.to_string();
        session.set(NUMBER, 1);
        let second = wait(request.finish()).unwrap();
        shown += &format!("{:?}", session);
        let second = second.set_cookies().next().unwrap().to_str().unwrap().split(';').next().unwrap().to_owned();
        session.set(NOTE, "late".into());
        for bad in [&forged, "__Host-session=xx", &made[..made.len() - 1]] {
            assert!(!is_live(&sessions, bad));
        }
        let two = [made.as_bytes(), cookie(&sessions, |session| session.sign_in("eve")).as_bytes()].join(&b';');
        assert!(wait(sessions.begin([&two[..]]).session()).unwrap().owner().is_none());
        let out = sessions.begin([second.as_bytes()]);
        wait(out.session()).unwrap().sign_out();
        wait(out.finish()).unwrap().set_cookies().for_each(|line| shown += line.to_str().unwrap());
        wait(sessions.end_owner(OWNER)).unwrap();
        tokens.extend([forged, made, second, csrf]);
    });
    for word in ["session refused", "signed in", "session ended", "does not fit", "after its commit"] {
        assert!(log.contains(word), "{word} was not logged:\n{log}");
    }
    let secrets = tokens.iter().map(|token| token.strip_prefix("__Host-session=").unwrap_or(token));
    let secrets = secrets.chain([&key_text[5..], VALUE, OWNER]);
    for secret in secrets {
        for part in [secret, &secret[..16.min(secret.len())]] {
            assert!(!log.contains(part), "{part} in the log:\n{log}");
            assert!(!shown.contains(part), "{part} in Debug or Display:\n{shown}");
        }
    }
    let id = Seal::new(&key_text).open(&tokens[1]).id;
    assert!(!log.contains(&base64url(&id)) && !log.contains(&hex::encode(id)));
}

/// The field "note", read with another type.
const NUMBER_OF_NOTE: Field<u64> = Field::new("note");

/// F13: what tools print of the parts of a configuration names no secret.
#[test]
fn debug_of_keys_shows_ids_only() {
    let key = Key::generate().unwrap();
    let (text, id) = (key.to_secret_text().to_string(), key.id().to_string());
    assert_eq!(format!("{key:?}"), format!("Key({id}, secret withheld)"));
    let ring = format!("{:?}", Keyring::new(key, []).unwrap());
    assert!(ring.contains(&id) && !ring.contains(&text[5..20]), "{ring}");
}

/// G03, F05: the key id chooses. Among 100 keys an envelope opens under the one it names, and one that names
/// another key of the ring is refused although its own key is right there: so no second key is ever tried.
#[test]
fn among_a_hundred_keys_one_attempt_is_made() {
    let texts: Vec<_> = (0..100).map(|_| Key::generate().unwrap().to_secret_text()).collect();
    let mut keys = texts.iter().map(|text| Key::parse(text).unwrap());
    let ring = Keyring::new(keys.next().unwrap(), keys).unwrap();
    let sessions = Sessions::stateless(ring).clock(Clock::manual(START)).build().unwrap();
    let ada = Plain::of("ada", START);
    for (at, text) in texts.iter().enumerate() {
        let seal = Seal::new(text);
        assert_eq!(owner(&sessions, &seal.cookie(&ada)).as_deref(), Some("ada"), "key {at}");
        let next = Seal::new(&texts[(at + 1) % texts.len()]);
        let swapped = Seal { key_id: next.key_id, ..seal };
        assert_eq!(reason(&sessions, value(&swapped.cookie(&ada))), Some(Reason::Forged), "key {at}");
    }
}

/// F12: a value nested a thousand deep is an error of its field, not the end of the server.
#[test]
fn a_deeply_nested_value_is_an_error_and_no_crash() {
    const DEEP: Field<serde_json::Value> = Field::new("deep");
    let (builder, seal) = known();
    let sessions = builder.build().unwrap();
    let bomb = format!("{}{}", "[".repeat(1_200), "]".repeat(1_200));
    let made = seal.cookie(&Plain::of("ada", START).field("deep", &bomb).field("note", "\"fine\""));
    let session = wait(sessions.begin([made.as_bytes()]).session()).unwrap();
    assert!(session.try_get(DEEP).is_err());
    assert_eq!((session.get(DEEP), session.get(NOTE).as_deref()), (None, Some("fine")));
}

/// F07, G02: a visitor with a bad cookie is served, and whoami over HTTP says nobody.
#[test]
fn a_bad_cookie_never_makes_an_error_page() {
    let (builder, seal) = known();
    let server = serve(who_app(&builder.build().unwrap()));
    for bad in [seal.cookie(&Plain { kind: 77, ..Plain::of("ada", START) }), "__Host-session=%00%ff;;;==".into()] {
        let reply = fetch(server, "/", [&bad]);
        assert_eq!((reply.status, reply.text()), (200, "nobody"));
    }
}
