//! [`Login`]: from a name and a password to somebody who is signed in.

use std::{net::IpAddr, sync::Arc};

use aws_lc_rs::hmac;
use http::{HeaderMap, HeaderValue};

use super::{
    Bucket, LoginError, Passwords, Quota, Throttle, TrustedProxies, User, Users, Verdict, Visitor, device,
    error::MAX_NAME, throttle::Reserved, users::AnyUsers,
};
use crate::{events, session::Session, system::System};

/// Signing in by name and password, the whole way. Cheap to clone; clones share everything.
///
/// In this order, which is what makes it safe:
///
/// 1. the lengths are bounded (I05);
/// 2. the owners' epoch is read, so that a login that is overtaken by a change of password or by the end of an account
///    signs nobody in (E02, E03);
/// 3. the user is looked up; one who does not exist costs as much from here on (I04);
/// 4. an attempt is taken out of the [`Throttle`] (I06);
/// 5. the password is verified, in a bounded pool ([`Passwords`]);
/// 6. the attempt is given back, an old hash is replaced (I03), and the session gets a new id and its owner (C04).
#[derive(Clone)]
pub struct Login {
    passwords: Passwords,
    users: Arc<dyn AnyUsers>,
    throttle: Throttle,
    proxies: Arc<TrustedProxies>,
}

/// What happens to the owner's other sessions when the password changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Others {
    /// They end (E03). What should happen, unless the person says no.
    End,
    /// They stay.
    Stay,
}

/// A credential was proved. With axum it is a part of the response, which marks the device as one of the owner's:
/// `(verified, Redirect::to("/"))`.
#[derive(Clone, Debug)]
#[must_use = "send its device_cookie, so that guesses from elsewhere cannot lock this device out"]
pub struct Verified {
    owner: String,
    device_cookie: HeaderValue,
}

impl Verified {
    /// Who it is.
    pub fn owner(&self) -> &str {
        &self.owner
    }

    /// A `Set-Cookie` that marks the device as one of the owner's, for its own bucket in the [`Throttle`]. It signs nobody
    /// in: `__Host-device`, `HttpOnly`, `SameSite=Strict`, 400 days.
    pub fn device_cookie(&self) -> &HeaderValue {
        &self.device_cookie
    }
}

impl Login {
    /// With attempts that this process counts, and no proxy in front.
    pub fn new(passwords: Passwords, users: impl Users) -> Self {
        Self { passwords, users: Arc::new(users), throttle: Throttle::in_memory(), proxies: Arc::default() }
    }

    /// How often a password may be guessed. Default [`Throttle::in_memory`].
    pub fn throttle(mut self, throttle: Throttle) -> Self {
        self.throttle = throttle;
        self
    }

    /// Whose `X-Forwarded-For` is believed. Default nobody's.
    pub fn trusted_proxies(mut self, proxies: TrustedProxies) -> Self {
        self.proxies = Arc::new(proxies);
        self
    }

    /// The pool that hashes, and its policy.
    pub fn passwords(&self) -> &Passwords {
        &self.passwords
    }

    /// Who is trying: the address of the connection, and the headers of the request.
    pub fn visitor(&self, peer: IpAddr, headers: &HeaderMap) -> Visitor {
        Visitor::of(peer, headers, &self.proxies)
    }

    /// Signs in, or says why not. What the session must know besides, as whether it is
    /// [remembered](Session::remember_me), is told to it afterwards.
    ///
    /// # Errors
    ///
    /// [`LoginError`]; the session is as it was.
    pub async fn sign_in(
        &self,
        session: &Session,
        visitor: &Visitor,
        name: &str,
        password: &str,
    ) -> Result<Verified, LoginError> {
        let verified = self.verify(session, visitor, name, password).await?;
        session.sign_in(verified.owner());
        Ok(verified)
    }

    /// As [`sign_in`](Self::sign_in), and signs nobody in: for a login of two steps. Between them the session belongs to
    /// nobody, so that half a login is none (I11): keep what the second step needs in a field of it, take that with
    /// [`take_once`](Session::take_once), call [`prepare_sign_in`](Session::prepare_sign_in), look whether the account
    /// still lives, and then [`sign_in`](Session::sign_in).
    ///
    /// # Errors
    ///
    /// [`LoginError`].
    pub async fn verify(
        &self,
        session: &Session,
        visitor: &Visitor,
        name: &str,
        password: &str,
    ) -> Result<Verified, LoginError> {
        bounded(name, password)?;
        session.prepare_sign_in().await?;
        let user = self.users.by_name(name).await?;
        let system = &session.shared.sessions.system;
        let account = match &user {
            Some(user) => match device::known(system, visitor, &user.owner) {
                Some(id) => (bucket(system, "device", &id), self.throttle.device),
                None => (bucket(system, "owner", user.owner.as_bytes()), self.throttle.account),
            },
            None => (bucket(system, "name", name.to_lowercase().as_bytes()), self.throttle.account),
        };
        let reserved = self.reserve(system, visitor, account).await?;
        let user = self.prove(user, password, reserved, account.0).await?;
        let device_cookie = device::mark(system, visitor, &user.owner)?;
        Ok(Verified { owner: user.owner, device_cookie })
    }

    /// Asks who is signed in for the password again, in the same session: it is fresh from now on, and its cookie is a new
    /// one (C05, D05). The way to it is [`RequireFresh`](super::RequireFresh).
    ///
    /// # Errors
    ///
    /// [`LoginError`]; the session is as it was.
    pub async fn step_up(&self, session: &Session, visitor: &Visitor, password: &str) -> Result<(), LoginError> {
        self.again(session, visitor, password).await?;
        session.step_up();
        Ok(())
    }

    /// Changes the password of who is signed in, who must know the present one (I08). The session is fresh afterwards, with
    /// a new cookie (C05), and the [others](Others) end, those too that are being made at this moment (E03).
    ///
    /// # Errors
    ///
    /// [`LoginError`]. After [`LoginError::Store`] the password may be changed and the other sessions may live: end them
    /// with [`Sessions::end_others`](crate::Sessions::end_others).
    pub async fn change_password(
        &self,
        session: &Session,
        visitor: &Visitor,
        current: &str,
        new: &str,
        others: Others,
    ) -> Result<(), LoginError> {
        let name = match session.owner() {
            Some(owner) => self.users.by_owner(&owner).await?.map(|user| user.name),
            None => return Err(LoginError::NotSignedIn),
        };
        self.passwords.policy().check(&name.unwrap_or_default(), new).map_err(LoginError::Weak)?;
        let user = self.again(session, visitor, current).await?;
        let hash = self.passwords.hash(new).await?;
        if !self.users.replace_hash(&user.owner, &user.hash, &hash).await? {
            return Err(LoginError::Overtaken);
        }
        events::password_changed(session.handle());
        if others == Others::End {
            session.end_others().await?;
        }
        session.step_up();
        Ok(())
    }

    /// The user of a session, who knows his password. A session has a bucket of its own, so nobody else can use it up.
    async fn again(&self, session: &Session, visitor: &Visitor, password: &str) -> Result<User, LoginError> {
        let (Some(owner), Some(handle)) = (session.owner(), session.handle()) else {
            return Err(LoginError::NotSignedIn);
        };
        bounded("", password)?;
        let user = self.users.by_owner(&owner).await?;
        let system = &session.shared.sessions.system;
        let own = (bucket(system, "session", &handle.0), self.throttle.device);
        let reserved = self.reserve(system, visitor, own).await?;
        self.prove(user, password, reserved, own.0).await
    }

    async fn reserve(
        &self,
        system: &System,
        visitor: &Visitor,
        own: (Bucket, Quota),
    ) -> Result<Reserved<'_>, LoginError> {
        let source = (bucket(system, "source", &visitor.network()), self.throttle.source);
        self.throttle.reserve([source, own], system.now()).await
    }

    /// Verifies. What was no guess is given back. The user has the hash that counts now.
    async fn prove(
        &self,
        user: Option<User>,
        password: &str,
        reserved: Reserved<'_>,
        account: Bucket,
    ) -> Result<User, LoginError> {
        let hash = user.as_ref().map(|user| &*user.hash);
        let verdict = match self.passwords.verify(password, hash).await {
            Ok(verdict) => verdict,
            Err(error) => {
                reserved.give_back().await;
                return Err(error.into());
            }
        };
        let Some(mut user) = user.filter(|user| verdict != Verdict::Wrong && !user.disabled) else {
            events::login_refused(account);
            return Err(LoginError::Refused);
        };
        reserved.give_back().await;
        events::password_proved(account);
        if verdict == Verdict::Outdated {
            self.renew_hash(&mut user, password).await;
        }
        Ok(user)
    }

    /// Puts a hash of today in place of an old one (I03). Who proved the password is signed in whether or not it works.
    async fn renew_hash(&self, user: &mut User, password: &str) {
        let Ok(hash) = self.passwords.hash(password).await else { return };
        match self.users.replace_hash(&user.owner, &user.hash, &hash).await {
            Ok(true) => user.hash = hash,
            Ok(false) => {}
            Err(error) => events::hash_not_renewed(&error),
        }
    }
}

impl std::fmt::Debug for Login {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Login")
            .field("passwords", &self.passwords)
            .field("throttle", &self.throttle)
            .finish_non_exhaustive()
    }
}

fn bounded(name: &str, password: &str) -> Result<(), LoginError> {
    if name.len() > MAX_NAME || password.len() > super::MAX_PASSWORD { Err(LoginError::TooLong) } else { Ok(()) }
}

/// The bucket of something, under a key that nobody outside knows.
fn bucket(system: &System, kind: &str, what: &[u8]) -> Bucket {
    let mut secret = zeroize::Zeroizing::new([0; 32]);
    // Without it the buckets could be guessed, and nothing else would change.
    let _ = system.keys.sealing(system.now()).derive(b"hardtack 1 attempts", &mut secret[..]);
    let mut context = hmac::Context::with_key(&hmac::Key::new(hmac::HMAC_SHA256, &secret[..]));
    context.update(kind.as_bytes());
    context.update(&[0]);
    context.update(what);
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&context.sign().as_ref()[..16]);
    Bucket::from_bytes(bytes)
}
