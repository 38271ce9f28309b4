//! The settings of [`SessionsBuilder`] for foreign cookies.

use std::{
    sync::Arc,
    time::{SystemTime, UNIX_EPOCH},
};

use super::{Acceptance, Emission, Sharing, sharing::Rows};
use crate::{
    builder::SessionsBuilder,
    clock::millis,
    interop::{ExpressSession, ExpressStore, Foreign, Opened},
    keyring::Keyring,
    record::Kind,
    sessions::Sessions,
};

impl Sessions {
    /// Sessions in the store of running Express processes, which go on reading and writing them: the signed id of
    /// `express-session` stays the only cookie, and the members of `req.session` are the fields.
    ///
    /// Express' clock counts: `cookie.maxAge` of the session, or the store's `ttl`. Its cookie attributes are those that are in
    /// its row; a session that begins here gets those of [`cookie`](SessionsBuilder::cookie). Signing in makes a session under a
    /// new id and removes the other, signing out removes the row, so both hold in Express too. Of ours one member is
    /// added to what is written here, `_hardtack`. `keys` seal only what is hardtack's alone, the
    /// [marks of devices](crate::login).
    ///
    /// **Two requests at once lose nothing of ours**: a row is replaced only if it still is what this request had
    /// read, and otherwise the changes are made again on what is there. Express asks nobody: its `save()` puts back the whole
    /// session as that request had loaded it, also over a write of ours that came between, and also when the session was signed
    /// out meanwhile; such a row is nobody's here, and is removed when its cookie comes again. Set `resave: false` in
    /// Express, so that it saves only what it changed.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// use hardtack::{Keyring, Sessions, interop::{ExpressSession, ExpressStore}};
    ///
    /// fn beside_express(store: impl ExpressStore) -> Result<Sessions, hardtack::BuildError> {
    ///     let express = ExpressSession::new("connect.sid", ["keyboard cat"])?.max_age(Duration::from_secs(86_400));
    ///     Sessions::shared(Keyring::from_env()?, express, store).owner_field("userId").build()
    /// }
    /// ```
    pub fn shared(keys: Keyring, express: ExpressSession, store: impl ExpressStore) -> SessionsBuilder {
        let mut builder = SessionsBuilder::new(keys, Kind::Stored, None);
        builder.sharing = Some(Sharing::new(express, store));
        builder
    }
}

impl SessionsBuilder {
    /// Reads and writes the session in a foreign cookie, and in no other: for as long as Node and Rust serve one site side
    /// by side (B12). For [`Sessions::stateless`](crate::Sessions::stateless).
    ///
    /// What the cookie says is the session: its members are the fields. Its package's clocks count and ours do not; a new
    /// value is sent when something was written, and when the package would send one. The cookie's name and attributes are
    /// the package's, unless [`cookie`](Self::cookie) says others for the same name. Of ours one member is added,
    /// `_hardtack`, with the session's id and when it was authenticated.
    ///
    /// **It promises what the format promises.** Signing out removes the cookie, and copies of it are nobody's here; to
    /// Node they are good until their time is over. The last of two writers wins. Move on to [`accept`](Self::accept) when
    /// Node is gone.
    ///
    /// ```
    /// use hardtack::{Keyring, Sessions, interop::IronSession};
    ///
    /// # let password = "a password of at least 32 characters";
    /// let iron = IronSession::new("iron-examples", password)?;
    /// let sessions = Sessions::stateless(Keyring::ephemeral()?).emit_as(iron).owner_field("username").build()?;
    /// # Ok::<_, hardtack::BuildError>(())
    /// ```
    pub fn emit_as(mut self, foreign: impl Into<Foreign>) -> Self {
        self.emission = Some(Emission::new(foreign.into()));
        self
    }

    /// The member of an [emitted](Self::emit_as) or [shared](Sessions::shared) session that names its owner: a text, or a whole number. Default `owner`.
    /// [`sign_in`](crate::Session::sign_in) writes it; a session without it belongs to nobody.
    pub fn owner_field(mut self, name: impl Into<String>) -> Self {
        let name = name.into();
        self.emission = self.emission.map(|emission| emission.with_owner_in(name.clone()));
        self.sharing = self.sharing.map(|sharing| sharing.with_owner_in(name));
        self
    }

    /// Takes foreign cookies until a date, when a request brings none of ours: each becomes a session of this placement,
    /// once, and its cookie is removed (B12). Nobody is signed out when Node goes.
    ///
    /// `owner_from` says who is signed in by what the cookie said; `None` is a visitor. The session is recorded as one that
    /// signed in without a credential: its [absolute](crate::Lifetime::absolute) time runs from the acceptance, and it is
    /// never [fresh](crate::Session::is_fresh). A copy of the cookie is the same session, and nobody when that
    /// was signed out. Where there is a store, it is also nobody when the session has timed out; a stateless node has no memory of
    /// that, and takes the cookie again until its own time or the date is over.
    ///
    /// It is refused on requests that another site started, which [`SessionRequest::cross_site`](crate::SessionRequest::cross_site)
    /// tells, and to an owner whose sessions [were ended](crate::Sessions::end_owner).
    ///
    /// ```
    /// use std::time::{Duration, SystemTime};
    ///
    /// use hardtack::{Keyring, Sessions, interop::IronSession, store::MemoryStore};
    ///
    /// # let password = "a password of at least 32 characters";
    /// let iron = IronSession::new("iron-examples", password)?;
    /// let until = SystemTime::now() + Duration::from_secs(14 * 86_400);
    /// let sessions = Sessions::stored(Keyring::ephemeral()?, MemoryStore::new())
    ///     .accept(iron, until, |session| session.get("username"))
    ///     .build()?;
    /// # Ok::<_, hardtack::BuildError>(())
    /// ```
    pub fn accept(
        mut self,
        foreign: impl Into<Foreign>,
        until: SystemTime,
        owner_from: impl Fn(&Opened) -> Option<String> + Send + Sync + 'static,
    ) -> Self {
        self.acceptance = Some(Acceptance::new(foreign.into(), since_1970(until), Arc::new(owner_from)));
        self
    }

    /// As [`accept`](Self::accept), of sessions in the store of Express: each becomes one of this placement, once, and its
    /// cookie is removed. Its row is only read, and goes when its time there is over. For [`Sessions::stored`] and
    /// [`Sessions::hybrid`].
    ///
    /// ```
    /// use std::time::SystemTime;
    ///
    /// use hardtack::{Keyring, Sessions, interop::{ExpressSession, ExpressStore}, store::Store};
    ///
    /// fn after_express(
    ///     store: impl Store,
    ///     theirs: impl ExpressStore,
    ///     until: SystemTime,
    /// ) -> Result<Sessions, hardtack::BuildError> {
    ///     let express = ExpressSession::new("connect.sid", ["keyboard cat"])?;
    ///     Sessions::stored(Keyring::from_env()?, store)
    ///         .accept_shared(express, theirs, until, |session| session.get("userId"))
    ///         .build()
    /// }
    /// ```
    pub fn accept_shared(
        mut self,
        express: ExpressSession,
        store: impl ExpressStore,
        until: SystemTime,
        owner_from: impl Fn(&Opened) -> Option<String> + Send + Sync + 'static,
    ) -> Self {
        let rows = Rows::new(express, store);
        self.acceptance = Some(Acceptance::of_rows(rows, since_1970(until), Arc::new(owner_from)));
        self
    }
}

fn since_1970(time: SystemTime) -> u64 {
    time.duration_since(UNIX_EPOCH).map_or(0, millis)
}
