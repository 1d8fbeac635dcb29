//! A request with everything around it: who asks, proxies, redirections, cookies, compression.

use std::collections::BTreeMap;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::auth::{Challenge, basic};
use super::netrc;
use super::url::Url;
use crate::choice;
use crate::commands::words::expand_path;
use crate::host::http::{Reply, Request, Trust, without_secret};
use crate::host::{Host, Inspect};
use crate::outcome::Failure;

/// Most redirections that are followed.
const MOST_REDIRECTIONS: usize = 10;
/// Largest certificate file that is read.
const LARGEST_FILE: u64 = 1 << 20;

choice! {
    /// Which redirections are followed.
    pub enum Follow {
        /// All.
        All = "all" | "yes" | "True" | "true",
        /// None.
        None = "none" | "no" | "False" | "false",
        /// Those of requests that change nothing.
        Safe = "safe",
        /// As Python's `urllib` does: of `GET`, `HEAD` and, as `GET`, of `POST`.
        Urllib2 = "urllib2",
    }
}

/// How a service is spoken to: the options that all modules which ask one share.
#[derive(Debug)]
pub(crate) struct Connection<'a> {
    pub(crate) user: Option<&'a str>,
    pub(crate) password: Option<&'a str>,
    pub(crate) force_basic: bool,
    pub(crate) use_netrc: bool,
    pub(crate) use_proxy: bool,
    pub(crate) validate: bool,
    pub(crate) authorities: Option<&'a Path>,
    pub(crate) certificate: Option<&'a Path>,
    pub(crate) key: Option<&'a Path>,
    pub(crate) socket: Option<&'a Path>,
    pub(crate) agent: &'a str,
    pub(crate) timeout: u64,
    pub(crate) follow: Follow,
    pub(crate) decompress: bool,
    pub(crate) unredirected: &'a [String],
    /// No copy of a cache on the way.
    pub(crate) fresh: bool,
}

/// What a service answered in the end.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) reply: Reply,
    /// Where it came from in the end.
    pub(crate) url: Url,
    pub(crate) redirected: bool,
    pub(crate) cookies: BTreeMap<String, String>,
}

impl Connection<'_> {
    /// Sends a request and follows where it leads.
    pub(crate) fn ask(
        &self,
        method: &str,
        url: &str,
        headers: &[(String, String)],
        body: Option<Vec<u8>>,
        host: &mut dyn Host,
    ) -> Result<Answer, Failure> {
        if method.is_empty() || !method.bytes().all(|byte| byte.is_ascii_alphabetic() || byte == b'-' || byte == b'_') {
            return Err(Failure::new(format!("`{method}` is not a method")));
        }
        let mut url = Url::parse(url)?;
        let user = self.who(&url, host.inspect());
        let first = url.origin();
        let trust = self.trust(host.inspect())?;
        let (mut method, mut body) = (method.to_uppercase(), body);
        let mut headers = self.headers(headers)?;
        if let Some((name, password)) = user.as_ref().filter(|_| self.is_sent_at_once()) {
            set(&mut headers, "Authorization", &basic(name, password));
        }
        let mut cookies: BTreeMap<String, String> = BTreeMap::new();
        let mut redirected = 0;
        let mut answered = false;
        loop {
            let mut sent = headers.clone();
            if !cookies.is_empty() && url.origin() == first {
                let own: Vec<String> = cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
                set(&mut sent, "Cookie", &own.join("; "));
            }
            let request = Request {
                method: method.clone(),
                url: url.text(),
                headers: sent,
                body: body.clone(),
                timeout: Some(Duration::from_secs(self.timeout.max(1))),
                socket: self.socket.map(|path| expand_path(path, host.inspect())),
                proxy: self.proxy(&url, host.inspect()),
                trust: trust.clone(),
            };
            let mut reply = host.send(&request)?;
            for (name, value) in &reply.headers {
                if name == "set-cookie"
                    && let Some((name, value)) = cookie(value)
                {
                    cookies.insert(name, value);
                }
            }
            if let Some((name, password)) = user.as_ref().filter(|_| reply.status == 401 && !answered && url.origin() == first)
                && let Some(header) = self.answer(&reply, name, password, &method, &url)
            {
                answered = true;
                set(&mut headers, "Authorization", &header);
                continue;
            }
            let Some(next) = self.next(&reply, &method, &url)? else {
                if self.decompress && reply.header("content-encoding") == Some("gzip") && method != "HEAD" {
                    reply.body = Box::new(flate2::read::MultiGzDecoder::new(reply.body));
                }
                return Ok(Answer { reply, url, redirected: redirected > 0, cookies });
            };
            redirected += 1;
            if redirected > MOST_REDIRECTIONS {
                return Err(Failure::new(format!("`{}` leads to one redirection after another", without_secret(&request.url))));
            }
            if !matches!(reply.status, 307 | 308) && method != "HEAD" && method != "GET" {
                // The answer of what was sent is to be fetched elsewhere.
                let keeps = reply.status == 301 && method != "POST";
                if !keeps {
                    method = "GET".into();
                }
                body = None;
                headers
                    .retain(|(name, _)| !["content-length", "content-type", "transfer-encoding"].contains(&lower(name).as_str()));
            }
            headers.retain(|(name, _)| !self.unredirected.iter().any(|other| lower(other) == lower(name)));
            if next.origin() != url.origin() {
                // What proves who we are is for the first service alone.
                headers.retain(|(name, _)| !["authorization", "cookie", "host"].contains(&lower(name).as_str()));
            }
            url = next;
        }
    }

    fn is_sent_at_once(&self) -> bool {
        self.force_basic || self.user.is_none()
    }

    /// User and password: as given, from the address, or from `.netrc`.
    fn who(&self, url: &Url, host: &dyn Inspect) -> Option<(String, String)> {
        if let Some(user) = self.user {
            return Some((user.to_owned(), self.password.unwrap_or_default().to_owned()));
        }
        if url.user.is_some() || !self.use_netrc {
            return url.user.clone();
        }
        let path = host.env("NETRC").map_or_else(|| expand_path(Path::new("~/.netrc"), host), PathBuf::from);
        let text = host.read(&path, LARGEST_FILE).ok()?;
        netrc::find(&String::from_utf8_lossy(&text), &url.host)
    }

    fn headers(&self, given: &[(String, String)]) -> Result<Vec<(String, String)>, Failure> {
        let mut headers = vec![("User-Agent".to_owned(), self.agent.to_owned())];
        if self.decompress {
            headers.push(("Accept-Encoding".into(), "gzip".into()));
        }
        if self.fresh {
            headers.push(("Cache-Control".into(), "no-cache".into()));
        }
        for (name, value) in given {
            if name.is_empty() || value.contains(['\r', '\n', '\0']) {
                return Err(Failure::new(format!("header `{name}` cannot be sent: it has a newline in it")));
            }
            set(&mut headers, name, value);
        }
        Ok(headers)
    }

    fn trust(&self, host: &dyn Inspect) -> Result<Trust, Failure> {
        let read = |path: &Path| host.read(&expand_path(path, host), LARGEST_FILE);
        let identity = match (self.certificate, self.key) {
            (Some(certificate), key) => Some((read(certificate)?, read(key.unwrap_or(certificate))?)),
            (None, Some(_)) => return Err(Failure::new("`client_key` without `client_cert`")),
            (None, None) => None,
        };
        Ok(Trust { anybody: !self.validate, authorities: self.authorities.map(read).transpose()?, identity })
    }

    /// The proxy that the environment names for this address.
    fn proxy(&self, url: &Url, host: &dyn Inspect) -> Option<String> {
        let env = |name: &str| host.env(name).or_else(|| host.env(&name.to_uppercase())).filter(|value| !value.is_empty());
        if !self.use_proxy || self.socket.is_some() {
            return None;
        }
        let direct = env("no_proxy").unwrap_or_default();
        let is_direct = direct.split(',').map(str::trim).filter(|word| !word.is_empty()).any(|word| {
            let word = word.trim_start_matches('.').to_lowercase();
            word == "*" || url.host == word || url.host.ends_with(&format!(".{word}"))
        });
        // In a web server's environment `HTTP_PROXY` is what a client sent; only the small one is believed there.
        let name = format!("{}_proxy", url.scheme);
        let proxy = if host.env("REQUEST_METHOD").is_some() { host.env(&name) } else { env(&name) };
        proxy.filter(|_| !is_direct).map(|proxy| if proxy.contains("://") { proxy } else { format!("http://{proxy}") })
    }

    /// The header that answers a challenge; the strongest that is known.
    fn answer(&self, reply: &Reply, user: &str, password: &str, method: &str, url: &Url) -> Option<String> {
        let challenges = || reply.headers.iter().filter(|(name, _)| name == "www-authenticate").map(|(_, value)| value.trim());
        if let Some(challenge) = challenges().find_map(Challenge::parse) {
            return Some(challenge.answer(user, password, method, &url.path));
        }
        let wants_basic = challenges().any(|value| value.to_ascii_lowercase().starts_with("basic"));
        (wants_basic && !self.is_sent_at_once()).then(|| basic(user, password))
    }

    /// Where a reply leads, if it is followed.
    fn next(&self, reply: &Reply, method: &str, url: &Url) -> Result<Option<Url>, Failure> {
        if !matches!(reply.status, 301 | 302 | 303 | 307 | 308) {
            return Ok(None);
        }
        let harmless = matches!(method, "GET" | "HEAD");
        let follows = match self.follow {
            Follow::All => true,
            Follow::None => false,
            Follow::Safe => harmless,
            Follow::Urllib2 => harmless || method == "POST" && !matches!(reply.status, 307 | 308),
        };
        let to = reply.header("location").filter(|_| follows);
        to.map(|to| url.join(to)).transpose()
    }
}

/// What a service sent, at most `limit` bytes.
pub(crate) fn content(reply: &mut Reply, limit: u64) -> Result<Vec<u8>, Failure> {
    let mut bytes = Vec::new();
    let read = (&mut reply.body).take(limit + 1).read_to_end(&mut bytes);
    read.map_err(|error| Failure::new(format!("the answer broke off: {error}")))?;
    if bytes.len() as u64 > limit {
        return Err(Failure::new(format!("the answer is larger than {limit} bytes")));
    }
    Ok(bytes)
}

/// `name=value; Path=/` -> name and value.
fn cookie(header: &str) -> Option<(String, String)> {
    let (name, value) = header.split(';').next()?.split_once('=')?;
    Some((name.trim().to_owned(), value.trim().to_owned()))
}

fn lower(name: &str) -> String {
    name.to_ascii_lowercase()
}

fn set(headers: &mut Vec<(String, String)>, name: &str, value: &str) {
    headers.retain(|(other, _)| lower(other) != lower(name));
    headers.push((name.to_owned(), value.to_owned()));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::memory::MemoryHost;

    fn connection() -> Connection<'static> {
        Connection {
            user: None,
            password: None,
            force_basic: false,
            use_netrc: true,
            use_proxy: true,
            validate: true,
            authorities: None,
            certificate: None,
            key: None,
            socket: None,
            agent: "test",
            timeout: 10,
            follow: Follow::All,
            decompress: true,
            unredirected: &[],
            fresh: false,
        }
    }

    fn header(host: &MemoryHost, at: usize, name: &str) -> Option<String> {
        host.sent[at].headers.iter().find(|(other, _)| other == name).map(|(_, value)| value.clone())
    }

    #[test]
    fn redirections_are_followed_as_asked() {
        for (method, status, follow, expected) in [
            ("GET", 302, Follow::All, "GET http://a/1, GET http://b/2"),
            ("POST", 302, Follow::All, "POST http://a/1, GET http://b/2"),
            ("POST", 307, Follow::All, "POST http://a/1, POST http://b/2"),
            ("POST", 302, Follow::Safe, "POST http://a/1"),
            ("HEAD", 301, Follow::Safe, "HEAD http://a/1, HEAD http://b/2"),
            ("GET", 308, Follow::None, "GET http://a/1"),
            ("POST", 303, Follow::Urllib2, "POST http://a/1, GET http://b/2"),
            ("PUT", 303, Follow::Urllib2, "PUT http://a/1"),
            ("GET", 304, Follow::All, "GET http://a/1"),
        ] {
            let mut host = MemoryHost::default();
            host.serve(&format!("{method} http://a/1"), status, &[("Location", "http://b/2")], "");
            for other in ["GET", "POST", "HEAD", "PUT"] {
                host.serve(&format!("{other} http://b/2"), 200, &[], "");
            }
            let asked = Connection { follow, ..connection() };
            let body = (method == "POST").then(|| b"x".to_vec());
            asked.ask(method, "http://a/1", &[("Authorization".into(), "x".into())], body, &mut host).unwrap();
            let sent: Vec<String> = host.sent.iter().map(|sent| format!("{} {}", sent.method, sent.url)).collect();
            assert_eq!(sent.join(", "), expected);
            assert_eq!(header(&host, 0, "Authorization").as_deref(), Some("x"));
            if let Some(second) = host.sent.get(1) {
                assert_eq!(header(&host, 1, "Authorization"), None, "secrets are for the first service alone");
                assert_eq!(second.body.is_some(), second.method == "POST");
            }
        }
    }

    #[test]
    fn an_endless_redirection_ends() {
        let mut host = MemoryHost::default();
        host.serve("GET http://a/", 302, &[("Location", "/")], "");
        assert!(connection().ask("GET", "http://a/", &[], None, &mut host).unwrap_err().message.contains("redirection"));
        assert_eq!(host.sent.len(), MOST_REDIRECTIONS + 1);
    }

    #[test]
    fn who_asks_is_told_when_it_is_wanted() {
        let mut host = MemoryHost::default();
        host.serve("GET http://a/", 401, &[("WWW-Authenticate", "Basic realm=\"x\"")], "");
        host.serve("GET http://a/", 200, &[], "yes");
        let asked = Connection { user: Some("u"), password: Some("p"), ..connection() };
        assert_eq!(asked.ask("GET", "http://a/", &[], None, &mut host).unwrap().reply.status, 200);
        assert_eq!((header(&host, 0, "Authorization"), header(&host, 1, "Authorization")), (None, Some(basic("u", "p"))));
        let mut host = MemoryHost::default();
        host.serve("GET http://a/", 401, &[("WWW-Authenticate", "Digest realm=\"x\", nonce=\"n\"")], "");
        assert_eq!(asked.ask("GET", "http://a/", &[], None, &mut host).unwrap().reply.status, 401);
        assert_eq!(host.sent.len(), 2, "a wrong password is tried once");
        assert!(header(&host, 1, "Authorization").unwrap().starts_with("Digest username=\"u\""));
        let mut host = MemoryHost::default();
        host.add_file("/root/.netrc", "machine a login n password q");
        host.serve("GET http://a/", 200, &[], "");
        connection().ask("GET", "http://a/", &[], None, &mut host).unwrap();
        connection().ask("GET", "http://u:p@a/", &[], None, &mut host).unwrap();
        assert_eq!(
            (header(&host, 0, "Authorization"), header(&host, 1, "Authorization")),
            (Some(basic("n", "q")), Some(basic("u", "p")))
        );
        assert_eq!(host.sent[1].url, "http://a/");
    }

    #[test]
    fn proxies_come_from_the_environment() {
        let mut host = MemoryHost::default();
        host.environment.insert("http_proxy".into(), "proxy:3128".into());
        host.environment.insert("NO_PROXY".into(), "localhost, .example.org".into());
        for (url, expected) in [("http://a/", Some("http://proxy:3128")), ("http://x.example.org/", None), ("https://a/", None)] {
            assert_eq!(connection().proxy(&Url::parse(url).unwrap(), &host).as_deref(), expected, "{url}");
        }
    }

    #[test]
    fn compressed_answers_are_unpacked_and_cookies_kept() {
        use std::io::Write as _;
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        gzip.write_all(b"hello").unwrap();
        let mut host = MemoryHost::default();
        let headers = [("Content-Encoding", "gzip"), ("Set-Cookie", "a=b; Path=/; HttpOnly")];
        host.serve("GET http://a/", 200, &headers, gzip.finish().unwrap());
        let mut answer = connection().ask("GET", "http://a/", &[], None, &mut host).unwrap();
        assert_eq!(content(&mut answer.reply, 100).unwrap(), b"hello");
        assert_eq!(answer.cookies, BTreeMap::from([("a".to_owned(), "b".to_owned())]));
        assert!(content(&mut Reply::new(200, &[], "12345"), 4).is_err());
    }

    #[test]
    fn a_header_cannot_bring_another() {
        let headers = [("X".to_owned(), "a\r\nY: b".to_owned())];
        assert!(connection().ask("GET", "http://a/", &headers, None, &mut MemoryHost::default()).is_err());
    }
}
