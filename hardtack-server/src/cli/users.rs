//! The arguments of `hardtack users`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::DATA;
use crate::store::StoreSettings;

#[derive(Args)]
pub(crate) struct UsersArgs {
    #[command(subcommand)]
    pub(crate) command: UsersCommand,
    /// Data folder of the demo, where users.db is
    #[arg(long, global = true, value_name = "FOLDER", default_value = DATA)]
    pub(crate) data: PathBuf,
    /// The store in which a user's sessions end: redis://…, postgres://…, sqlite:PATH or a path; without it what the
    /// environment variable HARDTACK_STORE says, or sessions.db in the data folder
    ///
    /// A password in it is seen by all users of the machine; in the variable it is not.
    #[arg(long, global = true, value_name = "STORE")]
    pub(crate) store: Option<String>,
    #[command(flatten)]
    pub(crate) settings: StoreSettings,
}

#[derive(Subcommand)]
pub(crate) enum UsersCommand {
    /// Add a user, with a password from the terminal or from standard input
    Add {
        /// Letters, digits and . _ @ + - in small letters, at most 64
        name: String,
    },
    /// Set a user's password, from the terminal or from standard input; his sessions end
    Passwd {
        /// From "hardtack users list"
        name: String,
    },
    /// Let a user sign in no more; his sessions end, sign-ins that are under way too
    Disable {
        /// From "hardtack users list"
        name: String,
    },
    /// Let a user sign in again
    Enable {
        /// From "hardtack users list"
        name: String,
    },
    /// List the users
    List {
        /// Print one JSON array; times are milliseconds since 1970
        #[arg(long)]
        json: bool,
    },
    /// Remove a user; his sessions end
    Remove {
        /// From "hardtack users list"
        name: String,
    },
}
