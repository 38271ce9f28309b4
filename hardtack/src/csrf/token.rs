//! Tokens: `base64url( mask(32) ‖ mask ⊕ HMAC-SHA256(session id, label) )`, 86 characters.

use aws_lc_rs::{constant_time, hmac};
use rand::Rng;

use crate::{
    envelope::{base64url_decode, base64url_encode},
    record::SessionId,
};

const LABEL: &[u8] = b"hardtack 1 csrf";
const HALF: usize = 32;

/// A token for the session of this id, under a fresh mask.
pub(crate) fn issue(id: &SessionId) -> String {
    let mut token = [0; 2 * HALF];
    rand::rng().fill_bytes(&mut token[..HALF]);
    let (mask, masked) = token.split_at_mut(HALF);
    masked.copy_from_slice(secret(id).as_ref());
    apply(mask, masked);
    base64url_encode(&token)
}

/// Whether `token` was issued for the session of this id. Constant time in the secret.
pub(crate) fn verify(id: &SessionId, token: &str) -> bool {
    let Some(mut token) = base64url_decode(token.as_bytes()).filter(|token| token.len() == 2 * HALF) else {
        return false;
    };
    let (mask, masked) = token.split_at_mut(HALF);
    apply(mask, masked);
    constant_time::verify_slices_are_equal(masked, secret(id).as_ref()).is_ok()
}

fn secret(id: &SessionId) -> hmac::Tag {
    hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, &id.0), LABEL)
}

fn apply(mask: &[u8], text: &mut [u8]) {
    text.iter_mut().zip(mask).for_each(|(byte, mask)| *byte ^= mask);
}
