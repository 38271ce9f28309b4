//! [`Sessions`]: the configured system, as the application holds it.

use std::{sync::Arc, time::Duration};

use crate::{
    builder::SessionsBuilder,
    cookie::policy::is_loopback,
    devices::Device,
    envelope,
    error::{CommitError, StoreError},
    events::Reason,
    follower,
    inspection::Inspection,
    keyring::Keyring,
    purging,
    record::{Handle, Kind},
    request::SessionRequest,
    revocation::Ending,
    session::Session,
    store::{
        Store,
        feed::{Feed, News},
    },
    system::System,
};

/// The sessions of one application: its policy, its keys and its placement. Cheap to clone.
///
/// ```
/// use hardtack::{Keyring, Sessions};
///
/// let sessions = Sessions::stateless(Keyring::ephemeral()?).build()?;
/// # Ok::<_, hardtack::BuildError>(())
/// ```
#[derive(Clone)]
pub struct Sessions {
    pub(crate) system: Arc<System>,
}

impl Sessions {
    /// Sessions that live in the cookie alone, sealed with `keys`. Nothing to run beside the program;
    /// a logout is remembered by this process (see [`Revocations`](crate::Revocations)).
    pub fn stateless(keys: Keyring) -> SessionsBuilder {
        SessionsBuilder::new(keys, Kind::Stateless, None)
    }

    /// Sessions whose data is in a store; the cookie, sealed with `keys`, holds their id alone. A logout
    /// holds at once and everywhere, two writers at once lose nothing, and data may be larger than a cookie.
    ///
    /// That is promised for sessions that are recorded, by [`sign_in`](Session::sign_in) or
    /// [`keep`](Session::keep). Other visitors' data stays in their cookies and makes no record. Requests run
    /// inside a tokio runtime with its timer enabled.
    ///
    /// ```
    /// use hardtack::{Keyring, Sessions, store::MemoryStore};
    ///
    /// let sessions = Sessions::stored(Keyring::ephemeral()?, MemoryStore::new()).build()?;
    /// # Ok::<_, hardtack::BuildError>(())
    /// ```
    pub fn stored(keys: Keyring, store: impl Store) -> SessionsBuilder {
        SessionsBuilder::new(keys, Kind::Stored, Some(Arc::new(store)))
    }

    /// Sessions whose data is in a store, with a sealed copy in the cookie: read as fast as stateless ones, as long as
    /// the [feed](crate::store::feed) of the store tells what ended elsewhere, and written as safely as stored ones.
    ///
    /// A read asks the store once in a [freshness window](SessionsBuilder::freshness), and whenever a copy
    /// cannot be trusted; a write asks it always. A logout holds at once on this node, on others as soon as they hear of it,
    /// which is a matter of milliseconds and of no more than the [feed bound](SessionsBuilder::feed_bound). Data that does
    /// not fit into the cookie is in the store alone.
    ///
    /// ```
    /// use hardtack::{Keyring, Sessions, store::MemoryStore};
    ///
    /// let sessions = Sessions::hybrid(Keyring::ephemeral()?, MemoryStore::new()).build()?;
    /// # Ok::<_, hardtack::BuildError>(())
    /// ```
    pub fn hybrid(keys: Keyring, store: impl Store + Feed) -> SessionsBuilder {
        let store = Arc::new(store);
        SessionsBuilder::new(keys, Kind::Stored, Some(store.clone())).with_copies(store)
    }

    /// Whether it matters who started a request: only where foreign cookies become sessions.
    #[cfg(any(feature = "axum", feature = "actix-web-4"))]
    pub(crate) fn accepts(&self) -> bool {
        self.system.acceptance.is_some()
    }

    /// The framework-free door: begins a request with the values of its `Cookie` fields. See
    /// [`SessionRequest`].
    pub fn begin<'a>(&self, cookie_fields: impl IntoIterator<Item = &'a [u8]>) -> SessionRequest {
        SessionRequest::new(self, false, cookie_fields)
    }

    /// As [`begin`](Self::begin), for a request whose `host` is asked for only when it matters: for
    /// [`CookiePolicy::insecure_on_loopback`](crate::CookiePolicy::insecure_on_loopback).
    pub fn begin_on_host<'a, 'h>(
        &self,
        host: impl FnOnce() -> Option<&'h [u8]>,
        cookie_fields: impl IntoIterator<Item = &'a [u8]>,
    ) -> SessionRequest {
        let loopback = self.system.loopback.is_some() && host().is_some_and(is_loopback);
        SessionRequest::new(self, loopback, cookie_fields)
    }

    /// Mints a `Cookie` header for the tests of an application: `prepare` does to a new session what a
    /// handler would do.
    ///
    /// ```
    /// # use hardtack::{Keyring, Sessions};
    /// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
    /// let sessions = Sessions::stateless(Keyring::ephemeral()?).build()?;
    /// let header = sessions.cookie(|session| session.sign_in("ada")).await?;
    /// assert!(header.starts_with("__Host-session="));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// Those of a commit.
    pub async fn cookie(&self, prepare: impl FnOnce(&Session)) -> Result<String, CommitError> {
        let request = self.begin([]);
        let session = request.session().await.map_err(|error| CommitError::Store(StoreError::new(error)))?;
        prepare(&session);
        let headers = request.finish().await?;
        let line = headers.set_cookies().next().and_then(|line| line.to_str().ok()).unwrap_or_default();
        Ok(line.split(';').next().unwrap_or_default().to_owned())
    }

    /// Opens the value of a cookie without using it: for tools and tests. Placement and revocation are
    /// not asked; the clocks are this system's.
    ///
    /// # Errors
    ///
    /// The reason why it does not open. One whose time is over does open:
    /// [`Inspection::verdict`] tells.
    pub fn inspect(&self, value: &str) -> Result<Inspection, Reason> {
        let now = self.system.now();
        let opened = envelope::open(&self.system.keys, &self.system.site.binding, value.as_bytes(), now)?;
        Ok(Inspection::new(opened, &self.system.lifetime, now))
    }

    /// The live sessions of an owner, the one that was used last first (E05). Empty in the stateless
    /// placement, where nobody knows them.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when the store does not answer.
    pub async fn of(&self, owner: &str) -> Result<Vec<Device>, StoreError> {
        let system = &*self.system;
        let Some(store) = &system.store else { return Ok(Vec::new()) };
        let rows = store.owned_by(owner, system.now()).await?;
        let mut devices: Vec<_> = rows.iter().map(|(key, row)| Device::of_row(*key, row)).collect();
        devices.sort_by_key(|device| (std::cmp::Reverse(device.last_seen_at), device.handle));
        Ok(devices)
    }

    /// Removes from the store what is over, and answers how many records that were. It happens in the
    /// background too; see [`SessionsBuilder::purge_interval`].
    ///
    /// # Errors
    ///
    /// [`StoreError`] when the store does not answer; what was removed before stays removed.
    pub async fn purge(&self) -> Result<usize, StoreError> {
        purging::purge(&self.system).await
    }

    /// How long ago this node knew everything that had ended elsewhere; `None` where it follows no feed or has not
    /// heard from it yet. Copies of records are trusted while this is below the
    /// [`feed_bound`](SessionsBuilder::feed_bound).
    pub fn feed_age(&self) -> Option<Duration> {
        self.system.follower.as_ref()?.age()
    }

    /// How long the last [mark](crate::store::feed::News::mark) was under way to this node, by the two nodes' clocks;
    /// `None` before the first, and when the last was `but_of` this node itself.
    pub fn feed_delay(&self, but_of: u64) -> Option<Duration> {
        self.system.follower.as_ref()?.delay(but_of)
    }

    /// Hears now what ended elsewhere: everything that was answered before this call. By itself a node hears it within
    /// milliseconds. Does nothing in placements that ask the store for every session or have no feed.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when the feed does not answer.
    pub async fn catch_up(&self) -> Result<(), StoreError> {
        follower::catch_up(&self.system).await
    }

    /// Ends the session that `handle` names, wherever it is used.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when the ending could not be kept; the session then still lives.
    pub async fn end(&self, handle: &Handle) -> Result<(), StoreError> {
        let system = &*self.system;
        let now = system.now();
        let until = system.last_deadline(now);
        if let Some(store) = &system.store {
            store.delete((*handle).into(), until).await?;
            [true, false].into_iter().for_each(|owned| system.tell(News::ended((*handle).into(), owned), now));
        }
        // Sessions that are all in their cookies are known to nobody but this table.
        system.revocations.end(&[Ending::of_handle(*handle, until)], &system.ending(now)).await
    }

    /// Ends all sessions that `owner` has, on every device: after an account was disabled, for example
    /// (E02, E04). Who signs in afterwards is not affected.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when the ending could not be kept.
    pub async fn end_owner(&self, owner: &str) -> Result<(), StoreError> {
        let system = &*self.system;
        let now = system.now();
        if let Some(sharing) = &system.sharing {
            return sharing.end_owner(owner, None).await;
        }
        match &system.store {
            Some(store) => {
                let epoch = store.end_owner(owner, None, system.last_deadline(now)).await?;
                system.tell(News::owner_ended(owner, epoch), now);
                system.end_envelopes_of(owner, now).await
            }
            None => system.revocations.end_owner(owner, None, &system.ending(now)).await.map(|_| ()),
        }
    }

    /// Ends all other sessions of the session's owner, after a change of password for example (E03).
    /// Does nothing for a session without an owner.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when the ending could not be kept.
    pub async fn end_others(&self, session: &Session) -> Result<(), StoreError> {
        session.end_others().await
    }
}
