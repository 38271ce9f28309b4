//! Somebody who is signed in, and knows what was acknowledged.

use crate::site::Site;

pub struct Person {
    site: Site,
    pub name: &'static str,
    pub cookie: String,
    /// Counts that were acknowledged.
    counted: u64,
    /// Counts whose request failed: done or not.
    unknown: u64,
}

impl Person {
    pub async fn sign_in(site: &Site, name: &'static str) -> Self {
        let reply = site.send("POST", &format!("/sign-in/{name}"), "").await;
        assert_eq!(reply.status, 200, "{name} signs in");
        Self { site: site.clone(), name, cookie: reply.cookie.expect("a cookie"), counted: 0, unknown: 0 }
    }

    /// Asks for one more and answers the status.
    pub async fn count(&mut self) -> u16 {
        let reply = self.site.send("POST", "/count", &self.cookie).await;
        match reply.status {
            200 => self.counted += 1,
            503 => {
                assert_eq!(reply.cookie, None, "{}: a failure sets no cookie", self.name);
                self.unknown += 1;
            }
            other => panic!("{} counts and gets {other}", self.name),
        }
        reply.status
    }

    pub async fn sign_out(&self) -> u16 {
        let reply = self.site.send("POST", "/sign-out", &self.cookie).await;
        assert!(reply.status == 200 || reply.cookie.is_none(), "a sign-out that failed leaves the cookie");
        reply.status
    }

    /// `None` for 503; otherwise whether this is still who it was.
    pub async fn is_in(&self) -> Option<bool> {
        let reply = self.site.send("GET", "/who", &self.cookie).await;
        if reply.status == 503 {
            assert_eq!((&*reply.body, reply.cookie), ("", None), "{}: a failure tells nothing", self.name);
            return None;
        }
        assert_eq!(reply.status, 200);
        let (owner, _) = reply.body.split_once(' ').unwrap();
        assert!(owner == self.name || owner == "nobody", "{} became {owner}", self.name);
        Some(owner == self.name)
    }

    /// Holds what the server says against what it had acknowledged.
    pub async fn finds_all_that_was_acknowledged(&self) {
        let reply = self.site.send("GET", "/who", &self.cookie).await;
        let expected = self.counted..=self.counted + self.unknown;
        let count = reply.body.strip_prefix(self.name).and_then(|rest| rest.trim().parse().ok());
        assert!(count.is_some_and(|count| expected.contains(&count)), "{}: {expected:?}, {reply:?}", self.name);
    }

    /// The same when nothing failed.
    pub async fn has_counted_exactly(&self, count: u64) {
        assert_eq!((self.counted, self.unknown), (count, 0), "{}", self.name);
        self.finds_all_that_was_acknowledged().await;
    }
}
