//! `user`: an account, its groups, home directory, password and key.

use std::path::{Path, PathBuf};

use serde_json::{Map, Value, json};

use super::group::{Presence, listed};
use super::numbers::LoginDefs;
use super::shadow::{self, Ages};
use super::ssh_key::{self, Key};
use super::user_tools;
use crate::change::{Property, ResourceId, ResourceState};
use crate::claims::Claims;
use crate::host::{Group, Host, Inspect, User};
use crate::outcome::Failure;
use crate::resource::{self, Resource, Step, Written};
use crate::{args, choice};

choice! {
    /// When the password is set.
    pub enum UpdatePassword {
        /// Whenever it differs.
        Always = "always",
        /// Only for a new account.
        OnCreate = "on_create",
    }
}

args! {
    /// Manages a user account with its groups, home directory, password and SSH key.
    pub struct Args {
        /// Login name.
        name ("user"): String,
        /// Whether the account is there.
        state: Presence = Presence::Present,
        /// Number of the account; chosen by the system if not given.
        uid: Option<u32>,
        /// Whether the number may be one that another account has.
        non_unique: bool = false,
        /// Primary group, by name or number; it must exist.
        group: Option<String>,
        /// Supplementary groups; together with `append: false` the account is in no others.
        groups: Option<Vec<String>>,
        /// Whether the account keeps the supplementary groups that `groups` does not name.
        append: bool = false,
        /// Comment (GECOS), usually the full name.
        comment: Option<String>,
        /// Home directory.
        home: Option<PathBuf>,
        /// Whether a missing home directory is made.
        create_home ("createhome"): bool = true,
        /// Whether the old home directory is moved when `home` differs.
        move_home: bool = false,
        /// Directory whose files a new home directory gets instead of `/etc/skel`.
        skeleton: Option<PathBuf>,
        /// Mask of a new home directory's mode, octal.
        umask: Option<String>,
        /// Login shell.
        shell: Option<String>,
        /// Whether a new account gets a number from the system's own range.
        system: bool = false,
        /// Hash of the password, as it stands in `/etc/shadow`; never shown.
        password: Option<String>,
        /// When the password is set.
        update_password: UpdatePassword = UpdatePassword::Always,
        /// Whether the password is locked (no login by password).
        password_lock: Option<bool>,
        /// When the account expires, seconds since the epoch; negative: never.
        expires: Option<f64>,
        /// Days after which the password must be changed.
        password_expire_max: Option<i64>,
        /// Days before the password may be changed again.
        password_expire_min: Option<i64>,
        /// Days of warning before the password expires.
        password_expire_warn: Option<i64>,
        /// Days after the password's expiry until the account is disabled.
        password_expire_account_disable: Option<i64>,
        /// Least number that is chosen for a new account.
        uid_min: Option<u32>,
        /// Greatest number that is chosen for a new account.
        uid_max: Option<u32>,
        /// Look only at `/etc/passwd`, not at a directory service.
        local: bool = false,
        /// With `state: absent`: remove the home directory and mail, too.
        remove: bool = false,
        /// With `state: absent`: remove even if the user is logged in.
        force: bool = false,
        /// SELinux user.
        seuser: Option<String>,
        /// Whether an SSH key is made if there is none.
        generate_ssh_key: bool = false,
        /// Type of a new SSH key.
        ssh_key_type: String = "rsa".into(),
        /// Bits of a new SSH key; otherwise `ssh-keygen` decides.
        ssh_key_bits: Option<u32>,
        /// Path of the SSH key, relative to the home directory; usually `.ssh/id_TYPE`.
        ssh_key_file: Option<PathBuf>,
        /// Comment of a new SSH key.
        ssh_key_comment: Option<String>,
        /// Not supported: a passphrase could be handed to `ssh-keygen` only where others can see it.
        ssh_key_passphrase: Option<String>,
        /// Login class; other systems only, no effect on Linux.
        login_class: Option<String>,
        /// Hidden from the login window; macOS only.
        hidden: Option<bool>,
        /// Profile; Solaris only.
        profile: Option<String>,
        /// Authorizations; Solaris only.
        authorization: Option<String>,
        /// Role; Solaris only.
        role: Option<String>,
    }
}

/// Examples; each is a test.
pub const EXAMPLES: &str = "
- name: An account with a number and a primary group
  user:
    name: johnd
    comment: John Doe
    uid: 1040
    group: root
- name: An account with a shell and more groups
  user:
    name: james
    shell: /bin/bash
    groups: [root]
    append: true
- name: A system account without a home directory
  user:
    name: app
    system: true
    create_home: false
    home: /opt/app
    shell: /usr/sbin/nologin
- name: A password
  user:
    name: alice
    password: '$6$abcdefgh$0123456789'
    update_password: on_create
- name: No account
  user:
    name: oldjoe
    state: absent
    remove: true
";

/// The module.
pub struct UserModule;

/// The account as it is or should be.
#[derive(Debug, Clone)]
pub struct State {
    /// Login name.
    name: String,
    /// The account, if it is there (or should be).
    pub(super) user: Option<User>,
    /// The properties that are compared.
    properties: Vec<(&'static str, Property)>,
    /// The primary group that is asked for.
    pub(super) primary: Option<Group>,
    /// The supplementary groups that are asked for, as names.
    pub(super) asked: Option<Vec<String>>,
    /// Name of the primary group that the account has.
    primary_name: Option<String>,
    /// The home directory in question.
    pub(super) home: PathBuf,
    home_exists: bool,
    ages: Ages,
    key: Option<Key>,
}

impl resource::State for State {
    fn resources(&self) -> Vec<ResourceState> {
        let id = ResourceId::new("user", &self.name);
        vec![match &self.user {
            None => ResourceState::absent(id),
            Some(_) => ResourceState { id, present: true, properties: self.properties.clone() },
        }]
    }
}

impl Resource for UserModule {
    type Args = Args;
    type State = State;

    fn read(args: &Args, host: &dyn Inspect) -> Result<State, Failure> {
        let mut user = host.user(&args.name)?;
        if args.local && !listed(host, "/etc/passwd", &args.name) {
            user = None;
        }
        let wanted = args.state == Presence::Present;
        if let Some(uid) = args.uid.filter(|_| wanted && !args.non_unique)
            && user.as_ref().is_none_or(|user| user.uid != uid)
            && let Some(other) = host.user_by_id(uid)?
        {
            return Err(Failure::new(format!("the user id {uid} is taken by the user `{}`", other.name)));
        }
        let primary = match args.group.as_deref().filter(|_| wanted) {
            None => None,
            Some(name) => Some(existing_group(name, host)?),
        };
        let asked = match args.groups.as_ref().filter(|_| wanted) {
            None => None,
            Some(names) => {
                let mut found = Vec::new();
                for name in names.iter().map(|name| name.trim()).filter(|name| !name.is_empty()) {
                    let group = existing_group(name, host)?;
                    if !found.contains(&group.name) {
                        found.push(group.name);
                    }
                }
                Some(found)
            }
        };
        let primary_name = match &user {
            None => None,
            Some(user) => Some(host.group_by_id(user.gid)?.map_or_else(|| user.gid.to_string(), |group| group.name)),
        };
        let home = match (&args.home, &user) {
            (Some(home), _) => home.clone(),
            (None, Some(user)) => user.home.clone(),
            (None, None) => user_tools::default_home(host).join(&args.name),
        };
        let home_exists = host.stat(&home)?.is_some();
        let key = if args.generate_ssh_key { ssh_key::read(args, &home, host)? } else { None };
        let mut state = State {
            name: args.name.clone(),
            ages: shadow::read(host, &args.name),
            user,
            properties: Vec::new(),
            primary,
            asked,
            primary_name,
            home,
            home_exists,
            key,
        };
        state.properties = observed(&state);
        Ok(state)
    }

    fn want(args: &Args, now: &State) -> Result<State, Failure> {
        check(args)?;
        if args.state == Presence::Absent {
            return Ok(State { user: None, properties: Vec::new(), ..now.clone() });
        }
        let user = now.user.clone().unwrap_or_else(|| User { name: args.name.clone(), ..User::default() });
        Ok(State { properties: wanted(args, now), user: Some(user), ..now.clone() })
    }

    fn write(args: &Args, step: &Step<'_, State>, host: &mut dyn Host) -> Result<Written, Failure> {
        let defs = LoginDefs::read(host);
        match (&step.now.user, &step.want.user) {
            (_, None) => user_tools::delete(args, step.now, &defs, host)?,
            (None, Some(_)) => user_tools::create(args, step, &defs, host)?,
            (Some(user), Some(_)) => user_tools::modify(args, step, user, &defs, host)?,
        }
        if step.want.user.is_some() && step.differs("ssh_key") {
            ssh_key::generate(args, &step.want.home, host)?;
        }
        let mut written = Written::quiet();
        if step.differs("password")
            && args.password.as_deref().is_some_and(|hash| !hash.starts_with(['$', '*', '!', '_']) && hash.len() != 13)
        {
            written
                .warnings
                .push("`password` does not look like a hash; it is used as one, and nobody will be able to log in".into());
        }
        Ok(written)
    }

    fn result(args: &Args, before: &State, after: &State) -> Map<String, Value> {
        let mut result = Map::new();
        result.insert("name".into(), args.name.clone().into());
        result.insert("state".into(), args.state.word().into());
        let Some(user) = after.user.as_ref().filter(|_| args.state == Presence::Present) else {
            if before.user.is_some() {
                result.insert("force".into(), args.force.into());
                result.insert("remove".into(), args.remove.into());
            }
            return result;
        };
        if before.user.is_none() {
            result.insert("system".into(), args.system.into());
            result.insert("create_home".into(), args.create_home.into());
        } else {
            result.insert("append".into(), args.append.into());
            result.insert("move_home".into(), args.move_home.into());
        }
        if args.password.is_some() {
            result.insert("password".into(), "NOT_LOGGING_PASSWORD".into());
        }
        result.insert("uid".into(), user.uid.into());
        result.insert("group".into(), user.gid.into());
        result.insert("comment".into(), user.comment.clone().into());
        result.insert("home".into(), user.home.display().to_string().into());
        result.insert("shell".into(), user.shell.clone().into());
        if let Some(groups) = &args.groups {
            result.insert("groups".into(), groups.join(",").into());
        }
        if let Some(key) = &after.key {
            result.insert("ssh_fingerprint".into(), json!(key.fingerprint));
            result.insert("ssh_key_file".into(), key.path.display().to_string().into());
            result.insert("ssh_public_key".into(), json!(key.public));
        }
        result
    }

    fn claims(args: &Args) -> Claims {
        let groups = args.groups.iter().flatten().chain(&args.group).filter(|name| !name.is_empty());
        let mut needs: Vec<ResourceId> = groups.map(|name| ResourceId::new("group", name)).collect();
        if let Some(parent) = args.home.as_deref().and_then(Path::parent) {
            needs.push(ResourceId::new("file", parent.display().to_string()));
        }
        if let Some(skeleton) = &args.skeleton {
            needs.push(ResourceId::new("file", skeleton.display().to_string()));
        }
        let mut provides = vec![ResourceId::new("user", &args.name)];
        if args.group.is_none() {
            provides.push(ResourceId::new("group", &args.name));
        }
        if let Some(home) = args.home.as_ref().filter(|_| args.create_home) {
            provides.push(ResourceId::new("file", home.display().to_string()));
        }
        Claims::provides(provides).needing(needs)
    }
}

fn check(args: &Args) -> Result<(), Failure> {
    if args.name.is_empty() || args.name.contains([':', '\n', ',', '/']) {
        return Err(Failure::new(format!("`{}` cannot be the name of an account", args.name)));
    }
    if args.ssh_key_passphrase.is_some() && args.generate_ssh_key {
        return Err(Failure::new(
            "`ssh_key_passphrase` is not supported: ssh-keygen takes it only where other users of the host could read it",
        ));
    }
    if args.append && args.groups.is_none() {
        return Err(Failure::new("'append' is set, but no 'groups' are specified. Use 'groups' for appending new groups."));
    }
    for text in [&args.comment, &args.shell, &args.password].into_iter().flatten() {
        if text.contains(['\n', ':']) {
            return Err(Failure::new("comment, shell and password cannot contain a colon or a new line"));
        }
    }
    Ok(())
}

fn existing_group(name: &str, host: &dyn Inspect) -> Result<Group, Failure> {
    let by_number = match name.parse() {
        Ok(gid) => host.group_by_id(gid)?,
        Err(_) => None,
    };
    let group = if by_number.is_some() { by_number } else { host.group(name)? };
    group.ok_or_else(|| Failure::new(format!("Group {name} does not exist")))
}

/// The properties that the account has.
fn observed(state: &State) -> Vec<(&'static str, Property)> {
    let Some(user) = &state.user else { return Vec::new() };
    let value = |value: Value| Property::Value(value);
    let mut list = vec![
        ("uid", value(user.uid.into())),
        ("group", value(json!(state.primary_name))),
        ("groups", value(sorted(secondary(user, state.primary_name.as_deref())).into())),
        ("comment", value(user.comment.clone().into())),
        ("home", value(user.home.display().to_string().into())),
        ("shell", value(user.shell.clone().into())),
        ("expires", value(shadow::date(user.expires).into())),
        ("home_directory", value(state.home_exists.into())),
        ("password_expire_min", value(json!(user.password_min_days))),
        ("password_expire_max", value(json!(user.password_max_days))),
        ("password_expire_warn", value(json!(state.ages.warn))),
        ("password_expire_account_disable", value(json!(state.ages.inactive))),
    ];
    if state.key.is_some() {
        list.push(("ssh_key", value(true.into())));
    }
    list.retain(|(_, property)| *property != Property::Value(Value::Null));
    if let Some(hash) = &user.password {
        list.push(("password", Property::Secret(hash.trim_start_matches('!').into())));
        list.push(("password_lock", value(hash.starts_with('!').into())));
    }
    list
}

/// The properties that are asked for; what no option names is left alone.
fn wanted(args: &Args, now: &State) -> Vec<(&'static str, Property)> {
    let mut list: Vec<(&'static str, Property)> = Vec::new();
    let mut want = |name, value: Value| {
        if !value.is_null() {
            list.push((name, Property::Value(value)));
        }
    };
    let primary = now.primary.as_ref().map(|group| group.name.clone());
    want("uid", json!(args.uid));
    want("group", json!(primary));
    if now.asked.is_some() {
        want("groups", sorted(user_groups(args, now)).into());
    }
    want("comment", json!(args.comment));
    want("home", json!(args.home.as_ref().map(|home| home.display().to_string())));
    want("shell", json!(args.shell));
    if let Some(expires) = args.expires {
        want("expires", shadow::date(user_tools::days(expires)).into());
    }
    if args.create_home {
        want("home_directory", true.into());
    }
    want("password_expire_min", json!(args.password_expire_min));
    want("password_expire_max", json!(args.password_expire_max));
    want("password_expire_warn", json!(args.password_expire_warn));
    want("password_expire_account_disable", json!(args.password_expire_account_disable));
    if args.generate_ssh_key {
        want("ssh_key", true.into());
    }
    let new = now.user.is_none();
    let hash = args.password.as_deref().filter(|_| new || args.update_password == UpdatePassword::Always);
    // An account without any password cannot be unlocked, so that is not asked for.
    let has_password = hash.is_some()
        || now
            .user
            .as_ref()
            .and_then(|user| user.password.as_deref())
            .is_some_and(|hash| !hash.trim_start_matches('!').is_empty());
    if args.password_lock == Some(true) || has_password {
        want("password_lock", json!(args.password_lock));
    }
    if let Some(hash) = hash {
        list.push(("password", Property::Secret(hash.trim_start_matches('!').into())));
    }
    list
}

/// The supplementary groups that the account should be in.
pub(super) fn user_groups(args: &Args, now: &State) -> Vec<String> {
    let primary = now.primary.as_ref().map(|group| group.name.as_str()).or(now.primary_name.as_deref());
    let mut groups: Vec<String> = now.asked.iter().flatten().filter(|name| Some(name.as_str()) != primary).cloned().collect();
    if (args.append || now.asked.is_none())
        && let Some(user) = &now.user
    {
        groups.extend(secondary(user, primary));
    }
    sorted(groups)
}

fn secondary(user: &User, primary: Option<&str>) -> Vec<String> {
    user.groups.iter().filter(|name| Some(name.as_str()) != primary).cloned().collect()
}

fn sorted(mut names: Vec<String>) -> Vec<String> {
    names.sort();
    names.dedup();
    names
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::memory::MemoryHost;
    use crate::outcome::{Ending, Outcome};

    fn run(options: Value, host: &mut dyn Host) -> Outcome {
        let module = crate::registry::find("user").unwrap();
        (module.run)(options.as_object().unwrap(), host)
    }

    fn host() -> MemoryHost {
        let mut host = MemoryHost::default();
        host.add_directory("/home");
        host.add_group("wheel", 10, &[]);
        host.add_group("adm", 4, &["alice"]);
        host.add_group("alice", 1000, &[]);
        host.add_user("alice", 1000, 1000, "/home/alice", "/bin/sh").password = Some("!$6$old".into());
        host.add_directory("/home/alice");
        host
    }

    #[test]
    fn groups_are_added_or_replaced() {
        let mut host = host();
        let outcome = run(json!({"name": "alice", "groups": "wheel", "append": true}), &mut host);
        assert_eq!(outcome.changes[0].differences[0].after, json!(["adm", "wheel"]));
        let outcome = run(json!({"name": "alice", "groups": ["wheel"]}), &mut host);
        assert_eq!(outcome.changes[0].differences[0].after, json!(["wheel"]));
        assert_eq!(run(json!({"name": "alice", "groups": ""}), &mut host).changes[0].differences[0].after, json!([]));
        let outcome = run(json!({"name": "alice", "groups": "nosuch"}), &mut host);
        assert_eq!(outcome.result["msg"], "Group nosuch does not exist");
    }

    #[test]
    fn a_password_is_never_an_argument_and_a_lock_does_not_make_it_differ() {
        let mut host = host();
        assert_eq!(run(json!({"name": "alice", "password": "$6$old"}), &mut host).ending, Ending::Ok);
        let outcome = run(json!({"name": "alice", "password": "$6$new", "password_lock": true}), &mut host);
        assert_eq!(outcome.changes[0].differences[0].after, json!("(secret)"));
        assert_eq!(host.users["alice"].password.as_deref(), Some("!$6$new"));
        assert!(host.ran.iter().all(|line| !line.argv.join(" ").contains("$6$")));
        let kept = run(json!({"name": "alice", "password": "$6$x", "update_password": "on_create"}), &mut host);
        assert_eq!(kept.ending, Ending::Ok);
    }
}
