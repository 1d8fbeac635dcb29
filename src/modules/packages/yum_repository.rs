//! `yum_repository`: repositories of dnf and yum.

use std::path::{Path, PathBuf};

use serde_json::{Map, Value, json};

use super::ini::{self, Section};
use super::whole_file::WholeFile;
use crate::accounts::group::Presence;
use crate::change::{ResourceId, ResourceState};
use crate::claims::Claims;
use crate::files::attributes::{self, file_args};
use crate::host::{Attributes, Host, Inspect};
use crate::outcome::Failure;
use crate::resource::{self, Resource, Step, Written};

file_args! {
    /// Manages a repository of dnf or yum: a section of a file in `/etc/yum.repos.d`.
    ///
    /// The section is made of what the task says and nothing else; other sections of the file stay as
    /// they are.
    pub struct Args {
        /// Identifier of the repository.
        name: String,
        /// Whether it is there.
        state: Presence = Presence::Present,
        /// Name for people.
        description: Option<String>,
        /// Addresses of the repository.
        baseurl: Option<Vec<String>>,
        /// Address of a list of mirrors.
        mirrorlist: Option<String>,
        /// Address of a metalink.
        metalink: Option<String>,
        /// Name of the file without `.repo`; that of the repository if it is not given.
        file: Option<String>,
        /// Directory of the file.
        reposdir: PathBuf = "/etc/yum.repos.d".into(),
        /// Whether the repository is used.
        enabled: Option<bool>,
        /// Whether signatures of packages are checked.
        gpgcheck: Option<bool>,
        /// Addresses of keys.
        gpgkey: Option<Vec<String>>,
        /// Address of the key of the authority that signed the key.
        gpgcakey: Option<String>,
        /// Whether the signature of the repository's lists is checked.
        repo_gpgcheck: Option<bool>,
        /// Packages that are left out.
        exclude ("excludepkgs"): Option<Vec<String>>,
        /// Packages that alone are used.
        includepkgs: Option<Vec<String>>,
        /// A file that is included.
        include: Option<String>,
        /// Whether a repository that cannot be reached is passed over.
        skip_if_unavailable: Option<bool>,
        /// Order among repositories, 1 to 99.
        priority: Option<String>,
        /// Cost relative to other repositories.
        cost: Option<String>,
        /// Whether the host is counted.
        countme: Option<bool>,
        /// Whether packages of modules are all visible.
        module_hotfixes: Option<bool>,
        /// Whether packages are fetched side by side.
        r#async: Option<bool>,
        /// Most bytes in a second.
        bandwidth: Option<String>,
        /// Share of the bandwidth.
        throttle: Option<String>,
        /// Largest share of metadata for differences.
        deltarpm_metadata_percentage: Option<String>,
        /// Largest share for differences of packages.
        deltarpm_percentage: Option<String>,
        /// Whether groups of packages are used.
        enablegroups: Option<bool>,
        /// How the next address is chosen after a failure: `roundrobin` or `priority`.
        failovermethod: Option<String>,
        /// What caches on the way may keep: `all`, `packages` or `none`.
        http_caching: Option<String>,
        /// Which addresses are used: `4`, `6`, `IPv4`, `IPv6` or `whatever`.
        ip_resolve: Option<String>,
        /// Whether connections are kept.
        keepalive: Option<bool>,
        /// Whether packages are kept: `0` or `1`.
        keepcache: Option<String>,
        /// How long lists count as fresh.
        metadata_expire: Option<String>,
        /// For which uses lists may be stale.
        metadata_expire_filter: Option<String>,
        /// How long a list of mirrors counts as fresh, in seconds.
        mirrorlist_expire: Option<String>,
        /// Password for the repository; never shown.
        password: Option<String>,
        /// Account for the repository.
        username: Option<String>,
        /// Whether its packages are protected from updates by others.
        protect: Option<bool>,
        /// Proxy, or `_none_`.
        proxy: Option<String>,
        /// Password for the proxy; never shown.
        proxy_password: Option<String>,
        /// Account for the proxy.
        proxy_username: Option<String>,
        /// How often fetching is tried again.
        retries: Option<String>,
        /// Whether it is a repository in S3.
        s3_enabled: Option<bool>,
        /// Whether permissions of certificates are checked.
        ssl_check_cert_permissions: Option<bool>,
        /// Certificates of authorities.
        sslcacert ("ca_cert"): Option<String>,
        /// Certificate of the client.
        sslclientcert ("client_cert"): Option<String>,
        /// Key of the client.
        sslclientkey ("client_key"): Option<String>,
        /// Whether the server's certificate is checked.
        sslverify ("validate_certs"): Option<bool>,
        /// Seconds to wait for a connection.
        timeout: Option<String>,
        /// Variables that are shown with the identifier.
        ui_repoid_vars: Option<String>,
    }
}

/// Examples; each is a test.
pub const EXAMPLES: &str = "
- name: A repository
  yum_repository:
    name: epel
    description: EPEL YUM repo
    baseurl: https://download.fedoraproject.org/pub/epel/$releasever/$basearch/
    gpgcheck: true
    gpgkey: https://download.fedoraproject.org/pub/epel/RPM-GPG-KEY-EPEL-9
- name: Two of them in one file
  yum_repository:
    name: rpmforge
    description: RPMforge YUM repo
    file: external_repos
    mirrorlist: http://mirrorlist.repoforge.org/el7/mirrors-rpmforge
    enabled: false
    password: s3cret
    mode: '0600'
- name: No such repository
  yum_repository:
    name: old
    state: absent
";

/// The module.
pub struct YumRepository;

/// The file with the repository.
#[derive(Debug, Clone)]
pub struct State {
    file: WholeFile,
    owner: Option<String>,
    group: Option<String>,
    /// Passwords must not be shown.
    secret: bool,
}

impl resource::State for State {
    fn resources(&self) -> Vec<ResourceState> {
        let id = ResourceId::new("file", self.file.path.display().to_string());
        let state = match &self.file.content {
            Some(content) if self.secret => ResourceState::present(id)
                .with_secret("content", crate::change::sha256(content))
                .with("mode", self.file.mode.map(|mode| format!("{mode:04o}"))),
            _ => self.file.resource(),
        };
        let with_accounts = |state: ResourceState| state.with("owner", self.owner.clone()).with("group", self.group.clone());
        vec![if state.present { with_accounts(state) } else { state }]
    }
}

/// Options that are one of a few words.
fn check_words(args: &Args) -> Result<(), Failure> {
    let table: [(&str, &Option<String>, &[&str]); 5] = [
        ("failovermethod", &args.failovermethod, &["roundrobin", "priority"]),
        ("http_caching", &args.http_caching, &["all", "packages", "none"]),
        ("ip_resolve", &args.ip_resolve, &["4", "6", "IPv4", "IPv6", "whatever"]),
        ("keepcache", &args.keepcache, &["0", "1"]),
        (
            "metadata_expire_filter",
            &args.metadata_expire_filter,
            &["never", "read-only:past", "read-only:present", "read-only:future"],
        ),
    ];
    match table.iter().find(|(_, value, words)| value.as_ref().is_some_and(|value| !words.contains(&value.as_str()))) {
        None => Ok(()),
        Some((option, value, words)) => {
            let found = value.as_deref().unwrap_or_default();
            Err(Failure::new(format!("option `{option}`: expected one of {}, found `{found}`", words.join(", "))))
        }
    }
}

fn path(args: &Args) -> PathBuf {
    args.reposdir.join(format!("{}.repo", args.file.as_deref().unwrap_or(&args.name)))
}

/// The section that the task asks for.
fn wanted(args: &Args) -> Section {
    let lines = |list: &Option<Vec<String>>| list.as_ref().map(|list| list.join("\n"));
    let words = |list: &Option<Vec<String>>| list.as_ref().map(|list| list.join(" "));
    let flag = |is: Option<bool>| is.map(|is| u8::from(is).to_string());
    let fields = [
        ("async", flag(args.r#async)),
        ("bandwidth", args.bandwidth.clone()),
        ("baseurl", lines(&args.baseurl)),
        ("cost", args.cost.clone()),
        ("countme", flag(args.countme)),
        ("deltarpm_metadata_percentage", args.deltarpm_metadata_percentage.clone()),
        ("deltarpm_percentage", args.deltarpm_percentage.clone()),
        ("enabled", flag(args.enabled)),
        ("enablegroups", flag(args.enablegroups)),
        ("exclude", words(&args.exclude)),
        ("failovermethod", args.failovermethod.clone()),
        ("gpgcakey", args.gpgcakey.clone()),
        ("gpgcheck", flag(args.gpgcheck)),
        ("gpgkey", lines(&args.gpgkey)),
        ("http_caching", args.http_caching.clone()),
        ("include", args.include.clone()),
        ("includepkgs", words(&args.includepkgs)),
        ("ip_resolve", args.ip_resolve.clone()),
        ("keepalive", flag(args.keepalive)),
        ("keepcache", args.keepcache.clone()),
        ("metadata_expire", args.metadata_expire.clone()),
        ("metadata_expire_filter", args.metadata_expire_filter.clone()),
        ("metalink", args.metalink.clone()),
        ("mirrorlist", args.mirrorlist.clone()),
        ("mirrorlist_expire", args.mirrorlist_expire.clone()),
        ("module_hotfixes", flag(args.module_hotfixes)),
        ("name", args.description.clone()),
        ("password", args.password.clone()),
        ("priority", args.priority.clone()),
        ("protect", flag(args.protect)),
        ("proxy", args.proxy.clone()),
        ("proxy_password", args.proxy_password.clone()),
        ("proxy_username", args.proxy_username.clone()),
        ("repo_gpgcheck", flag(args.repo_gpgcheck)),
        ("retries", args.retries.clone()),
        ("s3_enabled", flag(args.s3_enabled)),
        ("skip_if_unavailable", flag(args.skip_if_unavailable)),
        ("ssl_check_cert_permissions", flag(args.ssl_check_cert_permissions)),
        ("sslcacert", args.sslcacert.clone()),
        ("sslclientcert", args.sslclientcert.clone()),
        ("sslclientkey", args.sslclientkey.clone()),
        ("sslverify", flag(args.sslverify)),
        ("throttle", args.throttle.clone()),
        ("timeout", args.timeout.clone()),
        ("ui_repoid_vars", args.ui_repoid_vars.clone()),
        ("username", args.username.clone()),
    ];
    fields.into_iter().filter_map(|(key, value)| Some((key.to_owned(), value?.trim().to_owned()))).collect()
}

impl Resource for YumRepository {
    type Args = Args;
    type State = State;

    fn read(args: &Args, host: &dyn Inspect) -> Result<State, Failure> {
        if args.name.is_empty() || args.name.contains([']', '\n', '/']) {
            return Err(Failure::new(format!("`{}` cannot be the identifier of a repository", args.name.escape_debug())));
        }
        check_words(args)?;
        let path = path(args);
        let asked = args.wanted_attributes();
        let file = WholeFile::read(&path, asked.mode.is_some(), host)?;
        let stat = host.stat(&path)?;
        let (mut owner, mut group) = (None, None);
        if let Some(stat) = &stat {
            owner = asked.owner.map(|_| attributes::owner_of(stat.uid, host)).transpose()?.map(|account| account.shown());
            group = asked.group.map(|_| attributes::group_of(stat.gid, host)).transpose()?.map(|account| account.shown());
        }
        let has_secret = |content: &Vec<u8>| {
            ini::sections(&String::from_utf8_lossy(content))
                .iter()
                .any(|(_, section)| ["password", "proxy_password"].iter().any(|key| section.contains_key(*key)))
        };
        let secret = args.password.is_some() || args.proxy_password.is_some() || file.content.as_ref().is_some_and(has_secret);
        Ok(State { file, owner, group, secret })
    }

    fn want(args: &Args, now: &State) -> Result<State, Failure> {
        let mut want = now.clone();
        let text = now.file.content.as_deref().map(|content| String::from_utf8_lossy(content).into_owned());
        if args.state == Presence::Absent {
            let left = text.map(|text| ini::edit(&text, &args.name, None));
            want.file.content = left.filter(|left| !left.trim().is_empty()).map(String::into_bytes);
            return Ok(want);
        }
        if args.baseurl.is_none() && args.metalink.is_none() && args.mirrorlist.is_none() {
            return Err(Failure::new("Parameter 'baseurl', 'metalink' or 'mirrorlist' is required."));
        }
        if args.description.is_none() {
            return Err(Failure::new("Parameter 'description' is required."));
        }
        let text = ini::edit(&text.unwrap_or_default(), &args.name, Some(&wanted(args)));
        want.file.content = Some(text.into_bytes());
        let asked = args.wanted_attributes();
        want.file.mode = asked.mode.map(|mode| mode.bits(now.file.mode.unwrap_or(0o644), false));
        want.owner = asked.owner.map(str::to_owned);
        want.group = asked.group.map(str::to_owned);
        Ok(want)
    }

    fn write(args: &Args, step: &Step<'_, State>, host: &mut dyn Host) -> Result<Written, Failure> {
        if !crate::commands::glob::exists(&args.reposdir, host.inspect()) {
            return Err(Failure::new(format!("Repo directory '{}' does not exist.", args.reposdir.display())));
        }
        if step.want.file != step.now.file {
            step.want.file.write(0o644, host)?;
        }
        if step.want.file.content.is_some() {
            let wanted = args.wanted_attributes().look_up(host.inspect())?;
            let uid = wanted.owner.map(|account| account.id);
            let gid = wanted.group.map(|account| account.id);
            if uid.is_some() || gid.is_some() {
                host.set_attributes(&step.want.file.path, &Attributes { mode: None, uid, gid })?;
            }
        }
        Ok(Written::quiet())
    }

    fn result(args: &Args, _: &State, _: &State) -> Map<String, Value> {
        let fields = json!({"repo": args.name, "state": args.state.word()});
        fields.as_object().cloned().unwrap_or_default()
    }

    fn claims(args: &Args) -> Claims {
        let file = |path: &Path| ResourceId::new("file", path.display().to_string());
        Claims::provides([file(&path(args)), ResourceId::new("package-manager", "dnf")]).needing([file(&args.reposdir)])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::args::Arguments;
    use crate::host::memory::MemoryHost;
    use crate::resource::converge;

    fn run(options: &Value, host: &mut MemoryHost) -> Result<crate::outcome::Outcome, Failure> {
        converge::<YumRepository>(&Args::parse(options.as_object().unwrap()).unwrap(), host)
    }

    #[test]
    fn the_file_is_that_which_ansible_writes() {
        let mut host = MemoryHost::default();
        host.add_directory("/etc/yum.repos.d");
        let options = json!({
            "name": "epel", "description": "EPEL repo", "baseurl": ["https://a/x", "https://b/y"], "gpgcheck": true,
            "enabled": false, "exclude": "a,b", "sslverify": false, "priority": 5, "file": "ext",
        });
        run(&options, &mut host).unwrap();
        assert_eq!(
            host.text("/etc/yum.repos.d/ext.repo").unwrap(),
            "[epel]\nbaseurl = https://a/x\n\thttps://b/y\nenabled = 0\nexclude = a b\ngpgcheck = 1\nname = EPEL repo\npriority = 5\nsslverify = 0\n\n"
        );
        assert_eq!(run(&options, &mut host).unwrap().changes, []);
        let outcome = run(&json!({"name": "epel", "file": "ext", "state": "absent"}), &mut host).unwrap();
        assert_eq!((outcome.changes.len(), host.text("/etc/yum.repos.d/ext.repo")), (1, None));
    }

    #[test]
    fn passwords_are_not_shown() {
        let mut host = MemoryHost::default();
        host.add_directory("/etc/yum.repos.d");
        let options = json!({"name": "x", "description": "X", "baseurl": "https://x", "password": "s3cret"});
        let outcome = run(&options, &mut host).unwrap();
        assert!(!format!("{outcome:?}").contains("s3cret"));
        assert!(host.text("/etc/yum.repos.d/x.repo").unwrap().contains("s3cret"));
    }

    #[test]
    fn what_is_missing_is_said() {
        let mut host = MemoryHost::default();
        host.add_directory("/etc/yum.repos.d");
        for options in [
            json!({"name": "x", "description": "X"}),
            json!({"name": "x", "baseurl": "y"}),
            json!({"name": "../x]"}),
            json!({"name": "x", "keepcache": "2"}),
        ] {
            assert!(run(&options, &mut host).is_err(), "{options}");
        }
    }
}
