//! `--store`: where recorded sessions are. [`StoreAddress`] is the text of the command line, [`Engine`]
//! the store behind it.

mod address;
mod engine;

pub(crate) use address::StoreAddress;
pub(crate) use engine::Engine;

/// The file of sessions in a data folder.
pub(crate) const FILE: &str = "sessions.db";
