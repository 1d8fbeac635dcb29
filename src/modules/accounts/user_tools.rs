//! How accounts are made, changed and removed: `useradd`, `usermod`, `userdel`, `chpasswd`, `chage`.

use std::path::{Path, PathBuf};

use super::numbers::{LoginDefs, free};
use super::shadow::{self, Ages};
use super::user::{Args, State, user_groups};
use crate::commands::process::succeed;
use crate::host::{Attributes, CommandLine, Effect, Group, Host, Inspect, User};
use crate::outcome::Failure;
use crate::resource::Step;

/// A setting of `/etc/default/useradd`.
fn useradd_default(host: &dyn Inspect, name: &str) -> Option<String> {
    let text = host.read(Path::new("/etc/default/useradd"), 1 << 20).ok()?;
    String::from_utf8_lossy(&text)
        .lines()
        .find_map(|line| line.trim().strip_prefix(name)?.strip_prefix('=').map(|value| value.trim().to_owned()))
}

/// The directory of home directories.
pub(super) fn default_home(host: &dyn Inspect) -> PathBuf {
    useradd_default(host, "HOME").filter(|path| path.starts_with('/')).unwrap_or_else(|| "/home".into()).into()
}

/// `expires` as days since the epoch; negative: never.
pub(super) fn days(expires: f64) -> Option<i64> {
    (expires >= 0.0).then(|| (expires / 86_400.0).floor() as i64)
}

/// Makes an account.
pub(super) fn create(args: &Args, step: &Step<'_, State>, defs: &LoginDefs, host: &mut dyn Host) -> Result<(), Failure> {
    let mut argv = Words(vec!["useradd".into()]);
    let mut effects = Vec::new();
    let uid = match args.uid {
        Some(uid) => {
            argv.option("-u", uid);
            if args.non_unique {
                argv.word("-o");
            }
            uid
        }
        None => free("UID", args.system, defs, &|uid| {
            Ok(args.uid_min.is_some_and(|least| uid < least) || host.user_by_id(uid)?.is_some())
        })?,
    };
    let gid = if let Some(group) = &step.now.primary {
        argv.option("-g", &group.name);
        group.gid
    } else if host.group(&args.name)?.is_some() {
        // Without this, useradd tries to make a group that is there.
        argv.word("-N");
        useradd_default(host, "GROUP").and_then(|text| text.parse().ok()).unwrap_or(100)
    } else if defs.user_groups() {
        let gid = if host.group_by_id(uid)?.is_none() {
            uid
        } else {
            free("GID", args.system, defs, &|gid| Ok(host.group_by_id(gid)?.is_some()))?
        };
        effects.push(Effect::Group(Group { name: args.name.clone(), gid, members: Vec::new() }));
        gid
    } else {
        useradd_default(host, "GROUP").and_then(|text| text.parse().ok()).unwrap_or(100)
    };
    let groups = user_groups(args, step.now);
    if !groups.is_empty() {
        argv.option("-G", groups.join(","));
    }
    if let Some(comment) = &args.comment {
        argv.option("-c", comment);
    }
    if let Some(home) = &args.home {
        argv.option("-d", home.display());
    }
    if let Some(shell) = &args.shell {
        argv.option("-s", shell);
    }
    let expires = args.expires.and_then(days);
    if expires.is_some() {
        argv.option("-e", shadow::date(expires));
    }
    if let Some(seuser) = &args.seuser {
        argv.option("-Z", seuser);
    }
    let home = step.want.home.clone();
    if args.create_home {
        make_parents(&home, host)?;
        argv.word("-m");
        if let Some(skeleton) = &args.skeleton {
            argv.option("-k", skeleton.display());
        }
        if let Some(umask) = &args.umask {
            argv.option("-K", format_args!("UMASK={umask}"));
        }
        if host.stat(&home)?.is_none() {
            effects.push(Effect::Directory(home.clone(), defs.home_mode(args.umask.as_deref()), uid, gid));
        }
    } else {
        argv.word("-M");
    }
    for (name, bound) in [("UID_MIN", args.uid_min), ("UID_MAX", args.uid_max)] {
        if let Some(bound) = bound {
            argv.option("-K", format_args!("{name}={bound}"));
        }
    }
    if args.system {
        argv.word("-r");
    }
    argv.word(&args.name);
    let shell = args.shell.clone().or_else(|| useradd_default(host, "SHELL")).unwrap_or_else(|| "/bin/sh".into());
    let user = User {
        name: args.name.clone(),
        uid,
        gid,
        comment: args.comment.clone().unwrap_or_default(),
        home,
        shell,
        password: Some("!".into()),
        expires,
        password_min_days: None,
        password_max_days: None,
        groups,
    };
    effects.push(Effect::User(user.clone()));
    succeed(host, &CommandLine::new(argv.0), &effects)?;
    finish(args, step, user, host)
}

/// Changes an account.
pub(super) fn modify(
    args: &Args,
    step: &Step<'_, State>,
    now: &User,
    defs: &LoginDefs,
    host: &mut dyn Host,
) -> Result<(), Failure> {
    let mut argv = Words(vec!["usermod".into()]);
    let mut effects = Vec::new();
    let mut user = now.clone();
    if let Some(uid) = args.uid.filter(|_| step.differs("uid")) {
        argv.option("-u", uid);
        if args.non_unique {
            argv.word("-o");
        }
        user.uid = uid;
    }
    if let Some(group) = step.now.primary.as_ref().filter(|_| step.differs("group")) {
        argv.option("-g", &group.name);
        user.gid = group.gid;
    }
    if step.differs("groups") {
        user.groups = user_groups(args, step.now);
        if args.append {
            argv.word("-a");
        }
        argv.option("-G", user.groups.join(","));
    }
    if let Some(comment) = args.comment.as_ref().filter(|_| step.differs("comment")) {
        argv.option("-c", comment);
        user.comment.clone_from(comment);
    }
    if let Some(home) = args.home.as_ref().filter(|_| step.differs("home")) {
        argv.option("-d", home.display());
        if args.move_home {
            argv.word("-m");
            if let Some(old) = host.stat(&now.home)?.filter(|_| host.stat(home).is_ok_and(|there| there.is_none())) {
                make_parents(home, host)?;
                effects.push(Effect::Directory(home.clone(), old.mode, old.uid, old.gid));
                effects.push(Effect::NoPath(now.home.clone()));
            }
        }
        user.home.clone_from(home);
    }
    if let Some(shell) = args.shell.as_ref().filter(|_| step.differs("shell")) {
        argv.option("-s", shell);
        user.shell.clone_from(shell);
    }
    if let Some(expires) = args.expires.filter(|_| step.differs("expires")) {
        user.expires = days(expires);
        argv.option("-e", if user.expires.is_some() { shadow::date(user.expires) } else { String::new() });
    }
    if argv.0.len() > 1 {
        if let Some(seuser) = &args.seuser {
            argv.option("-Z", seuser);
        }
        argv.word(&args.name);
        effects.push(Effect::User(user.clone()));
        succeed(host, &CommandLine::new(argv.0), &effects)?;
    }
    if args.create_home && host.stat(&step.want.home)?.is_none() {
        make_home(args, &step.want.home, &user, defs, host)?;
    }
    finish(args, step, user, host)
}

/// Password, lock and ages: what new and changed accounts share.
fn finish(args: &Args, step: &Step<'_, State>, mut user: User, host: &mut dyn Host) -> Result<(), Failure> {
    if let Some(hash) = args.password.as_ref().filter(|_| step.differs("password")) {
        let bare = hash.trim_start_matches('!');
        let hash = match args.password_lock {
            Some(true) => format!("!{bare}"),
            Some(false) => bare.to_owned(),
            None => hash.clone(),
        };
        user.password = Some(hash.clone());
        // On standard input, because arguments can be read by every user of the host.
        let line = CommandLine::new(["chpasswd", "-e"]).input(format!("{}:{hash}\n", args.name));
        succeed(host, &line, &[Effect::User(user.clone())])?;
    } else if let Some(lock) = args.password_lock.filter(|_| step.differs("password_lock")) {
        let hash = user.password.unwrap_or_default();
        let bare = hash.trim_start_matches('!');
        user.password = Some(if lock { format!("!{bare}") } else { bare.to_owned() });
        let line = CommandLine::new(["usermod", if lock { "-L" } else { "-U" }, &args.name]);
        succeed(host, &line, &[Effect::User(user.clone())])?;
    }
    let mut argv = Words(vec!["chage".into()]);
    let mut effects = Vec::new();
    let changed = |days: Option<i64>, property| days.filter(|_| step.differs(property));
    if let Some(days) = changed(args.password_expire_min, "password_expire_min") {
        argv.option("-m", days);
        user.password_min_days = Some(days);
    }
    if let Some(days) = changed(args.password_expire_max, "password_expire_max") {
        argv.option("-M", days);
        user.password_max_days = Some(days);
    }
    let ages = Ages {
        warn: changed(args.password_expire_warn, "password_expire_warn"),
        inactive: changed(args.password_expire_account_disable, "password_expire_account_disable"),
    };
    for (option, days) in [("-W", ages.warn), ("-I", ages.inactive)] {
        if let Some(days) = days {
            argv.option(option, days);
        }
    }
    if ages != Ages::default() {
        effects.push(shadow::effect(host.inspect(), &args.name, ages));
    }
    if argv.0.len() > 1 {
        argv.word(&args.name);
        effects.push(Effect::User(user));
        succeed(host, &CommandLine::new(argv.0), &effects)?;
    }
    Ok(())
}

/// Removes an account.
pub(super) fn delete(args: &Args, now: &State, defs: &LoginDefs, host: &mut dyn Host) -> Result<(), Failure> {
    let mut argv = Words(vec!["userdel".into()]);
    let mut effects = vec![Effect::NoUser(args.name.clone())];
    if args.force {
        argv.word("-f");
    }
    if args.remove {
        argv.word("-r");
        if let Some(user) = &now.user {
            effects.push(Effect::NoPath(user.home.clone()));
        }
    }
    argv.word(&args.name);
    let own = host.group(&args.name)?;
    if defs.user_groups()
        && let (Some(group), Some(user)) = (own, &now.user)
        && group.gid == user.gid
        && group.members.iter().all(|member| *member == args.name)
    {
        effects.push(Effect::NoGroup(args.name.clone()));
    }
    succeed(host, &CommandLine::new(argv.0), &effects)?;
    Ok(())
}

/// A home directory for an account that has none, filled from the skeleton.
fn make_home(args: &Args, home: &Path, user: &User, defs: &LoginDefs, host: &mut dyn Host) -> Result<(), Failure> {
    make_parents(home, host)?;
    let mode = defs.home_mode(args.umask.as_deref());
    let skeleton =
        args.skeleton.clone().or_else(|| useradd_default(host, "SKEL").map(PathBuf::from)).unwrap_or_else(|| "/etc/skel".into());
    let attributes = Attributes { mode: Some(mode), uid: Some(user.uid), gid: Some(user.gid) };
    host.make_directory(home, &Attributes { mode: Some(0o700), ..Attributes::default() })?;
    if host.stat(&skeleton)?.is_some() {
        let (from, to) = (format!("{}/.", skeleton.display()), home.display().to_string());
        succeed(host, &CommandLine::new(["cp", "-R", "--", &from, &to]), &[])?;
        let owner = format!("{}:{}", user.uid, user.gid);
        succeed(host, &CommandLine::new(["chown", "-R", "-h", &owner, "--", &to]), &[])?;
    }
    host.set_attributes(home, &attributes)
}

/// The directories above a home directory, which `useradd` does not make.
fn make_parents(home: &Path, host: &mut dyn Host) -> Result<(), Failure> {
    let mut missing = Vec::new();
    for directory in home.ancestors().skip(1) {
        if host.stat(directory)?.is_some() {
            break;
        }
        missing.push(directory);
    }
    for directory in missing.into_iter().rev() {
        host.make_directory(directory, &Attributes { mode: Some(0o755), ..Attributes::default() })?;
    }
    Ok(())
}

/// An argument vector in the making.
struct Words(Vec<String>);

impl Words {
    fn word(&mut self, word: &str) {
        self.0.push(word.to_owned());
    }

    fn option(&mut self, name: &str, value: impl std::fmt::Display) {
        self.0.push(name.to_owned());
        self.0.push(value.to_string());
    }
}
