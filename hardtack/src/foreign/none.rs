//! Without the feature `interop` there are no foreign cookies: nobody can make any of these.

use std::{sync::Arc, time::Duration};

use http::HeaderValue;

use crate::{
    cookie::{CookiePolicy, header::Presented, set_cookie::CookieWriter},
    error::{BuildError, CommitError, StoreError},
    events::Reason,
    record::{Header, Record},
    request::{Again, Jar, Parts},
    store::timed::TimedStore,
    system::System,
};

pub(crate) enum Guest {
    Cookie(Opened),
}
pub(crate) enum Opened {}
pub(crate) enum Emission {}
pub(crate) enum Acceptance {}
pub(crate) enum Sharing {}

pub(crate) struct Found {
    pub(crate) record: Record,
    pub(crate) row: Guest,
    pub(crate) retired: bool,
}

impl Opened {
    pub(crate) fn is_to_be_resent(&self) -> bool {
        match *self {}
    }
}

impl Emission {
    pub(crate) fn policy(&self) -> CookiePolicy {
        match *self {}
    }

    pub(crate) fn check(&self, _: &CookiePolicy) -> Result<(), BuildError> {
        match *self {}
    }

    pub(crate) fn names(&self) -> &[String] {
        match *self {}
    }

    pub(crate) fn longest(&self) -> u64 {
        match *self {}
    }

    pub(crate) fn open(&self, _: &Presented, _: u64) -> Result<Option<(Record, Opened)>, Reason> {
        match *self {}
    }

    pub(crate) fn set(
        &self,
        _: &CookieWriter,
        _: u8,
        _: &Record,
        _: Option<&Guest>,
        _: u64,
    ) -> Result<Vec<HeaderValue>, CommitError> {
        match *self {}
    }

    pub(crate) fn remove(&self, _: &CookieWriter, _: u8) -> Result<Vec<HeaderValue>, CommitError> {
        match *self {}
    }
}

impl Acceptance {
    pub(crate) fn within(self, _: Duration) -> Self {
        match self {}
    }

    pub(crate) async fn fetch(&self, _: &System, _: &Presented, _: u64) -> Result<Option<Record>, StoreError> {
        match *self {}
    }

    pub(crate) fn check(&self, _: &CookiePolicy, _: bool) -> Result<(), BuildError> {
        match *self {}
    }

    pub(crate) fn names(&self) -> &[String] {
        match *self {}
    }

    pub(crate) fn takes_the_last(&self) -> bool {
        match *self {}
    }

    pub(crate) fn until(&self) -> u64 {
        match *self {}
    }

    pub(crate) fn remove(&self, _: u8) -> Result<Vec<HeaderValue>, CommitError> {
        match *self {}
    }

    pub(crate) fn open(&self, _: &System, _: &Presented, _: u64) -> Option<Record> {
        match *self {}
    }

    pub(crate) async fn remember(&self, _: &TimedStore, _: &Header, _: u64) -> Result<bool, StoreError> {
        match *self {}
    }
}

impl Sharing {
    pub(crate) fn policy(&self) -> CookiePolicy {
        match *self {}
    }

    pub(crate) fn check(&self, _: &CookiePolicy) -> Result<(), BuildError> {
        match *self {}
    }

    pub(crate) fn on(self, _: &CookiePolicy, _: Duration) -> Self {
        match self {}
    }

    pub(crate) fn longest(&self) -> u64 {
        match *self {}
    }

    pub(crate) async fn open(&self, _: &Presented, _: u64) -> Result<Result<Option<Found>, Reason>, StoreError> {
        match *self {}
    }

    pub(crate) fn shelf<'a>(&'a self, _: &'a System, _: Parts) -> ExpressShelf<'a> {
        match *self {}
    }

    pub(crate) fn resends(&self, _: Option<&Guest>, _: bool) -> bool {
        match *self {}
    }

    pub(crate) fn set(&self, _: Option<&Guest>) -> Result<Vec<HeaderValue>, CommitError> {
        match *self {}
    }

    pub(crate) fn remove(&self, _: Option<&Guest>, _: Jar) -> Result<Vec<HeaderValue>, CommitError> {
        match *self {}
    }

    pub(crate) async fn end_owner(&self, _: &str, _: Option<&Guest>) -> Result<(), StoreError> {
        match *self {}
    }
}

pub(crate) struct ExpressShelf<'a> {
    never: &'a Sharing,
}

impl ExpressShelf<'_> {
    pub(crate) fn row(&self) -> Option<&Arc<Guest>> {
        match *self.never {}
    }

    pub(crate) fn origin(&self) -> Option<&Guest> {
        match *self.never {}
    }

    pub(crate) async fn load(&self, _: &Header) -> Result<Option<Record>, StoreError> {
        match *self.never {}
    }

    pub(crate) async fn touch(&self, _: &Header) {
        match *self.never {}
    }

    pub(crate) async fn replace(&self, _: Record, _: Again<'_>) -> Result<Option<Record>, CommitError> {
        match *self.never {}
    }

    pub(crate) async fn create(&self, _: Record) -> Result<Record, CommitError> {
        match *self.never {}
    }

    pub(crate) async fn delete(&self, _: &Header) -> Result<(), StoreError> {
        match *self.never {}
    }
}
