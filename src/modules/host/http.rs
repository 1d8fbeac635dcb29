//! A request to a service elsewhere, sent from the host, and what came back.

use std::io::Read;
use std::path::PathBuf;
use std::time::Duration;

/// One HTTP request. Redirections are not followed; whoever sends it decides about them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Request {
    /// `GET`, `POST` ...
    pub method: String,
    /// The address, `http` or `https`.
    pub url: String,
    /// Names and values.
    pub headers: Vec<(String, String)>,
    /// What is sent.
    pub body: Option<Vec<u8>>,
    /// How long connecting, and every wait for an answer, may take.
    pub timeout: Option<Duration>,
    /// A socket of the host that is spoken to instead of the network.
    pub socket: Option<PathBuf>,
    /// The proxy, as an address.
    pub proxy: Option<String>,
    /// How the other side proves who it is, and we to it.
    pub trust: Trust,
}

/// Certificates of a request.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Trust {
    /// Take any certificate.
    pub anybody: bool,
    /// Certificates (PEM) of authorities to trust instead of the system's.
    pub authorities: Option<Vec<u8>>,
    /// Our certificate and its private key (PEM).
    pub identity: Option<(Vec<u8>, Vec<u8>)>,
}

/// What a service answered.
pub struct Reply {
    /// The status code.
    pub status: u16,
    /// The reason, as the code's standard has it.
    pub reason: String,
    /// Names (lower case) and values.
    pub headers: Vec<(String, String)>,
    /// The content, as it arrives.
    pub body: Box<dyn Read>,
}

impl std::fmt::Debug for Reply {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Reply").field("status", &self.status).field("headers", &self.headers).finish_non_exhaustive()
    }
}

impl Reply {
    /// An answer whose content is at hand.
    pub fn new(status: u16, headers: &[(&str, &str)], body: impl Into<Vec<u8>>) -> Self {
        Self {
            status,
            reason: reason(status).into(),
            headers: headers.iter().map(|(name, value)| (name.to_lowercase(), (*value).to_owned())).collect(),
            body: Box::new(std::io::Cursor::new(body.into())),
        }
    }

    /// The first header of this (lower-case) name.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

/// What a status code means.
pub fn reason(status: u16) -> &'static str {
    match status {
        100 => "Continue",
        200 => "OK",
        201 => "Created",
        202 => "Accepted",
        203 => "Non-Authoritative Information",
        204 => "No Content",
        205 => "Reset Content",
        206 => "Partial Content",
        300 => "Multiple Choices",
        301 => "Moved Permanently",
        302 => "Found",
        303 => "See Other",
        304 => "Not Modified",
        307 => "Temporary Redirect",
        308 => "Permanent Redirect",
        400 => "Bad Request",
        401 => "Unauthorized",
        402 => "Payment Required",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        406 => "Not Acceptable",
        407 => "Proxy Authentication Required",
        408 => "Request Timeout",
        409 => "Conflict",
        410 => "Gone",
        411 => "Length Required",
        412 => "Precondition Failed",
        413 => "Request Entity Too Large",
        414 => "Request-URI Too Long",
        415 => "Unsupported Media Type",
        416 => "Requested Range Not Satisfiable",
        417 => "Expectation Failed",
        418 => "I'm a Teapot",
        422 => "Unprocessable Entity",
        423 => "Locked",
        428 => "Precondition Required",
        429 => "Too Many Requests",
        500 => "Internal Server Error",
        501 => "Not Implemented",
        502 => "Bad Gateway",
        503 => "Service Unavailable",
        504 => "Gateway Timeout",
        _ => "Unknown",
    }
}

/// An address without the password that may stand in it.
pub fn without_secret(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else { return url.to_owned() };
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    match rest[..end].rfind('@') {
        Some(at) => format!("{scheme}://{}", &rest[at + 1..]),
        None => url.to_owned(),
    }
}
