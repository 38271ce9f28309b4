//! Any other program that serves.

use crate::{
    keeper::{Folder, Keeper},
    port, wait_until,
};

/// A program with a folder of its own, in which it runs. SIGTERM ends it when this goes out of scope.
pub struct Program {
    // Before the folder, which the program may write to until its end.
    keeper: Keeper,
    folder: Folder,
}

impl Program {
    /// Starts it with settings for its environment: `Program::start("node", &["server.mjs"], &[("PORT", "0")])`.
    pub fn start(program: &str, args: &[&str], environment: &[(&str, &str)]) -> Self {
        let folder = Folder::new("program");
        let settings: Vec<String> = environment.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let mut command = vec!["env"];
        command.extend(settings.iter().map(String::as_str));
        command.push(program);
        command.extend(args);
        let keeper = Keeper::start(&folder, "TERM", &command);
        Self { keeper, folder }
    }

    /// What it wrote on its output.
    pub fn log(&self) -> String {
        self.folder.log()
    }

    /// What follows this word on a line of its output, which is waited for.
    ///
    /// # Panics
    ///
    /// When the program ends before it says that, with what it said.
    pub fn told(&self, word: &str) -> String {
        let find = || self.log().lines().find_map(|line| line.strip_prefix(word).map(|rest| rest.trim().to_owned()));
        wait_until(word, || {
            // Asked first, so that the last words of a program that ended are found.
            let is_alive = self.keeper.is_alive();
            let found = find().is_some();
            assert!(found || is_alive, "the program ended: {}", self.log());
            found
        });
        find().unwrap_or_default()
    }

    /// Sends it a signal: `HUP`.
    pub fn signal(&self, signal: &str) {
        self.keeper.signal_all(signal);
    }

    /// Whether it still runs.
    pub fn is_alive(&self) -> bool {
        self.keeper.is_alive()
    }
}

/// The first of as many ports in a row that nobody uses.
///
/// # Panics
///
/// When there are none.
pub fn free_ports(count: u16) -> u16 {
    let mut last = port::free().port();
    let mut found = 1;
    while found < count {
        let next = port::free().port();
        found = if next == last + 1 { found + 1 } else { 1 };
        last = next;
    }
    last + 1 - count
}
