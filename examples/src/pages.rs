//! The pages. `pages.mjs` makes the same of the same files.

use axum::response::Html;

const FRAME: &str = include_str!("../pages/frame.html");
const HOME: &str = include_str!("../pages/home.html");
const NOBODY: &str = include_str!("../pages/nobody.html");
const LOGIN: &str = include_str!("../pages/login.html");

/// Who is signed in, and what was counted.
pub(crate) fn home_page(username: Option<&str>, count: u64) -> Html<String> {
    match username {
        None => page("Nobody", NOBODY),
        Some(username) => {
            let main = HOME.replace("{{count}}", &count.to_string()).replace("{{username}}", &escape(username));
            page(username, &main)
        }
    }
}

/// The form to sign in.
pub(crate) fn login_page() -> Html<String> {
    page("Log in", LOGIN)
}

fn page(title: &str, main: &str) -> Html<String> {
    let frame = FRAME.replace("{{title}}", &escape(title)).replace("{{server}}", "Rust");
    Html(frame.replace("{{main}}", main))
}

fn escape(text: &str) -> String {
    let escaped = text.replace('&', "&#38;").replace('<', "&#60;").replace('>', "&#62;");
    escaped.replace('"', "&#34;").replace('\'', "&#39;")
}
