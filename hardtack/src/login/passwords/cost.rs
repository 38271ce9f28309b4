//! What one hash costs: [`Cost`].

use std::time::{Duration, Instant};

use argon2::{Algorithm, Argon2, Params, Version};

use crate::error::BuildError;

/// Bytes of a hash.
pub(super) const OUTPUT: usize = 32;
/// Bytes of a salt.
pub(super) const SALT: usize = 16;
/// The most memory of one hash, in KiB: 256 MiB.
pub(super) const MAX_MEMORY: u32 = 256 * 1024;
const MAX_PASSES: u32 = 64;

/// OWASP's floor (I03): the least memory, in KiB, for one, two, and three or more passes.
const FLOOR: [u32; 3] = [47_104, 19_456, 12_288];

/// What one Argon2id hash costs. Default 19 MiB and two passes, OWASP's floor (I03); one lane.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cost {
    memory: u32,
    passes: u32,
}

impl Cost {
    /// So much memory, in KiB, and so many passes over it.
    ///
    /// # Errors
    ///
    /// [`BuildError::Setting`] below OWASP's floor (I03): 47,104 KiB for one pass, 19,456 for two, 12,288 for three or
    /// more; and above 256 MiB or 64 passes.
    pub fn argon2id(memory_kib: u32, passes: u32) -> Result<Self, BuildError> {
        let floor = match passes {
            0 => return refuse("a password hash takes at least 1 pass".into()),
            passes => FLOOR[(passes.min(3) - 1) as usize],
        };
        if memory_kib < floor {
            return refuse(format!(
                "Argon2id with {passes} pass{} takes at least {floor} KiB of memory, and {memory_kib} were asked for; \
                 write Cost::argon2id({floor}, {passes}), or Cost::default()",
                if passes == 1 { "" } else { "es" }
            ));
        }
        if memory_kib > MAX_MEMORY || passes > MAX_PASSES {
            return refuse(format!("a password hash takes at most {MAX_MEMORY} KiB and {MAX_PASSES} passes"));
        }
        Ok(Self { memory: memory_kib, passes })
    }

    /// As much as this machine does in `target`, never below the default: first more memory, up to 256 MiB, then more
    /// passes. It hashes a few times and blocks meanwhile, so call it from a tool and write down what it found: servers
    /// that measure for themselves disagree.
    pub fn calibrated(target: Duration) -> Self {
        let floor = Self::default();
        let once = (0..2).map(|_| floor.measured()).min().unwrap_or(target).max(Duration::from_micros(1));
        let ratio = target.as_secs_f64() / once.as_secs_f64();
        let most = f64::from(MAX_MEMORY) / f64::from(floor.memory);
        let memory = (f64::from(floor.memory) * ratio.clamp(1.0, most)) as u32;
        let passes = (f64::from(floor.passes) * (ratio / most).max(1.0)) as u32;
        Self { memory: memory.clamp(floor.memory, MAX_MEMORY), passes: passes.clamp(floor.passes, MAX_PASSES) }
    }

    /// KiB of memory that one hash takes while it is made.
    pub fn memory_kib(&self) -> u32 {
        self.memory
    }

    /// Passes over the memory.
    pub fn passes(&self) -> u32 {
        self.passes
    }

    /// How long one hash takes here and now.
    fn measured(&self) -> Duration {
        let (start, mut out) = (Instant::now(), [0; OUTPUT]);
        if let Some(argon2) = self.argon2() {
            let _ = argon2.hash_password_into(b"a password to measure", &[7; SALT], &mut out);
        }
        start.elapsed()
    }

    pub(super) fn argon2(&self) -> Option<Argon2<'static>> {
        let params = Params::new(self.memory, self.passes, 1, Some(OUTPUT)).ok()?;
        Some(Argon2::new(Algorithm::Argon2id, Version::V0x13, params))
    }
}

impl Default for Cost {
    fn default() -> Self {
        Self { memory: FLOOR[1], passes: 2 }
    }
}

fn refuse<T>(why: String) -> Result<T, BuildError> {
    Err(BuildError::Setting { why })
}
