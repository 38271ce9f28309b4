//! The named users of the demo, in a file of the data folder. [`table`] keeps them, [`command`] is `hardtack users`.
//!
//! A user's name is the owner of his sessions: it never changes, and who is removed has no sessions left that
//! somebody of the same name could find.

pub(crate) mod command;
pub(crate) mod common;
pub(crate) mod table;

use hardtack::{
    BuildError,
    login::{PasswordPolicy, Passwords, PasswordsBuilder},
};

pub(crate) use table::UserTable;

/// Whose the one password is. No user has this name.
pub(crate) const KEEPER: &str = "keeper";

/// The pool in which the program hashes, with what may be chosen here.
pub(crate) fn passwords() -> Result<Passwords, BuildError> {
    builder().build()
}

fn builder() -> PasswordsBuilder {
    let policy = PasswordPolicy::default().forbid(|password, _| common::is_common(password));
    Passwords::builder().policy(policy)
}
