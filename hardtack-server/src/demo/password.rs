//! The one password of the demo: from `SECRET_PASSWORD` in the environment or in `.env`, else made on
//! first run, told once, and kept as an Argon2id hash.

use std::{
    env::VarError,
    fs::{self, OpenOptions},
    io::{ErrorKind, Write},
    path::Path,
};

use hardtack::login::{MAX_PASSWORD, Passwords};
use rand::{TryRng, rngs::SysRng};

use crate::Failure;

const VARIABLE: &str = "SECRET_PASSWORD";
pub(super) struct Password {
    pub(super) hash: String,
    told: String,
    /// What the login page says about where the password comes from.
    pub(super) hint: &'static str,
}

impl Password {
    pub(super) async fn open(data: &Path, passwords: &Passwords) -> Result<Self, Failure> {
        let path = data.join("password");
        if let Some(password) = configured()? {
            return Ok(Self::new(
                passwords.hash(&password).await?,
                format!("yours, from {VARIABLE}"),
                "The password you set in SECRET_PASSWORD.",
            ));
        }
        let hint = "The password that the demo printed when it first started.";
        if let Ok(hash) = fs::read_to_string(&path) {
            if !hash.trim().starts_with("$argon2id$") {
                return Err(format!("{} holds no hash of a password; remove the file", path.display()).into());
            }
            let told = format!(
                "the one told on first run (hash in {}; remove it for a new one, or set {VARIABLE})",
                path.display()
            );
            return Ok(Self::new(hash.trim().into(), told, hint));
        }
        let password = random()?;
        let hash = passwords.hash(&password).await?;
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
        Self { hash, told, hint }
    }

    /// What the console is told about the password.
    pub(super) fn told(&self) -> &str {
        &self.told
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
