//! The stores keep the contract, and the suite that says so finds every store that does not.
#![cfg(feature = "conformance")]
#![allow(clippy::unwrap_used, missing_docs)]

#[path = "common/simple_store/mod.rs"]
mod simple_store;

use hardtack::store::conformance::Case;
use simple_store::{FLAWS, SimpleStore};

/// Sessions in memory. A clone is another node.
mod memory {
    use hardtack::store::MemoryStore;

    hardtack::store_conformance!(async || MemoryStore::new());
    hardtack::feed_conformance!(async || MemoryStore::new());
}

/// Sessions in a file, which every node opens for itself.
#[cfg(feature = "sqlite")]
mod sqlite {
    use hardtack::store::{SqliteStore, conformance::Place};

    struct Folder(tempfile::TempDir);

    impl Place for Folder {
        type Store = SqliteStore;

        async fn node(&self) -> SqliteStore {
            SqliteStore::open(self.0.path().join("sessions.db")).unwrap()
        }
    }

    hardtack::store_conformance!(async || Folder(tempfile::tempdir().unwrap()));
    hardtack::feed_conformance!(async || Folder(tempfile::tempdir().unwrap()));
}

/// The yardstick: what the suite says about a store that is right.
mod simple {
    use super::SimpleStore;

    hardtack::store_conformance!(async || SimpleStore::new());
}

/// C08, D08, E03, E04, E06, E07, J07: a suite that passes what is broken proves nothing. Each flaw of the yardstick is
/// found by every case that is about it, and no case of the contract is without a flaw to find.
#[test]
fn the_suite_catches_every_broken_store() {
    let cases = Case::<SimpleStore>::all();
    let mut missed = Vec::new();
    for (flaw, name) in FLAWS {
        let case = cases.iter().find(|case| case.name() == *name).unwrap();
        // A race is not lost every time.
        let mut runs = (0..20).map(|_| case.run(async || SimpleStore::with(*flaw)));
        match runs.find_map(Result::err) {
            None => missed.push((flaw, name)),
            Some(failure) => println!("{flaw:?}: {failure}"),
        }
    }
    assert!(missed.is_empty(), "the suite passes these broken stores: {missed:?}");
    let finds = |case: &str| FLAWS.iter().any(|(_, finds)| *finds == case);
    let idle: Vec<_> = cases.iter().filter(|case| case.is_of_the_contract() && !finds(case.name())).collect();
    assert!(idle.is_empty(), "these cases find nothing: {idle:?}");
}
