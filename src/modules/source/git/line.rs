//! Command lines of git: its environment, keys, and secrets kept out of them.

use std::path::Path;

use serde_json::Value;

use super::Options;
use crate::commands::process::failed;
use crate::commands::words::{expand_path, quote, split};
use crate::host::{CommandLine, Effect, Host, Inspect, Output};
use crate::outcome::Failure;
use crate::system::tool::Tool;

pub(super) const GIT: Tool = Tool::new("git", "git");

/// User and password in an `http` address: the part with them, and the part without.
fn secret(repo: &str) -> Option<(String, String)> {
    let (scheme, rest) = repo.split_once("://").filter(|(scheme, _)| scheme.starts_with("http"))?;
    let authority = rest.split('/').next()?;
    let (_, server) = authority.rsplit_once('@')?;
    Some((format!("{scheme}://{authority}/"), format!("{scheme}://{server}/")))
}

/// An address without user and password; of a path the address that means it, so that `depth` holds there too.
pub(super) fn public(repo: &str) -> String {
    if repo.starts_with('/') {
        return format!("file://{repo}");
    }
    match secret(repo) {
        Some((with, without)) => repo.replacen(with.trim_end_matches('/'), without.trim_end_matches('/'), 1),
        None => repo.to_owned(),
    }
}

impl Options {
    /// A command line of git that looks at a clone or the repository.
    pub(super) fn looking<S: Into<String>>(
        &self,
        dest: Option<&Path>,
        words: impl IntoIterator<Item = S>,
        host: &dyn Inspect,
    ) -> CommandLine {
        let mut argv = Vec::new();
        if let Some(dest) = dest {
            argv.extend(["-C".to_owned(), dest.display().to_string()]);
        }
        argv.extend(words.into_iter().map(Into::into));
        let mut line = GIT.line(argv).env("GIT_TERMINAL_PROMPT", "0").env("GIT_OPTIONAL_LOCKS", "0");
        if let Some(program) = &self.executable {
            line.argv[0] = expand_path(program, host).display().to_string();
        }
        line
    }

    /// A command line that may speak to the repository.
    pub(super) fn speaking<S: Into<String>>(
        &self,
        dest: Option<&Path>,
        words: impl IntoIterator<Item = S>,
        host: &dyn Inspect,
    ) -> Result<CommandLine, Failure> {
        let mut line = self.looking(dest, words, host);
        line.environment.remove("GIT_OPTIONAL_LOCKS");
        if let Some(ssh) = self.ssh(host)? {
            line = line.env("GIT_SSH_COMMAND", &ssh);
        }
        if let Some((with, without)) = secret(&self.repo) {
            line = line
                .env("GIT_CONFIG_COUNT", "1")
                .env("GIT_CONFIG_KEY_0", &format!("url.{with}.insteadOf"))
                .env("GIT_CONFIG_VALUE_0", &without);
        }
        Ok(line)
    }

    /// How git calls `ssh`; `None` where the environment decides.
    fn ssh(&self, host: &dyn Inspect) -> Result<Option<String>, Failure> {
        let mut words: Vec<String> = Vec::new();
        let mut option = |text: &str| words.extend(["-o".to_owned(), text.to_owned()]);
        if self.accept_hostkey {
            option("StrictHostKeyChecking=no");
        }
        if self.accept_newhostkey {
            option("StrictHostKeyChecking=accept-new");
        }
        if self.key_file.is_some() {
            option("IdentitiesOnly=yes");
        }
        if let Some(path) = &self.key_file {
            words.extend(["-i".to_owned(), expand_path(path, host).display().to_string()]);
        }
        if let Some(text) = &self.ssh_opts {
            words.extend(split(text)?);
        }
        let is_given = ["GIT_SSH", "GIT_SSH_COMMAND"].iter().any(|name| host.env(name).is_some_and(|value| !value.is_empty()));
        if words.is_empty() && is_given {
            return Ok(None);
        }
        if !words.iter().any(|word| word.contains("BatchMode")) {
            words.extend(["-o".to_owned(), "BatchMode=yes".to_owned()]);
        }
        let words: Vec<String> = words.iter().map(|word| quote(word)).collect();
        Ok(Some(format!("ssh {}", words.join(" "))))
    }

    /// Asks; it must be able to answer. `None` in a plan that would install git first.
    pub(super) fn answer(&self, line: &CommandLine, host: &dyn Inspect) -> Result<Option<String>, Failure> {
        match GIT.query(line, host)? {
            Some(output) if output.rc != 0 => Err(self.hidden(failed(line, &output))),
            output => Ok(output.map(|output| output.text())),
        }
    }

    /// Acts; it must succeed.
    pub(super) fn act(&self, mut line: CommandLine, effects: &[Effect], host: &mut dyn Host) -> Result<Output, Failure> {
        if let Some(mask) = self.mask()? {
            // A process inherits its mask; nothing but a shell sets it for the one that follows.
            let head = ["sh", "-c", "umask \"$1\" && shift && exec \"$@\"", "sh", &mask].map(String::from);
            line.argv.splice(0..0, head);
        }
        GIT.run(&line, effects, host).map_err(|failure| self.hidden(failure))
    }

    fn mask(&self) -> Result<Option<String>, Failure> {
        let bits = match &self.umask {
            None | Some(Value::Null) => return Ok(None),
            Some(Value::Number(number)) => number.as_u64(),
            Some(Value::String(text)) => u64::from_str_radix(text.trim_start_matches("0o"), 8).ok(),
            Some(_) => None,
        };
        let bits = bits.filter(|bits| *bits <= 0o777).ok_or_else(|| Failure::new("umask must be an octal integer"))?;
        Ok(Some(format!("{bits:04o}")))
    }

    /// A failure without the password that git may have repeated.
    fn hidden(&self, mut failure: Failure) -> Failure {
        let Some((with, without)) = secret(&self.repo) else { return failure };
        let (with, without) = (with.trim_end_matches('/'), without.trim_end_matches('/'));
        failure.message = failure.message.replace(with, without);
        for value in failure.result.values_mut() {
            match value {
                Value::String(text) => *text = text.replace(with, without),
                Value::Array(lines) => lines.iter_mut().for_each(|line| {
                    if let Value::String(text) = line {
                        *text = text.replace(with, without);
                    }
                }),
                _ => {}
            }
        }
        failure
    }
}

#[cfg(test)]
mod tests {
    use super::public;

    #[test]
    fn users_and_passwords_are_taken_out_of_addresses() {
        for (repo, expected) in [
            ("https://u:p@h.org/a/b.git", "https://h.org/a/b.git"),
            ("https://token@h.org:8443/a", "https://h.org:8443/a"),
            ("https://h.org/a@b", "https://h.org/a@b"),
            ("ssh://git@h.org/a", "ssh://git@h.org/a"),
            ("git@h.org:a/b.git", "git@h.org:a/b.git"),
            ("/srv/a@b.git", "file:///srv/a@b.git"),
        ] {
            assert_eq!(public(repo), expected);
        }
    }
}
