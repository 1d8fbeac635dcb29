//! Host patterns: `web:db`, `web,db`, `web:&staging`, `web:!web3`, globs, `~regex`, `web[0:2]`.

use std::sync::Arc;

use indexmap::IndexSet;
use regex::Regex;

use super::model::{ALL, Inventory, LOCALHOST};
use super::range;
use crate::source::suggest::did_you_mean;
use crate::source::{Diagnostic, Diagnostics};

/// The hosts that a pattern stands for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Selection {
    /// Each once, in the order in which the pattern finds them; within a group in inventory order.
    pub hosts: Vec<Arc<str>>,
    /// Parts of the pattern that stand for no host.
    pub warnings: Diagnostics,
}

impl Inventory {
    /// The hosts of a pattern, of those only the ones that `limit` (`--limit`) names too. A part
    /// of a pattern that stands for nothing is a warning; a limit that stands for nothing is an
    /// error, so are wrong expressions, a single index beyond the hosts found (`web[9]`), and files
    /// of a limit (`@file`) that cannot be read.
    pub fn select(&self, pattern: &str, limit: Option<&str>) -> Result<Selection, Diagnostics> {
        self.select_all(&[pattern], limit)
    }

    /// The same for a list of patterns, as `hosts` of a play may be.
    pub fn select_all(&self, patterns: &[impl AsRef<str>], limit: Option<&str>) -> Result<Selection, Diagnostics> {
        let parts: Vec<String> = patterns.iter().flat_map(|pattern| split(pattern.as_ref())).collect();
        let mut found = self.evaluate(&parts)?;
        let Some(limit) = limit else {
            return Ok(found);
        };
        let mut parts = Vec::new();
        for part in split(limit) {
            match part.strip_prefix('@') {
                Some(path) => parts.extend(read_names(path)?),
                None => parts.push(part),
            }
        }
        let limited = self.evaluate(&parts)?;
        if limited.hosts.is_empty() && !self.hosts.is_empty() {
            let mut problems = limited.warnings;
            problems.push(
                Diagnostic::error("limit-without-hosts", format!("`--limit {limit}` leaves no host"))
                    .hint("give names of hosts or groups of the inventory; `stead inventory` shows them"),
            );
            return Err(problems);
        }
        let allowed: IndexSet<_> = limited.hosts.into_iter().collect();
        found.hosts.retain(|host| allowed.contains(host));
        found.warnings.extend(limited.warnings);
        Ok(found)
    }

    /// First what is named, then only what `&` names too, then without what `!` names, wherever
    /// these stand in the pattern.
    fn evaluate(&self, parts: &[String]) -> Result<Selection, Diagnostics> {
        let mut warnings = Diagnostics::default();
        let (mut plain, mut both, mut without) = (Vec::new(), Vec::new(), Vec::new());
        for part in parts {
            match part.split_at_checked(1) {
                Some(("!", rest)) => without.push(rest),
                Some(("&", rest)) => both.push(rest),
                Some(_) => plain.push(part.as_str()),
                None => {}
            }
        }
        if plain.is_empty() && !(both.is_empty() && without.is_empty()) {
            plain.push(ALL);
        }
        let mut hosts: IndexSet<Arc<str>> = IndexSet::new();
        for part in plain {
            hosts.extend(self.part(part, &mut warnings)?);
        }
        for part in both {
            let other: IndexSet<_> = self.part(part, &mut warnings)?.into_iter().collect();
            hosts.retain(|host| other.contains(host));
        }
        for part in without {
            let other: IndexSet<_> = self.part(part, &mut warnings)?.into_iter().collect();
            hosts.retain(|host| !other.contains(host));
        }
        Ok(Selection { hosts: hosts.into_iter().collect(), warnings })
    }

    fn part(&self, part: &str, warnings: &mut Diagnostics) -> Result<Vec<Arc<str>>, Diagnostics> {
        if let Some((name, _)) = self.hosts.get_key_value(part) {
            return Ok(vec![Arc::clone(name)]);
        }
        let (name, slice) = match split_slice(part) {
            Some((name, slice)) => (name, Some(slice)),
            None => (part, None),
        };
        let (mut hosts, known_group) = self.matching(name)?;
        if hosts.is_empty() && !known_group && name != ALL {
            let known = self.groups.keys().chain(self.hosts.keys()).map(|name| &**name);
            let mut warning = Diagnostic::warning("unknown-host-pattern", format!("no host or group matches `{name}`"));
            warning.hint = if name.contains(':') && name.split(':').any(|name| self.has_group(name) || self.has_host(name)) {
                Some("a pattern with a comma in it is separated by commas only: write commas in place of colons".to_owned())
            } else {
                did_you_mean(name, known)
            };
            warnings.push(warning);
        }
        if let Some(slice) = slice.filter(|_| !hosts.is_empty()) {
            let count = hosts.len();
            hosts = slice.of(hosts).ok_or_else(|| {
                let mut problems = Diagnostics::default();
                problems.push(
                    Diagnostic::error("host-pattern", format!("`{part}` points beyond the hosts of `{name}`"))
                        .hint(format!("`{name}` has {count}; the first is `{name}[0]`, the last is `{name}[-1]`")),
                );
                problems
            })?;
        }
        Ok(hosts)
    }

    /// Hosts of the matching groups; hosts by name if there is no such group or if the name may
    /// stand for several. Whether there was a group. A host in several of the groups is there
    /// several times, which is what slices count.
    fn matching(&self, name: &str) -> Result<(Vec<Arc<str>>, bool), Diagnostics> {
        let several = name.starts_with('~') || name.contains(['.', '?', '*', '[']);
        let (groups, hosts): (Vec<usize>, Vec<usize>) = if is_literal(name) {
            (self.groups.get_index_of(name).into_iter().collect(), self.hosts.get_index_of(name).into_iter().collect())
        } else {
            let expression = expression(name)?;
            let find = |names: &mut dyn Iterator<Item = &Arc<str>>| {
                names.enumerate().filter(|(_, name)| expression.is_match(name)).map(|(index, _)| index).collect()
            };
            (find(&mut self.groups.keys()), find(&mut self.hosts.keys()))
        };
        let of_groups = groups.iter().flat_map(|group| self.member_indices(*group as u32)).map(|host| host as usize);
        let by_name = if groups.is_empty() || several { hosts } else { Vec::new() };
        let mut names: Vec<_> = of_groups.chain(by_name).map(|index| self.host_name(index)).collect();
        if names.is_empty() && LOCALHOST.contains(&name) {
            // This machine may be in the inventory under another of its names.
            let known = self.hosts.keys().find(|host| LOCALHOST.contains(&&***host));
            names.push(known.map_or_else(|| name.into(), Arc::clone));
        }
        Ok((names, !groups.is_empty()))
    }
}

/// The parts of a pattern. Where there is a comma, only commas separate; else colons and blanks do
/// that are not part of an IPv6 address, a port or brackets.
fn split(pattern: &str) -> Vec<String> {
    if pattern.contains(',') {
        return pattern.split(',').map(str::trim).filter(|part| !part.is_empty()).map(str::to_owned).collect();
    }
    let pattern = pattern.trim();
    let address = pattern.trim_start_matches(['!', '&']);
    let bare = split_slice(address).map_or(address, |(name, _)| name);
    let is_address = bare.trim_matches(['[', ']']).parse::<std::net::Ipv6Addr>().is_ok()
        || range::split_port(address).is_ok_and(|(name, port)| port.is_some() && !name.contains(char::is_whitespace));
    if is_address || pattern.is_empty() {
        return if pattern.is_empty() { Vec::new() } else { vec![pattern.to_owned()] };
    }
    let mut parts = Vec::new();
    let mut part = String::new();
    let mut inside = false;
    for c in pattern.chars() {
        inside = match c {
            '[' => true,
            ']' => false,
            _ => inside,
        };
        if !inside && (c == ':' || c.is_whitespace()) {
            parts.push(std::mem::take(&mut part));
        } else {
            part.push(c);
        }
    }
    parts.push(part);
    parts.retain(|part| !part.is_empty());
    parts
}

/// Which of the hosts found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Slice {
    /// `[2]`, `[-1]`.
    One(i64),
    /// `[1:3]`: both ends belong to it; without an end: all that follow.
    From(usize, Option<usize>),
}

impl Slice {
    /// None if a single index points beyond the end.
    fn of(self, hosts: Vec<Arc<str>>) -> Option<Vec<Arc<str>>> {
        match self {
            Self::One(index) => {
                let back = || hosts.len().checked_sub(usize::try_from(index.unsigned_abs()).ok()?);
                let index = if index < 0 { back()? } else { usize::try_from(index).ok()? };
                Some(vec![Arc::clone(hosts.get(index)?)])
            }
            // As in Ansible, `[1:0]` is `[1]`.
            Self::From(start, Some(0)) => Some(vec![Arc::clone(hosts.get(start)?)]),
            Self::From(start, end) => {
                let count = end.map_or(usize::MAX, |end| end.saturating_add(1).saturating_sub(start));
                Some(hosts.into_iter().skip(start).take(count).collect())
            }
        }
    }
}

/// `name[1]`, `name[-1]`, `name[1:3]`, `name[1-3]`, `name[1:]`. A regular expression has no slice.
fn split_slice(part: &str) -> Option<(&str, Slice)> {
    if part.starts_with('~') {
        return None;
    }
    let open = part.rfind('[').filter(|open| *open > 0)?;
    let inside = part[open + 1..].strip_suffix(']')?;
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let slice = if digits(inside.strip_prefix('-').unwrap_or(inside)) {
        Slice::One(inside.parse().ok()?)
    } else {
        let (start, end) = inside.split_once([':', '-'])?;
        if !digits(start) || !(end.is_empty() || digits(end)) {
            return None;
        }
        Slice::From(start.parse().ok()?, if end.is_empty() { None } else { Some(end.parse().ok()?) })
    };
    Some((&part[..open], slice))
}

fn is_literal(name: &str) -> bool {
    !name.starts_with('~') && !name.contains(['*', '?', '['])
}

/// `~regex` from the beginning of a name, or a glob for the whole name.
fn expression(name: &str) -> Result<Regex, Diagnostics> {
    let written = match name.strip_prefix('~') {
        Some(regex) => format!("^(?:{regex})"),
        None => glob(name),
    };
    Regex::new(&written).map_err(|error| {
        let reason = error.to_string();
        let reason = reason.lines().last().unwrap_or_default().trim_start_matches("error: ").to_owned();
        let mut problems = Diagnostics::default();
        problems.push(Diagnostic::error("host-pattern", format!("`{name}` is not a valid expression: {reason}")));
        problems
    })
}

/// `*`, `?`, `[abc]`, `[!abc]`; everything else stands for itself.
fn glob(pattern: &str) -> String {
    let mut out = String::from("(?s)^");
    let mut rest = pattern;
    while let Some(c) = rest.chars().next() {
        rest = &rest[c.len_utf8()..];
        match c {
            '*' => out.push_str(".*"),
            '?' => out.push('.'),
            '[' => {
                // A bracket right at the beginning is one of the characters.
                let from = usize::from(rest.starts_with('!'));
                let from = from + usize::from(rest[from..].starts_with(']'));
                match rest[from..].find(']') {
                    Some(end) => {
                        let (set, negated) = match rest[..from + end].strip_prefix('!') {
                            Some(set) => (set, "^"),
                            None => (&rest[..from + end], ""),
                        };
                        out.push('[');
                        out.push_str(negated);
                        for member in set.chars() {
                            if "\\[]^&~".contains(member) {
                                out.push('\\');
                            }
                            out.push(member);
                        }
                        out.push(']');
                        rest = &rest[from + end + 1..];
                    }
                    None => out.push_str("\\["),
                }
            }
            plain => out.push_str(&regex::escape(plain.encode_utf8(&mut [0; 4]))),
        }
    }
    out.push('$');
    out
}

/// The lines of a file that `--limit @file` names.
fn read_names(path: &str) -> Result<Vec<String>, Diagnostics> {
    let text = std::fs::read_to_string(path).map_err(|error| {
        let mut problems = Diagnostics::default();
        problems.push(
            Diagnostic::error("limit-file", format!("cannot read `{path}` of `--limit @{path}`: {error}"))
                .hint("the file lists one host or pattern on each line"),
        );
        problems
    })?;
    // Each line is one pattern.
    Ok(text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#')).map(str::to_owned).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two web servers in two groups, a database in one of them, and an address.
    fn inventory() -> Inventory {
        let mut inventory = Inventory::default();
        inventory.add_host("lone");
        for (group, hosts) in [("web", "web1 web2 web3"), ("db", "db1 db2"), ("staging", "web2 db1"), ("v6", "::1 2001:db8::7")] {
            for host in hosts.split(' ') {
                inventory.add_host_to_group(host, group);
            }
        }
        inventory.add_child("site", "web").unwrap();
        inventory.add_child("site", "db").unwrap();
        inventory.settle();
        inventory
    }

    fn select(pattern: &str, limit: Option<&str>) -> String {
        match inventory().select(pattern, limit) {
            Ok(found) => {
                let hosts = found.hosts.join(" ");
                let warnings = found.warnings.iter().map(|d| format!(" W:{} ({})", d.message, d.hint.as_deref().unwrap_or("")));
                hosts + &warnings.collect::<String>()
            }
            Err(problems) => problems.iter().map(|d| format!("{}: {}", d.code, d.message)).collect::<Vec<_>>().join(" | "),
        }
    }

    #[test]
    fn patterns_select_hosts_in_order() {
        let table = [
            ("all", "lone web2 db1 ::1 2001:db8::7 web1 web3 db2"),
            ("*", "lone web2 db1 ::1 2001:db8::7 web1 web3 db2"),
            ("web", "web1 web2 web3"),
            ("site", "web1 web2 web3 db1 db2"),
            ("db:web", "db1 db2 web1 web2 web3"),
            ("db, web", "db1 db2 web1 web2 web3"),
            ("web2:web", "web2 web1 web3"),
            ("web:&staging", "web2"),
            ("web:!staging", "web1 web3"),
            ("!staging:web", "web1 web3"),
            ("!site", "lone ::1 2001:db8::7"),
            ("&staging", "web2 db1"),
            ("web[0]", "web1"),
            ("web[-1]", "web3"),
            ("web[1:2]", "web2 web3"),
            ("web[1:]", "web2 web3"),
            ("web[0-1]", "web1 web2"),
            ("web[7]", "host-pattern: `web[7]` points beyond the hosts of `web`"),
            ("web[-4]", "host-pattern: `web[-4]` points beyond the hosts of `web`"),
            ("web[7:]", ""),
            ("web[0:0]", "web1"),
            ("web[1:0]", "web2"),
            ("web[2:1]", ""),
            ("nope[0]", " W:no host or group matches `nope` ()"),
            ("web*[0]:db", "web1 db1 db2"),
            ("web[12]", "host-pattern: `web[12]` points beyond the hosts of `web`"),
            ("[ws]*b[0:3]", "web1 web2 web3"),
            ("*[6:8]", "web3 db2 lone"),
            (
                "web:db,lone",
                "lone W:no host or group matches `web:db` (a pattern with a comma in it is separated by commas only: write commas in place of colons)",
            ),
            ("web db", "web1 web2 web3 db1 db2"),
            ("web[12]*", "web1 web2"),
            ("web[!1]", "web2 web3"),
            ("*1", "web1 db1 ::1"),
            ("~web[13]", "web1 web3"),
            ("~(web|db)2", "web2 db2"),
            ("~eb1", " W:no host or group matches `~eb1` (did you mean `web1`?)"),
            ("::1", "::1"),
            ("2001:db8::7", "2001:db8::7"),
            ("2001:db8::7,web1", "2001:db8::7 web1"),
            ("ungrouped", "lone"),
            ("localhost", "::1"),
            ("127.0.0.1", "::1"),
            ("wbe", " W:no host or group matches `wbe` (did you mean `web`?)"),
            ("web9:db1", "db1 W:no host or group matches `web9` (did you mean `web`?)"),
            ("", ""),
            ("~(", "host-pattern: `~(` is not a valid expression: unclosed group"),
        ];
        let wrong: Vec<_> = table
            .iter()
            .map(|(pattern, expected)| (pattern, select(pattern, None), expected))
            .filter(|(_, found, expected)| found != *expected)
            .collect();
        assert!(wrong.is_empty(), "pattern, found, expected: {wrong:#?}");
    }

    #[test]
    fn a_limit_narrows_the_selection() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("retry");
        std::fs::write(&path, "web3\n\n# done\ndb1\n").unwrap();
        let file = format!("@{}", path.display());
        assert_eq!(select("site", Some("staging")), "web2 db1");
        assert_eq!(select("all", Some("!web")), "lone db1 ::1 2001:db8::7 db2");
        assert_eq!(select("site", Some(&file)), "web3 db1");
        assert_eq!(select("web", Some("db")), "", "a play without hosts is skipped");
        assert_eq!(
            select("web", Some("wbe")),
            "unknown-host-pattern: no host or group matches `wbe` | limit-without-hosts: `--limit wbe` leaves no host"
        );
        assert!(select("web", Some("@/nowhere")).starts_with("limit-file: cannot read `/nowhere`"));
    }
}
