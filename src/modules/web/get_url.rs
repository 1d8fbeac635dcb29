//! `get_url`: a file from a web service.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use serde_json::{Map, Value, json};

use super::exchange::{Answer, Connection, Follow, content};
use super::url::Url;
use crate::args::{Arg, ArgError, Arguments, Field};
use crate::change::ResourceState;
use crate::claims::Claims;
use crate::files::attributes::{Never, Unsupported, Wanted, file_args};
use crate::files::paths::{self, expand, is_directory, stat_followed};
use crate::files::state::{self, FileState, Look, backup_name};
use crate::files::tempfile::random_word;
use crate::host::http::without_secret;
use crate::host::{Attributes, Digester, FileKind, FileWrite, Host, Inspect, Source};
use crate::outcome::Failure;
use crate::resource::{self, Prepared, Resource, Step, Written};

/// Largest list of checksums that is read.
const LARGEST_LIST: u64 = 4 << 20;

/// Headers, name to value.
#[derive(Debug, Clone, Default)]
pub struct Headers(BTreeMap<String, String>);

impl Arg for Headers {
    fn kind() -> crate::args::ArgKind {
        crate::args::ArgKind::Dict
    }

    fn parse(value: &Value) -> Result<Self, String> {
        BTreeMap::parse(value).map(Self)
    }
}

file_args! {
    /// Gets a file from a web service to the host. A plan sends nothing: it tells that a missing file
    /// would be there, and compares with `checksum` where one is given; whether a file that would be
    /// fetched again (`force`) differs is unknown.
    pub struct Options {
        /// The address, with `http` or `https`.
        url: String,
        /// Where it goes on the host. Of a directory, the address gives the name.
        dest: PathBuf,
        /// Whether a file that is there is fetched again and replaced if it differs. Without, and
        /// without `checksum`, a file that is there is left, however old it is.
        force ("thirsty"): bool = false,
        /// Whether a file that is replaced is kept beside it with a time stamp.
        backup: bool = false,
        /// What the content must be: `ALGORITHM:DIGEST`, or `ALGORITHM:ADDRESS` of a list of digests
        /// with names of files.
        checksum: String = String::new(),
        /// Seconds that connecting, and every wait for an answer, may take.
        timeout: u64 = 10,
        /// Headers, name to value.
        headers: Headers = Headers::default(),
        /// User.
        url_username ("username"): Option<String>,
        /// Password.
        url_password ("password"): Option<String>,
        /// Whether user and password are sent before they are asked for.
        force_basic_auth: bool = false,
        /// Whether the server must prove who it is.
        validate_certs: bool = true,
        /// Our certificate (PEM, on the host).
        client_cert: Option<PathBuf>,
        /// Its private key, where that is not in the same file.
        client_key: Option<PathBuf>,
        /// Directory in which a file that is to be compared lies meanwhile. Missing: that of `dest`.
        tmp_dest: Option<PathBuf>,
        /// Whether proxies that the environment names are used.
        use_proxy: bool = true,
        /// Whether user and password may come from `~/.netrc`.
        use_netrc: bool = true,
        /// The `User-Agent` header.
        http_agent: String = "ansible-httpget".into(),
        /// Whether what is compressed for transport is unpacked.
        decompress: bool = true,
        /// Names of headers that are not sent on after a redirection.
        unredirected_headers: Vec<String> = Vec::new(),
        /// Command that must accept the new file before it replaces the old; `%s` stands for its path.
        validate: Option<String>,
        /// Refused: ciphers cannot be chosen; only safe ones are used.
        ciphers: Option<Unsupported>,
        /// `true` is refused: Kerberos is not supported.
        use_gssapi: Option<Never>,
    }
}

/// Examples; each is a test.
pub const EXAMPLES: &str = "
- name: A file that is fetched once
  get_url:
    url: https://example.org/app.tar.gz
    dest: /opt/app.tar.gz
    mode: '0644'
- name: A certain content, into a directory
  get_url:
    url: https://example.org/app.conf
    dest: /etc
    checksum: sha256:2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824
    owner: root
- name: Checked with a list that lies beside it
  get_url:
    url: https://example.org/app.conf
    dest: /srv/app.conf
    checksum: sha256:https://example.org/SHA256SUMS
    headers:
      X-Token: abc
- name: Replaces what is there
  get_url:
    url: https://example.org/motd
    dest: /etc/motd
    checksum: sha1:aaf4c61ddcc5e8a2dabede0f3b482cd9aea9434d
    backup: true
";

/// The module.
pub struct GetUrl;

/// The options, and what was found out beforehand.
#[derive(Debug)]
pub struct Args {
    options: Options,
    found: RefCell<Found>,
}

/// What only the service could tell.
#[derive(Debug, Default)]
struct Found {
    /// Algorithm and digest that the content must have.
    expected: Option<(String, String)>,
    /// That digest came from a list.
    listed: bool,
    /// A file that was fetched to be compared, and its SHA-1.
    temporary: Option<(PathBuf, String)>,
    /// Result fields.
    told: Map<String, Value>,
    /// The file is as it should be.
    done: bool,
}

impl Arguments for Args {
    fn fields() -> Vec<Field> {
        Options::fields()
    }
    fn parse(options: &Map<String, Value>) -> Result<Self, Vec<ArgError>> {
        Options::parse(options).map(|options| Self { options, found: RefCell::default() })
    }
    fn doc() -> &'static str {
        Options::doc()
    }
}

/// The file and its digest.
#[derive(Debug, Clone)]
pub struct State {
    file: FileState,
    wanted: Wanted,
    checksum: Option<String>,
}

impl resource::State for State {
    fn resources(&self) -> Vec<ResourceState> {
        let state = self.file.resource();
        vec![if state.present { state.with("checksum", self.checksum.clone()) } else { state }]
    }
}

impl Options {
    fn connection(&self) -> Connection<'_> {
        Connection {
            user: self.url_username.as_deref(),
            password: self.url_password.as_deref(),
            force_basic: self.force_basic_auth,
            use_netrc: self.use_netrc,
            use_proxy: self.use_proxy,
            validate: self.validate_certs,
            authorities: None,
            certificate: self.client_cert.as_deref(),
            key: self.client_key.as_deref(),
            socket: None,
            agent: &self.http_agent,
            timeout: self.timeout,
            follow: Follow::Urllib2,
            decompress: self.decompress,
            unredirected: &self.unredirected_headers,
            fresh: self.force,
        }
    }

    fn path(&self, host: &dyn Inspect) -> Result<PathBuf, Failure> {
        let path = paths::plain(&expand(&self.dest, host));
        if !is_directory(&path, host)? {
            return Ok(path);
        }
        let name = Url::parse(&self.url)?.file_name();
        Ok(path.join(name.unwrap_or_else(|| "index.html".into())))
    }

    /// Algorithm and digest as they are given; of a list only its address.
    fn given(&self) -> Result<Option<(String, String)>, Failure> {
        if self.checksum.trim().is_empty() {
            return Ok(None);
        }
        let bad = || Failure::new("The checksum parameter has to be in format <algorithm>:<checksum>");
        let (algorithm, value) = self.checksum.trim().split_once(':').ok_or_else(bad)?;
        let algorithm = algorithm.trim().to_ascii_lowercase();
        let value = value.trim();
        if crate::host::digest_bytes(b"", &algorithm).is_none() {
            return Err(Failure::new(format!("no checksum algorithm named `{algorithm}`")));
        }
        if value.contains("://") || value.starts_with("file:") {
            return Ok(Some((algorithm, value.to_owned())));
        }
        let digest: String = value.chars().filter(char::is_ascii_alphanumeric).collect::<String>().to_lowercase();
        if digest.is_empty() || !digest.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(Failure::new("The checksum format is invalid"));
        }
        Ok(Some((algorithm, digest)))
    }

    fn get(&self, url: &str, host: &mut dyn Host) -> Result<Answer, Failure> {
        let headers: Vec<(String, String)> = self.headers.0.clone().into_iter().collect();
        let answer = self.connection().ask("GET", url, &headers, None, host);
        let answer = answer.map_err(|failure| Failure { message: format!("Request failed: {}", failure.message), ..failure })?;
        let status = answer.reply.status;
        if status != 200 {
            let response = format!("HTTP Error {status}: {}", answer.reply.reason);
            return Err(Failure::new(format!("Request failed: {response}"))
                .with("status_code", status)
                .with("response", response)
                .with("url", without_secret(url))
                .with("dest", self.dest.display().to_string()));
        }
        Ok(answer)
    }

    /// The digest that a list of digests has for the file.
    fn listed(&self, list: &str, host: &mut dyn Host) -> Result<String, Failure> {
        let mut answer = self.get(list, host)?;
        let text = String::from_utf8_lossy(&content(&mut answer.reply, LARGEST_LIST)?).into_owned();
        let name = Url::parse(&self.url)?.file_name().unwrap_or_default();
        find_digest(&text, &name)
            .ok_or_else(|| Failure::new(format!("Unable to find a checksum for file '{name}' in '{}'", without_secret(list))))
    }
}

/// The digest of a file of this name in a list such as `sha256sum` writes.
fn find_digest(text: &str, name: &str) -> Option<String> {
    let lines: Vec<&str> = text.lines().filter(|line| !line.trim().is_empty()).collect();
    let digest = |word: &str| {
        Some(word.to_lowercase()).filter(|word| word.len() >= 32 && word.bytes().all(|byte| byte.is_ascii_hexdigit()))
    };
    if let [line] = lines.as_slice()
        && let Some(only) = line.split_whitespace().next().and_then(digest).filter(|_| line.split_whitespace().count() == 1)
    {
        return Some(only);
    }
    lines.iter().find_map(|line| {
        // `SHA256 (name) = digest`, as BSD writes it.
        if let Some((head, tail)) = line.split_once(") = ") {
            return head.split_once('(').filter(|(_, file)| *file == name).and_then(|_| digest(tail.trim()));
        }
        let (first, rest) = line.trim().split_once(char::is_whitespace)?;
        let file = rest.trim().trim_start_matches('*').trim_start_matches("./");
        (file == name).then(|| digest(first)).flatten()
    })
}

/// A stream that is digested while it is read, and ends with an error where it is not what it should be.
struct Checked<'a> {
    stream: Box<dyn Read>,
    digests: Vec<(&'static str, Digester)>,
    expected: Option<(&'a str, Digester, &'a str)>,
    length: u64,
    promised: Option<u64>,
}

impl Read for Checked<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.stream.read(buffer)?;
        self.length += count as u64;
        for (_, digest) in &mut self.digests {
            digest.update(&buffer[..count]);
        }
        if let Some((_, digest, _)) = &mut self.expected {
            digest.update(&buffer[..count]);
        }
        if count == 0 && !buffer.is_empty() {
            if self.promised.is_some_and(|promised| promised != self.length) {
                return Err(io::Error::other(format!("the answer broke off after {} bytes", self.length)));
            }
            if let Some((name, digest, expected)) = self.expected.take() {
                let found = digest.finish();
                if found != expected {
                    return Err(io::Error::other(format!("the {name} checksum is {found}, not {expected}")));
                }
            }
        }
        Ok(count)
    }
}

impl Args {
    /// Fetches the file to a path; what is said about it, and its SHA-1.
    fn fetch(&self, to: &FileWrite<'_>, host: &mut dyn Host) -> Result<(Map<String, Value>, String), Failure> {
        let answer = self.options.get(&self.options.url, host)?;
        let reply = answer.reply;
        let length = reply.header("content-length").map(str::to_owned);
        let promised =
            length.as_deref().and_then(|text| text.parse().ok()).filter(|_| reply.header("content-encoding").is_none());
        let expected = self.found.borrow().expected.clone();
        let digester = |name: &str| Digester::new(name).expect("the algorithm was checked");
        let stream = RefCell::new(Checked {
            stream: reply.body,
            digests: vec![("sha1", digester("sha1")), ("md5", digester("md5"))],
            expected: expected.as_ref().map(|(name, value)| (name.as_str(), digester(name), value.as_str())),
            length: 0,
            promised,
        });
        host.write_from(&Source::Stream(&stream), to)?;
        let digests: Vec<String> = stream.into_inner().digests.into_iter().map(|(_, digest)| digest.finish()).collect();
        let mut told = Map::new();
        told.insert("msg".into(), format!("OK ({} bytes)", length.as_deref().unwrap_or("unknown")).into());
        told.insert("status_code".into(), reply.status.into());
        told.insert("checksum_src".into(), digests[0].as_str().into());
        told.insert("md5sum".into(), digests[1].as_str().into());
        Ok((told, digests[0].clone()))
    }

    /// Algorithm by which the file that is there is compared, and the digest that is wanted.
    fn compared(&self) -> Option<(String, String)> {
        let found = self.found.borrow();
        found.expected.clone().or_else(|| found.temporary.as_ref().map(|(_, sha1)| ("sha1".to_owned(), sha1.clone())))
    }
}

impl Resource for GetUrl {
    type Args = Args;
    type State = State;

    fn prepare(args: &Args, host: &mut dyn Host) -> Result<Prepared, Failure> {
        let options = &args.options;
        Url::parse(&options.url)?;
        let path = options.path(host.inspect())?;
        let exists = stat_followed(&path, host.inspect())?.is_some();
        if let Some((algorithm, value)) = options.given()? {
            let digest = if value.contains("://") || value.starts_with("file:") {
                match options.listed(&value, host) {
                    // In a plan the list is not needed for a file that is missing anyway.
                    Err(failure) if failure.unknown && !exists => None,
                    other => Some(other?),
                }
            } else {
                Some(value)
            };
            args.found.borrow_mut().listed = options.checksum.contains("://");
            args.found.borrow_mut().expected = digest.map(|digest| (algorithm, digest));
        } else if exists && options.force {
            let directory = options.tmp_dest.as_ref().map(|path| expand(path, host.inspect()));
            let directory = directory.as_deref().or(path.parent()).unwrap_or(Path::new("/"));
            let temporary = directory.join(format!(".get_url-{}", random_word(12)));
            let attributes = Attributes { mode: Some(0o600), ..Attributes::default() };
            let (told, sha1) = args.fetch(&FileWrite { path: &temporary, content: b"", attributes, validate: None }, host)?;
            let is_same = host.digest(&path, "sha1")? == sha1;
            let mut found = args.found.borrow_mut();
            if is_same {
                host.remove(&temporary)?;
                found.told = told;
            } else {
                found.told = told;
                found.temporary = Some((temporary, sha1));
            }
        }
        Ok(Prepared::default())
    }

    fn read(args: &Args, host: &dyn Inspect) -> Result<State, Failure> {
        let path = args.options.path(host)?;
        let path = if host.stat(&path)?.is_some() { paths::real_path(&path, host)? } else { path };
        let file = FileState::observe(&path, Look::Outside, host)?;
        if file.kind.is_none() && !path.parent().is_none_or(|parent| is_directory(parent, host).unwrap_or(false)) {
            let parent = path.parent().unwrap_or(&path).display();
            return Err(Failure::new(format!("Destination {parent} does not exist")));
        }
        let wanted = args.options.wanted_attributes().look_up(host)?;
        let compared = args.compared().filter(|_| file.kind == Some(FileKind::File) && !args.found.borrow().done);
        let checksum = compared.map(|(name, _)| Ok(format!("{name}:{}", host.digest(&path, &name)?))).transpose()?;
        Ok(State { file, wanted, checksum })
    }

    fn want(args: &Args, now: &State) -> Result<State, Failure> {
        let file = now.file.wanted(FileKind::File, &now.wanted);
        // A plan of a missing file does not ask for the list, so what stands there is no part of the state.
        let unsaid = args.found.borrow().done || now.file.kind.is_none() && args.found.borrow().listed;
        let checksum = args.compared().filter(|_| !unsaid).map(|(name, digest)| format!("{name}:{digest}"));
        Ok(State { file, checksum, ..now.clone() })
    }

    fn write(args: &Args, step: &Step<'_, State>, host: &mut dyn Host) -> Result<Written, Failure> {
        let (now, want) = (&step.now.file, &step.want.file);
        let mut written = Written::quiet();
        let replaces = now.kind.is_none() || step.now.checksum != step.want.checksum;
        if replaces {
            if args.options.backup && now.kind == Some(FileKind::File) {
                let copy = backup_name(&now.path, host.inspect());
                host.copy(&now.path, &copy)?;
                written = written.with("backup_file", copy.display().to_string());
            }
            let file = FileWrite {
                path: &want.path,
                content: b"",
                attributes: want.attributes(),
                validate: args.options.validate.as_deref(),
            };
            let temporary = args.found.borrow_mut().temporary.take();
            if let Some((temporary, sha1)) = temporary {
                host.write_from(&Source::File(&temporary), &file)?;
                host.remove(&temporary)?;
                args.found.borrow_mut().told.insert("checksum_src".into(), sha1.into());
            } else {
                match args.fetch(&file, host) {
                    Ok((told, _)) => args.found.borrow_mut().told = told,
                    Err(failure) if failure.unknown => host.write_from(&Source::Unknown(&failure.message), &file)?,
                    Err(failure) => return Err(failure),
                }
            }
            args.found.borrow_mut().done = true;
        } else {
            host.set_attributes(&want.path, &want.attributes())?;
        }
        Ok(written)
    }

    fn result(args: &Args, before: &State, after: &State) -> Map<String, Value> {
        let mut result = after.file.result();
        let path = after.file.path.display().to_string();
        result.insert("dest".into(), path.into());
        result.insert("url".into(), without_secret(&args.options.url).into());
        let found = args.found.borrow();
        if found.told.is_empty() {
            let message = if before.file.differs_outside(&before.file.wanted(FileKind::File, &before.wanted)) {
                "file already exists but file attributes changed"
            } else {
                "file already exists"
            };
            result.insert("msg".into(), message.into());
        }
        result.insert("elapsed".into(), 0.into());
        result.extend(found.told.clone());
        result.insert("checksum_dest".into(), json!(found.told.get("checksum_src")));
        result
    }

    fn claims(args: &Args) -> Claims {
        let options = &args.options;
        state::claims(&options.dest, options.owner.as_deref(), options.group.as_deref())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::memory::MemoryHost;
    use crate::host::overlay::Overlay;
    use crate::outcome::{Ending, Outcome};
    use crate::registry::find;

    fn run(host: &mut dyn Host, options: &Value) -> Outcome {
        let mut options = options.as_object().unwrap().clone();
        options.insert("url".into(), "http://a/x.bin".into());
        options.entry("dest").or_insert("/srv/x".into());
        (find("get_url").unwrap().run)(&options, host)
    }

    fn host(now: Option<&str>, served: &str) -> MemoryHost {
        let mut host = MemoryHost::default();
        host.add_directory("/srv");
        if let Some(now) = now {
            host.add_file("/srv/x", now);
        }
        host.serve("GET http://a/x.bin", 200, &[("Content-Length", &served.len().to_string())], served);
        host.serve("GET http://a/list", 200, &[], format!("{}  x.bin\n", crate::change::sha256(b"new")));
        host
    }

    #[test]
    fn a_file_is_fetched_when_it_must_be() {
        let sha = |text: &str| format!("sha256:{}", crate::change::sha256(text.as_bytes()));
        for (now, options, ending, text, requests) in [
            (None, json!({}), Ending::Changed, "new", 1),
            (Some("old"), json!({}), Ending::Ok, "old", 0),
            (Some("old"), json!({"force": true}), Ending::Changed, "new", 1),
            (Some("new"), json!({"force": true}), Ending::Ok, "new", 1),
            (Some("old"), json!({"checksum": sha("new")}), Ending::Changed, "new", 1),
            (Some("new"), json!({"checksum": sha("new")}), Ending::Ok, "new", 0),
            (Some("old"), json!({"checksum": sha("other")}), Ending::Failed, "old", 1),
            (Some("old"), json!({"checksum": "sha256:http://a/list"}), Ending::Changed, "new", 2),
            (Some("new"), json!({"checksum": "sha256:http://a/list"}), Ending::Ok, "new", 1),
            (Some("old"), json!({"mode": "0600"}), Ending::Changed, "old", 0),
            (Some("old"), json!({"checksum": "sha256"}), Ending::Failed, "old", 0),
            (Some("old"), json!({"checksum": "crc:12"}), Ending::Failed, "old", 0),
        ] {
            let mut host = host(now, "new");
            let outcome = run(&mut host, &options);
            assert_eq!(outcome.ending, ending, "{options}: {:?}", outcome.result);
            assert_eq!(host.text("/srv/x").as_deref(), Some(text), "{options}");
            assert_eq!(host.sent.len(), requests, "{options}");
            assert_eq!(host.list(Path::new("/srv")).unwrap(), ["x"], "{options}: something was left behind");
        }
    }

    #[test]
    fn a_plan_sends_nothing_and_says_what_it_cannot_know() {
        let sha = format!("sha256:{}", crate::change::sha256(b"new"));
        for (now, options, ending) in [
            (None, json!({"checksum": "sha256:http://a/list"}), Ending::Changed),
            (Some("old"), json!({}), Ending::Ok),
            (Some("old"), json!({"force": true}), Ending::Unknown),
            (Some("old"), json!({"checksum": sha}), Ending::Changed),
            (Some("old"), json!({"checksum": "sha256:http://a/list"}), Ending::Unknown),
        ] {
            let mut overlay = Overlay::new(host(now, "new"));
            assert_eq!(run(&mut overlay, &options).ending, ending, "{options}");
            assert!(overlay.below().sent.is_empty());
            if ending == Ending::Changed {
                // What is there in the plan has no content that could be read.
                assert!(overlay.stat(Path::new("/srv/x")).unwrap().is_some());
                assert!(overlay.read(Path::new("/srv/x"), 99).unwrap_err().unknown);
            }
        }
    }

    #[test]
    fn failures_of_the_service_are_told() {
        let mut host = MemoryHost::default();
        host.add_directory("/srv");
        host.serve("GET http://a/x.bin", 404, &[], "no");
        let outcome = run(&mut host, &json!({}));
        assert_eq!((outcome.ending, &outcome.result["status_code"]), (Ending::Failed, &json!(404)));
        assert_eq!(outcome.result["msg"], "Request failed: HTTP Error 404: Not Found");
        let mut broken = host.clone();
        broken.services.clear();
        broken.serve("GET http://a/x.bin", 200, &[("Content-Length", "10")], "half");
        assert_eq!(run(&mut broken, &json!({})).ending, Ending::Failed);
        assert_eq!(broken.text("/srv/x"), None);
        assert!(run(&mut host, &json!({"dest": "/no/such/place"})).result["msg"].as_str().unwrap().contains("does not exist"));
    }

    #[test]
    fn digests_are_found_in_lists() {
        let digest = crate::change::sha256(b"");
        for (text, name, found) in [
            (format!("{digest}  a\n"), "a", true),
            (format!("{digest} *a\n"), "a", true),
            (format!("{digest}  ./a\n{digest}  b\n"), "a", true),
            (format!("SHA256 (a) = {digest}\n"), "a", true),
            (format!("{digest}\n"), "a", true),
            (format!("{digest}  ab\n"), "a", false),
            ("a\n".to_owned(), "a", false),
        ] {
            assert_eq!(find_digest(&text, name).is_some(), found, "{text}");
        }
    }
}
