//! Accounts from `/etc/passwd`, `/etc/group` and `/etc/shadow`, or from lines of `getent`.
//!
//! The C library's own look-ups are never called: a static program cannot load the host's modules.

use super::{Group, User};

/// An account from a line of `/etc/passwd`.
pub(super) fn user(line: &str) -> Option<User> {
    let fields: Vec<&str> = line.split(':').collect();
    let [name, _, uid, gid, comment, home, shell] = fields[..] else { return None };
    Some(User {
        name: name.into(),
        uid: uid.parse().ok()?,
        gid: gid.parse().ok()?,
        comment: comment.into(),
        home: home.into(),
        shell: shell.into(),
        ..User::default()
    })
}

/// A group from a line of `/etc/group`.
pub(super) fn group(line: &str) -> Option<Group> {
    let fields: Vec<&str> = line.split(':').collect();
    let [name, _, gid, members] = fields[..] else { return None };
    let mut members: Vec<String> = members.split(',').filter(|member| !member.is_empty()).map(str::to_owned).collect();
    members.sort();
    Some(Group { name: name.into(), gid: gid.parse().ok()?, members })
}

/// Adds what a line of `/etc/shadow` says to the account that it is about.
pub(super) fn add_shadow(user: &mut User, line: &str) {
    let fields: Vec<&str> = line.split(':').collect();
    if fields.len() < 8 || fields[0] != user.name {
        return;
    }
    user.password = Some(fields[1].into());
    user.password_min_days = fields[3].parse().ok();
    user.password_max_days = fields[4].parse().ok();
    user.expires = fields[7].parse().ok();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_become_accounts() {
        let mut alice = user("alice:x:1000:1001:A. Lice,,,:/home/alice:/bin/sh").unwrap();
        add_shadow(&mut alice, "bob:!:19000:0:99999:7:::");
        assert_eq!(alice.password, None);
        add_shadow(&mut alice, "alice:$6$x:19000:1:90:7::20000:");
        assert_eq!((alice.password.as_deref(), alice.password_max_days, alice.expires), (Some("$6$x"), Some(90), Some(20000)));
        assert_eq!(group("adm:x:4:syslog,alice").unwrap().members, ["alice", "syslog"]);
        assert_eq!((user("+::::::"), group("+:::")), (None, None));
    }
}
