//! The application served by axum.

use std::{convert::Infallible, net::TcpListener};

use axum::{
    Router,
    body::{Body, Bytes},
    extract::{Path, Request, State},
    http::StatusCode,
    middleware::{self, Next},
    response::Response,
    routing::get,
};
use futures_util::stream;
use hardtack::{Session, SessionRejection, SessionRequest};
use tokio::sync::oneshot;

use crate::app::{App, act, at_the_end, degraded};

type Said = (StatusCode, String);

async fn run(State(app): State<App>, Path(steps): Path<String>, session: Session) -> Said {
    let (status, said) = act(&app, &session, &steps).await;
    (StatusCode::from_u16(status).unwrap(), said)
}

/// Waits first, and asks for its session then.
async fn late(State(app): State<App>, Path((gate, steps)): Path<(String, String)>, request: Request) -> Said {
    app.site.gate(&gate).pass().await;
    app.catch_up().await;
    let session = Session::from_extensions(request.extensions()).await.unwrap();
    run(State(app), Path(steps), session).await
}

async fn degrade(session: Result<Session, SessionRejection>) -> String {
    degraded(session)
}

async fn stream(State(app): State<App>, Path(gate): Path<String>, session: Session) -> Body {
    let end = async move {
        app.site.gate(&gate).pass().await;
        app.catch_up().await;
        Ok::<_, Infallible>(Bytes::from(at_the_end(&session).await))
    };
    Body::from_stream(stream::once(end))
}

async fn inside(State(app): State<App>, request: Request, next: Next) -> Response {
    let _inside = app.site.enter();
    app.catch_up().await;
    next.run(request).await
}

async fn confirm(State(app): State<App>, request: Request, next: Next) -> Response {
    if app.asks {
        request.extensions().get::<SessionRequest>().unwrap().ask_the_store();
    }
    next.run(request).await
}

/// Serves on one thread until it is told to stop.
pub fn serve(app: App, listener: TcpListener, stop: oneshot::Receiver<()>) {
    let routes = Router::new()
        .route("/do/{*steps}", get(run))
        .route("/late/{gate}/{*steps}", get(late))
        .route("/degrade", get(degrade))
        .route("/stream/{gate}", get(stream))
        .route("/plain", get(async || "plain"))
        .layer(middleware::from_fn_with_state(app.clone(), confirm))
        .layer(app.sessions.layer())
        .layer(middleware::from_fn_with_state(app.clone(), inside))
        .with_state(app);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        listener.set_nonblocking(true).unwrap();
        let listener = tokio::net::TcpListener::from_std(listener).unwrap();
        tokio::select! {
            result = axum::serve(listener, routes) => result.unwrap(),
            _ = stop => {}
        }
    });
}
