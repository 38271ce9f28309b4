//! What sessions add to a request, in allocations: a guard that does not look at the clock. A binary of its
//! own, because it counts every allocation.
#![cfg(feature = "axum")]
#![allow(clippy::unwrap_used, missing_docs)]

use std::task::{Context, Poll, Waker};

use allocation_counter::measure;
use axum::{Router, body::Body, routing::get};
use hardtack::{Field, Keyring, Session, Sessions};
use http::{Request, header};
use tower::{Layer, Service, layer::layer_fn};

const COUNT: Field<u64> = Field::new("count");

/// A service that hands on, so that both routers have a layer in the same place.
#[derive(Clone)]
struct NoOp<S>(S);

impl<S: Service<R>, R> Service<R> for NoOp<S> {
    type Response = S::Response;
    type Error = S::Error;
    type Future = S::Future;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.0.poll_ready(cx)
    }

    fn call(&mut self, request: R) -> S::Future {
        self.0.call(request)
    }
}

fn ready<F: Future>(future: F) -> F::Output {
    match Box::pin(future).as_mut().poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => output,
        Poll::Pending => unreachable!("nothing here waits"),
    }
}

/// The allocations of one request to `path`, after one to warm up.
fn allocations(app: &Router, path: &str, cookie: &str) -> u64 {
    let mut service = app.clone().into_service::<Body>();
    let mut call = || {
        let request = Request::get(path).header(header::COOKIE, cookie).body(Body::empty()).unwrap();
        drop(ready(service.call(request)).unwrap());
    };
    call();
    measure(call).count_total
}

fn app<L>(layer: L) -> Router
where
    L: Layer<axum::routing::Route> + Clone + Send + Sync + 'static,
    L::Service: Service<Request<Body>, Response = axum::response::Response, Error = std::convert::Infallible>
        + Clone
        + Send
        + Sync
        + 'static,
    <L::Service as Service<Request<Body>>>::Future: Send + 'static,
{
    let read = async |session: Session| if session.get(COUNT) == Some(1) { "one" } else { "another" };
    let write = async |session: Session| {
        session.set(COUNT, 2);
        "two"
    };
    let app = Router::new().route("/untouched", get(async || "hello"));
    app.route("/read", get(read)).route("/write", get(write)).layer(layer)
}

/// A request that does not ask for its session costs four allocations at most: the copied value, the
/// request's state, and two for the place in the request's extensions. Reading and writing have bounds that
/// were counted when they were recorded.
#[test]
fn sessions_add_few_allocations_to_a_request() {
    let sessions = Sessions::stateless(Keyring::ephemeral().unwrap()).build().unwrap();
    let cookie = ready(sessions.cookie(|session| session.set(COUNT, 1))).unwrap();
    let bare = app(layer_fn(NoOp));
    let ours = app(sessions.layer());
    let no_op = allocations(&bare, "/untouched", &cookie);
    for (path, bound) in [("/untouched", 4), ("/read", 6), ("/write", 13)] {
        let added = allocations(&ours, path, &cookie).saturating_sub(no_op);
        assert!(added <= bound, "{path} adds {added} allocations, {bound} are allowed");
        println!("{path} adds {added} allocations");
    }
}
