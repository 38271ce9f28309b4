//! Passwords that everybody tries first. A site asks a longer list, or a service that knows breached ones.

/// Of 8 characters and more, from the published lists of the most used passwords; shorter ones are refused anyway.
const COMMON: &str = "00000000 01234567 0123456789 11111111 1111111111 11223344 12121212 123123123 12341234 12344321 12345678 \
    123456789 1234567890 1234567891 123456789a 1234abcd 123654789 12qwaszx 147258369 1q2w3e4r 1q2w3e4r5t 1qaz2wsx \
    22222222 31415926 55555555 66666666 77777777 87654321 88888888 987654321 9876543210 99999999 a1b2c3d4 a1234567 \
    aa123456 aaaaaaaa abc12345 abcd1234 abcdefgh admin123 administrator alexander asdf1234 asdfasdf asdfghjk asdfghjkl \
    azertyuiop baseball basketball blink182 butterfly changeme charlie1 chocolate computer corvette danielle dragon123 \
    elephant football football1 franklin garfield hardtack hello123 iloveyou iloveyou1 internet jennifer jessica1 \
    jordan23 letmein1 letmein123 liverpool manchester marlboro maverick mercedes metallica michael1 michelle midnight \
    monkey123 mustang1 nicholas pa55word pa$$word passw0rd password password! password1 password12 password123 \
    password1234 p@ssw0rd p@ssword princess princess1 q1w2e3r4 q1w2e3r4t5 qazwsxedc qwer1234 qwerasdf qwerty12 \
    qwerty123 qwertyui qwertyuiop qwertz123 samantha secret123 spiderman starwars sunshine sunshine1 superman superman1 \
    trustno1 victoria welcome1 welcome123 whatever william1 zaq12wsx zxcvbnm1 zxcvbnm123";

/// Whether people use this password a lot, in whatever letters.
pub(crate) fn is_common(password: &str) -> bool {
    let password = password.to_lowercase();
    COMMON.split_ascii_whitespace().any(|common| common == password)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_common_password_is_known_in_any_letters_and_others_are_not() {
        for common in ["password", "PassWord1", "12345678", "00000000", "zxcvbnm123"] {
            assert!(is_common(common), "{common}");
        }
        for other in ["", " ", "pass word", "ship's biscuit", "zxcvbnm1234"] {
            assert!(!is_common(other), "{other}");
        }
    }
}
