//! actix-session with `CookieSessionStore`.
//!
//! It has no door of its own: a session exists only inside a service call. So a whole call is measured, and in the
//! same slice the same call without the middleware, which is taken off.

use actix_http::Request;
use actix_session::config::PersistentSession;
use actix_session::storage::CookieSessionStore;
use actix_session::{Session, SessionGetError, SessionInsertError, SessionMiddleware};
use actix_web::body::{BoxBody, MessageBody};
use actix_web::cookie::time::Duration;
use actix_web::cookie::{Key, SameSite};
use actix_web::dev::{Service, ServiceResponse};
use actix_web::http::StatusCode;
use actix_web::http::header::{COOKIE, SET_COOKIE};
use actix_web::test::{TestRequest, init_service};
use actix_web::{App, Error, HttpResponse, Route, web};

use super::SECRET;
use crate::contestants::Contestant;
use crate::inproc::block_on;
use crate::measure::Bench;
use crate::payload::{Case, Payload};
use crate::{cookies, floor};

/// See the module.
pub const CONTESTANT: Contestant = Contestant { micro, services: Vec::new };

const ROW: &str = "actix-session CookieSessionStore";

fn micro(case: &Case) -> Vec<Bench> {
    let (mut seal, mut bare) = (sessions(web::get().to(write), &case.payload), self::bare());
    let response = seal(None);
    let set_cookie = response.headers().get(SET_COOKIE).expect("the handler wrote to the session");
    let cookie = cookies::pair(set_cookie.to_str().expect("a cookie is ASCII")).to_owned();
    let bench = Bench::new("seal", ROW, case.column, floor::ROW, move || seal(None));
    let mut benches = vec![bench.minus(move || bare(None))];
    for (table, others) in [("open1", false), ("open12", true)] {
        let header = cookies::header(&cookie, others);
        let (mut open, mut bare) = (sessions(web::get().to(read), &case.payload), self::bare());
        assert_eq!(open(Some(&header)).status(), StatusCode::OK, "the session did not open");
        let same_header = header.clone();
        let bench = Bench::new(table, ROW, case.column, floor::ROW, move || open(Some(&header)));
        benches.push(bench.minus(move || bare(Some(&same_header))));
    }
    benches
}

/// A service with sessions; calling it with a `Cookie` header answers the response.
fn sessions(route: Route, payload: &Payload) -> impl FnMut(Option<&str>) -> ServiceResponse<BoxBody> + use<> {
    let day = Duration::seconds(cookies::MAX_AGE_SECONDS);
    let middleware = SessionMiddleware::builder(CookieSessionStore::default(), Key::from(&SECRET))
        .cookie_name(cookies::NAME.to_owned())
        .cookie_same_site(SameSite::Lax)
        .session_lifecycle(PersistentSession::default().session_ttl(day))
        .build();
    let data = web::Data::new(payload.clone());
    let app = App::new().app_data(data).route("/", route).wrap(middleware);
    caller(block_on(init_service(app)))
}

/// The same service without sessions.
fn bare() -> impl FnMut(Option<&str>) -> ServiceResponse<BoxBody> {
    caller(block_on(init_service(App::new().route("/", web::get().to(HttpResponse::Ok)))))
}

fn caller<B: MessageBody + 'static>(
    service: impl Service<Request, Response = ServiceResponse<B>, Error = Error>,
) -> impl FnMut(Option<&str>) -> ServiceResponse<BoxBody> {
    move |cookie| {
        let mut request = TestRequest::get();
        if let Some(cookie) = cookie {
            request = request.insert_header((COOKIE, cookie));
        }
        let response = block_on(service.call(request.to_request()));
        response.expect("the handlers do not fail").map_into_boxed_body()
    }
}

async fn read(session: Session, expected: web::Data<Payload>) -> HttpResponse {
    match load(&session) {
        Ok(Some(payload)) if payload.user == expected.user => HttpResponse::Ok(),
        _ => HttpResponse::Unauthorized(),
    }
    .finish()
}

fn load(session: &Session) -> Result<Option<Payload>, SessionGetError> {
    let (user, name, cart) = (session.get("user")?, session.get("name")?, session.get("cart")?);
    Ok(user.zip(name).zip(cart).map(|((user, name), cart)| Payload { user, name, cart }))
}

async fn write(session: Session, payload: web::Data<Payload>) -> Result<HttpResponse, SessionInsertError> {
    session.insert("user", payload.user)?;
    session.insert("name", &payload.name)?;
    session.insert("cart", &payload.cart)?;
    Ok(HttpResponse::Ok().finish())
}
