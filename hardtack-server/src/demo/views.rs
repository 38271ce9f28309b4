//! From a session to a page: what the templates show.

use askama::Template;
use axum::{
    http::{HeaderMap, StatusCode, header},
    response::{Html, IntoResponse, Response},
};
use hardtack::{Device, Session};

use super::{
    Site,
    copies::TEXT,
    facts::{ClockView, Fact, FieldView, Known, ago, fields, stranger, words},
    pages::COUNT,
};
use crate::{Failure, cli::Placement, users::KEEPER};

pub(super) const COOKIE: &str = "__Host-session";
/// What browsers keep of a cookie's name and value together.
const COOKIE_LIMIT: usize = 4096;

struct Page {
    signed_in: bool,
    owner: String,
    csrf_token: String,
    here: &'static str,
    placement: &'static str,
}

impl Page {
    fn new(site: &Site, session: &Session, here: &'static str) -> Self {
        let owner = session.owner();
        Self {
            signed_in: owner.is_some(),
            owner: owner.unwrap_or_default(),
            csrf_token: session.csrf_token(),
            ..Self::bare(site, here)
        }
    }

    /// A page that does not ask for the session, because there may be none to ask.
    fn bare(site: &Site, here: &'static str) -> Self {
        Self {
            signed_in: false,
            owner: String::new(),
            csrf_token: String::new(),
            here,
            placement: site.placement.name(),
        }
    }
}

#[derive(Default)]
struct CookieView {
    name: &'static str,
    value: String,
    bytes: usize,
    limit: usize,
    percent: usize,
    /// What is in it, when it is a live session's.
    holds: String,
}

struct Flag {
    name: &'static str,
    value: &'static str,
    protects: &'static str,
}

#[derive(Template)]
#[template(path = "home.html")]
struct HomePage {
    page: Page,
    counter: u64,
    facts: Vec<Fact>,
    has_cookie: bool,
    cookie: CookieView,
    flags: &'static [Flag],
    clocks: Vec<ClockView>,
    fields: Vec<FieldView>,
    /// The hybrid placement: facts about the copy, and a text that may grow.
    is_hybrid: bool,
    copy: Vec<Fact>,
    text: String,
}

#[derive(Template)]
#[template(path = "login.html")]
struct LoginPage<'a> {
    page: Page,
    next: &'a str,
    /// There are users with names.
    has_names: bool,
    name: &'a str,
    has_error: bool,
    error: String,
    hint: &'static str,
}

#[derive(Template)]
#[template(path = "confirm.html")]
struct ConfirmPage<'a> {
    page: Page,
    next: &'a str,
    has_error: bool,
    error: String,
}

#[derive(Template)]
#[template(path = "danger.html")]
struct DangerPage {
    page: Page,
    counter: u64,
}

#[derive(Template)]
#[template(path = "password.html")]
struct PasswordPage {
    page: Page,
    is_keeper: bool,
    is_changed: bool,
    has_error: bool,
    error: String,
}

#[derive(Template)]
#[template(path = "protected.html")]
struct ProtectedPage<'a> {
    page: Page,
    owner: &'a str,
    since: String,
    left: String,
    facts: Vec<Fact>,
}

#[derive(Template)]
#[template(path = "devices.html")]
struct DevicesPage {
    page: Page,
    devices: Vec<DeviceView>,
    /// The placement keeps a list, so the page knows all devices.
    is_complete: bool,
}

struct DeviceView {
    handle: String,
    label: String,
    made: String,
    last_seen: String,
    current: bool,
}

#[derive(Template)]
#[template(path = "lab.html")]
struct LabPage {
    page: Page,
    has_cookie: bool,
    value: String,
    has_result: bool,
    result: Finding,
    keys: Vec<KeyView>,
    sealed_by: String,
    can_rotate: bool,
}

/// What an experiment found.
#[derive(Default)]
pub(super) struct Finding {
    pub(super) what: &'static str,
    pub(super) verdict: &'static str,
    pub(super) reason: String,
    pub(super) lesson: &'static str,
}

struct KeyView {
    id: String,
    state: &'static str,
    opened: u64,
}

#[derive(Template)]
#[template(path = "error.html")]
struct ErrorPage<'a> {
    page: Page,
    status: u16,
    title: &'a str,
    message: &'a str,
}

/// What each flag of the demo's cookie, the default one of the library, is for.
const FLAGS: &[Flag] = &[
    Flag {
        name: "__Host-",
        value: "in the name",
        protects: "A subdomain that plants or overwrites the cookie. The browser takes it from this host alone, over a secure connection.",
    },
    Flag { name: "HttpOnly", value: "", protects: "A script in the page that reads the cookie and sends it away." },
    Flag {
        name: "Secure",
        value: "",
        protects: "Anybody on the network who reads along: the cookie never travels in clear.",
    },
    Flag {
        name: "SameSite",
        value: "Lax",
        protects: "Another site that posts a form in your name. Together with the hidden token in every form here.",
    },
    Flag {
        name: "Path",
        value: "/",
        protects: "Nothing by itself. The prefix asks for it, so that no second cookie hides under a longer path.",
    },
    Flag {
        name: "Domain",
        value: "none",
        protects: "Other hosts of the same domain, which would get the cookie if one were named.",
    },
    Flag {
        name: "Max-Age",
        value: "only if you said keep me signed in",
        protects: "A session that outlives the browser. The server's own clocks end it in any case.",
    },
];

pub(super) fn home(site: &Site, session: &Session, headers: &HeaderMap) -> Response {
    let value = presented(headers);
    let known = Known::of(site, session, headers);
    let bytes = value.map_or(0, |value| COOKIE.len() + value.len());
    let page = HomePage {
        counter: session.get(COUNT).unwrap_or_default(),
        facts: known.as_ref().map_or_else(|| stranger(site, session, headers), Known::facts),
        has_cookie: value.is_some(),
        cookie: CookieView {
            name: COOKIE,
            value: value.unwrap_or_default().into(),
            bytes,
            limit: COOKIE_LIMIT,
            percent: bytes * 100 / COOKIE_LIMIT,
            holds: known.as_ref().map(Known::holds).unwrap_or_default(),
        },
        flags: FLAGS,
        clocks: known.as_ref().map(Known::clocks).unwrap_or_default(),
        fields: fields(session),
        is_hybrid: site.placement == Placement::Hybrid,
        copy: known.as_ref().map(Known::copy).unwrap_or_default(),
        text: session.get(TEXT).unwrap_or_default(),
        page: Page::new(site, session, "/"),
    };
    html(&page)
}

/// `name` is what was typed as one, where there are users with names.
pub(super) fn login(site: &Site, session: &Session, next: &str, name: Option<&str>, error: Option<String>) -> Response {
    let page = Page::new(site, session, "/login");
    html(&LoginPage {
        page,
        next,
        has_names: name.is_some(),
        name: name.unwrap_or_default(),
        has_error: error.is_some(),
        error: error.unwrap_or_default(),
        hint: site.hint,
    })
}

pub(super) fn confirm(site: &Site, session: &Session, next: &str, error: Option<String>) -> Response {
    let page = Page::new(site, session, "");
    html(&ConfirmPage { page, next, has_error: error.is_some(), error: error.unwrap_or_default() })
}

pub(super) fn danger(site: &Site, session: &Session) -> Response {
    html(&DangerPage { page: Page::new(site, session, "/danger"), counter: session.get(COUNT).unwrap_or_default() })
}

pub(super) fn password(site: &Site, session: &Session, error: Option<String>, is_changed: bool) -> Response {
    let page = Page::new(site, session, "/password");
    let is_keeper = page.owner == KEEPER;
    html(&PasswordPage { page, is_keeper, is_changed, has_error: error.is_some(), error: error.unwrap_or_default() })
}

pub(super) fn protected(site: &Site, session: &Session, owner: &str, headers: &HeaderMap) -> Response {
    let known = Known::of(site, session, headers);
    html(&ProtectedPage {
        page: Page::new(site, session, "/protected"),
        owner,
        since: known.as_ref().map(Known::proved).unwrap_or_default(),
        left: words(session.expires_in().map_or(0, |left| u64::try_from(left.as_millis()).unwrap_or(u64::MAX))),
        facts: known.as_ref().map(Known::facts).unwrap_or_default(),
    })
}

pub(super) fn devices(site: &Site, session: &Session, devices: Vec<Device>) -> Response {
    let (now, this) = (site.clock.now_ms(), session.handle());
    let devices = devices.into_iter().map(|device| DeviceView {
        handle: device.handle.to_string(),
        label: device.label.unwrap_or_default(),
        made: ago(now, device.created_at),
        last_seen: ago(now, device.last_seen_at),
        current: Some(device.handle) == this,
    });
    html(&DevicesPage {
        devices: devices.collect(),
        is_complete: site.placement.has_store(),
        page: Page::new(site, session, "/devices"),
    })
}

pub(super) fn lab(site: &Site, session: &Session, headers: &HeaderMap, result: Option<Finding>) -> Response {
    let value = presented(headers).unwrap_or_default();
    let sealed_by =
        site.sessions.inspect(value).map(|found| format!("{} ({})", found.key_id(), found.key_state().as_str()));
    let keys = site.keys.keys(site.clock.now_ms()).into_iter();
    let keys = keys.map(|(key, state)| KeyView {
        id: key.id().to_string(),
        state: state.as_str(),
        opened: key.opened_retired().0,
    });
    html(&LabPage {
        page: Page::new(site, session, "/lab"),
        has_cookie: !value.is_empty(),
        value: value.into(),
        has_result: result.is_some(),
        result: result.unwrap_or_default(),
        keys: keys.collect(),
        sealed_by: sealed_by.unwrap_or_else(|_| "none that opens it".into()),
        can_rotate: site.key_file.is_some() && session.owner().is_some(),
    })
}

pub(super) fn problem(site: &Site, status: StatusCode, message: &str) -> Response {
    let title = status.canonical_reason().unwrap_or("Something went wrong");
    let page = ErrorPage { page: Page::bare(site, ""), status: status.as_u16(), title, message };
    (status, html(&page)).into_response()
}

/// The server could not do it: the operator is told why, the visitor that.
pub(super) fn failure(site: &Site, error: &Failure, message: &str) -> Response {
    eprintln!("hardtack: {error}");
    problem(site, StatusCode::SERVICE_UNAVAILABLE, message)
}

fn html(template: &impl Template) -> Response {
    match template.render() {
        Ok(text) => Html(text).into_response(),
        Err(error) => {
            eprintln!("hardtack: {error}");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}

/// The raw value of our cookie, to show it. The library reads it for itself.
pub(super) fn presented(headers: &HeaderMap) -> Option<&str> {
    let mut pairs =
        headers.get_all(header::COOKIE).iter().flat_map(|field| field.as_bytes().split(|byte| *byte == b';'));
    pairs.find_map(|pair| std::str::from_utf8(pair).ok()?.trim().strip_prefix(COOKIE)?.strip_prefix('='))
}
