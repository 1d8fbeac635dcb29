//! firewalld's two sides: what runs, and what is kept, with the daemon or without it.

use crate::commands::process::failed;
use crate::host::{Effect, Host, Inspect, Output};
use crate::outcome::Failure;
use crate::system::tool::{Tool, plain_word};

const ONLINE: Tool = Tool::new("firewall-cmd", "firewalld");
const OFFLINE: Tool = Tool::new("firewall-offline-cmd", "firewalld");

/// Where a setting is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    /// In the running firewall.
    Runtime,
    /// In what the running daemon keeps.
    Permanent,
    /// In what is kept while no daemon runs.
    Offline,
}

impl Side {
    /// The word for it; what is kept is the same whoever is asked.
    pub(super) fn word(self) -> &'static str {
        if self == Self::Runtime { "runtime" } else { "permanent" }
    }

    fn tool(self) -> Tool {
        if self == Self::Offline { OFFLINE } else { ONLINE }
    }

    fn words(self, zone: Option<&str>, words: &[String]) -> Result<Vec<String>, Failure> {
        let mut all: Vec<String> = Vec::new();
        all.extend((self == Self::Permanent).then(|| "--permanent".to_owned()));
        if let Some(zone) = zone {
            plain_word("zone", zone)?;
            all.push(format!("--zone={zone}"));
        }
        all.extend_from_slice(words);
        Ok(all)
    }

    fn ask(self, zone: Option<&str>, words: &[&str], host: &dyn Inspect) -> Result<(Vec<String>, Output), Failure> {
        let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
        let words = self.words(zone, &words)?;
        let output = self.tool().ask(words.clone(), host)?;
        Ok((words, output.ok_or_else(|| Failure::unknown("`firewalld` is not installed yet"))?))
    }

    /// What it says.
    pub(super) fn tell(self, zone: Option<&str>, words: &[&str], host: &dyn Inspect) -> Result<String, Failure> {
        let (words, output) = self.ask(zone, words, host)?;
        if output.rc == 0 { Ok(output.text()) } else { Err(failed(&self.tool().line(words), &output)) }
    }

    /// Whether something is so.
    pub(super) fn is(self, zone: &str, query: &str, host: &dyn Inspect) -> Result<bool, Failure> {
        let (words, output) = self.ask(Some(zone), &[query], host)?;
        match output.rc {
            0 => Ok(true),
            1 => Ok(false),
            _ => Err(failed(&self.tool().line(words), &output)),
        }
    }

    /// Changes something.
    pub(super) fn act(self, zone: Option<&str>, words: &[String], effect: &Effect, host: &mut dyn Host) -> Result<(), Failure> {
        self.tool().act(self.words(zone, words)?, std::slice::from_ref(effect), host).map(drop)
    }
}

/// Whether the daemon runs.
pub(super) fn is_running(host: &dyn Inspect) -> Result<bool, Failure> {
    let output = ONLINE.ask(["--state"], host)?;
    Ok(output.ok_or_else(|| Failure::unknown("`firewalld` is not installed yet"))?.rc == 0)
}

/// The zone of what names none.
pub(super) fn default_zone(side: Side, host: &dyn Inspect) -> Result<String, Failure> {
    // The daemon has one default zone, not one to keep.
    let side = if side == Side::Permanent { Side::Runtime } else { side };
    Ok(side.tell(None, &["--get-default-zone"], host)?.trim().to_owned())
}
