//! `uri`: asks a web service something.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value, json};

use super::body;
use super::exchange::{Answer, Connection, Follow, content};
use crate::choice;
use crate::claims::Claims;
use crate::command::Command;
use crate::commands::process;
use crate::commands::words::expand_path;
use crate::files::attributes::{Unsupported, file_args};
use crate::files::offer::Offer;
use crate::files::paths::is_directory;
use crate::files::state::{self, Body, FileState, Look, Put};
use crate::host::http::without_secret;
use crate::host::{FileKind, Host, Inspect};
use crate::outcome::{Ending, Failure, Outcome};

/// Largest answer (bytes) that is kept in memory.
const LARGEST: u64 = 64 << 20;

choice! {
    /// How `body` is written.
    pub enum Format {
        /// As it is.
        Raw = "raw",
        /// As JSON.
        Json = "json",
        /// As a form.
        Form = "form-urlencoded",
        /// As a form with files.
        Multipart = "form-multipart",
    }
}

file_args! {
    /// Sends a request to a web service from the host and checks the status of the answer. In a plan
    /// nothing is sent, and the result is unknown.
    pub struct Args {
        /// The address, with `http` or `https`.
        url: String,
        /// The method.
        method: String = "GET".into(),
        /// What is sent: text, or a structure for `body_format`.
        body: Option<Value>,
        /// How `body` is written: `raw` (as it is), `json`, `form-urlencoded`, or `form-multipart` (a
        /// mapping of fields to text or to mappings with `filename`, `content`, `mime_type`,
        /// `multipart_encoding`). Sets `Content-Type`.
        body_format: Format = Format::Raw,
        /// A file that is sent instead of `body`.
        src: Option<PathBuf>,
        /// Whether `src` and files in `form-multipart` are on the host.
        remote_src: bool = false,
        /// Headers, name to value.
        headers: BTreeMap<String, String> = BTreeMap::new(),
        /// Status codes that mean success.
        status_code: Vec<u16> = vec![200],
        /// Whether the answer is returned as `content`.
        return_content: bool = false,
        /// A path on the host where the answer is put; of a directory, the address gives the name.
        dest: Option<PathBuf>,
        /// A path or pattern; if it exists, nothing is sent.
        creates: Option<PathBuf>,
        /// A path or pattern; if it does not exist, nothing is sent.
        removes: Option<PathBuf>,
        /// Which redirections are followed.
        follow_redirects: Follow = Follow::Safe,
        /// Seconds that connecting, and every wait for an answer, may take.
        timeout: u64 = 30,
        /// User.
        url_username ("user"): Option<String>,
        /// Password.
        url_password ("password"): Option<String>,
        /// Whether user and password are sent before they are asked for.
        force_basic_auth: bool = false,
        /// Whether the server must prove who it is.
        validate_certs: bool = true,
        /// Certificates of authorities (PEM, on the host) that are trusted instead of the system's.
        ca_path: Option<PathBuf>,
        /// Our certificate (PEM, on the host).
        client_cert: Option<PathBuf>,
        /// Its private key, where that is not in the same file.
        client_key: Option<PathBuf>,
        /// A socket of the host that is spoken to instead of the network.
        unix_socket: Option<PathBuf>,
        /// Whether proxies that the environment names are used.
        use_proxy: bool = true,
        /// Whether user and password may come from `~/.netrc`.
        use_netrc: bool = true,
        /// The `User-Agent` header.
        http_agent: String = "ansible-httpget".into(),
        /// Whether caches on the way are told to ask again.
        force: bool = false,
        /// Whether a compressed answer is unpacked.
        decompress: bool = true,
        /// Names of headers that are not sent on after a redirection.
        unredirected_headers: Vec<String> = Vec::new(),
        /// Refused: ciphers cannot be chosen; only safe ones are used.
        ciphers: Option<Unsupported>,
        /// `true` is refused: Kerberos is not supported.
        use_gssapi: Option<crate::files::attributes::Never>,
        /// Set by the controller: the content of `src`.
        stead_source: Option<Offer>,
    }
}

/// Examples; each is a test.
pub const EXAMPLES: &str = "
- name: The page is there
  uri:
    url: https://example.org/health
- name: A new user, told as JSON
  uri:
    url: https://example.org/api/users
    method: POST
    body: {name: jane, groups: [admin]}
    body_format: json
    headers: {X-Token: abc}
    status_code: [200, 201]
    return_content: true
  register: created
- name: Through a socket of the host
  uri:
    url: http://localhost/v1.41/containers/json
    unix_socket: /run/docker.sock
";

/// The module.
pub struct Uri;

impl Args {
    fn connection(&self) -> Connection<'_> {
        Connection {
            user: self.url_username.as_deref(),
            password: self.url_password.as_deref(),
            force_basic: self.force_basic_auth,
            use_netrc: self.use_netrc,
            use_proxy: self.use_proxy,
            validate: self.validate_certs,
            authorities: self.ca_path.as_deref(),
            certificate: self.client_cert.as_deref(),
            key: self.client_key.as_deref(),
            socket: self.unix_socket.as_deref(),
            agent: &self.http_agent,
            timeout: self.timeout,
            follow: self.follow_redirects,
            decompress: self.decompress,
            unredirected: &self.unredirected_headers,
            fresh: self.force,
        }
    }

    /// What is sent, and its type.
    fn encoded(&self, host: &dyn Inspect) -> Result<Option<body::Encoded>, Failure> {
        match (&self.src, &self.body) {
            (Some(_), Some(_)) => Err(Failure::new("parameters are mutually exclusive: body|src")),
            (Some(src), None) => {
                let bytes = match &self.stead_source {
                    Some(offer) => host.blob(&offer.sha256)?,
                    None if self.remote_src => host.read(&expand_path(src, host), LARGEST)?,
                    None => {
                        return Err(Failure::new(format!(
                            "the content of `{}` was not offered by the controller",
                            src.display()
                        )));
                    }
                };
                Ok(Some((bytes, Some("application/x-www-form-urlencoded".into()))))
            }
            (None, Some(value)) if !value.is_null() => Ok(Some(match self.body_format {
                Format::Raw => body::raw(value)?,
                Format::Json => body::json(value)?,
                Format::Form => body::form(value)?,
                Format::Multipart => body::multipart(value, host)?,
            })),
            _ => Ok(None),
        }
    }

    /// Puts the answer where it should go; whether that changed anything.
    fn save(&self, dest: &Path, bytes: &[u8], answer: &Answer, host: &mut dyn Host) -> Result<(PathBuf, Outcome), Failure> {
        let mut path = expand_path(dest, host.inspect());
        if is_directory(&path, host.inspect())? {
            path.push(answer.url.file_name().unwrap_or_else(|| "index.html".into()));
        }
        let wanted = self.wanted_attributes().look_up(host.inspect())?;
        let now = FileState::observe(&path, Look::Inside, host.inspect())?;
        let content = Some(crate::change::Content::of(bytes));
        let want = FileState { content, ..now.wanted(FileKind::File, &wanted) };
        let changes = crate::change::compare(&[now.resource()], &[want.resource()]);
        if !changes.is_empty() {
            let how = Put { body: Body::Bytes(bytes), validate: None, backup: false, backup_field: "backup_file" };
            state::put(&now, &want, &how, host)?;
        }
        let after = FileState::observe(&path, Look::Outside, host.inspect())?;
        let ending = if changes.is_empty() { Ending::Ok } else { Ending::Changed };
        Ok((path, Outcome { changes, ..Outcome::new(ending, after.result()) }))
    }
}

/// The fields that every answer has.
fn told(answer: &Answer, elapsed: u64) -> Map<String, Value> {
    let mut result = Map::new();
    for (name, value) in &answer.reply.headers {
        let name = name.replace('-', "_");
        // Several headers of one name are one, separated by commas.
        let value = match result.get(&name).and_then(Value::as_str) {
            Some(before) => format!("{before}, {value}"),
            None => value.clone(),
        };
        result.insert(name, value.into());
    }
    let text: Vec<String> = answer.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
    result.insert("cookies".into(), json!(answer.cookies));
    result.insert("cookies_string".into(), text.join("; ").into());
    result.insert("redirected".into(), answer.redirected.into());
    result.insert("status".into(), answer.reply.status.into());
    result.insert("url".into(), answer.url.text().into());
    result.insert("elapsed".into(), elapsed.into());
    let status = answer.reply.status;
    let message = if (200..300).contains(&status) {
        let length = answer.reply.header("content-length").unwrap_or("unknown");
        format!("{} ({length} bytes)", answer.reply.reason)
    } else {
        format!("HTTP Error {status}: {}", answer.reply.reason)
    };
    result.insert("msg".into(), message.into());
    result
}

/// Whether this type of content is JSON.
fn is_json(content_type: &str) -> bool {
    let kind = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    kind.split_once('/').is_some_and(|(_, kind)| matches!(kind, "json" | "javascript") || kind.ends_with("+json"))
}

/// Text in the encoding that its type names; only UTF-8 and Latin-1 are known.
fn text(bytes: Vec<u8>, content_type: &str) -> String {
    let latin = ["iso-8859-1", "latin1", "latin-1"];
    let charset =
        content_type.split(';').skip(1).filter_map(|word| word.trim().split_once('=')).find(|(name, _)| *name == "charset");
    if charset.is_some_and(|(_, name)| latin.contains(&name.trim_matches('"').to_ascii_lowercase().as_str())) {
        return bytes.iter().map(|byte| char::from(*byte)).collect();
    }
    String::from_utf8(bytes).unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned())
}

impl Command for Uri {
    type Args = Args;

    fn guard(args: &Args, host: &dyn Inspect) -> Result<Option<Outcome>, Failure> {
        let guarded = process::guard(args.creates.as_deref(), args.removes.as_deref(), None, host);
        Ok(guarded.map(|guarded| {
            let said = Value::from(guarded.skipped());
            Outcome::new(Ending::Ok, Map::from_iter([("stdout".to_owned(), said.clone()), ("msg".to_owned(), said)]))
        }))
    }

    fn run(args: &Args, host: &mut dyn Host) -> Result<Outcome, Failure> {
        let began = host.now();
        let mut headers: Vec<(String, String)> = args.headers.clone().into_iter().collect();
        let body = args.encoded(host.inspect())?.map(|(bytes, kind)| {
            let has_kind = headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("content-type"));
            headers.extend(kind.filter(|_| !has_kind).map(|kind| ("Content-Type".to_owned(), kind)));
            bytes
        });
        let codes = &args.status_code;
        let unexpected = |status: i64, message: &str| format!("Status code was {status} and not {codes:?}: {message}");
        let asked = args.connection().ask(&args.method, &args.url, &headers, body, host);
        let elapsed = (host.now() - began).max(0.0) as u64;
        let mut answer = match asked {
            Ok(answer) => answer,
            Err(failure) if failure.unknown => return Err(failure),
            Err(failure) => {
                let message = unexpected(-1, &format!("Request failed: {}", failure.message));
                return Err(Failure { message, ..failure }
                    .with("status", -1)
                    .with("elapsed", elapsed)
                    .with("redirected", false)
                    .with("url", without_secret(&args.url)));
            }
        };
        let mut result = told(&answer, elapsed);
        let fine = codes.contains(&answer.reply.status);
        let kind = answer.reply.header("content-type").unwrap_or_default().to_owned();
        let bytes = content(&mut answer.reply, LARGEST)?;
        // As of its namesake: what a redirection or an error says, and where the former leads.
        if answer.reply.status >= 300 {
            result.insert("body".into(), text(bytes.clone(), &kind).into());
        }
        if let Some(to) = answer.reply.header("location")
            && let Ok(full) = answer.url.join(to)
        {
            result.insert("location".into(), full.text().into());
        }
        let mut outcome = Outcome::new(Ending::Ok, Map::new());
        if let Some(dest) = args.dest.as_ref().filter(|_| fine) {
            let (path, saved) = args.save(dest, &bytes, &answer, host)?;
            outcome = saved;
            result.insert("path".into(), path.display().to_string().into());
        }
        if is_json(&kind) || args.return_content || !fine {
            let text = text(bytes, &kind);
            if is_json(&kind)
                && let Ok(value) = serde_json::from_str::<Value>(&text)
            {
                result.insert("json".into(), value);
            }
            if args.return_content || !fine {
                result.insert("content".into(), text.into());
            }
        }
        if !fine {
            let message = unexpected(answer.reply.status.into(), result["msg"].as_str().unwrap_or_default());
            return Err(Failure { result, ..Failure::new(message) });
        }
        result.extend(std::mem::take(&mut outcome.result));
        outcome.result = result;
        Ok(outcome)
    }

    fn describe(args: &Args) -> String {
        format!("{} {}", args.method.to_uppercase(), without_secret(&args.url))
    }

    fn is_change(args: &Args) -> bool {
        args.dest.is_some()
    }

    fn claims(args: &Args) -> Claims {
        let mut claims = Claims::everything();
        claims.provides.extend(args.dest.iter().map(|path| state::resource_id(path)));
        claims
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::memory::MemoryHost;
    use crate::registry::find;

    fn run(host: &mut MemoryHost, options: &Value) -> Outcome {
        (find("uri").unwrap().run)(options.as_object().unwrap(), host)
    }

    #[test]
    fn an_answer_is_returned_with_its_headers_and_as_json() {
        let mut host = MemoryHost::default();
        let headers =
            [("Content-Type", "application/json; charset=utf-8"), ("X-Two", "a"), ("X-Two", "b"), ("Content-Length", "8")];
        host.serve("GET http://a/x", 200, &headers, "{\"a\": 1}");
        let outcome = run(&mut host, &json!({"url": "http://a/x", "return_content": true}));
        assert_eq!(outcome.ending, Ending::Ok);
        for (field, expected) in [
            ("status", json!(200)),
            ("json", json!({"a": 1})),
            ("content", json!("{\"a\": 1}")),
            ("content_type", json!("application/json; charset=utf-8")),
            ("x_two", json!("a, b")),
            ("msg", json!("OK (8 bytes)")),
            ("redirected", json!(false)),
            ("url", json!("http://a/x")),
        ] {
            assert_eq!(outcome.result[field], expected, "{field}");
        }
    }

    #[test]
    fn another_status_is_a_failure_that_shows_the_answer() {
        let mut host = MemoryHost::default();
        host.serve("GET http://a/x", 404, &[("Content-Type", "text/plain")], "gone");
        let outcome = run(&mut host, &json!({"url": "http://a/x"}));
        assert_eq!(outcome.ending, Ending::Failed);
        assert_eq!(outcome.result["msg"], "Status code was 404 and not [200]: HTTP Error 404: Not Found");
        assert_eq!((&outcome.result["content"], &outcome.result["status"]), (&json!("gone"), &json!(404)));
        assert_eq!(run(&mut host, &json!({"url": "http://a/x", "status_code": "404,405"})).ending, Ending::Ok);
        let outcome = run(&mut host, &json!({"url": "http://u:geheim@b/"}));
        assert_eq!((outcome.ending, &outcome.result["status"]), (Ending::Failed, &json!(-1)));
        assert!(!Value::Object(outcome.result).to_string().contains("geheim"));
    }

    #[test]
    fn what_is_sent_has_its_type_unless_another_is_given() {
        for (options, body, kind) in [
            (json!({"body": {"a": 1}, "body_format": "json"}), "{\"a\": 1}", "application/json"),
            (json!({"body": {"a": 1}, "body_format": "json", "headers": {"content-type": "x/y"}}), "{\"a\": 1}", "x/y"),
            (json!({"body": "a b"}), "a b", "application/x-www-form-urlencoded"),
            (json!({"body": {"a": "b c"}, "body_format": "form-urlencoded"}), "a=b+c", "application/x-www-form-urlencoded"),
            (json!({"src": "/etc/x", "remote_src": true}), "file", "application/x-www-form-urlencoded"),
        ] {
            let mut host = MemoryHost::default();
            host.add_file("/etc/x", "file");
            host.serve("POST http://a/", 200, &[], "");
            let mut options = options.clone();
            options["url"] = "http://a/".into();
            options["method"] = "post".into();
            assert_eq!(run(&mut host, &options).ending, Ending::Ok, "{options}");
            let sent = &host.sent[0];
            assert_eq!(String::from_utf8_lossy(sent.body.as_ref().unwrap()), body);
            let kinds: Vec<&str> = sent
                .headers
                .iter()
                .filter(|(name, _)| name.eq_ignore_ascii_case("content-type"))
                .map(|(_, kind)| kind.as_str())
                .collect();
            assert_eq!(kinds, [kind]);
        }
    }

    #[test]
    fn an_answer_that_is_saved_is_a_change_once() {
        let mut host = MemoryHost::default();
        host.add_directory("/srv");
        host.serve("GET http://a/x.txt", 200, &[], "text");
        let options = json!({"url": "http://a/x.txt", "dest": "/srv", "mode": "0600"});
        let outcome = run(&mut host, &options);
        assert_eq!((outcome.ending, &outcome.result["path"]), (Ending::Changed, &json!("/srv/x.txt")));
        assert_eq!(host.text("/srv/x.txt").as_deref(), Some("text"));
        assert_eq!(run(&mut host, &options).ending, Ending::Ok);
    }
}
