//! The header's bytes: 106 and the owner, big-endian, in the order of `docs/cookie-format.md`.

use crate::record::{Handle, Header, Kind, MAX_OWNER, SessionId};

/// Bytes of a header without its owner.
pub(crate) const FIXED: usize = 106;

const REMEMBERED: u8 = 1;
/// Nothing yet: what is here is not read.
const RESERVED: [u8; 2] = [0; 2];

/// Appends the header to `out`.
pub(crate) fn write(header: &Header, out: &mut Vec<u8>) {
    out.push(match header.kind {
        Kind::Anonymous => 1,
        Kind::Stateless => 2,
        Kind::Stored => 3,
    });
    out.push(if header.remembered { REMEMBERED } else { 0 });
    out.extend_from_slice(&header.id.0);
    out.extend_from_slice(&header.handle.0);
    out.extend_from_slice(&header.generation.to_be_bytes());
    out.extend_from_slice(&u48(header.epoch));
    out.extend_from_slice(&RESERVED);
    for number in [
        header.created,
        header.authenticated,
        header.confirmed,
        header.last_seen,
        header.idle_deadline,
        header.absolute_deadline,
        header.version,
    ] {
        out.extend_from_slice(&u48(number));
    }
    let owner = header.owner.as_deref().unwrap_or_default().as_bytes();
    out.extend_from_slice(&u16::try_from(owner.len()).unwrap_or(u16::MAX).to_be_bytes());
    out.extend_from_slice(owner);
}

/// Reads a header and says how many bytes it had. `None` when it breaks a rule of the format: an
/// unknown kind or flag, an id of zeros (C11), or an owner where none belongs.
pub(crate) fn read(bytes: &[u8]) -> Option<(Header, usize)> {
    let mut reader = Reader(bytes);
    let kind = match reader.take::<1>()? {
        [1] => Kind::Anonymous,
        [2] => Kind::Stateless,
        [3] => Kind::Stored,
        _ => return None,
    };
    let [flags] = reader.take()?;
    let mut header = Header {
        kind,
        remembered: flags == REMEMBERED,
        id: SessionId(reader.take()?),
        handle: Handle(reader.take()?),
        generation: u32::from_be_bytes(reader.take()?),
        epoch: reader.u48()?,
        created: {
            let _: [u8; RESERVED.len()] = reader.take()?;
            reader.u48()?
        },
        authenticated: reader.u48()?,
        confirmed: reader.u48()?,
        last_seen: reader.u48()?,
        idle_deadline: reader.u48()?,
        absolute_deadline: reader.u48()?,
        version: reader.u48()?,
        owner: None,
        renewed: 0,
        label: None,
    };
    let length = usize::from(u16::from_be_bytes(reader.take()?));
    let owner = std::str::from_utf8(reader.0.get(..length)?).ok()?;
    if !owner.is_empty() {
        header.owner = Some(owner.into());
    }
    let lawful = flags <= REMEMBERED
        && header.id.0 != [0; 32]
        && length <= MAX_OWNER
        && (kind == Kind::Stateless || header.owner.is_none());
    lawful.then_some((header, FIXED + length))
}

fn u48(number: u64) -> [u8; 6] {
    let [_, _, bytes @ ..] = number.min(crate::clock::MAX_MS).to_be_bytes();
    bytes
}

struct Reader<'a>(&'a [u8]);

impl Reader<'_> {
    fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (part, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(*part)
    }

    fn u48(&mut self) -> Option<u64> {
        let part: [u8; 6] = self.take()?;
        Some(part.iter().fold(0, |number, byte| number << 8 | u64::from(*byte)))
    }
}
