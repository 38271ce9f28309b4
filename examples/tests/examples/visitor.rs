//! Somebody with a jar of cookies, as a browser has one.

use std::collections::BTreeMap;

use axum::http::{Method, Request, header};
use http_body_util::{BodyExt as _, Full};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use serde_json::Value;

type Http = Client<HttpConnector, Full<axum::body::Bytes>>;

/// One visitor of a site.
#[derive(Clone)]
pub(crate) struct Visitor {
    pub(crate) jar: BTreeMap<String, String>,
    http: Http,
    site: String,
}

/// Who is signed in, and what was counted.
pub(crate) type Seen = (Option<String>, u64);

impl Visitor {
    pub(crate) fn new(site: &str) -> Self {
        // A connection for each request, so that the proxy closes none under it.
        let http = Client::builder(TokioExecutor::new()).pool_max_idle_per_host(0).build_http();
        Self { jar: BTreeMap::new(), http, site: site.to_owned() }
    }

    /// What `/session` says, or what went wrong.
    pub(crate) async fn seen(&mut self, at: &str) -> Result<Seen, String> {
        let (status, body) = self.send(Method::GET, &format!("{at}/session"), "").await?;
        let seen: Value = serde_json::from_str(&body).map_err(|error| format!("{status} {body}: {error}"))?;
        let username = seen["username"].as_str().map(str::to_owned);
        Ok((username, seen["count"].as_u64().ok_or_else(|| format!("{status} {body}"))?))
    }

    pub(crate) async fn sign_in(&mut self, at: &str, name: &str) -> Result<(), String> {
        self.post(&format!("{at}/login"), &format!("username={name}")).await
    }

    pub(crate) async fn count(&mut self, at: &str) -> Result<(), String> {
        self.post(&format!("{at}/count"), "").await
    }

    pub(crate) async fn sign_out(&mut self, at: &str) -> Result<(), String> {
        self.post(&format!("{at}/logout"), "").await
    }

    async fn post(&mut self, path: &str, form: &str) -> Result<(), String> {
        match self.send(Method::POST, path, form).await? {
            (303, _) => Ok(()),
            (status, body) => Err(format!("POST {path}: {status} {body}")),
        }
    }

    async fn send(&mut self, method: Method, path: &str, form: &str) -> Result<(u16, String), String> {
        let mut request = Request::builder().method(method).uri(format!("{}{path}", self.site));
        request = request.header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
        if !self.jar.is_empty() {
            let cookies: Vec<String> = self.jar.iter().map(|(name, value)| format!("{name}={value}")).collect();
            request = request.header(header::COOKIE, cookies.join("; "));
        }
        let request = request.body(Full::from(form.to_owned())).unwrap();
        let response = self.http.request(request).await.map_err(|error| format!("{path}: {error:?}"))?;
        for line in response.headers().get_all(header::SET_COOKIE) {
            self.take(line.to_str().unwrap());
        }
        let status = response.status().as_u16();
        let body = response.into_body().collect().await.map_err(|error| format!("{path}: {error:?}"))?;
        Ok((status, String::from_utf8_lossy(&body.to_bytes()).into_owned()))
    }

    fn take(&mut self, line: &str) {
        let (name, rest) = line.split_once('=').unwrap();
        let value = rest.split(';').next().unwrap();
        match line.contains("Max-Age=0") || line.contains("01 Jan 1970") {
            true => self.jar.remove(name),
            false => self.jar.insert(name.to_owned(), value.to_owned()),
        };
    }
}
