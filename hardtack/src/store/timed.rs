//! [`Timed`]: any store, behind one type, with a deadline for every call (J06).

use std::{future::poll_fn, pin::Pin, pin::pin, sync::Arc, task::Poll, time::Duration};

use super::{Admission, Created, Replaced, Row, Store, StoreKey};
use crate::error::StoreError;

pub(crate) type Boxed<'a, T> = Pin<Box<dyn Future<Output = Result<T, StoreError>> + Send + 'a>>;

/// A store with the deadline of its calls.
pub(crate) struct Timed<S: ?Sized> {
    pub(crate) store: Arc<S>,
    pub(crate) deadline: Duration,
}

/// The store of a [`Sessions`](crate::Sessions).
pub(crate) type TimedStore = Timed<dyn AnyStore>;

impl<S: ?Sized> Clone for Timed<S> {
    fn clone(&self) -> Self {
        Self { store: self.store.clone(), deadline: self.deadline }
    }
}

impl<S: ?Sized> Timed<S> {
    pub(crate) fn new(store: Arc<S>, deadline: Duration) -> Self {
        Self { store, deadline }
    }

    /// How long a call may take.
    pub(crate) fn deadline(&self) -> Duration {
        self.deadline
    }
}

/// Says each call of a contract three times: for any store, boxed, and with the deadline around it.
macro_rules! calls {
    (
        $(#[$doc:meta])*
        trait $any:ident of $contract:ident;
        $( $name:ident ( $($arg:ident : $type:ty),* ) -> $answer:ty; )*
    ) => {
        $(#[$doc])*
        pub(crate) trait $any: Send + Sync {
            $( fn $name<'a>(&'a self, $($arg: $type),*) -> $crate::store::timed::Boxed<'a, $answer>; )*
        }

        impl<S: $contract> $any for S {
            $( fn $name<'a>(&'a self, $($arg: $type),*) -> $crate::store::timed::Boxed<'a, $answer> {
                Box::pin($contract::$name(self, $($arg),*))
            } )*
        }

        // Some of the calls borrow more than the store.
        #[allow(clippy::needless_lifetimes)]
        impl $crate::store::timed::Timed<dyn $any> {
            $( pub(crate) async fn $name<'a>(&'a self, $($arg: $type),*) -> Result<$answer, StoreError> {
                $crate::store::timed::within(self.deadline, self.store.$name($($arg),*)).await
            } )*
        }
    };
}

#[cfg(feature = "interop")]
pub(crate) use calls;

calls! {
    /// A [`Store`] without its type.
    trait AnyStore of Store;
    create(key: StoreKey, row: Row, admission: Admission, now: u64) -> Created;
    load(key: StoreKey, now: u64) -> Option<Row>;
    replace(key: StoreKey, version: u64, row: Row, now: u64) -> Replaced;
    touch(key: StoreKey, last_seen: u64, idle_deadline: u64) -> ();
    delete(key: StoreKey, tombstone_until: u64) -> bool;
    owned_by(owner: &'a str, now: u64) -> Vec<(StoreKey, Row)>;
    end_owner(owner: &'a str, except: Option<StoreKey>, tombstone_until: u64) -> u64;
    epoch() -> u64;
    purge(now: u64, limit: usize) -> usize;
}

/// Waits no longer than the deadline. A store that answers at once needs no timer.
pub(crate) async fn within<T>(deadline: Duration, call: Boxed<'_, T>) -> Result<T, StoreError> {
    let mut call = pin!(call);
    if let Poll::Ready(answer) = poll_fn(|context| Poll::Ready(call.as_mut().poll(context))).await {
        return answer;
    }
    tokio::time::timeout(deadline, call)
        .await
        .unwrap_or_else(|_| Err(StoreError::new(format_args!("no answer within {deadline:?}"))))
}
