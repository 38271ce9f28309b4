//! The cookie of client-sessions: any bytes as its value, and any text as its data.
#![no_main]

use std::sync::LazyLock;

use hardtack_fuzz::node::World;
use libfuzzer_sys::fuzz_target;

static WORLD: LazyLock<World> = LazyLock::new(|| World::of("client-sessions"));

fuzz_target!(|input: &[u8]| WORLD.meets(input));
