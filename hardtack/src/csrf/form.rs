//! Finds the token in the body of a form, while the body comes in.

use super::{
    FIELD, MAX_FORM,
    multipart::{self, Scanner},
};

/// The first value of the field `csrf_token` in an `application/x-www-form-urlencoded` body.
pub fn token_in_form(body: &[u8]) -> Option<String> {
    form_urlencoded::parse(body).find(|(name, _)| name == FIELD).map(|(_, value)| value.into_owned())
}

/// The first value of the field `csrf_token` in a form of this `Content-Type`, urlencoded or `multipart/form-data`.
/// `None` where there is none within the first 64 KiB, and for every other type.
pub fn token_in_body(content_type: impl AsRef<[u8]>, body: &[u8]) -> Option<String> {
    let mut search = Search::of(content_type.as_ref())?;
    match search.take(body) {
        Step::More => search.end(),
        Step::Done(token) => token,
        Step::TooLarge => None,
    }
}

/// A search for the token in a body that comes in pieces. It keeps what came, to hand it on.
pub(crate) struct Search {
    seen: Vec<u8>,
    form: Form,
}

enum Form {
    Urlencoded,
    Multipart(Scanner),
}

/// What a piece of the body told.
#[derive(Debug, PartialEq)]
pub(crate) enum Step {
    /// Nothing yet.
    More,
    /// Where the token would be was seen.
    Done(Option<String>),
    /// More than will be looked at.
    TooLarge,
}

impl Search {
    /// `None` for a body that is no form.
    pub(crate) fn of(content_type: &[u8]) -> Option<Self> {
        let essence = content_type.split(|byte| *byte == b';').next().unwrap_or_default().trim_ascii();
        let form = if essence.eq_ignore_ascii_case(b"application/x-www-form-urlencoded") {
            Form::Urlencoded
        } else if essence.eq_ignore_ascii_case(b"multipart/form-data") {
            Form::Multipart(Scanner::new(&multipart::boundary(content_type)?))
        } else {
            return None;
        };
        Some(Self { seen: Vec::new(), form })
    }

    /// The next piece.
    pub(crate) fn take(&mut self, piece: &[u8]) -> Step {
        self.seen.extend_from_slice(piece);
        let is_too_large = self.seen.len() > MAX_FORM;
        let step = match &mut self.form {
            Form::Urlencoded => Step::More,
            Form::Multipart(scanner) => scanner.scan(&self.seen[..self.seen.len().min(MAX_FORM)]),
        };
        if step == Step::More && is_too_large { Step::TooLarge } else { step }
    }

    /// The body has ended.
    pub(crate) fn end(&self) -> Option<String> {
        match self.form {
            Form::Urlencoded => token_in_form(&self.seen),
            // A part without its end is none.
            Form::Multipart(_) => None,
        }
    }

    /// All that came.
    #[cfg(any(feature = "axum", feature = "actix-web-4"))]
    pub(crate) fn into_seen(self) -> Vec<u8> {
        self.seen
    }
}
