//! What hardtack logs while something is done.

use std::{
    io::Write,
    sync::{Arc, Mutex, Once},
};

use tracing::{Level, subscriber};

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// The text that `work` logs on this thread, from TRACE up.
pub fn logged(work: impl FnOnce()) -> String {
    // Without a subscriber for all threads, one of them could have tracing remember, while ours is being
    // set, that nobody is interested.
    static EVERYBODY: Once = Once::new();
    EVERYBODY.call_once(|| {
        let sink = tracing_subscriber::fmt().with_max_level(Level::TRACE).with_writer(std::io::sink).finish();
        subscriber::set_global_default(sink).unwrap();
    });
    let log = Log::default();
    let writer = log.clone();
    let ours = tracing_subscriber::fmt().with_max_level(Level::TRACE).with_ansi(false);
    subscriber::with_default(ours.with_writer(move || writer.clone()).finish(), work);
    let bytes = log.0.lock().unwrap().clone();
    String::from_utf8(bytes).unwrap()
}
