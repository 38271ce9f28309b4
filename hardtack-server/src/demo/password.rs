//! The one password of the demo: from `SECRET_PASSWORD` in the environment or in `.env`, else made on
//! first run, told once, and kept as an Argon2id hash.

use std::{
    env::VarError,
    fs::{self, OpenOptions},
    io::{ErrorKind, Write},
    path::Path,
    sync::Arc,
};

use argon2::{
    Algorithm, Argon2, Params, Version,
    password_hash::{PasswordHasher, PasswordVerifier, phc::PasswordHash},
};
use rand::{TryRng, rngs::SysRng};
use tokio::sync::Semaphore;

use crate::Failure;

const VARIABLE: &str = "SECRET_PASSWORD";
/// The longest password that is hashed, in bytes; longer ones are refused before (I05).
pub(super) const MAX_PASSWORD: usize = 1024;
/// How many passwords are hashed at the same time: each takes 19 MiB.
const HASHES_AT_ONCE: usize = 2;

pub(super) struct Password {
    hash: Arc<str>,
    told: String,
    /// What the login page says about where the password comes from.
    pub(super) hint: &'static str,
    slots: Semaphore,
}

impl Password {
    pub(super) fn open(data: &Path) -> Result<Self, Failure> {
        let path = data.join("password");
        if let Some(password) = configured()? {
            return Ok(Self::new(
                hash(&password)?,
                format!("yours, from {VARIABLE}"),
                "The password you set in SECRET_PASSWORD.",
            ));
        }
        let hint = "The password that the demo printed when it first started.";
        if let Ok(hash) = fs::read_to_string(&path) {
            PasswordHash::new(hash.trim()).map_err(|error| format!("{}: {error}; remove the file", path.display()))?;
            let told = format!(
                "the one told on first run (hash in {}; remove it for a new one, or set {VARIABLE})",
                path.display()
            );
            return Ok(Self::new(hash.trim().into(), told, hint));
        }
        let password = random()?;
        let hash = hash(&password)?;
        let mut options = OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let written = options.open(&path).and_then(|mut file| writeln!(file, "{hash}"));
        written.map_err(|error| format!("{}: {error}", path.display()))?;
        let told = format!("{password}   (made just now and told this once; or set {VARIABLE})");
        Ok(Self::new(hash, told, hint))
    }

    fn new(hash: String, told: String, hint: &'static str) -> Self {
        Self { hash: hash.into(), told, hint, slots: Semaphore::new(HASHES_AT_ONCE) }
    }

    /// What the console is told about the password.
    pub(super) fn told(&self) -> &str {
        &self.told
    }

    /// Whether `password` is the one. Runs beside the server's threads, a few at a time.
    pub(super) async fn verify(&self, password: String) -> Result<bool, Failure> {
        let _slot = self.slots.acquire().await?;
        let hash = self.hash.clone();
        let verified = tokio::task::spawn_blocking(move || {
            PasswordHash::new(&hash).is_ok_and(|hash| argon2().verify_password(password.as_bytes(), &hash).is_ok())
        });
        Ok(verified.await?)
    }
}

/// The password that the user chose, if any. In `.env` it is taken literally, up to the end of the line; only
/// quotes around all of it fall away.
fn configured() -> Result<Option<String>, Failure> {
    let password = match std::env::var(VARIABLE) {
        Ok(password) => Some(password),
        Err(VarError::NotUnicode(_)) => return Err(format!("{VARIABLE} is not UTF-8; write it in UTF-8").into()),
        Err(VarError::NotPresent) => from_file(Path::new(".env"))?,
    };
    match password.filter(|password| !password.is_empty()) {
        Some(password) if password.len() > MAX_PASSWORD => {
            Err(format!("{VARIABLE} has more than {MAX_PASSWORD} bytes; choose a shorter one").into())
        }
        password => Ok(password),
    }
}

fn from_file(path: &Path) -> Result<Option<String>, Failure> {
    let text = match fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(format!("{}: {error}", path.display()).into()),
    };
    let mut lines = text.lines().map(|line| line.trim().trim_start_matches("export "));
    let value = lines.find_map(|line| line.strip_prefix(VARIABLE)?.trim_start().strip_prefix('=')).map(str::trim);
    let unquoted = |quote| value?.strip_prefix(quote)?.strip_suffix(quote);
    Ok(unquoted('"').or_else(|| unquoted('\'')).or(value).map(Into::into))
}

/// 20 characters out of 32 without look-alikes: 100 random bits.
fn random() -> Result<String, Failure> {
    const LETTERS: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";
    let mut bytes = [0; 20];
    SysRng.try_fill_bytes(&mut bytes)?;
    let letters: Vec<_> = bytes.iter().map(|byte| char::from(LETTERS[usize::from(byte % 32)])).collect();
    Ok(letters.chunks(5).map(String::from_iter).collect::<Vec<_>>().join("-"))
}

fn hash(password: &str) -> Result<String, Failure> {
    Ok(argon2().hash_password(password.as_bytes())?.to_string())
}

/// Argon2id with 19 MiB and two passes, OWASP's floor.
fn argon2() -> Argon2<'static> {
    Argon2::new(Algorithm::Argon2id, Version::V0x13, Params::default())
}
