//! Without the feature `interop` there are no foreign cookies: nobody can make either of these.

use http::HeaderValue;

use crate::{
    cookie::{CookiePolicy, header::Presented, set_cookie::CookieWriter},
    error::{BuildError, CommitError, StoreError},
    events::Reason,
    record::{Header, Record},
    store::timed::TimedStore,
    system::System,
};

pub(crate) enum Guest {}
pub(crate) enum Emission {}
pub(crate) enum Acceptance {}

impl Guest {
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

    pub(crate) fn open(&self, _: &Presented, _: u64) -> Result<Option<(Record, Guest)>, Reason> {
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
    pub(crate) fn check(&self, _: &CookiePolicy) -> Result<(), BuildError> {
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
