//! The router calls' zero: a bare router, and the same router with a layer that does nothing.
//!
//! axum boxes a layered route, so that any layer has a price; sessions are counted from there. The cookie's length
//! has a price over HTTP, so the no-op layer runs with one as long as a sealed session and one as long as an id.

use axum::Router;
use axum::routing::get;
use std::task::{Context, Poll};
use tower::layer::layer_fn;

use crate::contestants::Contestant;
use crate::cookies;
use crate::inproc::{Service, Writes};

/// The zero of sessions whose cookie carries the data.
pub const NO_OP: &str = "no-op layer";
/// The zero of sessions whose cookie carries an id.
pub const NO_OP_ID: &str = "no-op layer, short cookie";

/// See the module.
pub const CONTESTANT: Contestant = Contestant { micro: |_| Vec::new(), services };

fn services() -> Vec<Service> {
    let service = |row, build| Service { row, over: NO_OP, writes: Writes::Nothing, build };
    vec![
        service("bare router", || (router(), cookie(298))),
        service(NO_OP, || (router().layer(layer_fn(NoOp)), cookie(298))),
        service(NO_OP_ID, || (router().layer(layer_fn(NoOp)), cookie(22))),
    ]
}

fn router() -> Router {
    Router::new().route("/", get(|| async { "hello" }))
}

fn cookie(length: usize) -> String {
    format!("{}={}", cookies::NAME, "x".repeat(length))
}

/// Hands the request on.
#[derive(Clone)]
struct NoOp<S>(S);

impl<R, S: tower::Service<R>> tower::Service<R> for NoOp<S> {
    type Response = S::Response;
    type Error = S::Error;
    type Future = S::Future;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.0.poll_ready(context)
    }

    fn call(&mut self, request: R) -> Self::Future {
        self.0.call(request)
    }
}
