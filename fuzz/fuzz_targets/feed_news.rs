//! News of a feed (the hybrid placement): any bytes that a feed might hold. What is read says the same when it is
//! written and read again, in no more bytes than a feed must hold; what is as long as no news is no news.
#![no_main]

use hardtack::store::feed::News;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    let Some(news) = News::from_bytes(input) else { return };
    let bytes = news.to_bytes();
    assert!(bytes.len() <= News::MAX_BYTES);
    assert_eq!(News::from_bytes(&bytes), Some(news));
    match input[0] {
        // A line of text: its numbers have other spellings.
        b'S' => assert_eq!(bytes[0], b'S'),
        kind => {
            assert_eq!(bytes, input);
            let length = match kind {
                b'E' => 18,
                b'R' => 21,
                _ => 17,
            };
            assert_eq!(input.len(), length);
        }
    }
});
