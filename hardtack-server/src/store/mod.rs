//! `--store`: where recorded sessions are. [`StoreAddress`] is the text of the command line, [`Engine`]
//! the store behind it, [`StoreSettings`] what an address does not say.

mod address;
mod engine;
mod settings;

pub(crate) use address::StoreAddress;
pub(crate) use engine::Engine;
pub(crate) use settings::StoreSettings;

/// The file of sessions in a data folder.
pub(crate) const FILE: &str = "sessions.db";
