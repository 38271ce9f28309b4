//! Reads the `Cookie` header: exact bytes, several fields, nothing decoded.
//!
//! - Every field is read (B01), split at every `;` – quotes and `$Version` mean nothing (B05) – and a
//!   pair at its first `=`; without a name it is nobody's (B06).
//! - Around names and values SP and HTAB are stripped and nothing else: not U+00A0, not U+2000 (B04).
//! - Names compare byte for byte: no percent-decoding, no folding of case (B03). Neighbours may hold any
//!   bytes (B07).
//! - The work is bounded: [`MAX_PAIRS`] pairs, [`MAX_CANDIDATES`] values of our name, one pass, and no
//!   allocation but for those values (B08).

use memchr::{memchr, memchr_iter};
use smallvec::SmallVec;

/// How many values of our name are kept. `__Host-` makes more than one suspicious.
pub(crate) const MAX_CANDIDATES: usize = 4;
/// How many pairs are looked at in one request; browsers keep fewer than 200 per site.
pub(crate) const MAX_PAIRS: usize = 4096;
/// Values longer than browsers keep are not ours.
const MAX_VALUE: usize = 4096;

/// The values that a request presented under one name, in order. They share one buffer: a `;` cannot
/// be part of a value, so one ends each of them. A common cookie fits without an allocation.
#[derive(Default)]
pub(crate) struct Candidates {
    ended: SmallVec<[u8; 512]>,
}

impl Candidates {
    pub(crate) fn is_empty(&self) -> bool {
        self.ended.is_empty()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &[u8]> {
        let mut start = 0;
        memchr_iter(b';', &self.ended).map(move |end| {
            let value = &self.ended[start..end];
            start = end + 1;
            value
        })
    }

    /// Keeps a value, unless there are enough or it is too long to be ours.
    fn push(&mut self, value: &[u8]) {
        if value.len() > MAX_VALUE || !self.is_empty() && self.iter().count() >= MAX_CANDIDATES {
            return;
        }
        self.ended.extend_from_slice(value);
        self.ended.push(b';');
    }
}

/// What a request presented under the present name and, where one is still read, under the previous one. It is kept in
/// one allocation with the request's state, which is a fast one up to 1,032 bytes: what is seldom there is boxed.
#[derive(Default)]
pub(crate) struct Presented {
    pub(crate) present: Candidates,
    pub(crate) previous: Option<Box<Candidates>>,
    /// Of foreign cookies that are looked for the places of their names, and one value each.
    foreign: Option<Box<Foreign>>,
}

/// Places of names, and values.
type Foreign = SmallVec<[(u8, Box<[u8]>); 2]>;

/// Foreign cookies to look for.
#[derive(Clone, Copy, Default)]
pub(crate) struct ForeignNames<'a> {
    pub(crate) names: &'a [String],
    /// Of several with one name the last counts, and not the first.
    pub(crate) last: bool,
}

/// Finds the values of one name, or of two, in the fields of a request, and of foreign cookies. Answers also the bytes
/// of all cookies but ours, with what stands between them.
pub(crate) fn find<'a>(
    fields: impl IntoIterator<Item = &'a [u8]>,
    name: &[u8],
    previous_name: Option<&[u8]>,
    foreign: ForeignNames<'_>,
) -> (Presented, usize) {
    let (mut found, mut others) = (Presented::default(), 0);
    let mut pairs_left = MAX_PAIRS;
    for field in fields {
        let mut rest = Some(field);
        while let Some(field) = rest.filter(|_| pairs_left > 0) {
            let end = memchr(b';', field);
            let pair = &field[..end.unwrap_or(field.len())];
            rest = end.map(|end| &field[end + 1..]);
            pairs_left -= 1;
            if let Some(value) = value_of(pair, name) {
                found.present.push(value);
            } else if let Some(value) = previous_name.and_then(|name| value_of(pair, name)) {
                found.previous.get_or_insert_default().push(value);
            } else {
                if let Some((place, value)) = foreign.value_of(pair) {
                    found.keep_foreign(place, value, foreign.last);
                }
                others += pair.len() + 1;
            }
        }
    }
    (found, others)
}

impl ForeignNames<'_> {
    fn value_of<'a>(&self, pair: &'a [u8]) -> Option<(u8, &'a [u8])> {
        let mut names = (0..).zip(self.names);
        names.find_map(|(place, name)| Some((place, value_of(pair, name.as_bytes())?)))
    }
}

impl Presented {
    fn keep_foreign(&mut self, place: u8, value: &[u8], last: bool) {
        if value.len() > MAX_VALUE {
            return;
        }
        let foreign = self.foreign.get_or_insert_default();
        match foreign.iter_mut().find(|(known, _)| *known == place) {
            Some((_, known)) if last => *known = value.into(),
            Some(_) => {}
            None => foreign.push((place, value.into())),
        }
    }

    /// The foreign cookies that came: the places of their names, and their values.
    pub(crate) fn foreign(&self) -> &[(u8, Box<[u8]>)] {
        self.foreign.as_deref().map_or(&[], |foreign| foreign)
    }

    /// The places of the foreign cookies that came, a bit each.
    pub(crate) fn foreign_places(&self) -> u8 {
        self.foreign().iter().fold(0, |places, (place, _)| places | 1 << (place & 7))
    }
}

/// The value of a pair that is called `name`, which is not empty and holds no `=`.
fn value_of<'a>(pair: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    let rest = strip_start(pair).strip_prefix(name)?;
    Some(strip(strip_start(rest).strip_prefix(b"=")?))
}

/// Strips SP and HTAB, the only white space of RFC 6265bis.
fn strip(bytes: &[u8]) -> &[u8] {
    let mut bytes = strip_start(bytes);
    while let [rest @ .., b' ' | b'\t'] = bytes {
        bytes = rest;
    }
    bytes
}

fn strip_start(mut bytes: &[u8]) -> &[u8] {
    while let [b' ' | b'\t', rest @ ..] = bytes {
        bytes = rest;
    }
    bytes
}

#[cfg(test)]
#[allow(clippy::unwrap_used, unreachable_pub, dead_code)]
mod tests {
    use super::*;

    include!("../../tests/common/corpus.rs");

    /// B01–B09, B11–B14: every case of the corpus gives exactly the values that it names, in order.
    #[test]
    fn every_header_of_the_corpus_gives_the_values_that_it_names() {
        let (t, u) = ("Ta-_9".repeat(50), "Ub-_8".repeat(50));
        let mut wrong = Vec::new();
        for case in cases() {
            let fields: Vec<_> = case.fields.iter().map(|field| bytes(field, &t, &u)).collect();
            let values: Vec<_> = case.values.iter().map(|value| bytes(value, &t, &u)).collect();
            let (found, _) = find(fields.iter().map(Vec::as_slice), b"__Host-session", None, ForeignNames::default());
            if !found.present.iter().eq(values.iter().map(Vec::as_slice)) || found.previous.is_some() {
                wrong.push(case.claim);
            }
        }
        assert!(wrong.is_empty(), "{wrong:#?}");
    }

    /// B12: two names are found in one pass, and neither takes room from the other.
    #[test]
    fn the_present_and_the_previous_name_have_four_candidates_each() {
        let field = "old=1; new=1; ".repeat(5);
        let (found, _) = find([field.as_bytes()], b"new", Some(b"old"), ForeignNames::default());
        let (new, old) = (found.present.iter().count(), found.previous.unwrap().iter().count());
        assert_eq!((new, old), (MAX_CANDIDATES, MAX_CANDIDATES));
    }
}
