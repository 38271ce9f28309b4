//! The JSON routes: store, read and destroy a session.

use axum::{
    body::Bytes,
    extract::Query,
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
};
use hardtack::{CommitError, FieldError, Session};
use serde::Deserialize;
use serde_json::{Value, json, value::RawValue};

#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct ShowQuery {
    /// Only look: `?peek=1` keeps nothing alive.
    peek: Option<String>,
}

pub(super) async fn show(session: Session, Query(query): Query<ShowQuery>) -> Response {
    if query.peek.is_none_or(|peek| matches!(&*peek, "0" | "false")) {
        return view(&session);
    }
    session.peek();
    let left = session.expires_in().map(|left| left.as_secs());
    answer(StatusCode::OK, &json!({ "isLogin": session.owner().is_some(), "secondsLeft": left }))
}

/// The body, a JSON object, becomes the session's data.
pub(super) async fn store(session: Session, body: Bytes) -> Response {
    let data: Box<RawValue> = match serde_json::from_slice(&body) {
        Ok(data) => data,
        Err(error) => return problem(StatusCode::BAD_REQUEST, &format!("The body is no JSON: {error}.")),
    };
    // What a visitor asks to keep is worth a record.
    session.keep();
    if let Err(error) = session.try_write(&data) {
        session.discard();
        return match error {
            FieldError::NotAnObject | FieldError::Name { .. } => problem(StatusCode::BAD_REQUEST, &format!("{error}.")),
            other => problem(StatusCode::INTERNAL_SERVER_ERROR, &format!("{other}.")),
        };
    }
    let answer = view(&session);
    match session.commit().await {
        Ok(_) => answer,
        Err(error) => {
            session.discard();
            let status = match error {
                CommitError::TooLarge { .. } | CommitError::RecordTooLarge { .. } => StatusCode::PAYLOAD_TOO_LARGE,
                _ => error.status(),
            };
            problem(status, &format!("Nothing was saved: {error}."))
        }
    }
}

pub(super) async fn destroy(session: Session) -> Response {
    session.sign_out();
    answer(StatusCode::OK, &json!({ "ok": true, "isLogin": false }))
}

/// The data of the session, whether somebody is signed in, and a token for the next post. Ours come
/// last, where they win over members of the same name.
fn view(session: &Session) -> Response {
    let ours = json!({ "isLogin": session.owner().is_some(), "csrfToken": session.csrf_token() }).to_string();
    let data = session.read::<Box<RawValue>>();
    let members = data.as_ref().and_then(|data| data.get().strip_suffix('}')).filter(|members| members.len() > 1);
    let text = members.map_or_else(|| ours.clone(), |members| format!("{members},{}", &ours[1..]));
    json_text(StatusCode::OK, text)
}

pub(super) fn problem(status: StatusCode, message: &str) -> Response {
    answer(status, &json!({ "error": message }))
}

pub(super) fn answer(status: StatusCode, body: &Value) -> Response {
    json_text(status, body.to_string())
}

fn json_text(status: StatusCode, text: String) -> Response {
    (status, [(header::CONTENT_TYPE, "application/json")], text).into_response()
}

/// Whether the client accepts JSON and nothing else, so that a redirect to a page is no use to it.
pub(super) fn accepts_only_json(headers: &HeaderMap) -> bool {
    let accepted = headers.get_all(header::ACCEPT).iter().filter_map(|value| value.to_str().ok());
    let mut types =
        accepted.flat_map(|value| value.split(',')).map(|range| range.split(';').next().unwrap_or("").trim());
    let is_json =
        |range: &str| range.eq_ignore_ascii_case("application/json") || range.to_ascii_lowercase().ends_with("+json");
    types.next().is_some_and(|first| is_json(first) && types.all(is_json))
}
