//! What is run through a host's shell to start or install the agent.
//!
//! The scripts are one line without `!`, so that they survive csh, fish and other login shells
//! inside one pair of single quotes; they need nothing but a POSIX `sh`, `id`, `uname`, `ls`,
//! `mkdir`, `chmod`, `mv` and `rm`. Directories are a ladder: the first that is ours, can be
//! written and may run programs is used.

use super::embedded::EmbeddedAgent;

/// The ladder: as positional parameters, so that both scripts count the same.
const LADDER: &str = r#"u=$(id -u); set -- "${HOME:-/}/.cache/stead" "/var/tmp/stead-$u" "/dev/shm/stead-$u" "/tmp/stead-$u" "/run/user/$u/stead";"#;

/// How many directories that are.
const PLACES: usize = 5;

/// A directory that somebody else made or may write is never used: `$w` says why.
const JUDGE: &str = r#"w=; if [ -L "$d" ]; then w="is a symbolic link"; elif [ -d "$d" ]; then case $(ls -ld "$d") in d????-??-*) [ -O "$d" ] || w="belongs to somebody else";; *) w="others may write there";; esac; else w="does not exist"; fi;"#;

/// The word before everything that the scripts say to the controller.
pub(super) const SAYS: &str = "STEAD-SAYS";

/// What a start script says when it could not start the agent.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Answer {
    /// The script ran at all: the identity was taken on.
    pub(super) entered: bool,
    /// `uname -m`, if the agent is missing.
    pub(super) missing: Option<String>,
    /// Whether `gzip` is there.
    pub(super) gzip: bool,
    /// Number (from 1) of the first directory that can be used.
    pub(super) usable: Option<usize>,
    /// Directory and why it cannot be used.
    pub(super) unusable: Vec<String>,
    /// The script came to its end.
    pub(super) complete: bool,
}

/// Starts the agent from the first directory that has it, or says what is missing and which
/// directory after number `skip` can take it.
pub(super) fn start(agents: &[EmbeddedAgent], skip: usize, nonce: &str) -> String {
    let says = format!("{SAYS} {nonce}");
    let mut cases = String::new();
    for agent in agents {
        let pattern = if agent.arch == "aarch64" { "aarch64|arm64" } else { agent.arch };
        cases.push_str(&format!("{pattern}) f={};; ", agent.file_name()));
    }
    format!(
        r#"echo {says} entered; umask 077; PATH="$PATH:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"; export PATH; m=$(uname -m); f=; case $m in {cases}*) ;; esac; {LADDER} if [ -n "$f" ]; then for d; do a="$d/$f"; if [ -s "$a" ] && [ -x "$a" ]; then {JUDGE} [ -z "$w" ] && exec "$a" --nonce {nonce}; fi; done; fi; echo {says} missing $m; command -v gzip >/dev/null 2>&1 && echo {says} gzip; mkdir -p "${{HOME:-/nonexistent}}/.cache" 2>/dev/null; i=0; for d; do i=$((i+1)); [ $i -gt {skip} ] || continue; [ -e "$d" ] || mkdir -m 700 "$d" 2>/dev/null; {JUDGE} if [ -z "$w" ]; then p="$d/.probe-$$"; rm -f "$p"; if (echo : >"$p") 2>/dev/null && chmod 700 "$p"; then "$p" >/dev/null 2>&1 || w="programs may not be run there (noexec)"; else w="cannot be written"; fi; rm -f "$p"; fi; if [ -z "$w" ]; then echo {says} usable $i; break; else [ "$w" = "does not exist" ] && w="cannot be made"; echo {says} unusable "$d" "$w"; fi; done; echo {says} complete"#
    )
}

/// Reads the agent from standard input into directory number `place` of the ladder.
pub(super) fn install(agent: &EmbeddedAgent, place: usize, unpack: &str, nonce: &str) -> String {
    let (name, sha256, size) = (agent.file_name(), agent.sha256, agent.size);
    format!(
        r#"echo {SAYS} {nonce} entered; umask 077; PATH="$PATH:/usr/sbin:/usr/bin:/sbin:/bin"; export PATH; {LADDER} shift {shift}; d=$1; {JUDGE} [ -z "$w" ] || {{ echo "$d: $w" >&2; exit 1; }}; t="$d/.{name}-$$"; rm -f "$t"; {unpack} >"$t" && chmod 700 "$t" && if command -v sha256sum >/dev/null 2>&1; then s=$(sha256sum <"$t"); [ "${{s%% *}}" = {sha256} ] || {{ rm -f "$t"; echo "$d: the agent arrived damaged" >&2; exit 1; }}; else s=$(wc -c <"$t"); [ $s -eq {size} ] || {{ rm -f "$t"; echo "$d: the agent did not arrive whole" >&2; exit 1; }}; fi && mv -f "$t" "$d/{name}" && echo {SAYS} {nonce} installed || {{ rm -f "$t"; exit 1; }}"#,
        shift = place - 1,
    )
}

/// Reads what a script said out of its output, noise and all.
pub(super) fn answer(output: &[u8], nonce: &str) -> Answer {
    let text = String::from_utf8_lossy(output);
    let prefix = format!("{SAYS} {nonce} ");
    let mut answer = Answer::default();
    for line in text.lines() {
        // A profile may leave an unfinished line before ours.
        let Some((_, said)) = line.split_once(&prefix) else { continue };
        let (word, rest) = said.split_once(' ').unwrap_or((said, ""));
        match word {
            "entered" => answer.entered = true,
            "missing" => answer.missing = Some(rest.trim().to_owned()),
            "gzip" => answer.gzip = true,
            "usable" => answer.usable = rest.trim().parse().ok().filter(|place| (1..=PLACES).contains(place)),
            "unusable" => answer.unusable.push(super::process::readable(rest.as_bytes())),
            "complete" | "installed" => answer.complete = true,
            _ => {}
        }
    }
    answer
}

#[cfg(test)]
mod tests {
    use super::*;

    fn agent() -> EmbeddedAgent {
        const SHA256: &str = "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824";
        EmbeddedAgent { arch: "x86_64", sha256: SHA256, size: 5, packed: b"" }
    }

    #[test]
    fn scripts_survive_odd_login_shells() {
        for script in [start(&[agent()], 0, "n0"), install(&agent(), 2, "cat", "n0")] {
            assert!(!script.contains(['!', '\n', '\'', '\\']), "{script}");
        }
    }

    #[test]
    fn answers_are_found_in_noise() {
        let output = b"welcome!\nprompt> STEAD-SAYS n0 entered\nSTEAD-SAYS other usable 1\nSTEAD-SAYS n0 missing x86_64\n\
            STEAD-SAYS n0 usable 3\nSTEAD-SAYS n0 usable 77\nSTEAD-SAYS n0 unusable /tmp/stead-0 is a symbolic link\n";
        let answer = answer(output, "n0");
        assert_eq!(answer.missing.as_deref(), Some("x86_64"));
        assert_eq!((answer.entered, answer.gzip, answer.complete), (true, false, false));
        assert_eq!(answer.usable, None, "77 is none of ours");
        assert_eq!(answer.unusable, ["/tmp/stead-0 is a symbolic link"]);
    }

    /// Runs a script as this user with this home.
    fn run(script: &str, home: &std::path::Path) -> Answer {
        let output = std::process::Command::new("/bin/sh").args(["-c", script]).env("HOME", home).output().unwrap();
        answer(&output.stdout, "n0")
    }

    #[test]
    fn a_directory_of_our_own_is_used_and_others_are_refused() {
        use std::os::unix::fs::{PermissionsExt as _, symlink};
        let home = tempfile::tempdir().unwrap();
        let cache = home.path().join(".cache/stead");
        let first = run(&start(&[], 0, "n0"), home.path());
        assert_eq!(first.missing.as_deref(), Some(std::env::consts::ARCH));
        assert_eq!((first.usable, first.complete), (Some(1), true));
        assert_eq!(std::fs::metadata(&cache).unwrap().permissions().mode() & 0o777, 0o700);
        assert_eq!(std::fs::read_dir(&cache).unwrap().count(), 0, "nothing is left behind");

        std::fs::set_permissions(&cache, std::fs::Permissions::from_mode(0o777)).unwrap();
        let open = run(&start(&[], 0, "n0"), home.path());
        assert_eq!(open.unusable, [format!("{} others may write there", cache.display())]);
        assert!(open.usable.is_some_and(|place| place > 1));

        std::fs::remove_dir(&cache).unwrap();
        symlink("/tmp", &cache).unwrap();
        let linked = run(&start(&[], 0, "n0"), home.path());
        assert_eq!(linked.unusable, [format!("{} is a symbolic link", cache.display())]);
    }

    #[test]
    fn an_agent_that_arrives_damaged_is_not_installed() {
        let home = tempfile::tempdir().unwrap();
        let cache = home.path().join(".cache/stead");
        run(&start(&[], 0, "n0"), home.path());
        let unpack = |content: &str| format!("printf %s {content}");
        let script = install(&agent(), 1, &unpack("hallo"), "n0");
        assert!(!run(&script, home.path()).complete);
        assert_eq!(std::fs::read_dir(&cache).unwrap().count(), 0);
        assert!(run(&install(&agent(), 1, &unpack("hello"), "n0"), home.path()).complete);
        assert_eq!(std::fs::read_to_string(cache.join(agent().file_name())).unwrap(), "hello");
    }
}
