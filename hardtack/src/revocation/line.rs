//! An ending as a line of text: for a journal, and for a feed.
//!
//! ```text
//! session HANDLE UNTIL EPOCH OWNER-HASH|nobody|unknown
//! owner OWNER-HASH EPOCH
//! floor signed-in|anonymous TIME
//! ```

use super::table::{Ending, OwnerHash, Whose};
use crate::record::Handle;

impl Ending {
    /// Its line, without the end of a line.
    pub(crate) fn to_line(self) -> String {
        match self {
            Ending::Session { handle, until, epoch, whose } => {
                let whose = match whose {
                    Whose::Owner(OwnerHash(owner)) => format!("{owner:016x}"),
                    Whose::Nobody => "nobody".into(),
                    Whose::Unknown => "unknown".into(),
                };
                format!("session {handle} {until} {epoch} {whose}")
            }
            Ending::Owner { owner: OwnerHash(owner), epoch } => format!("owner {owner:016x} {epoch}"),
            Ending::Class { signed_in: true, floor } => format!("floor signed-in {floor}"),
            Ending::Class { signed_in: false, floor } => format!("floor anonymous {floor}"),
        }
    }

    /// Reads a line back.
    pub(crate) fn from_line(line: &str) -> Option<Self> {
        let owner_hash = |text: &str| u64::from_str_radix(text, 16).ok().map(OwnerHash);
        let words: Vec<_> = line.split(' ').collect();
        Some(match words[..] {
            ["session", handle, until, epoch, whose] => Ending::Session {
                handle: Handle::parse(handle)?,
                until: until.parse().ok()?,
                epoch: epoch.parse().ok()?,
                whose: match whose {
                    "nobody" => Whose::Nobody,
                    "unknown" => Whose::Unknown,
                    owner => Whose::Owner(owner_hash(owner)?),
                },
            },
            ["owner", owner, epoch] => Ending::Owner { owner: owner_hash(owner)?, epoch: epoch.parse().ok()? },
            ["floor", class @ ("signed-in" | "anonymous"), floor] => {
                Ending::Class { signed_in: class == "signed-in", floor: floor.parse().ok()? }
            }
            _ => return None,
        })
    }
}
