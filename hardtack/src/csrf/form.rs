//! Finds the token in an urlencoded form.

/// The first value of the field `csrf_token` in an `application/x-www-form-urlencoded` body.
pub fn token_in_form(body: &[u8]) -> Option<String> {
    form_urlencoded::parse(body).find(|(name, _)| name == super::FIELD).map(|(_, value)| value.into_owned())
}

#[cfg(feature = "axum")]
/// Whether a `Content-Type` announces an urlencoded form.
pub(crate) fn is_urlencoded(content_type: &[u8]) -> bool {
    let essence = content_type.split(|byte| *byte == b';').next().unwrap_or_default();
    essence.trim_ascii().eq_ignore_ascii_case(b"application/x-www-form-urlencoded")
}
