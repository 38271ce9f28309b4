//! The keyring in a file.

use std::{
    fs::{self, File, OpenOptions},
    io::{ErrorKind, Read, Write},
    path::Path,
};

use zeroize::Zeroizing;

use super::{Key, KeyState, Keyring};
use crate::error::BuildError;

pub(super) fn load_or_create(path: &Path) -> Result<Keyring, BuildError> {
    match File::open(path) {
        Ok(file) => parse(file, path),
        Err(error) if error.kind() == ErrorKind::NotFound => create(path),
        Err(error) => Err(failed(path, error)),
    }
}

pub(super) fn load(path: &Path) -> Result<Keyring, BuildError> {
    parse(File::open(path).map_err(|error| failed(path, error))?, path)
}

fn parse(mut file: File, path: &Path) -> Result<Keyring, BuildError> {
    private(&file, path)?;
    let mut text = Zeroizing::new(String::new());
    file.read_to_string(&mut text).map_err(|error| failed(path, error))?;
    let mut entries = Vec::new();
    for (number, line) in (1..).zip(text.lines()) {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let at = |why: String| failed(path, format!("line {number}: {why}"));
        let (state, key) = line.split_once([' ', '\t']).ok_or_else(|| at("write a state and a key".into()))?;
        let state = [KeyState::Active, KeyState::Retired].into_iter().find(|known| known.as_str() == state);
        let state = state.ok_or_else(|| at("the state is \"active\" or \"retired\"".into()))?;
        entries.push((Key::parse(key.trim()).map_err(|error| at(error.to_string()))?, state));
    }
    Keyring::from_entries(entries).map_err(|error| failed(path, error))
}

/// Makes the file under a temporary name and links it into place, so that nobody ever reads half a
/// file and of two processes that start at once one wins and the other reads what it wrote.
fn create(path: &Path) -> Result<Keyring, BuildError> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let io = |error: std::io::Error| failed(path, error);
    fs::create_dir_all(folder).map_err(io)?;
    let key = Key::generate()?;
    let draft = folder.join(format!(".{}.{}", key.id(), std::process::id()));
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(&draft).map_err(io)?;
    let text = Zeroizing::new(format!(
        "# Keys of hardtack. Whoever reads this file can sign in as anybody. Keep it; back it up.\nactive {}\n",
        *key.to_secret_text()
    ));
    let written = file.write_all(text.as_bytes()).and_then(|()| file.sync_all());
    let linked = written.and_then(|()| fs::hard_link(&draft, path));
    fs::remove_file(&draft).map_err(io)?;
    match linked {
        Ok(()) => {
            File::open(folder).and_then(|folder| folder.sync_all()).map_err(io)?;
            Keyring::new(key, [])
        }
        Err(error) if error.kind() == ErrorKind::AlreadyExists => load(path),
        Err(error) => Err(io(error)),
    }
}

#[cfg(unix)]
fn private(file: &File, path: &Path) -> Result<(), BuildError> {
    use std::os::unix::fs::PermissionsExt;
    let mode = file.metadata().map_err(|error| failed(path, error))?.permissions().mode();
    if mode & 0o077 == 0 {
        return Ok(());
    }
    Err(failed(path, format!("others may read it (mode {:o}); run: chmod 600 {}", mode & 0o777, path.display())))
}

#[cfg(not(unix))]
fn private(_file: &File, _path: &Path) -> Result<(), BuildError> {
    Ok(())
}

fn failed(path: &Path, why: impl ToString) -> BuildError {
    BuildError::KeyFile { path: path.to_owned(), why: why.to_string() }
}
