//! `deb822_repository`: a list of APT's sources in the form of paragraphs.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value, json};

use super::whole_file::WholeFile;
use super::{fetch, openpgp};
use crate::accounts::group::Presence;
use crate::args;
use crate::change::{ResourceId, ResourceState};
use crate::claims::Claims;
use crate::files::mode::Mode;
use crate::host::{Host, Inspect};
use crate::outcome::Failure;
use crate::resource::{self, Resource, Step, Written};

args! {
    /// Manages a file of `/etc/apt/sources.list.d` with one source in the form of a paragraph, and
    /// the key that it is signed with.
    ///
    /// Package lists are not refreshed by it: `apt` with `update_cache` does that.
    pub struct Args {
        /// Name of the repository; the file's name is made from it.
        name: String,
        /// Whether it is there.
        state: Presence = Presence::Present,
        /// `deb`, `deb-src`, or both.
        types: Vec<String> = vec!["deb".into()],
        /// Addresses of the archive.
        uris: Option<Vec<String>>,
        /// Suites, e.g. `bookworm`; or a path that ends with a slash, then without components.
        suites: Option<Vec<String>>,
        /// Components, e.g. `main`.
        components: Option<Vec<String>>,
        /// Key: an address that it is fetched from, a path on the host, fingerprints, or the armoured key itself.
        signed_by: Option<String>,
        /// Architectures.
        architectures: Option<Vec<String>>,
        /// Whether the source is used.
        enabled: Option<bool>,
        /// Whether it is trusted without a signature.
        trusted: Option<bool>,
        /// Whether a package may lose its authentication.
        allow_downgrade_to_insecure: Option<bool>,
        /// Whether the source may be insecure.
        allow_insecure: Option<bool>,
        /// Whether weak digests are accepted.
        allow_weak: Option<bool>,
        /// Whether lists are fetched by their digest.
        by_hash: Option<bool>,
        /// Whether the host's clock is trusted to check dates.
        check_date: Option<bool>,
        /// Whether an expired list is refused.
        check_valid_until: Option<bool>,
        /// Seconds that a list may be from the future.
        date_max_future: Option<i64>,
        /// Path of the `InRelease` file.
        inrelease_path: Option<String>,
        /// Languages of descriptions.
        languages: Option<Vec<String>>,
        /// Whether lists are fetched as differences.
        pdiffs: Option<bool>,
        /// Which lists are fetched.
        targets: Option<Vec<String>>,
        /// Mode of the file; 0644 if it is not given.
        mode: Option<Mode>,
        /// No effect: nothing has to be installed to manage sources.
        install_python_debian: bool = false,
    }
}

/// Examples; each is a test.
pub const EXAMPLES: &str = "
- name: A repository
  deb822_repository:
    name: Example
    types: deb
    uris: https://download.example.org/debian
    suites: '{{ ansible_distribution_release }}'
    components: [stable, testing]
    architectures: amd64
    signed_by: /usr/share/keyrings/example.gpg
- name: With the key in it
  deb822_repository:
    name: inline
    uris: https://download.example.org/flat
    suites: ./
    signed_by: |
      -----BEGIN PGP PUBLIC KEY BLOCK-----

      mDMEawPSwhYJKwYBBAHaRw8BAQdA
      -----END PGP PUBLIC KEY BLOCK-----
- name: No such repository
  deb822_repository:
    name: old
    state: absent
";

const PARTS: &str = "/etc/apt/sources.list.d";
const KEYS: &str = "/etc/apt/keyrings";

/// The module.
pub struct Deb822Repository;

/// The list, and the files that may hold its key.
#[derive(Debug, Clone)]
pub struct State {
    list: WholeFile,
    keys: Vec<WholeFile>,
    /// What was fetched from the address of `signed_by`.
    fetched: Option<Vec<u8>>,
}

impl resource::State for State {
    fn resources(&self) -> Vec<ResourceState> {
        self.keys.iter().chain([&self.list]).map(WholeFile::resource).collect()
    }
}

/// `My Repo.x` -> `my-repox`.
fn slug(name: &str) -> String {
    let lower = name.to_lowercase();
    let joined: Vec<&str> = lower.split(|c: char| c.is_whitespace() || c == '_').filter(|word| !word.is_empty()).collect();
    joined.join("-").chars().filter(|c| c.is_ascii_alphanumeric() || *c == '-').collect()
}

fn list_path(args: &Args) -> PathBuf {
    Path::new(PARTS).join(format!("{}.sources", slug(&args.name)))
}

fn key_path(args: &Args, extension: &str) -> PathBuf {
    Path::new(KEYS).join(format!("{}.{extension}", slug(&args.name)))
}

/// Where the key of an address goes.
fn fetched_path(args: &Args, key: &[u8]) -> PathBuf {
    key_path(args, if openpgp::is_armored(key) { "asc" } else { "gpg" })
}

/// A value of several lines, as the form wants it.
fn folded(text: &str) -> String {
    text.trim().lines().fold(String::new(), |all, line| {
        let line = line.trim();
        all + "\n    " + if line.is_empty() { "." } else { line }
    })
}

/// The paragraph.
fn render(args: &Args, signed_by: Option<&str>) -> Result<String, Failure> {
    let words = |list: &Option<Vec<String>>| list.as_ref().map(|list| list.join(" ")).filter(|words| !words.is_empty());
    let flag = |is: Option<bool>| is.map(|is| if is { "yes" } else { "no" }.to_owned());
    if let Some(wrong) = args.types.iter().find(|word| !["deb", "deb-src"].contains(&word.as_str())) {
        return Err(Failure::new(format!("`types` is made of `deb` and `deb-src`, found `{wrong}`")));
    }
    let fields = [
        ("Allow-Downgrade-To-Insecure", flag(args.allow_downgrade_to_insecure)),
        ("Allow-Insecure", flag(args.allow_insecure)),
        ("Allow-Weak", flag(args.allow_weak)),
        ("Architectures", words(&args.architectures)),
        ("By-Hash", flag(args.by_hash)),
        ("Check-Date", flag(args.check_date)),
        ("Check-Valid-Until", flag(args.check_valid_until)),
        ("Components", words(&args.components)),
        ("Date-Max-Future", args.date_max_future.map(|seconds| seconds.to_string())),
        ("Enabled", flag(args.enabled)),
        ("InRelease-Path", args.inrelease_path.clone()),
        ("Languages", words(&args.languages)),
        ("X-Repolib-Name", Some(args.name.clone())),
        ("PDiffs", flag(args.pdiffs)),
        ("Signed-By", signed_by.map(str::to_owned)),
        ("Suites", words(&args.suites)),
        ("Targets", words(&args.targets)),
        ("Trusted", flag(args.trusted)),
        ("Types", Some(args.types.join(" "))),
        ("URIs", words(&args.uris)),
    ];
    let mut text = String::new();
    for (name, value) in fields {
        // The same spelling as files have that Ansible wrote: a second tool finds nothing to change.
        let name = match name {
            "InRelease-Path" => "Inrelease-Path",
            "PDiffs" => "Pdiffs",
            other => other,
        };
        match value {
            None => {}
            Some(value) if value.trim().contains('\n') => {
                let _ = writeln!(text, "{name}:{}", folded(&value));
            }
            Some(value) => {
                let _ = writeln!(text, "{name}: {}", value.trim());
            }
        }
    }
    Ok(text)
}

impl Resource for Deb822Repository {
    type Args = Args;
    type State = State;

    fn read(args: &Args, host: &dyn Inspect) -> Result<State, Failure> {
        if slug(&args.name).is_empty() {
            return Err(Failure::new(format!("no file's name can be made from `{}`", args.name)));
        }
        let present = args.state == Presence::Present;
        let address = args.signed_by.as_deref().filter(|by| present && fetch::is_url(by.trim()));
        let fetched = address.map(|address| fetch::get(address.trim(), true, host)).transpose()?;
        let paths = match &fetched {
            Some(key) => vec![fetched_path(args, key)],
            None if present => Vec::new(),
            None => vec![key_path(args, "asc"), key_path(args, "gpg")],
        };
        let keys = paths.iter().map(|path| WholeFile::read(path, false, host)).collect::<Result<_, _>>()?;
        Ok(State { list: WholeFile::read(&list_path(args), present, host)?, keys, fetched })
    }

    fn want(args: &Args, now: &State) -> Result<State, Failure> {
        let mut want = now.clone();
        if args.state == Presence::Absent {
            want.list.content = None;
            want.keys.iter_mut().for_each(|key| key.content = None);
            return Ok(want);
        }
        let path = want.keys.first().map(|key| key.path.display().to_string());
        for key in &mut want.keys {
            key.content.clone_from(&now.fetched);
        }
        let text = render(args, path.as_deref().or(args.signed_by.as_deref()))?;
        want.list.content = Some(text.into_bytes());
        want.list.mode = Some(args.mode.as_ref().map_or(0o644, |mode| mode.bits(0o644, false)));
        Ok(want)
    }

    fn write(_: &Args, step: &Step<'_, State>, host: &mut dyn Host) -> Result<Written, Failure> {
        let files = |state: &State| state.keys.iter().chain([&state.list]).cloned().collect::<Vec<_>>();
        for (want, now) in files(step.want).iter().zip(files(step.now)) {
            if *want != now {
                want.write(0o644, host)?;
            }
        }
        Ok(Written::quiet())
    }

    fn result(args: &Args, _: &State, after: &State) -> Map<String, Value> {
        let key = match after.keys.first() {
            Some(key) if args.state == Presence::Present => Value::from(key.path.display().to_string()),
            _ if args.state == Presence::Absent => key_path(args, "gpg").display().to_string().into(),
            _ => args.signed_by.as_deref().filter(|by| by.starts_with('/')).map_or(Value::Null, Value::from),
        };
        let repo = after.list.content.as_deref().map(|content| String::from_utf8_lossy(content).into_owned());
        let fields = json!({"dest": after.list.path.display().to_string(), "key_filename": key, "repo": repo});
        fields.as_object().cloned().unwrap_or_default()
    }

    fn claims(args: &Args) -> Claims {
        let file = |path: &Path| ResourceId::new("file", path.display().to_string());
        Claims::provides([
            file(&list_path(args)),
            file(&key_path(args, "asc")),
            file(&key_path(args, "gpg")),
            ResourceId::new("package-manager", "apt"),
        ])
        .needing(args.signed_by.iter().filter(|by| by.starts_with('/')).map(|by| file(Path::new(by))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::args::Arguments;

    fn args(value: &Value) -> Args {
        Args::parse(value.as_object().unwrap()).unwrap()
    }

    #[test]
    fn names_become_file_names() {
        for (name, expected) in [("My Repo.x", "my-repox"), ("a_b  c", "a-b-c"), ("../../x", "x")] {
            assert_eq!(slug(name), expected);
        }
    }

    #[test]
    fn the_paragraph_is_that_which_ansible_writes() {
        let args = args(&json!({
            "name": "My Repo.x", "types": ["deb", "deb-src"], "uris": ["http://a/debian", "http://b"], "suites": "x",
            "components": ["main", "contrib"], "enabled": false, "inrelease_path": "foo", "pdiffs": true,
        }));
        assert_eq!(
            render(&args, Some("/key.gpg")).unwrap(),
            "Components: main contrib\nEnabled: no\nInrelease-Path: foo\nX-Repolib-Name: My Repo.x\nPdiffs: yes\n\
             Signed-By: /key.gpg\nSuites: x\nTypes: deb deb-src\nURIs: http://a/debian http://b\n"
        );
        assert!(render(&args, Some("BEGIN\n\nkey\nEND\n")).unwrap().contains("Signed-By:\n    BEGIN\n    .\n    key\n    END\n"));
    }
}
