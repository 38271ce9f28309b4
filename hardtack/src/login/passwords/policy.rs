//! Which passwords people may choose: [`PasswordPolicy`].

use std::{fmt, sync::Arc};

use super::MAX_PASSWORD;
use crate::error::BuildError;

/// The shortest minimum that can be configured (I01), and the default.
const LEAST: usize = 8;
/// The longest minimum: passwords of 64 characters must be possible (I01).
const MOST: usize = 64;

type Forbids = Arc<dyn Fn(&str, &str) -> bool + Send + Sync>;

/// Which passwords people may choose, asked when one is set or changed and never when one is verified.
///
/// Length alone counts, in code points: at least 8, or what [`min_length`](Self::min_length) says; NIST recommends 15
/// where the password is the only factor. At most 1,024 bytes. There are no rules of composition, and every character of
/// Unicode is one (I01). What was typed is what is hashed: nothing is truncated, folded or normalised (I02).
///
/// ```
/// use hardtack::login::{PasswordPolicy, Weakness};
///
/// let policy = PasswordPolicy::default().forbid(|password, _name| password == "correct horse battery staple");
/// assert_eq!(policy.check("ada", "biscuit"), Err(Weakness::TooShort { length: 7, least: 8 }));
/// assert_eq!(policy.check("ada", "correct horse battery staple"), Err(Weakness::Forbidden));
/// assert_eq!(policy.check("ada", "ship's biscuits"), Ok(()));
/// ```
#[derive(Clone)]
pub struct PasswordPolicy {
    least: usize,
    forbids: Vec<Forbids>,
}

impl PasswordPolicy {
    /// The fewest code points. Default 8; from 8 to 64.
    pub fn min_length(mut self, code_points: usize) -> Self {
        self.least = code_points;
        self
    }

    /// The hook for common and breached passwords (I07): `forbids` gets the password and the name of the user, and answers
    /// whether it is forbidden. Called again it adds another one. What takes a request to elsewhere is asked by the
    /// application before it sets the password.
    pub fn forbid(mut self, forbids: impl Fn(&str, &str) -> bool + Send + Sync + 'static) -> Self {
        self.forbids.push(Arc::new(forbids));
        self
    }

    /// Whether the user of this name may have this password. The name itself, in any letters, is no password.
    ///
    /// # Errors
    ///
    /// [`Weakness`], which tells the person what to do.
    pub fn check(&self, name: &str, password: &str) -> Result<(), Weakness> {
        let length = password.chars().count();
        if length < self.least {
            return Err(Weakness::TooShort { length, least: self.least });
        }
        if password.len() > MAX_PASSWORD {
            return Err(Weakness::TooLong);
        }
        if !name.is_empty() && password.to_lowercase() == name.to_lowercase() {
            return Err(Weakness::IsTheName);
        }
        if self.forbids.iter().any(|forbids| forbids(password, name)) { Err(Weakness::Forbidden) } else { Ok(()) }
    }

    pub(super) fn validate(&self) -> Result<(), BuildError> {
        if (LEAST..=MOST).contains(&self.least) {
            return Ok(());
        }
        let why = format!(
            "the shortest password has {LEAST} to {MOST} characters; write PasswordPolicy::default().min_length(15)"
        );
        Err(BuildError::Setting { why })
    }
}

impl Default for PasswordPolicy {
    fn default() -> Self {
        Self { least: LEAST, forbids: Vec::new() }
    }
}

impl fmt::Debug for PasswordPolicy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PasswordPolicy").field("least", &self.least).field("forbids", &self.forbids.len()).finish()
    }
}

/// Why a password cannot be chosen. Its text is for the person who chose it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Weakness {
    /// Fewer code points than the policy asks for.
    TooShort {
        /// How many it has.
        length: usize,
        /// How many it needs.
        least: usize,
    },
    /// More than 1,024 bytes.
    TooLong,
    /// It is the user's own name.
    IsTheName,
    /// The application's hook knows it: common, or breached.
    Forbidden,
}

impl fmt::Display for Weakness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooShort { length, least } => {
                write!(f, "A password has at least {least} characters, and this one has {length}.")
            }
            Self::TooLong => write!(f, "A password has at most {MAX_PASSWORD} bytes."),
            Self::IsTheName => f.write_str("Your name is the first password that others try. Choose another one."),
            Self::Forbidden => {
                f.write_str("Many people use that password, so it is easy to guess. Choose another one.")
            }
        }
    }
}

impl std::error::Error for Weakness {}
