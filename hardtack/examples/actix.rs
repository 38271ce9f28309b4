//! A counter for every visitor, with actix-web: `cargo run --example actix --features actix-web-4`.
//!
//! The first run prints a key to set. Then visit http://localhost:3000.

use actix_web::{
    App, HttpServer, Responder,
    web::{self, Html, Redirect},
};
use hardtack::{
    Field, Keyring, Session, Sessions,
    csrf::{CsrfMiddleware, hidden_field},
};

const COUNT: Field<u64> = Field::new("count");

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let sessions = Sessions::stateless(Keyring::from_env()?).build()?;
    let app = move || {
        let app = App::new().wrap(CsrfMiddleware::new()).wrap(sessions.actix());
        app.route("/", web::get().to(show)).route("/", web::post().to(add))
    };
    Ok(HttpServer::new(app).bind(("127.0.0.1", 3000))?.run().await?)
}

async fn show(session: Session) -> Html {
    let count = session.get(COUNT).unwrap_or_default();
    let field = hidden_field(&session);
    Html::new(format!(
        "<!doctype html><title>Counter</title><p>{count}</p><form method=post>{field}<button>Add one</button></form>"
    ))
}

async fn add(session: Session) -> impl Responder {
    session.update(COUNT, |count| count.unwrap_or_default() + 1);
    Redirect::to("/").see_other()
}
