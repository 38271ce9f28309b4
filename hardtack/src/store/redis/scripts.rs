//! The scripts, one for each write.
//!
//! A script is called by its hash; a server that does not know it yet, or no more, is sent its text. Those that only
//! take away, or leave the size as it is, run on a full server as well: a logout does not need room.

use aws_lc_rs::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};

use super::nodes::Repeat;

macro_rules! script {
    ($flags:literal, $file:literal $(, $repeat:ident)?) => {
        Script::new(concat!(
            "#!lua",
            $flags,
            "\n",
            include_str!("scripts/telling.lua"),
            include_str!("scripts/prelude.lua"),
            include_str!($file)
        ))
        $(.$repeat())?
    };
}

/// All of them.
pub(super) struct Scripts {
    pub(super) create: Script,
    pub(super) replace: Script,
    pub(super) touch: Script,
    pub(super) delete: Script,
    pub(super) end_owner: Script,
    pub(super) owned_by: Script,
    pub(super) purge: Script,
    pub(super) next_epoch: Script,
    pub(super) raise: Script,
    pub(super) publish: Script,
    pub(super) read_news: Script,
}

/// One script.
pub(super) struct Script {
    pub(super) text: &'static str,
    /// Redis' name of it: the SHA-1 of its text, in hexadecimal.
    pub(super) hash: String,
    /// Whether it may run again when its answer is lost.
    pub(super) repeat: Repeat,
}

impl Scripts {
    pub(super) fn new() -> Self {
        Self {
            create: script!("", "scripts/create.lua"),
            // Without the prelude, whose functions cost more to make than they would save.
            replace: Script::new(concat!(
                "#!lua\n",
                include_str!("scripts/telling.lua"),
                include_str!("scripts/replace.lua")
            )),
            touch: script!(" flags=allow-oom", "scripts/touch.lua"),
            delete: script!(" flags=allow-oom", "scripts/delete.lua"),
            end_owner: script!(" flags=allow-oom", "scripts/end_owner.lua"),
            owned_by: script!(" flags=no-writes", "scripts/owned_by.lua", asked_again),
            purge: script!(" flags=allow-oom", "scripts/purge.lua"),
            next_epoch: script!(" flags=allow-oom", "scripts/next_epoch.lua"),
            raise: script!(" flags=allow-oom", "scripts/raise.lua"),
            publish: script!(" flags=allow-oom", "scripts/publish.lua"),
            read_news: script!(" flags=allow-oom", "scripts/read_news.lua", asked_again),
        }
    }
}

impl Script {
    fn new(text: &'static str) -> Self {
        let hash = digest(&SHA1_FOR_LEGACY_USE_ONLY, text.as_bytes());
        let hash = hash.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
        Self { text, hash, repeat: Repeat::No }
    }

    fn asked_again(self) -> Self {
        Self { repeat: Repeat::Yes, ..self }
    }
}
