//! `hardtack keys`.

use std::path::Path;

use hardtack::{BuildError, Key, Keyring};

use crate::{
    Failure,
    cli::{Keys, KeysCommand},
};

pub(crate) fn run(args: Keys) -> Result<(), Failure> {
    match args.command {
        KeysCommand::Generate => println!("{}", *Key::generate()?.to_secret_text()),
        KeysCommand::List { keys } => {
            for (key, state) in open(keys.as_deref())?.keys() {
                println!("{}  {}", key.id(), state.as_str());
            }
        }
    }
    Ok(())
}

/// The keys in a file, or without one those of the environment.
pub(crate) fn open(file: Option<&Path>) -> Result<Keyring, BuildError> {
    file.map_or_else(Keyring::from_env, Keyring::from_existing_file)
}
