//! `hardtack keys`. What `list` prints never holds a secret; `generate` prints nothing else.

use std::{
    io::{Read, stdin},
    path::Path,
    time::Duration,
};

use hardtack::{BuildError, Clock, Key, KeyFile, KeyId, Keyring};
use zeroize::Zeroizing;

use crate::{
    Failure,
    cli::{ImportAs, Keys, KeysCommand, Schedule},
};

pub(crate) fn run(args: Keys) -> Result<(), Failure> {
    let now = Clock::system().now_ms();
    match args.command {
        KeysCommand::Generate => println!("{}", *Key::generate()?.to_secret_text()),
        KeysCommand::List { keys } => list(&open(keys.as_deref())?, now),
        KeysCommand::Add { file, now: true, .. } => {
            let key = Key::generate()?;
            let id = key.id();
            KeyFile::open(file.keys)?.add_active(key, now)?;
            println!("{id} added; it seals from the next reload");
        }
        KeysCommand::Add { file, schedule, .. } => {
            let key = Key::generate()?;
            let id = key.id();
            KeyFile::open(file.keys)?.add(key, schedule.lead(), now)?;
            println!("{id} added; it opens from the next reload and seals in {} seconds", schedule.seconds);
        }
        KeysCommand::Import { file, import_as, schedule } => {
            let key = from_stdin()?;
            let id = key.id();
            let mut file = KeyFile::open(file.keys)?;
            match import_as {
                ImportAs::Retired => file.add_retired(key, now)?,
                ImportAs::Pending => file.add(key, schedule.lead(), now)?,
            }
            println!("{id} imported");
        }
        KeysCommand::Activate { file, schedule, id } => {
            KeyFile::open(file.keys)?.activate(parse(&id)?, schedule.lead(), now)?;
            println!("{id} seals in {} seconds", schedule.seconds);
        }
        KeysCommand::Retire { file, id } => {
            KeyFile::open(file.keys)?.retire(parse(&id)?, now)?;
            println!("{id} retired");
        }
        KeysCommand::Revoke { file, replace, id } => revoke(KeyFile::open(file.keys)?, parse(&id)?, replace, now)?,
    }
    Ok(())
}

/// The keys in a file, or without one those of the environment.
pub(crate) fn open(file: Option<&Path>) -> Result<Keyring, BuildError> {
    file.map_or_else(Keyring::from_env, Keyring::from_existing_file)
}

fn list(keys: &Keyring, now: u64) {
    for (key, state) in keys.keys(now) {
        match keys.seals_from(key.id()).and_then(|from| from.checked_sub(now)).filter(|left| *left > 0) {
            Some(left) => println!("{}  {}  seals in {} seconds", key.id(), state.as_str(), left.div_ceil(1000)),
            None => println!("{}  {}", key.id(), state.as_str()),
        }
    }
    for id in keys.revoked() {
        println!("{id}  revoked");
    }
}

fn revoke(mut file: KeyFile, id: KeyId, replace: bool, now: u64) -> Result<(), Failure> {
    if replace {
        let key = Key::generate()?;
        let new = key.id();
        file.replace_active(id, key, now)?;
        println!("{id} revoked; {new} seals from the next reload");
    } else {
        file.revoke(id, now)?;
        println!("{id} revoked; its secret is gone from the file");
    }
    Ok(())
}

fn from_stdin() -> Result<Key, Failure> {
    let mut text = Zeroizing::new(String::new());
    stdin().lock().take(4096).read_to_string(&mut text)?;
    Ok(Key::parse(text.trim())?)
}

fn parse(id: &str) -> Result<KeyId, Failure> {
    KeyId::parse(id).ok_or_else(|| format!("{id:?} is no key id; \"hardtack keys list\" shows them").into())
}

impl Schedule {
    fn lead(&self) -> Duration {
        Duration::from_secs(self.seconds)
    }
}
