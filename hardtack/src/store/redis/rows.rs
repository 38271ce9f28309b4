//! A row as a value of Redis.
//!
//! ```text
//! tag(1) version(8) absolute deadline(8) last use(8) idle deadline(8) epoch(8) created(8) authenticated(8)
//! renewed(8) generation(4) remembered(1) length of the owner(2) of the label(1) owner label sealed data
//! ```
//!
//! Numbers are the highest byte first. What scripts read or change has a fixed place, at the front; the prelude of the
//! scripts knows the places. A tombstone is a tag and until when it stands. The tag counts the layouts, too: a layout
//! that is changed gets another one.

use crate::store::{Facts, Row};

const ROW: u8 = 1;
/// Bytes before the owner.
const HEAD: usize = 73;

/// The value of a new row.
pub(super) fn encode(row: &Row) -> Vec<u8> {
    let facts = row.facts();
    let (owner, label) = (row.owner().unwrap_or_default(), row.label().unwrap_or_default());
    let mut value = Vec::with_capacity(HEAD + owner.len() + label.len() + row.sealed().len());
    value.push(ROW);
    value.extend_from_slice(&first(facts));
    value.extend_from_slice(&number(row.last_seen()));
    value.extend_from_slice(&number(row.idle_deadline()));
    value.extend_from_slice(&number(facts.epoch));
    value.extend_from_slice(&others(facts));
    // `Row` has cut both.
    value.extend_from_slice(&(owner.len() as u16).to_be_bytes());
    value.push(label.len() as u8);
    value.extend_from_slice(owner.as_bytes());
    value.extend_from_slice(label.as_bytes());
    value.extend_from_slice(row.sealed());
    value
}

/// Version and absolute deadline.
pub(super) fn first(facts: &Facts) -> [u8; 16] {
    let mut bytes = [0; 16];
    bytes[..8].copy_from_slice(&number(facts.version));
    bytes[8..].copy_from_slice(&number(facts.absolute_deadline));
    bytes
}

/// What no script looks at but to copy it: from `created` to `remembered`.
pub(super) fn others(facts: &Facts) -> [u8; 29] {
    let mut bytes = [0; 29];
    bytes[..8].copy_from_slice(&number(facts.created));
    bytes[8..16].copy_from_slice(&number(facts.authenticated));
    bytes[16..24].copy_from_slice(&number(facts.renewed));
    bytes[24..28].copy_from_slice(&facts.generation.to_be_bytes());
    bytes[28] = facts.remembered.into();
    bytes
}

/// A number or a time as scripts compare it.
pub(super) fn number(number: u64) -> [u8; 8] {
    number.to_be_bytes()
}

/// The row of a value: `Ok(None)` for a tombstone, an error for what this version does not know.
pub(super) fn decode(value: &[u8]) -> Result<Option<Row>, Unknown> {
    match value.split_first() {
        Some((&ROW, _)) => row(value).map(Some).ok_or(Unknown),
        Some((&2, _)) if value.len() == 9 => Ok(None),
        _ => Err(Unknown),
    }
}

/// A value that is no row and no tombstone.
#[derive(Debug)]
pub(super) struct Unknown;

fn row(value: &[u8]) -> Option<Row> {
    let (head, rest) = value.split_first_chunk::<HEAD>()?;
    let at = |start: usize| head[start..].first_chunk().map(|bytes| u64::from_be_bytes(*bytes));
    let facts = Facts {
        version: at(1)?,
        absolute_deadline: at(9)?,
        epoch: at(33)?,
        created: at(41)?,
        authenticated: at(49)?,
        renewed: at(57)?,
        generation: u32::from_be_bytes(*head[65..].first_chunk()?),
        remembered: head[69] != 0,
    };
    let owner = usize::from(u16::from_be_bytes(*head[70..].first_chunk()?));
    let (owner, rest) = rest.split_at_checked(owner)?;
    let (label, sealed) = rest.split_at_checked(head[72].into())?;
    let (owner, label) = (std::str::from_utf8(owner).ok()?, std::str::from_utf8(label).ok()?);
    Some(Row::new(facts, Some(owner), Some(label), sealed, at(17)?, at(25)?))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    /// F03: what scripts and this module say about the layout is the same.
    #[test]
    fn every_fact_has_its_place() {
        let facts = Facts {
            version: 0x0101_0101_0101_0101,
            absolute_deadline: 0x0202_0202_0202_0202,
            epoch: u64::MAX,
            created: 0x0606_0606_0606_0606,
            authenticated: 7,
            renewed: 8,
            generation: u32::MAX,
            remembered: true,
        };
        let row = Row::new(facts, Some("ada"), Some("phone"), b"sealed", 0x0303_0303_0303_0303, 0x0404_0404_0404_0404);
        let value = encode(&row);
        assert_eq!(decode(&value).unwrap(), Some(row));
        for (place, byte) in [(1, 1), (9, 2), (17, 3), (25, 4), (33, 255), (41, 6)] {
            assert_eq!(value[place..place + 8], [byte; 8]);
        }
        assert_eq!(value[70..76], [0, 3, 5, b'a', b'd', b'a']);
    }

    /// J05: no bytes in the place of a row are a panic, or somebody.
    #[test]
    fn what_is_no_row_is_an_error() {
        let row = Row::new(
            Facts {
                version: 1,
                generation: 0,
                remembered: false,
                epoch: 0,
                created: 0,
                authenticated: 0,
                renewed: 0,
                absolute_deadline: 9,
            },
            Some("ada"),
            None,
            b"",
            1,
            2,
        );
        let value = encode(&row);
        for length in 0..value.len() {
            assert!(decode(&value[..length]).is_err(), "{length} bytes of a row");
        }
        for tag in (0..=255).filter(|tag| *tag != ROW) {
            let mut other = value.clone();
            other[0] = tag;
            assert!(decode(&other).is_err(), "a row with the tag {tag}");
        }
    }
}
