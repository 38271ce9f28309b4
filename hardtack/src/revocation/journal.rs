//! The endings in a file: one [line](super::line) each, appended and synced before a logout is answered.
//!
//! A line that a crash cut short is the last one and was never answered for: it is dropped. When most
//! lines are out of date the file is written anew beside itself and renamed into place.

use std::{
    fs::{self, File, OpenOptions, TryLockError},
    io::{self, BufRead, BufReader, BufWriter, Write},
    path::{Path, PathBuf},
};

use super::table::{Ending, Table};
use crate::error::{BuildError, StoreError};

pub(super) struct Journal {
    path: PathBuf,
    file: File,
    /// Held, under another name than the journal's, because a rewrite replaces the journal.
    lock: File,
    lines: usize,
    rewrite_at: usize,
}

impl Journal {
    /// Opens or makes the file and replays it into `table`.
    pub(super) fn open(path: &Path, table: &mut Table, now: u64) -> Result<Self, BuildError> {
        let failed = |why: String| BuildError::RevocationFile { path: path.to_owned(), why };
        let io = |error: io::Error| failed(error.to_string());
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder).map_err(io)?;
        }
        let lock = open(&path.with_extension("lock")).map_err(io)?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(failed("another process uses it; give each process a folder of its own".into()));
            }
            Err(TryLockError::Error(error)) => return Err(io(error)),
        }
        let file = open(path).map_err(io)?;
        let mut reader = BufReader::new(&file);
        let mut line = Vec::new();
        for number in 1.. {
            line.clear();
            reader.read_until(b'\n', &mut line).map_err(io)?;
            let Some(line) = line.strip_suffix(b"\n") else { break };
            let ending = std::str::from_utf8(line).ok().and_then(Ending::from_line);
            let ending = ending.ok_or_else(|| failed(format!("line {number} is damaged; remove that line")))?;
            table.end(&ending, now);
        }
        let mut journal = Self { path: path.to_owned(), file, lock, lines: 0, rewrite_at: 0 };
        journal.rewrite(table, now).map_err(|error| failed(error.to_string()))?;
        Ok(journal)
    }

    /// Appends endings and waits until they are on the disk.
    pub(super) fn append(&mut self, endings: &[Ending]) -> Result<(), StoreError> {
        let text: String = endings.iter().map(|ending| ending.to_line() + "\n").collect();
        let before = self.file.metadata().map_err(StoreError::new)?.len();
        if let Err(error) = self.file.write_all(text.as_bytes()).and_then(|()| self.file.sync_data()) {
            // Half a line must not stand before the next one. If even this fails, so will the next append.
            let _ = self.file.set_len(before);
            return Err(StoreError::new(error));
        }
        self.lines += endings.len();
        Ok(())
    }

    /// Whether most of the lines may be out of date.
    pub(super) fn is_long(&self) -> bool {
        self.lines >= self.rewrite_at
    }

    /// Writes what the table holds now, and nothing else, into the file.
    pub(super) fn rewrite(&mut self, table: &Table, now: u64) -> Result<(), StoreError> {
        let draft = self.path.with_extension("draft");
        let swap = || {
            let mut lines = 0;
            match fs::remove_file(&draft) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
            let file = open(&draft)?;
            let mut out = BufWriter::new(&file);
            for ending in table.endings(now) {
                writeln!(out, "{}", ending.to_line())?;
                lines += 1;
            }
            out.flush()?;
            drop(out);
            file.sync_all()?;
            fs::rename(&draft, &self.path)?;
            let folder = self.path.parent().filter(|folder| !folder.as_os_str().is_empty());
            File::open(folder.unwrap_or(Path::new(".")))?.sync_all()?;
            Ok((file, lines))
        };
        let (file, lines) = swap().map_err(StoreError::new)?;
        self.file = file;
        self.lines = lines;
        self.rewrite_at = lines * 2 + 10_000;
        Ok(())
    }
}

impl Drop for Journal {
    fn drop(&mut self) {
        // Closing the file would do, were there no child process that holds a copy of it until it has
        // replaced itself. If this fails, closing still does it.
        let _ = self.lock.unlock();
    }
}

fn open(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).append(true).create(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}
