//! The envelope from inside (F12, C11): any bytes as a plaintext, sealed under a known key by the second
//! implementation, so that the readers of header and fields see them. What opens is what an independent reader of
//! `docs/cookie-format.md` finds; a write then changes one field and leaves every other byte of the data alone.
#![no_main]

use std::sync::LazyLock;

use hardtack::{CommitError, Field, Kind, Reason, Sessions};
use hardtack_fuzz::{
    NAME,
    independent::{Plain, Seal, pad},
    key, lines, ready, sessions,
};
use libfuzzer_sys::fuzz_target;

/// What fits beside the name into a cookie: 94 times 32 bytes.
const LONGEST: usize = 3008;
const NOTE: Field<String> = Field::new("note");

static WORLD: LazyLock<(Sessions, Seal)> = LazyLock::new(|| (sessions(), Seal::new(key())));

fuzz_target!(|input: &[u8]| {
    let (sessions, seal) = &*WORLD;
    let mut plaintext = pad(input[..input.len().min(LONGEST)].to_vec());
    if plaintext.is_empty() {
        plaintext = vec![0; 32];
    }
    let value = seal.value([7; 24], &plaintext);
    let inspection = sessions.inspect(&value);
    let Some(plain) = read(&plaintext) else {
        assert_eq!(inspection.err(), Some(Reason::Invalid));
        return;
    };
    let inspection = inspection.expect("lawful, so it opens");
    let kind = match plain.kind {
        1 => Kind::Anonymous,
        2 => Kind::Stateless,
        3 => Kind::Stored,
        _ => Kind::Hybrid,
    };
    assert_eq!(inspection.kind(), kind);
    assert_eq!(inspection.is_remembered(), plain.flags == 1);
    assert_eq!(inspection.generation(), plain.generation);
    assert_eq!(inspection.owner().unwrap_or_default().as_bytes(), plain.owner);
    assert_eq!(inspection.created_at(), plain.created);
    assert_eq!(inspection.authenticated_at(), plain.authenticated);
    assert_eq!(inspection.last_seen_at(), plain.last_seen);
    assert_eq!(inspection.confirmed_at(), plain.confirmed);
    assert_eq!(inspection.version(), plain.version);
    assert_eq!(inspection.renewed_at(), plain.renewed);
    assert_eq!(inspection.label().unwrap_or_default().as_bytes(), plain.label);
    assert!(kind == Kind::Stored || inspection.idle_deadline() <= plain.idle_deadline);
    assert!(inspection.absolute_deadline() <= plain.absolute_deadline);
    let _ = inspection.data_json();

    let cookie = format!("{NAME}={value}");
    let request = sessions.begin([cookie.as_bytes()]);
    let session = ready(request.session()).expect("a session");
    // These sessions have no store, so they open no envelope that needs one.
    assert_eq!(session.is_live(), inspection.verdict().is_ok() && plain.kind < 3);
    if !session.is_live() {
        return;
    }
    let _ = (session.try_get(NOTE), session.read::<serde_json::Value>(), session.expires_in());
    session.set(NOTE, "written".into());
    assert_eq!(session.get(NOTE).as_deref(), Some("written"));
    let headers = match ready(request.finish()) {
        Ok(headers) => headers,
        Err(CommitError::TooLarge { .. }) => return,
        Err(error) => panic!("{error}"),
    };
    let written = match lines(&headers)[..] {
        // It said so before.
        [] => plain.clone(),
        [line] => seal.open(line.split(';').next().unwrap_or_default()),
        _ => panic!("two cookies"),
    };
    assert_eq!(written.fields, with_note(plain.fields));
    assert_eq!((written.id, written.handle, &written.owner), (plain.id, plain.handle, &plain.owner));
    assert_eq!((written.created, written.authenticated), (plain.created, plain.authenticated));
});

/// A second reader, of lawful plaintexts only.
fn read(plaintext: &[u8]) -> Option<Plain> {
    let mut rest = plaintext;
    let mut take = |length: usize| {
        let (part, after) = rest.split_at_checked(length)?;
        rest = after;
        Some(part)
    };
    let number = |part: &[u8]| part.iter().fold(0_u64, |number, byte| number << 8 | u64::from(*byte));
    let mut plain = Plain { kind: take(1)?[0], flags: take(1)?[0], ..Plain::of("", 0) };
    plain.id = take(32)?.try_into().ok()?;
    plain.handle = take(16)?.try_into().ok()?;
    plain.generation = u32::try_from(number(take(4)?)).ok()?;
    plain.epoch = number(take(6)?);
    plain.shard = u16::try_from(number(take(2)?)).ok()?;
    plain.created = number(take(6)?);
    plain.authenticated = number(take(6)?);
    plain.confirmed = number(take(6)?);
    plain.last_seen = number(take(6)?);
    plain.idle_deadline = number(take(6)?);
    plain.absolute_deadline = number(take(6)?);
    plain.version = number(take(6)?);
    let owner = number(take(2)?);
    plain.owner = take(usize::try_from(owner).ok()?)?.to_vec();
    if plain.kind == 4 {
        plain.renewed = number(take(6)?);
        let label = take(1)?[0];
        plain.label = take(usize::from(label))?.to_vec();
    }
    for _ in 0..number(take(2)?) {
        let name = take(1)?[0];
        let name = take(usize::from(name))?.to_vec();
        let json = number(take(4)?);
        plain.fields.push((name, take(usize::try_from(json).ok()?)?.to_vec()));
    }
    let lawful = matches!(plain.kind, 1..=4)
        && plain.flags < 2
        && plain.id != [0; 32]
        && plain.owner.len() <= 512
        && (matches!(plain.kind, 2 | 4) || plain.owner.is_empty())
        && [&plain.owner, &plain.label].iter().all(|text| std::str::from_utf8(text).is_ok());
    lawful.then_some(plain)
}

type Fields = Vec<(Vec<u8>, Vec<u8>)>;

fn with_note(mut fields: Fields) -> Fields {
    let json = b"\"written\"".to_vec();
    match fields.iter_mut().find(|(name, _)| name == b"note") {
        Some((_, value)) => *value = json,
        None => fields.push((b"note".to_vec(), json)),
    }
    fields
}
