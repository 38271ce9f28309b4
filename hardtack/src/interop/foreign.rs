//! [`Foreign`]: one of the six formats, as the rest of hardtack meets them: cookies in, cookies out.

use std::{fmt, time::Duration};

use super::{
    Architect, ClientSessions, CookieSession, ExpressSession, IronSession, Opened, Refusal, SealError, SecureSession,
};
use crate::{
    cookie::{MAX_NAME_VALUE, SameSite},
    error::BuildError,
};

/// The attributes that a package gives its cookie when its user asks for none. `HttpOnly` is always there.
///
/// `Display` writes them behind `NAME=VALUE`, in the order of `iron-session`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Attributes {
    /// `Path`. Without one the cookie is sent to the folder of the request alone.
    pub path: Option<&'static str>,
    /// `Secure`.
    pub secure: bool,
    /// `SameSite`. Without one it is the browser's choice.
    pub same_site: Option<SameSite>,
    /// `Max-Age`, in seconds. Without one the cookie goes with the browser.
    pub max_age: Option<u64>,
}

impl fmt::Display for Attributes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(seconds) = self.max_age {
            write!(f, "; Max-Age={seconds}")?;
        }
        if let Some(path) = self.path {
            write!(f, "; Path={path}")?;
        }
        f.write_str("; HttpOnly")?;
        if self.secure {
            f.write_str("; Secure")?;
        }
        if let Some(same_site) = self.same_site {
            write!(f, "; SameSite={}", same_site.as_str())?;
        }
        Ok(())
    }
}

/// A foreign format with its secrets. Every codec of this module becomes one by `into()`.
///
/// ```
/// use hardtack::interop::{CookieSession, Foreign};
///
/// let foreign = Foreign::from(CookieSession::new("session", ["key-one"])?);
/// let cookies = foreign.seal(r#"{"visits":3}"#, 1_750_000_000_000)?;
/// assert_eq!(foreign.cookie_names(), ["session", "session.sig"]);
///
/// let find = |name: &str| cookies.iter().find(|(own, _)| own == name).map(|(_, value)| value.as_bytes());
/// assert_eq!(foreign.open(find, 1_750_000_000_000)?.data_json(), r#"{"visits":3}"#);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct Foreign {
    format: Format,
}

#[derive(Clone, Debug)]
enum Format {
    Iron(IronSession),
    Client(ClientSessions),
    Express(ExpressSession),
    Cookie(CookieSession),
    Architect(Architect),
    Secure(SecureSession),
}

impl Foreign {
    /// The package's name, as the program writes it: `iron-session`, `client-sessions`, `express-session`,
    /// `cookie-session`, `architect` or `secure-session`.
    pub fn format(&self) -> &'static str {
        match self.format {
            Format::Iron(_) => "iron-session",
            Format::Client(_) => "client-sessions",
            Format::Express(_) => "express-session",
            Format::Cookie(_) => "cookie-session",
            Format::Architect(_) => "architect",
            Format::Secure(_) => "secure-session",
        }
    }

    /// Every cookie that a session of this format can be in, the principal one first. After
    /// [`seal`](Self::seal), those that it does not name are to be removed where a request presented them.
    pub fn cookie_names(&self) -> Vec<String> {
        let mut names = vec![self.name().to_owned()];
        match &self.format {
            Format::Iron(iron) => names.extend(iron.chunk_names()),
            Format::Cookie(sessions) if sessions.is_signed() => names.push(sessions.signature_name()),
            _ => {}
        }
        names
    }

    /// Whether the session itself is in the cookie. Of `express-session` it is only its id.
    pub fn holds_data(&self) -> bool {
        !matches!(self.format, Format::Express(_))
    }

    /// Which of two cookies of the same name the package takes: the last (`architect`), or the first.
    pub fn takes_the_last(&self) -> bool {
        matches!(self.format, Format::Architect(_))
    }

    /// Whether no two sessions have the same cookie. Of `cookie-session` those have that hold the same data.
    pub fn is_unique(&self) -> bool {
        !matches!(self.format, Format::Cookie(_))
    }

    /// Whether sessions may stand on it.
    ///
    /// # Errors
    ///
    /// [`BuildError`] for [`CookieSession::unsigned`], which anybody can write.
    pub fn check(&self) -> Result<(), BuildError> {
        match &self.format {
            Format::Cookie(sessions) if !sessions.is_signed() => Err(BuildError::Setting {
                why: "cookie-session without keys can be written by anybody; write CookieSession::new(…) with its keys"
                    .into(),
            }),
            _ => Ok(()),
        }
    }

    /// Opens the session in the cookies of a request, which `find` gives by name. The values are the bytes of the
    /// header: decoding is a part of the format.
    ///
    /// # Errors
    ///
    /// [`Refusal`]; [`Refusal::Absent`] without the cookie or when its value is empty.
    pub fn open<'a>(&self, find: impl Fn(&str) -> Option<&'a [u8]>, now_ms: u64) -> Result<Opened, Refusal> {
        if let Format::Client(sessions) = &self.format {
            return sessions.open(self.principal(&find)?, now_ms);
        }
        self.inspect(find)?.live(now_ms)
    }

    /// As [`open`](Self::open), whatever the time is.
    ///
    /// # Errors
    ///
    /// [`Refusal`] for what is not authentic.
    pub fn inspect<'a>(&self, find: impl Fn(&str) -> Option<&'a [u8]>) -> Result<Opened, Refusal> {
        match &self.format {
            Format::Iron(iron) => match self.principal(&find) {
                Err(Refusal::Absent) => {
                    let chunks: Vec<_> =
                        iron.chunk_names().map_while(|name| find(&name).filter(|chunk| !chunk.is_empty())).collect();
                    if chunks.is_empty() { Err(Refusal::Absent) } else { iron.inspect(&chunks.concat()) }
                }
                value => iron.inspect(value?),
            },
            Format::Client(sessions) => sessions.inspect(self.principal(&find)?),
            Format::Express(express) => express.inspect(self.principal(&find)?),
            Format::Cookie(sessions) => sessions.open(self.principal(&find)?, find(&sessions.signature_name())),
            Format::Architect(architect) => architect.inspect(self.principal(&find)?),
            Format::Secure(sessions) => sessions.inspect(self.principal(&find)?),
        }
    }

    fn principal<'a>(&self, find: &impl Fn(&str) -> Option<&'a [u8]>) -> Result<&'a [u8], Refusal> {
        find(self.name()).filter(|value| !value.is_empty()).ok_or(Refusal::Absent)
    }

    /// The cookies of a new session with this data, as names and values.
    ///
    /// # Errors
    ///
    /// [`SealError::TooLarge`] when browsers would drop one of them (name and value together have more than 4,096
    /// bytes) or `iron-session` itself would not write it; [`SealError::NotAnObject`].
    pub fn seal(&self, data_json: &str, now_ms: u64) -> Result<Vec<(String, String)>, SealError> {
        let name = self.name().to_owned();
        let cookies = match &self.format {
            Format::Iron(iron) => iron.cookies(iron.seal(data_json, now_ms)?)?,
            Format::Client(sessions) => vec![(name, sessions.seal(data_json, now_ms)?)],
            Format::Express(express) => vec![(name, express.seal(data_json)?)],
            Format::Cookie(sessions) => {
                let (value, signature) = sessions.seal(data_json)?;
                let signature = signature.map(|signature| (sessions.signature_name(), signature));
                [(name, value)].into_iter().chain(signature).collect()
            }
            Format::Architect(architect) => vec![(name, architect.seal(data_json, now_ms)?)],
            Format::Secure(sessions) => vec![(name, sessions.seal(data_json, now_ms)?)],
        };
        fit(cookies)
    }

    /// The cookies of a session that was opened, with its new data. Of `client-sessions` it keeps its age.
    ///
    /// # Errors
    ///
    /// As for [`seal`](Self::seal).
    pub fn reseal(&self, opened: &Opened, data_json: &str, now_ms: u64) -> Result<Vec<(String, String)>, SealError> {
        match &self.format {
            Format::Client(sessions) => {
                fit(vec![(self.name().to_owned(), sessions.reseal(opened, data_json, now_ms)?)])
            }
            _ => self.seal(data_json, now_ms),
        }
    }

    /// The attributes that the package gives its cookies.
    pub fn attributes(&self) -> Attributes {
        match &self.format {
            Format::Iron(iron) => iron.attributes(),
            Format::Client(sessions) => sessions.attributes(),
            Format::Express(express) => express.attributes(),
            Format::Cookie(sessions) => sessions.attributes(),
            Format::Architect(architect) => architect.attributes(),
            Format::Secure(sessions) => sessions.attributes(),
        }
    }

    /// How long a new cookie is taken. `None` is for ever, or as long as the store of `express-session` says.
    pub fn lifetime(&self) -> Option<Duration> {
        match &self.format {
            Format::Iron(iron) => iron.lifetime(),
            Format::Client(sessions) => Some(sessions.lifetime()),
            Format::Express(_) | Format::Cookie(_) => None,
            Format::Architect(architect) => Some(architect.lifetime()),
            Format::Secure(sessions) => Some(sessions.lifetime()),
        }
    }

    fn name(&self) -> &str {
        match &self.format {
            Format::Iron(iron) => iron.name(),
            Format::Client(sessions) => sessions.name(),
            Format::Express(express) => express.name(),
            Format::Cookie(sessions) => sessions.name(),
            Format::Architect(architect) => architect.name(),
            Format::Secure(sessions) => sessions.name(),
        }
    }
}

/// The cookies, if browsers keep all of them.
fn fit(cookies: Vec<(String, String)>) -> Result<Vec<(String, String)>, SealError> {
    let largest = cookies.iter().map(|(name, value)| name.len() + value.len()).max().unwrap_or_default();
    if largest > MAX_NAME_VALUE {
        return Err(SealError::TooLarge { size: largest, limit: MAX_NAME_VALUE });
    }
    Ok(cookies)
}

macro_rules! becomes_foreign {
    ($($codec:ident => $variant:ident),*) => {$(
        impl From<$codec> for Foreign {
            fn from(codec: $codec) -> Self {
                Self { format: Format::$variant(codec) }
            }
        }
    )*};
}

becomes_foreign!(
    IronSession => Iron,
    ClientSessions => Client,
    ExpressSession => Express,
    CookieSession => Cookie,
    Architect => Architect,
    SecureSession => Secure
);
