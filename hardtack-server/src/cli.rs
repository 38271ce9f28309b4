//! The command line.

mod sessions;
mod users;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::store::StoreSettings;
pub(crate) use sessions::{SessionsArgs, SessionsCommand};
pub(crate) use users::{UsersArgs, UsersCommand};

/// The data folder, unless another is named.
pub(crate) const DATA: &str = "./hardtack-data";
/// Of hardtack's own cookie, unless another is named.
pub(crate) const DEFAULT_COOKIE_NAME: &str = "__Host-session";
/// Seconds that a sealed session lives, unless told otherwise.
pub(crate) const DEFAULT_TTL: u64 = 86_400;

/// Web sessions in HttpOnly cookies: encrypted, revocable, never lost.
#[derive(Parser)]
#[command(name = "hardtack", version, propagate_version = true)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Serve a small site that shows sessions at work
    Demo(Demo),
    /// Read a cookie's value from standard input and say what is in it
    ///
    /// Prints one JSON object with status ("valid", "expired" or "invalid"), reason, data, created_at and
    /// expires_at (milliseconds since 1970), key_id and more. Exit code 0 when valid, 1 when not, 2 when
    /// the command cannot work.
    ///
    /// The value of cookie-session is followed by that of its .sig cookie in a second line; the chunks of
    /// iron-session (name.0, name.1 …) are one line each. Percent-encoded values are taken where the package
    /// takes them. The data of express-session is {"id": …}: the rest is in its store.
    Inspect(Inspect),
    /// Read a JSON object from standard input and print a cookie's value that holds it
    ///
    /// As the package writes it into Set-Cookie, percent-encoded where it does that. cookie-session prints the
    /// value of its .sig cookie in a second line, iron-session with "chunk": true one line for each cookie.
    Seal(Seal),
    /// Make, list, schedule, retire and revoke keys
    Keys(Keys),
    /// List, show and end the sessions in a store
    ///
    /// Shows what a store knows in clear: owners, times and labels, never data and never an id. Exit code 0
    /// when done, 1 when there is no such session, 2 when the command cannot work.
    Sessions(SessionsArgs),
    /// Add, list, disable and remove the users that sign in to the demo by name
    ///
    /// A demo that runs knows of it at once. Exit code 0 when done, 1 when there is no such user or one too many, 2
    /// when the command cannot work.
    Users(UsersArgs),
}

#[derive(Args)]
pub(crate) struct Demo {
    /// Address to listen on
    #[arg(long, value_name = "HOST:PORT", default_value = "127.0.0.1:3000")]
    pub(crate) listen: String,
    /// Folder for keys, sessions and the password's hash; made when absent
    #[arg(long, value_name = "FOLDER", default_value = DATA)]
    pub(crate) data: PathBuf,
    /// Where sessions live
    #[arg(long, value_enum, default_value_t = Placement::Stored)]
    pub(crate) placement: Placement,
    /// The store: redis://…, postgres://…, sqlite:PATH, a path, or memory:; without it what the environment
    /// variable HARDTACK_STORE says, or sessions.db in the data folder
    ///
    /// A password in it is seen by all users of the machine; in the variable it is not.
    #[arg(long, value_name = "STORE")]
    pub(crate) store: Option<String>,
    #[command(flatten)]
    pub(crate) settings: StoreSettings,
    /// The most devices that may be signed in at a time; without it any number
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) devices: Option<u32>,
    /// What happens to one device more
    #[arg(long, value_enum, default_value_t = BeyondLimit::EndOldest, requires = "devices")]
    pub(crate) beyond: BeyondLimit,
    /// Serve HTTPS with a certificate of its own, made on first run
    #[arg(long)]
    pub(crate) tls: bool,
    /// Serve HTTPS with this certificate chain (PEM)
    #[arg(long, value_name = "FILE", requires = "tls_key", conflicts_with = "tls")]
    pub(crate) tls_cert: Option<PathBuf>,
    /// The private key of --tls-cert (PEM)
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    pub(crate) tls_key: Option<PathBuf>,
    /// How many wrong passwords an account takes in a row, before it takes one a minute
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub(crate) attempts: u32,
    /// A proxy in front whose X-Forwarded-For is believed: 10.1.2.3 or 10.0.0.0/8; may be given again
    #[arg(long, value_name = "RANGE")]
    pub(crate) trust_proxy: Vec<String>,
    /// Run on a clock that is so far ahead, to rehearse servers whose clocks differ
    #[arg(long, value_name = "SECONDS", default_value_t = 0, hide = true)]
    pub(crate) clock_ahead: u64,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Placement {
    /// The cookie holds an id, a store the rest
    Stored,
    /// The store holds the record, the cookie a copy that is read without it
    Hybrid,
    /// All of a session is in its cookie
    Stateless,
}

impl Placement {
    /// Whether recorded sessions are in a store.
    pub(crate) fn has_store(self) -> bool {
        self != Self::Stateless
    }

    /// As it is written on the command line.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Stored => "stored",
            Self::Hybrid => "hybrid",
            Self::Stateless => "stateless",
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum BeyondLimit {
    /// It is not signed in
    Refuse,
    /// The device that signed in first is signed out
    EndOldest,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// hardtack's own envelope
    Native,
    /// iron-session 6, 8 and 9: cookieName, password (text or {id: text}), ttl in seconds, chunk
    IronSession,
    /// client-sessions 0.8: cookieName, secret, encryptionKey and signatureKey in base64, encryptionAlgorithm,
    /// signatureAlgorithm, duration and activeDuration in milliseconds
    ClientSessions,
    /// express-session 1: name, secret (text or array)
    ExpressSession,
    /// cookie-session 2: name, keys or secret, keygrip {algorithm, encoding}, signed
    CookieSession,
    /// Enhance and @architect/functions: ARC_APP_SECRET, ARC_APP_SECRET_ALGO, ARC_FORCE_LEGACY_JWE_SECRET
    Architect,
    /// @fastify/secure-session 8: cookieName, key (hexadecimal or base64, or an array) or secret and salt, expiry in
    /// seconds
    SecureSession,
}

/// Which cookie, under which keys, at which time.
#[derive(Args)]
pub(crate) struct CookieArgs {
    /// Format of the cookie, and what the file of --options may say
    #[arg(long, value_enum)]
    pub(crate) format: Format,
    /// File of JSON with the options of the Node package, under its own names
    #[arg(long, value_name = "FILE.json")]
    pub(crate) options: Option<PathBuf>,
    /// Native: file of keys; without it the environment variable HARDTACK_KEYS
    #[arg(long, value_name = "FILE")]
    pub(crate) keys: Option<PathBuf>,
    /// Native: whole name of the cookie, to which a value is bound [default: __Host-session]
    #[arg(long, value_name = "NAME")]
    pub(crate) cookie_name: Option<String>,
    /// Native: realm of the application
    #[arg(long)]
    pub(crate) realm: Option<String>,
    /// Take this for the time, in milliseconds since 1970
    #[arg(long, value_name = "UNIX_MS")]
    pub(crate) now: Option<u64>,
}

#[derive(Args)]
pub(crate) struct Inspect {
    #[command(flatten)]
    pub(crate) cookie: CookieArgs,
}

#[derive(Args)]
pub(crate) struct Seal {
    #[command(flatten)]
    pub(crate) cookie: CookieArgs,
    /// Native: how long the session lives, idle or not [default: 86400]
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..=34_560_000))]
    pub(crate) ttl: Option<u64>,
    /// Native: who is signed in
    #[arg(long)]
    pub(crate) owner: Option<String>,
}

#[derive(Args)]
pub(crate) struct Keys {
    #[command(subcommand)]
    pub(crate) command: KeysCommand,
}

#[derive(Subcommand)]
pub(crate) enum KeysCommand {
    /// Print a new key
    Generate,
    /// List ids and states, without secrets
    List {
        /// File of keys; without it the environment variable HARDTACK_KEYS
        #[arg(long, value_name = "FILE")]
        keys: Option<PathBuf>,
    },
    /// Add a new key that opens at once and seals later
    Add {
        #[command(flatten)]
        file: KeyFileArgs,
        #[command(flatten)]
        schedule: Schedule,
        /// One server alone uses the file: seal with the new key at once
        #[arg(long, conflicts_with = "seconds")]
        now: bool,
    },
    /// Add a key from standard input
    Import {
        #[command(flatten)]
        file: KeyFileArgs,
        /// What the key may do
        #[arg(long = "as", value_enum, default_value_t = ImportAs::Retired)]
        import_as: ImportAs,
        #[command(flatten)]
        schedule: Schedule,
    },
    /// Let a pending or retired key seal later
    Activate {
        #[command(flatten)]
        file: KeyFileArgs,
        #[command(flatten)]
        schedule: Schedule,
        /// Eight hexadecimal digits, from "hardtack keys list"
        id: String,
    },
    /// Let a pending key open only
    Retire {
        #[command(flatten)]
        file: KeyFileArgs,
        /// Eight hexadecimal digits, from "hardtack keys list"
        id: String,
    },
    /// Let a key open nothing any more: all sessions that it sealed end
    Revoke {
        #[command(flatten)]
        file: KeyFileArgs,
        /// The key is active and has leaked: put a new one into its place at once
        #[arg(long)]
        replace: bool,
        /// Eight hexadecimal digits, from "hardtack keys list"
        id: String,
    },
}

#[derive(Args)]
pub(crate) struct KeyFileArgs {
    /// File of keys to change
    #[arg(long, value_name = "FILE")]
    pub(crate) keys: PathBuf,
}

#[derive(Args)]
pub(crate) struct Schedule {
    /// When the key begins to seal: at least 150 seconds ahead, so that every server has read it by then
    #[arg(long = "in", value_name = "SECONDS", default_value_t = 300)]
    pub(crate) seconds: u64,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum ImportAs {
    /// It opens only
    Retired,
    /// It opens, and seals later
    Pending,
}
