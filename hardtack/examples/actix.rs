//! A counter for every visitor, with actix-web: `cargo run --example actix --features actix-web-4`.
//!
//! The first run prints a key to set. Then visit http://localhost:3000.

use actix_web::{
    App, Either, HttpResponse, HttpServer, Responder,
    web::{self, Form, Html, Redirect},
};
use hardtack::{Field, Keyring, Session, Sessions, csrf};
use serde::Deserialize;

const COUNT: Field<u64> = Field::new("count");

#[derive(Deserialize)]
struct Add {
    csrf_token: String,
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let sessions = Sessions::stateless(Keyring::from_env()?).build()?;
    let app = move || App::new().wrap(sessions.actix()).route("/", web::get().to(show)).route("/", web::post().to(add));
    Ok(HttpServer::new(app).bind(("127.0.0.1", 3000))?.run().await?)
}

async fn show(session: Session) -> Html {
    let count = session.get(COUNT).unwrap_or_default();
    let (field, token) = (csrf::FIELD, session.csrf_token());
    Html::new(format!(
        "<!doctype html><title>Counter</title><p>{count}</p>\n\
         <form method=post><input type=hidden name={field} value={token}><button>Add one</button></form>"
    ))
}

async fn add(session: Session, form: Form<Add>) -> impl Responder {
    if !session.verify_csrf(&form.csrf_token) {
        return Either::Left(
            HttpResponse::Forbidden().body("This form is out of date. Reload the page and try again.\n"),
        );
    }
    session.update(COUNT, |count| count.unwrap_or_default() + 1);
    Either::Right(Redirect::to("/").see_other())
}
