//! The arguments of `hardtack sessions`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use crate::store::StoreSettings;

#[derive(Args)]
pub(crate) struct SessionsArgs {
    #[command(subcommand)]
    pub(crate) command: SessionsCommand,
    /// The store: redis://…, postgres://…, sqlite:PATH or a path; without it what the environment variable
    /// HARDTACK_STORE says, or sessions.db in the data folder
    ///
    /// A password in it is seen by all users of the machine; in the variable it is not.
    #[arg(long, global = true, value_name = "STORE", conflicts_with = "data")]
    pub(crate) store: Option<String>,
    #[command(flatten)]
    pub(crate) settings: StoreSettings,
    /// Data folder of the demo, for the sessions.db there [default: ./hardtack-data]
    #[arg(long, global = true, value_name = "FOLDER")]
    pub(crate) data: Option<PathBuf>,
    /// Take this for the time, in milliseconds since 1970
    #[arg(long, global = true, value_name = "UNIX_MS", hide = true)]
    pub(crate) now: Option<u64>,
}

#[derive(Subcommand)]
pub(crate) enum SessionsCommand {
    /// List the sessions in the store, expired ones too
    List {
        /// Those of this owner alone
        #[arg(long)]
        owner: Option<String>,
        /// At most so many; without it all
        #[arg(long, value_name = "N")]
        limit: Option<usize>,
        /// Print one JSON array; times are milliseconds since 1970, 0 stands for never
        #[arg(long)]
        json: bool,
    },
    /// Show all that the store tells of one session
    Show {
        /// 22 characters, from "hardtack sessions list"
        #[arg(allow_hyphen_values = true)]
        handle: String,
        /// Print one JSON object; times are milliseconds since 1970, 0 stands for never
        #[arg(long)]
        json: bool,
    },
    /// End one session, wherever it is used
    End {
        /// 22 characters, from "hardtack sessions list"
        #[arg(allow_hyphen_values = true)]
        handle: String,
    },
    /// End all sessions of an owner, sign-ins that are under way too
    EndOwner {
        /// Who is signed in
        owner: String,
    },
    /// End all sessions, or those from before a moment: after a backup was restored
    EndAll {
        /// End only what was created before: milliseconds since 1970, or a time such as
        /// 2026-01-31T12:00:00Z
        #[arg(long, value_name = "TIME")]
        before: Option<String>,
    },
    /// Remove what is over; servers do so by themselves
    Purge,
    /// Count what is in the store
    Stats {
        /// Print one JSON object
        #[arg(long)]
        json: bool,
    },
}
