// The corpus of `Cookie` headers, `tests/data/cookie-headers.json`, whose `rules` explain its notation. The
// reader's own tests include this file as well, so it is no module with a head of its own.

#[derive(serde::Deserialize)]
pub struct Case {
    pub claim: String,
    pub covers: Vec<String>,
    pub fields: Vec<String>,
    pub values: Vec<String>,
    pub session: Option<String>,
    pub http: bool,
}

pub fn cases() -> Vec<Case> {
    #[derive(serde::Deserialize)]
    struct Corpus {
        cases: Vec<Case>,
    }
    let text = include_str!("../data/cookie-headers.json");
    serde_json::from_str::<Corpus>(text).unwrap().cases
}

// The bytes that a text of the corpus stands for, with `t` for {T} and `u` for {U}.
pub fn bytes(text: &str, t: &str, u: &str) -> Vec<u8> {
    let latin1 = |text: &str| text.chars().map(|char| u8::try_from(char).unwrap()).collect::<Vec<_>>();
    let mut out = Vec::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('{') {
        let (word, after) = after.split_once('}').unwrap();
        out.extend(latin1(before));
        out.extend(match word.splitn(3, ':').collect::<Vec<_>>()[..] {
            ["T"] => latin1(t),
            ["U"] => latin1(u),
            ["PAD", count] => b"x".repeat(count.parse().unwrap()),
            ["MANY", count, text] => latin1(text).repeat(count.parse().unwrap()),
            _ => panic!("{{{word}}} is no word of the corpus"),
        });
        rest = after;
    }
    out.extend(latin1(rest));
    out
}
