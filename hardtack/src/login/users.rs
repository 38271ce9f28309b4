//! Whose passwords they are: [`Users`], the application's own table.

use std::{
    collections::HashMap,
    fmt,
    pin::Pin,
    sync::{Arc, PoisonError, RwLock},
};

use crate::error::StoreError;

/// One user, as a login needs him.
#[derive(Clone, PartialEq, Eq)]
pub struct User {
    /// What [`Session::sign_in`](crate::Session::sign_in) is told: a name of 1 to 512 bytes that never goes to another
    /// person. A number of your table, or the name if names do not change.
    pub owner: String,
    /// The name that was typed, for [`PasswordPolicy::check`](super::PasswordPolicy::check).
    pub name: String,
    /// The hash of the password, as [`Passwords::hash`](super::Passwords::hash) made it, or an older one.
    pub hash: String,
    /// Nobody signs in to this account. To who tries it looks like a wrong password.
    pub disabled: bool,
}

/// The application's table of users. The methods are async functions, and an implementation writes them as such.
///
/// To disable or remove a user, change the table *first* and call
/// [`Sessions::end_owner`](crate::Sessions::end_owner) *then*: so a login that is under way ends too (E02).
///
/// ```
/// use hardtack::{StoreError, login::{User, Users}};
///
/// struct Table; // a pool of connections, for example
///
/// impl Users for Table {
///     async fn by_name(&self, name: &str) -> Result<Option<User>, StoreError> {
///         // select id, name, hash, disabled from users where name = $1
/// #       let _ = name;
///         Ok(None)
///     }
///     async fn by_owner(&self, owner: &str) -> Result<Option<User>, StoreError> {
///         // … where id = $1
/// #       let _ = owner;
///         Ok(None)
///     }
///     async fn replace_hash(&self, owner: &str, before: &str, hash: &str) -> Result<bool, StoreError> {
///         // update users set hash = $3 where id = $1 and hash = $2
/// #       let _ = (owner, before, hash);
///         Ok(false)
///     }
/// }
/// ```
pub trait Users: Send + Sync + 'static {
    /// The user of this name, disabled or not. Whether letters' case counts is the table's business.
    fn by_name(&self, name: &str) -> impl Future<Output = Result<Option<User>, StoreError>> + Send;

    /// The user of whom a session is.
    fn by_owner(&self, owner: &str) -> impl Future<Output = Result<Option<User>, StoreError>> + Send;

    /// Puts `hash` in place of `before` in one step; answers whether `before` was still there.
    fn replace_hash(
        &self,
        owner: &str,
        before: &str,
        hash: &str,
    ) -> impl Future<Output = Result<bool, StoreError>> + Send;
}

impl fmt::Debug for User {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { owner, name, disabled, .. } = self;
        f.debug_struct("User")
            .field("owner", owner)
            .field("name", name)
            .field("disabled", disabled)
            .finish_non_exhaustive()
    }
}

type Boxed<'a, T> = Pin<Box<dyn Future<Output = Result<T, StoreError>> + Send + 'a>>;

/// [`Users`] without their type.
pub(super) trait AnyUsers: Send + Sync {
    fn by_name<'a>(&'a self, name: &'a str) -> Boxed<'a, Option<User>>;
    fn by_owner<'a>(&'a self, owner: &'a str) -> Boxed<'a, Option<User>>;
    fn replace_hash<'a>(&'a self, owner: &'a str, before: &'a str, hash: &'a str) -> Boxed<'a, bool>;
}

impl<U: Users> AnyUsers for U {
    fn by_name<'a>(&'a self, name: &'a str) -> Boxed<'a, Option<User>> {
        Box::pin(Users::by_name(self, name))
    }

    fn by_owner<'a>(&'a self, owner: &'a str) -> Boxed<'a, Option<User>> {
        Box::pin(Users::by_owner(self, owner))
    }

    fn replace_hash<'a>(&'a self, owner: &'a str, before: &'a str, hash: &'a str) -> Boxed<'a, bool> {
        Box::pin(Users::replace_hash(self, owner, before, hash))
    }
}

/// Users of this process alone, by name: for a site with one password, and for tests. Cheap to clone; clones are one table.
#[derive(Clone, Default)]
pub struct MemoryUsers {
    by_name: Arc<RwLock<HashMap<String, User>>>,
}

impl MemoryUsers {
    /// Nobody.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a user, or puts him in place of the one of that name.
    pub fn set(&self, user: User) {
        self.by_name.write().unwrap_or_else(PoisonError::into_inner).insert(user.name.clone(), user);
    }

    fn find(&self, wanted: impl Fn(&User) -> bool) -> Option<User> {
        self.by_name.read().unwrap_or_else(PoisonError::into_inner).values().find(|user| wanted(user)).cloned()
    }
}

impl Users for MemoryUsers {
    async fn by_name(&self, name: &str) -> Result<Option<User>, StoreError> {
        Ok(self.by_name.read().unwrap_or_else(PoisonError::into_inner).get(name).cloned())
    }

    async fn by_owner(&self, owner: &str) -> Result<Option<User>, StoreError> {
        Ok(self.find(|user| user.owner == owner))
    }

    async fn replace_hash(&self, owner: &str, before: &str, hash: &str) -> Result<bool, StoreError> {
        let mut users = self.by_name.write().unwrap_or_else(PoisonError::into_inner);
        let user = users.values_mut().find(|user| user.owner == owner && user.hash == before);
        Ok(user.map(|user| user.hash = hash.into()).is_some())
    }
}

impl fmt::Debug for MemoryUsers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryUsers").finish_non_exhaustive()
    }
}
