//! [`Passwords`]: hashing and verifying, a few at a time.

mod cost;
mod policy;
mod schemes;

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};

use rand::{TryRng, rngs::SysRng};
use tokio::{sync::Semaphore, task::spawn_blocking};
use zeroize::Zeroizing;

pub use self::{
    cost::Cost,
    policy::{PasswordPolicy, Weakness},
};
use self::{
    cost::{OUTPUT, SALT},
    schemes::Match,
};
use crate::{error::BuildError, events};

/// The longest password, in bytes: longer ones are refused before anything is hashed (I05).
pub const MAX_PASSWORD: usize = 1024;

/// Hashes and verifies passwords beside the server's threads, a few at a time. Cheap to clone; clones share one pool.
///
/// - New hashes are Argon2id at [`Cost`]. Argon2, scrypt (`$scrypt$ln=…`) and bcrypt (`$2a$`, `$2b$`, `$2y$`) are
///   verified; [`Verdict::Outdated`] asks for a new hash of those that are not what would be made today (I03).
/// - bcrypt looks at 72 bytes. A longer password, or one with a NUL, does not match a bcrypt hash, because what it
///   leaves out would be a second password (I02).
/// - Each hash takes memory, so [`at_once`](PasswordsBuilder::at_once) bounds how many are made, and
///   [`waiting`](PasswordsBuilder::waiting) how many wait; the next one is [`PasswordError::Busy`] (I05).
/// - Without a hash, for a user that does not exist, verifying costs what it costs for one that does (I04).
///
/// ```
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// use hardtack::login::{Passwords, Verdict};
///
/// let passwords = Passwords::new()?;
/// let hash = passwords.hash("ship's biscuit").await?;
/// assert_eq!(passwords.verify("ship's biscuit", Some(&hash)).await?, Verdict::Right);
/// assert_eq!(passwords.verify("ship's biscuit", None).await?, Verdict::Wrong);
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Passwords {
    pool: Arc<Pool>,
}

struct Pool {
    cost: Cost,
    policy: PasswordPolicy,
    slots: Arc<Semaphore>,
    waiting: AtomicUsize,
    most_waiting: usize,
    /// A hash at the present cost that no password has.
    dummy: Arc<str>,
}

impl Passwords {
    /// With the defaults.
    ///
    /// # Errors
    ///
    /// [`BuildError::Random`] when the operating system gives no random numbers.
    pub fn new() -> Result<Self, BuildError> {
        Self::builder().build()
    }

    /// To configure.
    pub fn builder() -> PasswordsBuilder {
        let cores = thread::available_parallelism().map_or(1, usize::from);
        PasswordsBuilder {
            cost: Cost::default(),
            policy: PasswordPolicy::default(),
            at_once: cores.div_ceil(2).min(8),
            waiting: 256,
        }
    }

    /// Which passwords may be chosen.
    pub fn policy(&self) -> &PasswordPolicy {
        &self.pool.policy
    }

    /// A new hash, in PHC form, under a salt of its own.
    ///
    /// # Errors
    ///
    /// [`PasswordError`].
    pub async fn hash(&self, password: &str) -> Result<String, PasswordError> {
        let (password, cost) = (bounded(password)?, self.pool.cost);
        let salt = random::<SALT>().ok_or(PasswordError::Failed)?;
        let hash = self.pool.run(move || schemes::hash(&password, &salt, &cost)).await?;
        hash.ok_or(PasswordError::Failed)
    }

    /// Whether `password` has this hash. `None` is a user who does not exist: nothing matches, at the same cost.
    ///
    /// # Errors
    ///
    /// [`PasswordError`].
    pub async fn verify(&self, password: &str, hash: Option<&str>) -> Result<Verdict, PasswordError> {
        let password = bounded(password)?;
        let (hash, dummy): (Option<Arc<str>>, _) = (hash.map(Into::into), self.pool.dummy.clone());
        let cost = self.pool.cost;
        self.pool
            .run(move || {
                let found = hash.as_deref().map_or(Match::Unreadable, |hash| schemes::verify(&password, hash));
                match (found, hash) {
                    (Match::Right, Some(hash)) if schemes::is_current(&hash, &cost) => Verdict::Right,
                    (Match::Right, _) => Verdict::Outdated,
                    (Match::Wrong, _) => Verdict::Wrong,
                    (Match::Unreadable, hash) => {
                        if hash.is_some() {
                            events::unreadable_hash();
                        }
                        schemes::verify(&password, &dummy);
                        Verdict::Wrong
                    }
                }
            })
            .await
    }
}

impl Pool {
    /// Runs `work` on a thread that may block, when there is room. A caller who leaves does not free the room early.
    async fn run<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Result<T, PasswordError> {
        let slot = match self.slots.clone().try_acquire_owned() {
            Ok(slot) => slot,
            Err(_) => {
                let _place = Place::take(self)?;
                self.slots.clone().acquire_owned().await.map_err(|_| PasswordError::Failed)?
            }
        };
        let task = spawn_blocking(move || {
            let done = work();
            drop(slot);
            done
        });
        task.await.map_err(|_| PasswordError::Failed)
    }
}

/// A place in the queue.
struct Place<'a>(&'a AtomicUsize);

impl<'a> Place<'a> {
    fn take(pool: &'a Pool) -> Result<Self, PasswordError> {
        let place = Self(&pool.waiting);
        let before = pool.waiting.fetch_add(1, Ordering::Relaxed);
        if before < pool.most_waiting { Ok(place) } else { Err(PasswordError::Busy) }
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

fn bounded(password: &str) -> Result<Zeroizing<Vec<u8>>, PasswordError> {
    if password.len() > MAX_PASSWORD {
        return Err(PasswordError::TooLong);
    }
    Ok(Zeroizing::new(password.as_bytes().to_vec()))
}

fn random<const N: usize>() -> Option<[u8; N]> {
    let mut bytes = [0; N];
    SysRng.try_fill_bytes(&mut bytes).ok().map(|()| bytes)
}

impl fmt::Debug for Passwords {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Passwords").field("cost", &self.pool.cost).field("policy", &self.pool.policy).finish()
    }
}

/// Configures [`Passwords`].
#[derive(Debug)]
#[must_use = "call build()"]
pub struct PasswordsBuilder {
    cost: Cost,
    policy: PasswordPolicy,
    at_once: usize,
    waiting: usize,
}

impl PasswordsBuilder {
    /// What one hash costs. Default 19 MiB and two passes.
    pub fn cost(mut self, cost: Cost) -> Self {
        self.cost = cost;
        self
    }

    /// Which passwords may be chosen. Default at least 8 characters.
    pub fn policy(mut self, policy: PasswordPolicy) -> Self {
        self.policy = policy;
        self
    }

    /// How many hashes are made at the same time; each takes the memory of its [`Cost`], an old one what it was made with,
    /// at most 256 MiB. Default half of the cores, at most 8; from 1 to 64.
    pub fn at_once(mut self, hashes: usize) -> Self {
        self.at_once = hashes;
        self
    }

    /// How many more wait for their turn; each takes its password's bytes. Default 256, at most 100,000. The next one is
    /// [`PasswordError::Busy`].
    pub fn waiting(mut self, requests: usize) -> Self {
        self.waiting = requests;
        self
    }

    /// Checks everything.
    ///
    /// # Errors
    ///
    /// [`BuildError`], whose message says what to write instead.
    pub fn build(self) -> Result<Passwords, BuildError> {
        self.policy.validate()?;
        if !(1..=64).contains(&self.at_once) || self.waiting > 100_000 {
            let why = "at_once is from 1 to 64 hashes, and waiting is at most 100,000 requests".into();
            return Err(BuildError::Setting { why });
        }
        let salt = random::<SALT>().ok_or(BuildError::Random)?;
        let output = random::<OUTPUT>().ok_or(BuildError::Random)?;
        let pool = Pool {
            dummy: dummy(&self.cost, &salt, &output).into(),
            cost: self.cost,
            policy: self.policy,
            slots: Arc::new(Semaphore::new(self.at_once)),
            waiting: AtomicUsize::new(0),
            most_waiting: self.waiting,
        };
        Ok(Passwords { pool: Arc::new(pool) })
    }
}

/// A hash that cost nothing to make: its output is random.
fn dummy(cost: &Cost, salt: &[u8], output: &[u8]) -> String {
    let base64 = |bytes: &[u8]| base64_simd::STANDARD_NO_PAD.encode_to_string(bytes);
    let (memory, passes) = (cost.memory_kib(), cost.passes());
    format!("$argon2id$v=19$m={memory},t={passes},p=1${}${}", base64(salt), base64(output))
}

/// Whether a password is the one of a hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It is not.
    Wrong,
    /// It is.
    Right,
    /// It is, and the hash is not what would be made of it today: keep a new one.
    Outdated,
}

/// Why a password was neither hashed nor verified.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum PasswordError {
    /// It has more than [`MAX_PASSWORD`] bytes (I05).
    TooLong,
    /// As many wait as may.
    Busy,
    /// No random numbers, or no thread.
    Failed,
}

impl fmt::Display for PasswordError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLong => write!(f, "a password has at most {MAX_PASSWORD} bytes"),
            Self::Busy => f.write_str("too many passwords are being checked; try again in a moment"),
            Self::Failed => f.write_str("the password could not be checked"),
        }
    }
}

impl std::error::Error for PasswordError {}
