//! The tables of a report.

/// How a cell is compared with its reference row.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Compare {
    /// How many times the reference.
    Ratio,
    /// What it costs more than the reference.
    Difference,
}

/// One table.
pub struct Table {
    /// Its name in [`crate::measure::Bench::table`] and in the files under `results/`.
    pub id: &'static str,
    /// The run that fills it, and the name of its marker in the page.
    pub section: &'static str,
    /// Its heading.
    pub title: &'static str,
    /// What the numbers are.
    pub note: &'static str,
    /// Its columns, in order.
    pub columns: &'static [&'static str],
    /// How cells are compared.
    pub compare: Compare,
    /// The column whose allocations are shown.
    pub allocations_at: Option<&'static str>,
    /// The column that becomes a panel of the picture.
    pub drawn: Option<&'static str>,
}

/// The sections in the order of the page, each with its heading.
pub const SECTIONS: [(&str, &str); 7] = [
    ("micro", "Open and seal"),
    ("inproc", "Router calls in process"),
    ("memory", "Sessions in memory"),
    ("http", "Over HTTP"),
    ("redis", "Sessions in Redis"),
    ("postgres", "Sessions in PostgreSQL"),
    ("interop", "Cookies of Node"),
];

const SIZES: &[&str] = &["56 B", "183 B", "1,983 B"];

/// Every table.
pub const ALL: [Table; 15] = [
    Table {
        id: "open1",
        section: "micro",
        title: "Open, 1 cookie",
        note: "Nanoseconds from a `Cookie` header to an owned struct, by the struct's size as JSON; × = times the floor.",
        columns: SIZES,
        compare: Compare::Ratio,
        allocations_at: Some("183 B"),
        drawn: Some("183 B"),
    },
    Table {
        id: "open12",
        section: "micro",
        title: "Open, 12 cookies",
        note: "The same with eleven other cookies in front.",
        columns: SIZES,
        compare: Compare::Ratio,
        allocations_at: Some("183 B"),
        drawn: Some("183 B"),
    },
    Table {
        id: "seal",
        section: "micro",
        title: "Seal",
        note: "Nanoseconds from a struct to a `Set-Cookie` header.",
        columns: SIZES,
        compare: Compare::Ratio,
        allocations_at: Some("183 B"),
        drawn: Some("183 B"),
    },
    Table {
        id: "base64-encode",
        section: "micro",
        title: "base64url, encode",
        note: "Nanoseconds per call into a reused buffer: the candidates for the envelope.",
        columns: &["173 B", "300 B", "2,100 B"],
        compare: Compare::Ratio,
        allocations_at: None,
        drawn: None,
    },
    Table {
        id: "base64-decode",
        section: "micro",
        title: "base64url, decode",
        note: "The way back, by the length of the decoded bytes.",
        columns: &["173 B", "300 B", "2,100 B"],
        compare: Compare::Ratio,
        allocations_at: None,
        drawn: None,
    },
    Table {
        id: "router",
        section: "inproc",
        title: "One axum route",
        note: "Nanoseconds per request: built, routed, answered, dropped. In brackets what it costs over the no-op layer. \
               The session holds 183 bytes of JSON; *write* reads it, changes it and stores it. \
               axum-extra is an extractor and has no layer.",
        columns: &["no cookie", "1 cookie", "12 cookies"],
        compare: Compare::Difference,
        allocations_at: Some("1 cookie"),
        drawn: Some("1 cookie"),
    },
    Table {
        id: "memory-load",
        section: "memory",
        title: "Load one of a million",
        note: "Nanoseconds per load of a random session, over all threads. The bare map keeps 200 bytes and a deadline, \
               without owners, limits or an index by time.",
        columns: &["1 thread", "2 threads"],
        compare: Compare::Ratio,
        allocations_at: None,
        drawn: Some("1 thread"),
    },
    Table {
        id: "memory-heap",
        section: "memory",
        title: "Heap per session",
        note: "Bytes of heap per session, as they were asked for, with a million of 200 bytes (tower-sessions: 183 of JSON).",
        columns: &["bytes"],
        compare: Compare::Ratio,
        allocations_at: None,
        drawn: None,
    },
    Table {
        id: "memory-expiry",
        section: "memory",
        title: "100,000 of a million expire",
        note: "Milliseconds: how long a lock was held at most, and how long it all took. A purge removes 64 in one call. \
               tower-sessions keeps what has expired.",
        columns: &["longest pause", "in all"],
        compare: Compare::Ratio,
        allocations_at: None,
        drawn: None,
    },
    Table {
        id: "http",
        section: "http",
        title: "CPU time of the server",
        note: "One server thread on one core, 64 kept-alive connections from a generator on another. In brackets what it \
               costs over the no-op layer with a cookie of the same kind. The generator is often the slower of the two, \
               so requests per second flatter the slow; the CPU time does not.",
        columns: &["µs per request", "requests/s"],
        compare: Compare::Difference,
        allocations_at: None,
        drawn: Some("µs per request"),
    },
    Table {
        id: "redis",
        section: "redis",
        title: "CPU time of the server, with its sessions in Redis",
        note: "As over HTTP, with a Redis beside the generator, on its core. In brackets what it costs over the no-op layer \
               with a cookie of the same kind. redis-benchmark has 50 connections, its values are 400 bytes, and it runs \
               on the server's core.",
        columns: &["µs per request", "requests/s"],
        compare: Compare::Difference,
        allocations_at: None,
        drawn: None,
    },
    Table {
        id: "endings",
        section: "redis",
        title: "Until another server knows of an ending",
        note: "Hybrid sessions on the same Redis, two servers in one process: from the answer to a sign-out until the same \
               cookie is nobody's on the other one, which looks every 50 µs. 500 endings in a round.",
        columns: &["median ms", "p99 ms"],
        compare: Compare::Difference,
        allocations_at: None,
        drawn: None,
    },
    Table {
        id: "postgres",
        section: "postgres",
        title: "Loads and replaces of one of 100,000",
        note: "Calls in a second by 64 callers at once. A read is a load of a session of 200 bytes, beside `pgbench -S`; a \
               write is a replace, beside pgbench with an update of one number by its key. All are prepared, every write \
               is synced, and server and clients share two cores.",
        columns: &["reads/s", "writes/s"],
        compare: Compare::Ratio,
        allocations_at: None,
        drawn: None,
    },
    Table {
        id: "postgres-size",
        section: "postgres",
        title: "Disk per session",
        note: "Bytes for each of 100,000, without what is dead.",
        columns: &["table", "indexes"],
        compare: Compare::Ratio,
        allocations_at: None,
        drawn: None,
    },
    Table {
        id: "interop",
        section: "interop",
        title: "Open and seal a foreign cookie",
        note: "Nanoseconds between a cookie's value and a struct or a JavaScript object of 183 B as JSON, of \
               express-session between a cookie's value and its id; × = times ours. Node measured itself, in the same \
               run.",
        columns: &["open", "seal"],
        compare: Compare::Ratio,
        allocations_at: None,
        drawn: None,
    },
];
