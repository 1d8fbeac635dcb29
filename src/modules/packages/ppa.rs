//! Personal package archives of Launchpad: `ppa:OWNER/NAME` as a source and its key.

use std::path::{Path, PathBuf};

use serde_json::Value;

use super::whole_file::WholeFile;
use super::{fetch, openpgp};
use crate::host::Inspect;
use crate::outcome::Failure;

/// An archive of Launchpad.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Ppa {
    owner: String,
    name: String,
    codename: String,
}

/// Servers that have the archives: the one of now first.
const SERVERS: [&str; 3] = ["https://ppa.launchpadcontent.net", "http://ppa.launchpadcontent.net", "http://ppa.launchpad.net"];

impl Ppa {
    /// The archive that `ppa:OWNER/NAME` names; `None` where it is an ordinary source.
    pub(super) fn parse(repo: &str, codename: Option<&str>, host: &dyn Inspect) -> Result<Option<Self>, Failure> {
        let Some(rest) = repo.trim().strip_prefix("ppa:") else { return Ok(None) };
        let (owner, name) = rest.split_once('/').unwrap_or((rest, "ppa"));
        let plain = |word: &str| {
            !word.is_empty()
                && word.chars().all(|c| c.is_ascii_alphanumeric() || "-.+~".contains(c))
                && !word.starts_with(['-', '.'])
        };
        if !plain(owner) || !plain(name) {
            return Err(Failure::new(format!("`{repo}` is not of the form ppa:OWNER/NAME")));
        }
        let codename = match codename {
            Some(codename) => codename.to_owned(),
            None => release(host).ok_or_else(|| Failure::new("the release of this host is not known; name it by `codename`"))?,
        };
        Ok(Some(Self { owner: owner.trim_start_matches('~').into(), name: name.into(), codename }))
    }

    /// The line of the source.
    pub(super) fn line(&self) -> String {
        self.line_at(SERVERS[0])
    }

    fn line_at(&self, server: &str) -> String {
        format!("deb {server}/{}/{}/ubuntu {} main", self.owner, self.name, self.codename)
    }

    /// Whether a source is this archive, on whichever server.
    pub(super) fn is(&self, source: &str) -> bool {
        SERVERS.iter().any(|server| self.line_at(server) == source)
    }

    /// Name of a new list.
    pub(super) fn list_name(&self) -> String {
        let text = format!("ppa_{}_{}_{}", self.owner, self.name, self.codename);
        text.split(|c: char| !c.is_ascii_alphanumeric()).filter(|part| !part.is_empty()).collect::<Vec<_>>().join("_") + ".list"
    }

    /// Where its key is kept, as `add-apt-repository` does.
    pub(super) fn key_path(&self) -> PathBuf {
        Path::new("/etc/apt/trusted.gpg.d").join(format!("{}-ubuntu-{}.gpg", self.owner, self.name))
    }

    /// Its key as it is on the host, and as Launchpad has it.
    pub(super) fn key(&self, host: &dyn Inspect) -> Result<(WholeFile, WholeFile), Failure> {
        let now = WholeFile::read(&self.key_path(), false, host)?;
        if now.content.is_some() {
            return Ok((now.clone(), now));
        }
        let api = format!("https://api.launchpad.net/1.0/~{}/+archive/ubuntu/{}", self.owner, self.name);
        let answer: Value = serde_json::from_slice(&fetch::get(&api, true, host)?)
            .map_err(|error| Failure::new(format!("cannot read what `{api}` says: {error}")))?;
        let print = answer["signing_key_fingerprint"]
            .as_str()
            .ok_or_else(|| Failure::new(format!("Launchpad names no key for ppa:{}/{}", self.owner, self.name)))?;
        let id = openpgp::normal(print);
        let url = format!("https://keyserver.ubuntu.com/pks/lookup?op=get&options=mr&search=0x{id}");
        let keys = openpgp::keys(&fetch::get(&url, true, host)?).map_err(Failure::new)?;
        let key = keys
            .into_iter()
            .find(|key| key.fingerprint == id)
            .ok_or_else(|| Failure::new(format!("the key server has no key `{id}`")))?;
        Ok((now.clone(), WholeFile { content: Some(key.bytes), ..now }))
    }
}

/// The release of the host, or of the Ubuntu that it is made from.
fn release(host: &dyn Inspect) -> Option<String> {
    let bytes = host.read(Path::new("/etc/os-release"), 1 << 16).ok()?;
    let text = String::from_utf8_lossy(&bytes).into_owned();
    ["UBUNTU_CODENAME", "VERSION_CODENAME"].into_iter().find_map(|key| {
        let value = text.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix('='))?;
        Some(value.trim_matches('"').to_owned())
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::memory::MemoryHost;

    #[test]
    fn archives_are_named_by_owner_and_name() {
        let mut host = MemoryHost::default();
        host.add_file("/etc/os-release", "ID=linuxmint\nVERSION_CODENAME=virginia\nUBUNTU_CODENAME=jammy\n");
        let ppa = |repo: &str| Ppa::parse(repo, None, &host);
        let found = ppa("ppa:nginx/stable").unwrap().unwrap();
        assert_eq!(found.line(), "deb https://ppa.launchpadcontent.net/nginx/stable/ubuntu jammy main");
        assert!(found.is("deb http://ppa.launchpad.net/nginx/stable/ubuntu jammy main"));
        assert!(!found.is("deb http://ppa.launchpad.net/nginx/stable/ubuntu focal main"));
        assert_eq!(found.list_name(), "ppa_nginx_stable_jammy.list");
        assert_eq!(ppa("ppa:me").unwrap().unwrap().name, "ppa");
        assert_eq!(ppa("deb http://x y z").unwrap(), None);
        assert!(ppa("ppa:../x").is_err() && ppa("ppa:a/b/c").is_err());
    }

    #[test]
    fn the_key_comes_from_launchpad_and_its_key_server() {
        let mut host = MemoryHost::default();
        let print = openpgp::SAMPLE_FINGERPRINT;
        let curl = |url: &str| ["curl", "-fsSL", "--max-time", "60", "--", url].map(String::from);
        let mut answer = |url: &str, text: &str| host.answer(&curl(url).iter().map(String::as_str).collect::<Vec<_>>(), 0, text);
        answer("https://api.launchpad.net/1.0/~me/+archive/ubuntu/it", &format!(r#"{{"signing_key_fingerprint": "{print}"}}"#));
        answer(&format!("https://keyserver.ubuntu.com/pks/lookup?op=get&options=mr&search=0x{print}"), openpgp::SAMPLE);
        let ppa = Ppa::parse("ppa:me/it", Some("jammy"), &host).unwrap().unwrap();
        let (now, want) = ppa.key(&host).unwrap();
        assert_eq!((now.content, want.path.to_str()), (None, Some("/etc/apt/trusted.gpg.d/me-ubuntu-it.gpg")));
        assert_eq!(want.content, Some(openpgp::keys(openpgp::SAMPLE.as_bytes()).unwrap()[0].bytes.clone()));
    }
}
