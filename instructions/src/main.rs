//! One path of a request, a number of times, for `scripts/instructions` to count:
//! `hot_path untouched|read|write N`.
#![allow(clippy::unwrap_used)]

use std::task::{Context, Poll, Waker};

use hardtack::{Clock, Field, Keyring, Session, Sessions};

const COUNT: Field<u64> = Field::new("count");
const NOTE: Field<String> = Field::new("note");

fn main() {
    let mut arguments = std::env::args().skip(1);
    let path = arguments.next().unwrap();
    let times: u64 = arguments.next().unwrap().parse().unwrap();
    let handler: fn(&Session) = match path.as_str() {
        "read" => |session| assert_eq!(session.get(COUNT), Some(1)),
        "write" => |session| session.update(COUNT, |count| count.unwrap_or_default() + 1),
        _ => |_| {},
    };
    let sessions = Sessions::stateless(Keyring::ephemeral().unwrap()).clock(Clock::manual(1_800_000_000_000));
    let sessions = sessions.build().unwrap();
    let cookie = ready(sessions.cookie(|session| {
        session.sign_in("ada");
        session.set(COUNT, 1);
        session.set(NOTE, "n".repeat(120));
    }));
    let cookie = cookie.unwrap();
    for _ in 0..times {
        let request = sessions.begin([cookie.as_bytes()]);
        if path != "untouched" {
            handler(&ready(request.session()).unwrap());
        }
        let headers = ready(request.finish()).unwrap();
        assert_eq!(headers.set_cookies().count(), usize::from(path == "write"));
    }
}

/// Nothing here waits for anything.
fn ready<F: Future>(future: F) -> F::Output {
    match Box::pin(future).as_mut().poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => output,
        Poll::Pending => unreachable!("a stateless session waits for nothing"),
    }
}
