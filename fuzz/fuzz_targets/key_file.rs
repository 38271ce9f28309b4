//! The file of keys (F09, F13, G01): any bytes as its text. What is accepted is what a second reader of the format
//! finds, with its states; an error repeats no secret; a change through `KeyFile` keeps all of it.
#![no_main]

use std::{
    collections::{BTreeMap, BTreeSet},
    fs::{self, Permissions},
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    sync::LazyLock,
};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use hardtack::{Key, KeyFile, KeyId, Keyring};
use hardtack_fuzz::{independent::derive, now};
use libfuzzer_sys::fuzz_target;

/// `fuzz/run` chooses a temporary folder in memory, because every run writes and syncs.
static PATH: LazyLock<PathBuf> = LazyLock::new(|| {
    let folder = std::env::temp_dir().join(format!("hardtack-fuzz-{}", std::process::id()));
    fs::create_dir_all(&folder).expect("a folder");
    folder.join("keys")
});

fuzz_target!(|input: &[u8]| {
    let path = &*PATH;
    fs::write(path, input).expect("a file");
    fs::set_permissions(path, Permissions::from_mode(0o600)).expect("its mode");
    let expected = std::str::from_utf8(input).ok().and_then(Ring::read);
    match (Keyring::from_existing_file(path), expected) {
        (Ok(keys), Some(ring)) => {
            for now in ring.moments() {
                assert_eq!(seen(&keys, now), ring.states(now), "at {now}");
            }
            changed(path, &ring);
        }
        (Err(error), None) => {
            // The path is in every message, and libFuzzer sees what is compared and tries it.
            let message = format!("{error} {error:?}").replace(&*path.to_string_lossy(), "");
            for word in String::from_utf8_lossy(input).split_whitespace().filter(|word| word.len() > 20) {
                assert!(!message.contains(word), "the message repeats {word:?}");
            }
        }
        (Ok(_), None) => panic!("accepted"),
        (Err(error), Some(_)) => panic!("refused: {error}"),
    }
    let _ = fs::remove_file(path);
});

/// A change changes nothing else, then and later.
fn changed(path: &Path, ring: &Ring) {
    let text = "htk1_AQIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGRobHB0eHyA";
    let (id, now) = (id(text).expect("a key"), now());
    let added = KeyFile::open(path).expect("a file").add_retired(Key::parse(text).expect("a key"), now);
    let known = ring.keys.iter().any(|(_, known)| *known == id) || ring.revoked.contains(&id);
    assert_eq!(added.is_ok(), !known);
    if known {
        return;
    }
    let same_as_before = |added: &'static str| {
        let keys = Keyring::from_existing_file(path).expect("what we write we read");
        for later in ring.moments().into_iter().filter(|later| *later >= now) {
            let mut states = ring.states(later);
            states.insert(id.clone(), added);
            assert_eq!(seen(&keys, later), states, "at {later}");
        }
    };
    same_as_before("retired");
    let parsed = KeyId::parse(&id).expect("an id");
    KeyFile::open(path).and_then(|mut file| file.revoke(parsed, now)).expect("it can be revoked");
    same_as_before("revoked");
}
fn seen(keys: &Keyring, now: u64) -> BTreeMap<String, &'static str> {
    let live = keys.keys(now).into_iter().map(|(key, state)| (key.id().to_string(), state.as_str()));
    live.chain(keys.revoked().into_iter().map(|id| (id.to_string(), "revoked"))).collect()
}

/// A key file as a second reader understands it: each key with the time from which it seals, if it does.
struct Ring {
    keys: Vec<(Option<u64>, String)>,
    revoked: BTreeSet<String>,
}

impl Ring {
    fn read(text: &str) -> Option<Self> {
        let mut ring = Self { keys: Vec::new(), revoked: BTreeSet::new() };
        let mut active = 0;
        let mut all = BTreeSet::new();
        for line in text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#')) {
            let words: Vec<_> = line.split_ascii_whitespace().collect();
            let id = match words[..] {
                ["active", key] => {
                    active += 1;
                    ring.keys.insert(0, (Some(0), id(key)?));
                    id(key)?
                }
                ["pending", from, key] => {
                    ring.keys.push((Some(from.parse().ok()?), id(key)?));
                    id(key)?
                }
                ["retired", key] => {
                    ring.keys.push((None, id(key)?));
                    id(key)?
                }
                ["revoked", id] if id.len() == 8 && id.bytes().all(|byte| byte.is_ascii_hexdigit()) => {
                    ring.revoked.insert(id.to_lowercase());
                    id.to_lowercase()
                }
                _ => return None,
            };
            if !all.insert(id) {
                return None;
            }
        }
        (active == 1).then_some(ring)
    }

    fn states(&self, now: u64) -> BTreeMap<String, &'static str> {
        let due = self.keys.iter().filter_map(|(from, id)| Some(((*from)?, id))).filter(|(from, _)| *from <= now);
        // Of two from the same moment the later line counts.
        let sealing = due.max_by_key(|(from, _)| *from).map(|(_, id)| id);
        let state = |from: &Option<u64>, id| match from {
            _ if Some(id) == sealing => "active",
            Some(from) if *from > now => "pending",
            _ => "retired",
        };
        let live = self.keys.iter().map(|(from, id)| (id.clone(), state(from, id)));
        live.chain(self.revoked.iter().map(|id| (id.clone(), "revoked"))).collect()
    }

    /// The moments at which something changes, and those beside them.
    fn moments(&self) -> BTreeSet<u64> {
        let around = |from: u64| [from.saturating_sub(1), from, from.saturating_add(1)];
        self.keys.iter().filter_map(|(from, _)| *from).flat_map(around).chain([now()]).collect()
    }
}

fn id(key: &str) -> Option<String> {
    let secret: [u8; 32] = URL_SAFE_NO_PAD.decode(key.strip_prefix("htk1_")?).ok()?.try_into().ok()?;
    let all_equal = secret.iter().all(|byte| *byte == secret[0]);
    (!all_equal).then(|| derive::<4>(&secret, "hardtack 1 key id").iter().map(|byte| format!("{byte:02x}")).collect())
}
