//! Finds one field in a `multipart/form-data` body (RFC 7578) of which the beginning is there.
//!
//! It understands no more than it needs for that. What it takes for a token must verify, so a body that it reads
//! otherwise than the application does gains nobody anything.

use memchr::memmem;

use super::{FIELD, form::Step};

/// The longest boundary (RFC 2046 §5.1.1).
const MAX_BOUNDARY: usize = 70;

/// The boundary that a `Content-Type` announces.
pub(crate) fn boundary(content_type: &[u8]) -> Option<Vec<u8>> {
    parameter(content_type, b"boundary").filter(|boundary| (1..=MAX_BOUNDARY).contains(&boundary.len()))
}

/// A reader that remembers how far it came, so that it looks at every byte about once, however small the pieces are.
pub(crate) struct Scanner {
    /// With the line break that belongs to it.
    delimiter: Vec<u8>,
    at: usize,
    place: Place,
}

#[derive(Clone, Copy)]
enum Place {
    Beginning,
    AfterDelimiter,
    /// The line break before the first header is here.
    Head(usize),
    Content {
        from: usize,
        is_token: bool,
    },
}

impl Scanner {
    pub(crate) fn new(boundary: &[u8]) -> Self {
        Self { delimiter: [b"\r\n--", boundary].concat(), at: 0, place: Place::Beginning }
    }

    /// Goes on in a body of which `seen` has come by now. The first field counts, whatever its value.
    pub(crate) fn scan(&mut self, seen: &[u8]) -> Step {
        loop {
            match self.place {
                Place::Beginning => {
                    // The first delimiter needs no line break before it.
                    let bare = &self.delimiter[2..];
                    if seen.len() < bare.len() {
                        return Step::More;
                    }
                    if seen.starts_with(bare) {
                        self.at = bare.len();
                    } else if find(&mut self.at, seen, &self.delimiter).is_none() {
                        return Step::More;
                    }
                    self.place = Place::AfterDelimiter;
                }
                Place::AfterDelimiter => {
                    let rest = &seen[self.at..];
                    self.at += rest.iter().take_while(|byte| matches!(byte, b' ' | b'\t')).count();
                    match &seen[self.at..] {
                        [b'\r', b'\n', ..] => self.place = Place::Head(self.at),
                        [] | [b'\r'] => return Step::More,
                        // The last one has `--`; everything else is no form.
                        _ => return Step::Done(None),
                    }
                }
                Place::Head(start) => {
                    let Some(end) = find(&mut self.at, seen, b"\r\n\r\n") else { return Step::More };
                    let is_token = is_token_field(&seen[start..end]);
                    self.place = Place::Content { from: self.at, is_token };
                }
                Place::Content { from, is_token } => {
                    let Some(end) = find(&mut self.at, seen, &self.delimiter) else { return Step::More };
                    if is_token {
                        return Step::Done(Some(String::from_utf8_lossy(&seen[from..end]).into_owned()));
                    }
                    self.place = Place::AfterDelimiter;
                }
            }
        }
    }
}

/// Where `needle` begins, from `at` on; `at` moves behind it, or to where it could begin in what has not come yet.
fn find(at: &mut usize, seen: &[u8], needle: &[u8]) -> Option<usize> {
    let found = memmem::find(&seen[*at..], needle).map(|found| *at + found);
    *at = match found {
        Some(start) => start + needle.len(),
        None => (*at).max((seen.len() + 1).saturating_sub(needle.len())),
    };
    found
}

/// Whether these header lines are those of the token's field. A file of that name is none.
fn is_token_field(head: &[u8]) -> bool {
    let mut lines = head.split(|byte| *byte == b'\n').filter_map(|line| {
        let colon = line.iter().position(|byte| *byte == b':')?;
        let is_disposition = line[..colon].trim_ascii().eq_ignore_ascii_case(b"content-disposition");
        is_disposition.then(|| line[colon + 1..].trim_ascii())
    });
    lines.next().is_some_and(|disposition| {
        parameter(disposition, b"name").is_some_and(|name| name == FIELD.as_bytes())
            && parameter(disposition, b"filename").is_none()
            && parameter(disposition, b"filename*").is_none()
    })
}

/// A parameter of a header's value: `type; name=value; other="quoted"`.
fn parameter(value: &[u8], wanted: &[u8]) -> Option<Vec<u8>> {
    let mut rest = &value[memchr::memchr(b';', value)? + 1..];
    loop {
        let end = rest.iter().position(|byte| matches!(byte, b'=' | b';'))?;
        let (name, after) = (rest[..end].trim_ascii(), &rest[end + 1..]);
        if rest[end] == b';' {
            rest = after;
            continue;
        }
        let (text, after) = parameter_value(after.trim_ascii_start());
        if name.eq_ignore_ascii_case(wanted) {
            return Some(text);
        }
        rest = &after[memchr::memchr(b';', after)? + 1..];
    }
}

/// A token or a quoted string, and what follows.
fn parameter_value(text: &[u8]) -> (Vec<u8>, &[u8]) {
    let Some(quoted) = text.strip_prefix(b"\"") else {
        let (value, rest) = text.split_at(memchr::memchr(b';', text).unwrap_or(text.len()));
        return (value.trim_ascii().to_vec(), rest);
    };
    let (mut value, mut bytes) = (Vec::new(), quoted.iter().enumerate());
    while let Some((at, byte)) = bytes.next() {
        match byte {
            b'"' => return (value, &quoted[at + 1..]),
            b'\\' => value.extend(bytes.next().map(|(_, byte)| *byte)),
            byte => value.push(*byte),
        }
    }
    (value, &[])
}
