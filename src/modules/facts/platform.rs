//! Kernel, names, time, user, environment and the other small facts.

use serde_json::{Map, Value, json};

use super::gather::{Facts, exists, line, link_name, text};
use crate::commands::words;
use crate::host::{CommandLine, Inspect, ServiceManager};

/// Kernel, architecture, and the host's names.
pub(super) fn platform(host: &dyn Inspect, facts: &mut Facts) {
    let uname = rustix::system::uname();
    let machine = uname.machine().to_string_lossy().into_owned();
    let sysctl = |name: &str| line(host, format!("/proc/sys/kernel/{name}"));
    let nodename = sysctl("hostname").unwrap_or_else(|| uname.nodename().to_string_lossy().into_owned());
    let fqdn = fqdn(host, &nodename);
    let architecture = match machine.as_str() {
        "i386" | "i486" | "i586" | "i686" => "i386".to_owned(),
        other => other.to_owned(),
    };
    facts.set("system", "Linux");
    facts.set("kernel", sysctl("osrelease").unwrap_or_else(|| uname.release().to_string_lossy().into_owned()));
    facts.set("kernel_version", sysctl("version").unwrap_or_else(|| uname.version().to_string_lossy().into_owned()));
    let bits = if cfg!(target_pointer_width = "64") { "64" } else { "32" };
    facts.set("userspace_bits", bits);
    facts.set("userspace_architecture", architecture.clone());
    facts.set("machine", machine);
    facts.set("architecture", architecture);
    facts.set("nodename", nodename.clone());
    facts.set("hostname", nodename.split('.').next().unwrap_or_default());
    facts.set("domain", fqdn.split_once('.').map_or("", |(_, domain)| domain));
    facts.set("fqdn", fqdn);
    let id = line(host, "/var/lib/dbus/machine-id").or_else(|| line(host, "/etc/machine-id"));
    if let Some(id) = id {
        facts.set("machine_id", id);
    }
}

/// The full name: the canonical name of the host's own name, as `/etc/hosts` or `getent` have it.
fn fqdn(host: &dyn Inspect, nodename: &str) -> String {
    if nodename.contains('.') {
        return nodename.to_owned();
    }
    let hosts = text(host, "/etc/hosts");
    let in_hosts = hosts.lines().find_map(|row| {
        let words: Vec<&str> = row.split('#').next()?.split_whitespace().skip(1).collect();
        words
            .contains(&nodename)
            .then(|| words.iter().find(|word| word.contains('.')).or(words.first()).map(|word| (*word).to_owned()))?
    });
    in_hosts.unwrap_or_else(|| nodename.to_owned())
}

/// The time on the host.
pub(super) fn date_time(host: &dyn Inspect, facts: &mut Facts) {
    let zone = text(host, "/etc/timezone");
    let system = jiff::tz::TimeZone::system();
    let zone = if system.is_unknown() { jiff::tz::TimeZone::get(zone.trim()).unwrap_or(jiff::tz::TimeZone::UTC) } else { system };
    let Ok(now) = jiff::Timestamp::from_microsecond((host.now() * 1e6) as i64) else { return };
    facts.set("date_time", times(now, zone));
}

fn times(now: jiff::Timestamp, zone: jiff::tz::TimeZone) -> Value {
    let utc = now.to_zoned(jiff::tz::TimeZone::UTC);
    let local = now.to_zoned(zone.clone());
    let form = |format: &str| local.strftime(format).to_string();
    // The zone's names in winter and summer, standard time first.
    let year = local.year();
    let name_in = |month: i8| {
        jiff::civil::date(year, month, 1)
            .to_zoned(zone.clone())
            .ok()
            .map(|time| (zone.to_offset_info(time.timestamp()).dst(), time.strftime("%Z").to_string()))
    };
    let halves = [name_in(1), name_in(7)];
    let pick = |summer: bool| halves.iter().flatten().find(|(dst, _)| dst.is_dst() == summer).map(|(_, name)| name.clone());
    let standard = pick(false).unwrap_or_else(|| form("%Z"));
    json!({
        "year": form("%Y"), "month": form("%m"), "weekday": form("%A"), "weekday_number": form("%w"), "weeknumber": form("%W"),
        "day": form("%d"), "hour": form("%H"), "minute": form("%M"), "second": form("%S"),
        "epoch": now.as_second().to_string(), "epoch_int": now.as_second().to_string(), "date": form("%Y-%m-%d"), "time": form("%H:%M:%S"),
        "iso8601_micro": utc.strftime("%Y-%m-%dT%H:%M:%S.%6fZ").to_string(), "iso8601": utc.strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
        "iso8601_basic": form("%Y%m%dT%H%M%S%6f"), "iso8601_basic_short": form("%Y%m%dT%H%M%S"),
        "tz": form("%Z"), "tz_dst": pick(true).unwrap_or(standard), "tz_offset": form("%z"),
    })
}

/// The agent's environment.
pub(super) fn env(host: &dyn Inspect, facts: &mut Facts) {
    let text = text(host, "/proc/self/environ");
    let map: Map<String, Value> =
        text.split('\0').filter_map(|pair| pair.split_once('=')).map(|(name, value)| (name.to_owned(), value.into())).collect();
    facts.set("env", map);
}

/// The user that the agent runs as.
pub(super) fn user(host: &dyn Inspect, facts: &mut Facts) {
    let (uid, gid) = host.whoami();
    if let Ok(Some(user)) = host.user_by_id(uid) {
        facts.set("user_id", user.name);
        facts.set("user_uid", user.uid);
        facts.set("user_gid", user.gid);
        facts.set("user_gecos", user.comment);
        facts.set("user_dir", user.home.display().to_string());
        facts.set("user_shell", user.shell);
    }
    for (name, id) in [("real_user_id", uid), ("effective_user_id", uid), ("real_group_id", gid), ("effective_group_id", gid)] {
        facts.set(name, id);
    }
}

/// The kernel's command line.
pub(super) fn cmdline(host: &dyn Inspect, facts: &mut Facts) {
    let text = text(host, "/proc/cmdline");
    let words = words::split(text.trim()).unwrap_or_else(|_| text.split_whitespace().map(str::to_owned).collect());
    let (mut last, mut all) = (Map::new(), Map::new());
    for word in words {
        let (name, value) = match word.split_once('=') {
            Some((name, value)) => (name.to_owned(), Value::from(value)),
            None => (word, Value::Bool(true)),
        };
        last.insert(name.clone(), value.clone());
        match all.get_mut(&name) {
            None => {
                all.insert(name, value);
            }
            Some(Value::Array(values)) => values.push(value),
            Some(first) => *first = json!([first.clone(), value]),
        }
    }
    facts.set("cmdline", last);
    facts.set("proc_cmdline", all);
}

/// The resolver's configuration.
pub(super) fn dns(host: &dyn Inspect, facts: &mut Facts) {
    facts.set("dns", resolver(&text(host, "/etc/resolv.conf")));
}

fn resolver(text: &str) -> Value {
    let mut map = Map::new();
    for row in text.lines().filter(|row| !row.starts_with(['#', ';'])) {
        let mut words = row.split_whitespace();
        let Some(key) = words.next() else { continue };
        let rest: Vec<&str> = words.collect();
        match key {
            "nameserver" => {
                let list = map.entry("nameservers").or_insert_with(|| json!([])).as_array_mut().expect("a list was put in");
                list.extend(rest.iter().map(|word| json!(word)));
            }
            "domain" => {
                if let Some(name) = rest.first() {
                    map.insert("domain".into(), json!(name));
                }
            }
            "search" | "sortlist" => {
                map.insert(key.into(), json!(rest));
            }
            "options" => {
                let options: Map<String, Value> = rest
                    .iter()
                    .map(|word| {
                        word.split_once(':')
                            .map_or(((*word).to_owned(), json!(true)), |(name, value)| (name.to_owned(), json!(value)))
                    })
                    .collect();
                map.insert("options".into(), options.into());
            }
            _ => {}
        }
    }
    Value::Object(map)
}

/// Security modules, capabilities, chroot.
pub(super) fn security(host: &dyn Inspect, facts: &mut Facts) {
    facts.set("fips", line(host, "/proc/sys/crypto/fips_enabled").as_deref() == Some("1"));
    let apparmor = exists(host, "/sys/kernel/security/apparmor");
    facts.set("apparmor", json!({"status": if apparmor { "enabled" } else { "disabled" }}));
    facts.set("selinux_python_present", true);
    facts.set("selinux", selinux(host));
}

/// Whether the agent sees another root directory than the first process.
pub(super) fn chroot(host: &dyn Inspect, facts: &mut Facts) {
    let here = host.stat("/".as_ref()).ok().flatten();
    let real = host.stat("/proc/1/root/.".as_ref()).ok().flatten();
    let chroot = match (here, real) {
        (Some(here), Some(real)) => (here.dev, here.ino) != (real.dev, real.ino),
        _ => host.env("debian_chroot").is_some(),
    };
    facts.set("is_chroot", chroot);
}

fn selinux(host: &dyn Inspect) -> Value {
    let Some(enforcing) = line(host, "/sys/fs/selinux/enforce") else { return json!({"status": "disabled"}) };
    let config = super::distribution::assignments(&text(host, "/etc/selinux/config"));
    json!({
        "status": "enabled",
        "mode": if enforcing == "1" { "enforcing" } else { "permissive" },
        "policyvers": line(host, "/sys/fs/selinux/policyvers").and_then(|text| text.parse::<u32>().ok()),
        "config_mode": config.get("SELINUX").cloned().unwrap_or_else(|| "unknown".into()),
        "type": config.get("SELINUXTYPE").cloned().unwrap_or_else(|| "unknown".into()),
    })
}

const CAPABILITIES: [&str; 41] = [
    "chown",
    "dac_override",
    "dac_read_search",
    "fowner",
    "fsetid",
    "kill",
    "setgid",
    "setuid",
    "setpcap",
    "linux_immutable",
    "net_bind_service",
    "net_broadcast",
    "net_admin",
    "net_raw",
    "ipc_lock",
    "ipc_owner",
    "sys_module",
    "sys_rawio",
    "sys_chroot",
    "sys_ptrace",
    "sys_pacct",
    "sys_admin",
    "sys_boot",
    "sys_nice",
    "sys_resource",
    "sys_time",
    "sys_tty_config",
    "mknod",
    "lease",
    "audit_write",
    "audit_control",
    "setfcap",
    "mac_override",
    "mac_admin",
    "syslog",
    "wake_alarm",
    "block_suspend",
    "audit_read",
    "perfmon",
    "bpf",
    "checkpoint_restore",
];

/// What the agent's process may do.
pub(super) fn capabilities(host: &dyn Inspect, facts: &mut Facts) {
    let status = text(host, "/proc/self/status");
    let set = |name: &str| {
        status.lines().find_map(|line| line.strip_prefix(name)).and_then(|text| u64::from_str_radix(text.trim(), 16).ok())
    };
    let Some(effective) = set("CapEff:") else { return };
    let last = line(host, "/proc/sys/kernel/cap_last_cap").and_then(|text| text.parse::<u32>().ok()).unwrap_or(40).min(62);
    let all = (1u64 << (last + 1)) - 1;
    let full = effective & all == all;
    let names: Vec<String> = CAPABILITIES
        .iter()
        .enumerate()
        .filter(|(at, _)| !full && effective >> at & 1 == 1)
        .map(|(_, name)| format!("cap_{name}"))
        .collect();
    facts.set("system_capabilities_enforced", if full { "False" } else { "True" });
    facts.set("system_capabilities", names);
}

/// Which program manages services.
pub(super) fn service_mgr(host: &dyn Inspect, facts: &mut Facts) {
    let first = line(host, "/proc/1/comm").unwrap_or_default();
    let name = match first.as_str() {
        _ if host.service_manager() == ServiceManager::Systemd => "systemd".to_owned(),
        "" | "init" | "sh" | "bash" => match () {
            () if exists(host, "/sbin/openrc") => "openrc".into(),
            () if exists(host, "/etc/init.d") => "sysvinit".into(),
            () => "service".into(),
        },
        "runit-init" | "svscan" | "openrc-init" => first.trim_end_matches("-init").to_owned(),
        other => other.to_owned(),
    };
    facts.set("service_mgr", name);
}

/// The version of systemd and what it was built with; nothing where another service manager runs.
pub(super) fn systemd(host: &dyn Inspect, facts: &mut Facts) {
    if host.service_manager() != ServiceManager::Systemd {
        return;
    }
    let mut ask = CommandLine::new(["systemctl", "--version"]);
    ask.deadline = Some(facts.patience);
    let Some(said) = host.query(&ask).ok().filter(|output| output.rc == 0).map(|output| output.text()) else { return };
    if let Some(found) = parse_systemd(&said) {
        facts.set("systemd", found);
    }
}

fn parse_systemd(said: &str) -> Option<Value> {
    let (first, features) = said.split_once('\n')?;
    let version: u64 = first.split_whitespace().nth(1)?.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()?;
    Some(json!({"version": version, "features": features.trim_end()}))
}

/// Which program manages packages.
pub(super) fn pkg_mgr(host: &dyn Inspect, facts: &mut Facts) {
    const MANAGERS: [(&str, &str); 14] = [
        ("/usr/bin/apt-get", "apt"),
        ("/usr/bin/dnf5", "dnf5"),
        ("/usr/bin/dnf", "dnf"),
        ("/usr/bin/dnf-3", "dnf"),
        ("/usr/bin/microdnf", "dnf"),
        ("/usr/bin/yum", "yum"),
        ("/usr/bin/zypper", "zypper"),
        ("/sbin/apk", "apk"),
        ("/usr/bin/pacman", "pacman"),
        ("/usr/bin/emerge", "portage"),
        ("/usr/bin/xbps-install", "xbps"),
        ("/usr/bin/rpm-ostree", "atomic_container"),
        ("/opt/bin/opkg", "opkg"),
        ("/usr/bin/swupd", "swupd"),
    ];
    let found = MANAGERS.iter().find(|(program, _)| exists(host, program));
    facts.set("pkg_mgr", found.map_or("unknown", |(_, name)| name));
}

/// The host's Python, if there is one. stead does not need it; playbooks ask for it.
pub(super) fn python(host: &dyn Inspect, facts: &mut Facts) {
    let Some(path) = ["/usr/bin/python3", "/usr/local/bin/python3", "/usr/libexec/platform-python"]
        .into_iter()
        .find(|path| exists(host, path))
    else {
        return;
    };
    let Some(version) = python_version(host, path, facts) else { return };
    let parts: Vec<u64> = version.split('.').filter_map(|part| part.parse().ok()).collect();
    let [major, minor, micro] = parts[..] else { return };
    facts.set("python_version", version);
    facts.set(
        "python",
        json!({
            "executable": path, "type": "cpython", "has_sslcontext": true, "version_info": [major, minor, micro, "final", 0],
            "version": {"major": major, "minor": minor, "micro": micro, "releaselevel": "final", "serial": 0},
        }),
    );
}

/// From the package database where that is enough, because starting Python takes long.
fn python_version(host: &dyn Inspect, path: &str, facts: &Facts) -> Option<String> {
    let target = link_name(host, path).filter(|name| name.starts_with("python3."));
    let package = target.and_then(|name| host.package(&name).ok().flatten());
    let packaged = package.map(|package| package.version.split(['-', '+', '~']).next().unwrap_or_default().to_owned());
    if let Some(version) = packaged.filter(|version| version.split('.').count() == 3) {
        return Some(version);
    }
    let mut ask = CommandLine::new([path, "--version"]);
    ask.deadline = Some(facts.patience);
    let output = host.query(&ask).ok()?;
    Some(output.text().trim().strip_prefix("Python ")?.trim_end_matches('+').to_owned())
}

/// The host's public SSH keys.
pub(super) fn ssh_keys(host: &dyn Inspect, facts: &mut Facts) {
    for kind in ["dsa", "rsa", "ecdsa", "ed25519"] {
        let key = ["/etc/ssh", "/etc/openssh", "/etc"]
            .iter()
            .find_map(|directory| line(host, format!("{directory}/ssh_host_{kind}_key.pub")));
        let Some(key) = key else { continue };
        let mut words = key.split_whitespace();
        let (Some(of), Some(data)) = (words.next(), words.next()) else { continue };
        facts.set(&format!("ssh_host_key_{kind}_public"), data);
        facts.set(&format!("ssh_host_key_{kind}_public_keytype"), of);
    }
}

/// The load of the last minutes.
pub(super) fn load(host: &dyn Inspect, facts: &mut Facts) {
    let text = line(host, "/proc/loadavg").unwrap_or_default();
    let values: Vec<f64> = text.split_whitespace().take(3).filter_map(|word| word.parse().ok()).collect();
    if let [one, five, fifteen] = values[..] {
        facts.set("loadavg", json!({"1m": one, "5m": five, "15m": fifteen}));
    }
}

/// Storage names that only some hosts have.
pub(super) fn storage_names(host: &dyn Inspect, facts: &mut Facts) {
    let iscsi = text(host, "/etc/iscsi/initiatorname.iscsi");
    let iscsi = iscsi.lines().find_map(|line| line.strip_prefix("InitiatorName=")).unwrap_or_default();
    facts.set("iscsi_iqn", iscsi.trim());
    facts.set("hostnqn", line(host, "/etc/nvme/hostnqn").unwrap_or_default());
    let ports = "/sys/class/fc_host";
    let names: Vec<String> = host
        .list(ports.as_ref())
        .unwrap_or_default()
        .iter()
        .filter_map(|port| line(host, format!("{ports}/{port}/port_name")))
        .map(|name| name.trim_start_matches("0x").to_owned())
        .collect();
    facts.set("fibre_channel_wwn", names);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_resolver_is_read() {
        let found = resolver("# x\nnameserver 10.0.0.1\nnameserver ::1\nsearch a.b c.d\noptions ndots:2 rotate\ndomain a.b\n");
        assert_eq!(
            found,
            json!({"nameservers": ["10.0.0.1", "::1"], "search": ["a.b", "c.d"], "options": {"ndots": "2", "rotate": true}, "domain": "a.b"})
        );
    }

    #[test]
    fn times_are_written_as_ansible_does() {
        let now: jiff::Timestamp = "2026-11-22T22:37:24.14579Z".parse().unwrap();
        let found = times(now, jiff::tz::TimeZone::UTC);
        for (name, text) in [
            ("iso8601_micro", "2026-11-22T22:37:24.145790Z"),
            ("iso8601_basic", "20261122T223724145790"),
            ("weekday", "Sunday"),
            ("weekday_number", "0"),
            ("weeknumber", "46"),
            ("tz", "UTC"),
            ("tz_dst", "UTC"),
            ("tz_offset", "+0000"),
        ] {
            assert_eq!(found[name], text, "{name}");
        }
    }
}
