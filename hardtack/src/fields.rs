//! The data of a session: names and raw JSON values, kept in their wire form.
//!
//! ```text
//! fields = count(2) ‖ count × ( name length(1) ‖ name ‖ value length(4) ‖ value )
//! ```
//!
//! Integers are big-endian, names and values UTF-8, a value the JSON text as it was written: reading
//! one field parses no other, and numbers and key order survive. A look-up hops from field to field;
//! a write splices. An opened envelope is not copied: the fields are a window into its buffer.

use std::{ops::Range, sync::Arc};

use crate::{error::FieldError, field::MAX_NAME};

/// An ordered list of named JSON texts. Cloning is cheap; a write copies what is shared.
#[derive(Clone)]
pub(crate) struct Fields {
    buffer: Arc<Vec<u8>>,
    window: Range<usize>,
}

const COUNT: usize = 2;

impl Fields {
    /// No fields.
    pub(crate) fn empty() -> Self {
        Self { buffer: Arc::new(vec![0; COUNT]), window: 0..COUNT }
    }

    /// The fields at the start of `window`. `None` when they do not end within it. That names and values are
    /// UTF-8 is checked when they are read; one that is not counts as absent.
    pub(crate) fn parse(buffer: Vec<u8>, window: Range<usize>) -> Option<Self> {
        let mut at = window.start;
        let mut take = |length: usize| {
            let part = buffer.get(at..at.checked_add(length)?).filter(|_| at + length <= window.end)?;
            at += length;
            Some(part)
        };
        let count = u16::from_be_bytes(take(COUNT)?.try_into().ok()?);
        for _ in 0..count {
            let name = usize::from(take(1)?[0]);
            take(name)?;
            let value = u32::from_be_bytes(take(4)?.try_into().ok()?);
            take(usize::try_from(value).ok()?)?;
        }
        let window = window.start..at;
        Some(Self { buffer: Arc::new(buffer), window })
    }

    /// The wire form.
    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.buffer[self.window.clone()]
    }

    /// How many bytes the wire form has.
    pub(crate) fn size(&self) -> usize {
        self.window.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.count() == 0
    }

    /// The JSON text of one field.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.text(self.find(name)?.value)
    }

    /// All fields in the order in which they were first set.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.spans().filter_map(|span| Some((self.text(span.name)?, self.text(span.value)?)))
    }

    /// Sets one field. Answers whether that changed anything.
    pub(crate) fn set(&mut self, name: &str, json: &str) -> Result<bool, FieldError> {
        let too_long = || FieldError::Name { name: name.chars().take(32).collect() };
        let length = u8::try_from(name.len()).ok().filter(|length| usize::from(*length) <= MAX_NAME);
        let length = length.ok_or_else(too_long)?;
        let json_length = u32::try_from(json.len()).map_err(|_| too_long())?;
        let known = self.find(name);
        match &known {
            Some(span) if self.text(span.value.clone()) == Some(json) => return Ok(false),
            Some(span) => {
                let value = span.value.clone();
                self.splice(value.start - 4..value.end, &[&json_length.to_be_bytes(), json.as_bytes()]);
            }
            None => {
                let count = self.count().checked_add(1).ok_or_else(too_long)?;
                let end = self.window.len();
                self.splice(end..end, &[&[length], name.as_bytes(), &json_length.to_be_bytes(), json.as_bytes()]);
                self.splice(0..COUNT, &[&count.to_be_bytes()]);
            }
        }
        Ok(true)
    }

    /// Removes one field. Answers whether it was there.
    pub(crate) fn remove(&mut self, name: &str) -> bool {
        let Some(span) = self.find(name) else { return false };
        let count = self.count().saturating_sub(1);
        self.splice(span.name.start - 1..span.value.end, &[]);
        self.splice(0..COUNT, &[&count.to_be_bytes()]);
        true
    }

    fn count(&self) -> u16 {
        let bytes = self.as_bytes();
        u16::from_be_bytes([bytes[0], bytes[1]])
    }

    fn find(&self, name: &str) -> Option<Span> {
        self.spans().find(|span| self.as_bytes()[span.name.clone()] == *name.as_bytes())
    }

    /// Where each field stands, relative to the window. `parse` has checked that all of it is inside.
    fn spans(&self) -> impl Iterator<Item = Span> {
        let bytes = self.as_bytes();
        let mut at = COUNT;
        (0..self.count()).map(move |_| {
            let name = at + 1..at + 1 + usize::from(bytes[at]);
            let length = &bytes[name.end..name.end + 4];
            let length = u32::from_be_bytes([length[0], length[1], length[2], length[3]]) as usize;
            let value = name.end + 4..name.end + 4 + length;
            at = value.end;
            Span { name, value }
        })
    }

    fn text(&self, span: Range<usize>) -> Option<&str> {
        std::str::from_utf8(&self.as_bytes()[span]).ok()
    }

    /// Replaces a part of the wire form, taking the window out of a shared buffer first.
    fn splice(&mut self, part: Range<usize>, with: &[&[u8]]) {
        let bytes = self.as_bytes();
        let mut next = Vec::with_capacity(bytes.len() + with.iter().map(|piece| piece.len()).sum::<usize>());
        next.extend_from_slice(&bytes[..part.start]);
        with.iter().for_each(|piece| next.extend_from_slice(piece));
        next.extend_from_slice(&bytes[part.end..]);
        self.window = 0..next.len();
        self.buffer = Arc::new(next);
    }
}

struct Span {
    name: Range<usize>,
    value: Range<usize>,
}
