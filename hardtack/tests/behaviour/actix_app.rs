//! The application served by actix-web.

use std::{convert::Infallible, net::TcpListener};

use actix_web::{
    App as Actix, Error, FromRequest, HttpMessage, HttpRequest, HttpResponse, HttpServer,
    body::MessageBody,
    dev::{ServiceRequest, ServiceResponse},
    http::StatusCode,
    middleware::{Next, from_fn},
    rt,
    web::{Bytes, Data, Path, get},
};
use futures_util::stream;
use hardtack::{Session, SessionRejection, SessionRequest};
use tokio::sync::oneshot;

use crate::app::{App, act, at_the_end, degraded};

async fn run(app: Data<App>, steps: Path<String>, session: Session) -> HttpResponse {
    let (status, said) = act(&app, &session, &steps).await;
    HttpResponse::build(StatusCode::from_u16(status).unwrap()).body(said)
}

/// Waits first, and asks for its session then.
async fn late(app: Data<App>, path: Path<(String, String)>, request: HttpRequest) -> HttpResponse {
    let (gate, steps) = path.into_inner();
    app.site.gate(&gate).pass().await;
    app.catch_up().await;
    let session = Session::extract(&request).await.unwrap();
    run(app, Path::from(steps), session).await
}

async fn degrade(session: Result<Session, SessionRejection>) -> String {
    degraded(session)
}

async fn stream(app: Data<App>, gate: Path<String>, session: Session) -> HttpResponse {
    let end = async move {
        app.site.gate(&gate).pass().await;
        app.catch_up().await;
        Ok::<_, Infallible>(Bytes::from(at_the_end(&session).await))
    };
    HttpResponse::Ok().streaming(stream::once(end))
}

async fn inside(
    request: ServiceRequest,
    next: Next<impl MessageBody>,
) -> Result<ServiceResponse<impl MessageBody>, Error> {
    let app = request.app_data::<Data<App>>().unwrap().clone();
    let _inside = app.site.enter();
    app.catch_up().await;
    next.call(request).await
}

async fn confirm(
    request: ServiceRequest,
    next: Next<impl MessageBody>,
) -> Result<ServiceResponse<impl MessageBody>, Error> {
    if request.app_data::<Data<App>>().unwrap().asks {
        request.extensions().get::<SessionRequest>().unwrap().ask_the_store();
    }
    next.call(request).await
}

/// Serves on one thread until it is told to stop.
pub fn serve(app: App, listener: TcpListener, stop: oneshot::Receiver<()>) {
    let make = move || {
        Actix::new()
            .app_data(Data::new(app.clone()))
            .wrap(from_fn(confirm))
            .wrap(app.sessions.actix())
            .wrap(from_fn(inside))
            .route("/do/{steps:.*}", get().to(run))
            .route("/late/{gate}/{steps:.*}", get().to(late))
            .route("/degrade", get().to(degrade))
            .route("/stream/{gate}", get().to(stream))
            .route("/plain", get().to(async || "plain"))
    };
    rt::System::new().block_on(async {
        // By default actix takes a client that is gone for one that has only finished sending.
        let server = HttpServer::new(make).workers(1).disable_signals().h1_allow_half_closed(false);
        let server = server.listen(listener).unwrap().run();
        let handle = server.handle();
        rt::spawn(async move {
            let _ = stop.await;
            handle.stop(false).await;
        });
        server.await.unwrap();
    });
}
