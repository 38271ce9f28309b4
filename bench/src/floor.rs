//! The composite floor: what the parts cost with nothing around them.
//!
//! XAES-256-GCM, base64url, serde_json, a scan for the cookie and one output string. No jar, no policy, no clocks, no
//! padding, no header in the plaintext: not a session library, but the line no session library of this make can pass.

use memchr::memchr;
use rand::Rng as _;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::b64::simd as base64url;
use crate::contestants::Contestant;
use crate::cookies;
use crate::measure::Bench;
use crate::payload::Case;
use crate::xaes::{NONCE, Xaes};

/// The floor's row, which everybody is compared with.
pub const ROW: &str = "composite floor";
const ROW_WITHOUT_SERDE: &str = "composite floor, not deserialised";

/// See the module.
pub const CONTESTANT: Contestant = Contestant { micro, services: Vec::new };

/// A key and the buffer that all operations share.
struct Floor {
    xaes: Xaes,
    buffer: Vec<u8>,
}

impl Floor {
    fn new() -> Self {
        Self { xaes: Xaes::new(&[7; 32]).expect("32 bytes are a key"), buffer: Vec::with_capacity(4096) }
    }

    /// A value to a `Set-Cookie` header.
    fn seal(&mut self, value: &impl Serialize) -> String {
        let mut nonce = [0; NONCE];
        rand::rng().fill_bytes(&mut nonce);
        self.buffer.clear();
        self.buffer.extend_from_slice(&nonce);
        serde_json::to_writer(&mut self.buffer, value).expect("the payload is JSON");
        let tag = self.xaes.seal(&nonce, &mut self.buffer[NONCE..]).expect("short enough");
        self.buffer.extend_from_slice(&tag);

        let length = cookies::NAME.len() + 1 + self.buffer.len().div_ceil(3) * 4 + cookies::ATTRIBUTES.len();
        let mut set_cookie = String::with_capacity(length);
        set_cookie.push_str(cookies::NAME);
        set_cookie.push('=');
        base64url::encode(&self.buffer, &mut set_cookie);
        set_cookie.push_str(cookies::ATTRIBUTES);
        set_cookie
    }

    /// A `Cookie` header to the plaintext.
    fn decrypt(&mut self, header: &[u8]) -> Option<&[u8]> {
        self.buffer.clear();
        if !base64url::decode(find(header)?, &mut self.buffer) {
            return None;
        }
        let (nonce, sealed) = self.buffer.split_first_chunk_mut()?;
        self.xaes.open(nonce, sealed).ok().map(|plaintext| &*plaintext)
    }

    /// A `Cookie` header to a value.
    fn open<T: DeserializeOwned>(&mut self, header: &[u8]) -> Option<T> {
        serde_json::from_slice(self.decrypt(header)?).ok()
    }
}

/// The value of the session cookie.
fn find(header: &[u8]) -> Option<&[u8]> {
    let mut rest = header;
    loop {
        let end = memchr(b';', rest).unwrap_or(rest.len());
        let pair = rest[..end].trim_ascii_start();
        if let Some(value) = pair.strip_prefix(cookies::NAME.as_bytes()).and_then(|pair| pair.strip_prefix(b"=")) {
            return Some(value);
        }
        rest = rest.get(end + 1..)?;
    }
}

fn micro(case: &Case) -> Vec<Bench> {
    let mut floor = Floor::new();
    let payload = case.payload.clone();
    let set_cookie = floor.seal(&payload);
    let mut benches = vec![Bench::new("seal", ROW, case.column, ROW, move || floor.seal(&payload))];
    for (table, others) in [("open1", false), ("open12", true)] {
        let header = cookies::header(cookies::pair(&set_cookie), others).into_bytes();
        let mut floor = Floor::new();
        assert_eq!(floor.open(&header), Some(case.payload.clone()));
        let other_header = header.clone();
        benches.push(Bench::new(table, ROW, case.column, ROW, move || floor.open::<crate::payload::Payload>(&header)));
        let mut floor = Floor::new();
        benches.push(Bench::new(table, ROW_WITHOUT_SERDE, case.column, ROW, move || {
            floor.decrypt(&other_header).map(<[u8]>::len)
        }));
    }
    benches
}
