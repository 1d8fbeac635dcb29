//! What `useradd` and `groupadd` would choose by themselves: free numbers and defaults.

use std::path::Path;

use crate::host::Inspect;
use crate::outcome::Failure;

/// Settings of `/etc/login.defs` that matter.
pub(super) struct LoginDefs(String);

impl LoginDefs {
    /// Reads the file; without it every setting has its usual value.
    pub(super) fn read(host: &dyn Inspect) -> Self {
        Self(String::from_utf8_lossy(&host.read(Path::new("/etc/login.defs"), 1 << 20).unwrap_or_default()).into_owned())
    }

    /// A setting as text.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.0.lines().find_map(|line| {
            let mut words = line.split_whitespace();
            (words.next() == Some(name)).then(|| words.next()).flatten()
        })
    }

    fn number(&self, name: &str, usual: u32) -> u32 {
        self.get(name).and_then(|text| text.parse().ok()).unwrap_or(usual)
    }

    /// Whether a new user gets a group of the same name.
    pub(super) fn user_groups(&self) -> bool {
        self.get("USERGROUPS_ENAB").is_none_or(|word| word.eq_ignore_ascii_case("yes"))
    }

    /// Mode of a new home directory.
    pub(super) fn home_mode(&self, umask: Option<&str>) -> u32 {
        let octal = |text: &str| u32::from_str_radix(text, 8).ok();
        if let Some(umask) = umask.and_then(octal) {
            return 0o777 & !umask;
        }
        self.get("HOME_MODE").and_then(octal).unwrap_or_else(|| 0o777 & !self.get("UMASK").and_then(octal).unwrap_or(0o022))
    }
}

/// A free number as the tools choose it: system numbers downwards, others upwards.
pub(super) fn free(
    kind: &str,
    system: bool,
    defs: &LoginDefs,
    taken: &dyn Fn(u32) -> Result<bool, Failure>,
) -> Result<u32, Failure> {
    let first = defs.number(&format!("{kind}_MIN"), 1000);
    let candidates: Box<dyn Iterator<Item = u32>> = if system {
        let last = defs.number(&format!("SYS_{kind}_MAX"), first.saturating_sub(1));
        Box::new((defs.number(&format!("SYS_{kind}_MIN"), 100)..=last).rev())
    } else {
        Box::new(first..=defs.number(&format!("{kind}_MAX"), 60_000))
    };
    for number in candidates {
        if !taken(number)? {
            return Ok(number);
        }
    }
    Err(Failure::new(format!("no free {kind} is left in the range of /etc/login.defs")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_chosen_like_the_tools_do() {
        let defs = LoginDefs("UID_MIN 1000\nSYS_UID_MAX  999\n# GID_MIN 5\nUMASK 022\nHOME_MODE 0700\n".into());
        assert_eq!(free("UID", false, &defs, &|n| Ok(n < 1003)).unwrap(), 1003);
        assert_eq!(free("UID", true, &defs, &|n| Ok(n > 997)).unwrap(), 997);
        assert_eq!((defs.home_mode(None), defs.home_mode(Some("027"))), (0o700, 0o750));
        assert!(defs.user_groups());
    }
}
