//! The header's bytes, big-endian, in the order of `docs/cookie-format.md`: 106 and the owner; in a copy of a stored
//! record then 7 and the label.

use crate::record::{Handle, Header, Kind, MAX_OWNER, SessionId};

/// Bytes of a header without its owner.
const FIXED: usize = 106;
/// Bytes that a copy of a stored record has more, without the label.
const OF_A_COPY: usize = 7;

const REMEMBERED: u8 = 1;
/// Nothing yet: what is here is not read.
const RESERVED: [u8; 2] = [0; 2];

/// How many bytes the header has.
pub(crate) fn size(header: &Header) -> usize {
    let length = |text: &Option<Box<str>>| text.as_deref().map_or(0, str::len);
    let of_a_copy = if header.kind == Kind::Hybrid { OF_A_COPY + length(&header.label) } else { 0 };
    FIXED + length(&header.owner) + of_a_copy
}

/// Appends the header to `out`.
pub(crate) fn write(header: &Header, out: &mut Vec<u8>) {
    out.push(match header.kind {
        Kind::Anonymous => 1,
        Kind::Stateless => 2,
        Kind::Stored => 3,
        Kind::Hybrid => 4,
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
    if header.kind == Kind::Hybrid {
        let label = header.label.as_deref().unwrap_or_default().as_bytes();
        out.extend_from_slice(&u48(header.renewed));
        out.push(u8::try_from(label.len()).unwrap_or(u8::MAX));
        out.extend_from_slice(label);
    }
}

/// Reads a header and says how many bytes it had. `None` when it breaks a rule of the format: an
/// unknown kind or flag, an id of zeros (C11), or an owner where none belongs.
pub(crate) fn read(bytes: &[u8]) -> Option<(Header, usize)> {
    let mut reader = Reader(bytes);
    let kind = match reader.take::<1>()? {
        [1] => Kind::Anonymous,
        [2] => Kind::Stateless,
        [3] => Kind::Stored,
        [4] => Kind::Hybrid,
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
    header.owner = reader.text(length)?;
    if kind == Kind::Hybrid {
        header.renewed = reader.u48()?;
        let [length] = reader.take()?;
        header.label = reader.text(length.into())?;
    }
    let lawful = flags <= REMEMBERED
        && header.id.0 != [0; 32]
        && length <= MAX_OWNER
        && (matches!(kind, Kind::Stateless | Kind::Hybrid) || header.owner.is_none());
    lawful.then(|| (header, bytes.len() - reader.0.len()))
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

    /// A text of so many bytes; `None` inside for an empty one.
    fn text(&mut self, length: usize) -> Option<Option<Box<str>>> {
        let (text, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(Some(std::str::from_utf8(text).ok()?).filter(|text| !text.is_empty()).map(Into::into))
    }

    fn u48(&mut self) -> Option<u64> {
        let part: [u8; 6] = self.take()?;
        Some(part.iter().fold(0, |number, byte| number << 8 | u64::from(*byte)))
    }
}
