//! Which distribution a host runs, from `/etc/os-release` and its companions.

use std::collections::BTreeMap;

use serde_json::Value;

use super::gather::{Facts, text};
use crate::host::Inspect;

/// Families of distributions: what `ansible_os_family` says.
const FAMILIES: &[(&str, &[&str])] = &[
    (
        "RedHat",
        &[
            "RedHat",
            "RHEL",
            "Fedora",
            "CentOS",
            "Scientific",
            "SLC",
            "Ascendos",
            "CloudLinux",
            "PSBM",
            "OracleLinux",
            "OVS",
            "OEL",
            "Amazon",
            "Amzn",
            "Virtuozzo",
            "XenServer",
            "Alibaba",
            "EulerOS",
            "openEuler",
            "AlmaLinux",
            "Rocky",
            "TencentOS",
            "EuroLinux",
            "Kylin Linux Advanced Server",
            "MIRACLE",
        ],
    ),
    (
        "Debian",
        &[
            "Debian",
            "Ubuntu",
            "Raspbian",
            "Neon",
            "KDE neon",
            "Linux Mint",
            "SteamOS",
            "Devuan",
            "Kali",
            "Cumulus Linux",
            "Pop!_OS",
            "Parrot",
            "Pardus GNU/Linux",
            "Uos",
            "Deepin",
            "OSMC",
            "Linux Mint Debian Edition",
        ],
    ),
    (
        "Suse",
        &[
            "SuSE",
            "SLES",
            "SLED",
            "openSUSE",
            "openSUSE Tumbleweed",
            "SLES_SAP",
            "SUSE_LINUX",
            "openSUSE Leap",
            "ALP-Dolomite",
            "SL-Micro",
            "openSUSE MicroOS",
        ],
    ),
    ("Archlinux", &["Archlinux", "Antergos", "Manjaro", "EndeavourOS"]),
    ("Mandrake", &["Mandrake", "Mandriva"]),
    ("Gentoo", &["Gentoo", "Funtoo"]),
    ("Alpine", &["Alpine"]),
    ("Altlinux", &["Altlinux"]),
    ("SMGL", &["SMGL"]),
    ("Slackware", &["Slackware"]),
    ("ClearLinux", &["Clear Linux OS", "Clear Linux Mix"]),
    ("NixOS", &["NixOS"]),
    ("Void", &["Void"]),
];

/// What is said of a distribution.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Distribution {
    pub name: String,
    pub version: String,
    pub major: String,
    pub minor: Option<String>,
    pub release: String,
    pub family: String,
}

/// The files that are looked at.
#[derive(Debug, Clone, Default)]
pub(super) struct Files {
    pub os_release: String,
    pub debian_version: String,
    pub redhat_release: String,
    pub lsb_release: String,
}

/// The lines `NAME=value` of a file in the manner of `/etc/os-release`.
pub(super) fn assignments(text: &str) -> BTreeMap<String, String> {
    text.lines()
        .filter_map(|line| line.trim().split_once('='))
        .map(|(name, value)| {
            let value = value.trim();
            let bare = ['"', '\''].iter().find_map(|quote| value.strip_prefix(*quote)?.strip_suffix(*quote)).unwrap_or(value);
            (name.trim().to_owned(), bare.replace("\\\"", "\"").replace("\\$", "$").replace("\\\\", "\\"))
        })
        .collect()
}

/// Decides from the files' texts.
pub(super) fn recognise(files: &Files) -> Distribution {
    let release = assignments(&files.os_release);
    let get = |name: &str| release.get(name).cloned().unwrap_or_default();
    let (id, full_name, version_id) = (get("ID"), get("NAME"), get("VERSION_ID"));
    let name = match id.as_str() {
        "debian" => "Debian".to_owned(),
        "ubuntu" => "Ubuntu".into(),
        "raspbian" => "Debian".into(),
        "rhel" => "RedHat".into(),
        "centos" => "CentOS".into(),
        "rocky" => "Rocky".into(),
        "almalinux" => "AlmaLinux".into(),
        "fedora" => "Fedora".into(),
        "ol" => "OracleLinux".into(),
        "amzn" => "Amazon".into(),
        "alpine" => "Alpine".into(),
        "arch" | "archarm" => "Archlinux".into(),
        "manjaro" => "Manjaro".into(),
        "gentoo" => "Gentoo".into(),
        "sles" => "SLES".into(),
        "sled" => "SLED".into(),
        "sles_sap" => "SLES_SAP".into(),
        "opensuse-leap" => "openSUSE Leap".into(),
        "opensuse-tumbleweed" => "openSUSE Tumbleweed".into(),
        "opensuse-microos" => "openSUSE MicroOS".into(),
        "linuxmint" => "Linux Mint".into(),
        "kali" => "Kali".into(),
        "devuan" => "Devuan".into(),
        "void" => "Void".into(),
        "nixos" => "NixOS".into(),
        "pop" => "Pop!_OS".into(),
        "openEuler" => "openEuler".into(),
        "" => "Linux".into(),
        _ => full_name.clone(),
    };
    let codename = || {
        let in_parentheses = |text: String| text.split('(').nth(1).and_then(|rest| rest.split(')').next()).map(str::to_owned);
        Some(get("VERSION_CODENAME")).filter(|name| !name.is_empty()).or_else(|| in_parentheses(get("VERSION")))
    };
    let mut found = Distribution { version: version_id.clone(), ..Distribution::default() };
    match name.as_str() {
        "Debian" => {
            let point = files.debian_version.trim();
            if point.starts_with(|c: char| c.is_ascii_digit()) {
                point.clone_into(&mut found.version);
                found.minor = point.split_once('.').map(|(_, minor)| minor.to_owned());
            } else if version_id.is_empty() {
                point.clone_into(&mut found.version);
            }
            found.release = codename().unwrap_or_else(|| point.split('/').next().unwrap_or_default().to_owned());
        }
        "CentOS" => {
            let stream = full_name.contains("Stream") || files.redhat_release.contains("Stream");
            // The release file of CentOS 7 and 8 knows the minor version, os-release does not.
            let release = files.redhat_release.split_once("release ").map(|(_, rest)| rest);
            let precise = release.and_then(|rest| rest.split_whitespace().next()).unwrap_or_default();
            let two: Vec<&str> = precise.split('.').take(2).collect();
            if !stream && !precise.is_empty() {
                found.version = two.join(".");
            }
            let code = release.and_then(|rest| rest.split('(').nth(1)).and_then(|rest| rest.split(')').next());
            found.release = if stream { "Stream".into() } else { code.unwrap_or("NA").to_owned() };
        }
        "SLES" | "SLED" | "SLES_SAP" | "openSUSE Leap" => {
            found.release = version_id.split_once('.').map_or_else(|| "0".to_owned(), |(_, minor)| minor.to_owned());
        }
        "Alpine" | "Amazon" | "openSUSE Tumbleweed" | "openSUSE MicroOS" => found.release = "NA".into(),
        "Archlinux" | "Manjaro" => {
            found.release = "NA".into();
            if version_id.is_empty() {
                found.version = Some(get("BUILD_ID")).filter(|build| !build.is_empty()).unwrap_or_else(|| "NA".into());
            }
        }
        "Fedora" => found.release = get("VERSION_CODENAME"),
        _ => found.release = codename().unwrap_or_else(|| "NA".into()),
    }
    found.major = match found.version.split('.').next() {
        Some(major) if !major.is_empty() => major.to_owned(),
        _ => "NA".into(),
    };
    if found.version.is_empty() {
        found.version = "NA".into();
    }
    let like = get("ID_LIKE");
    found.family = FAMILIES
        .iter()
        .find(|(_, members)| members.contains(&name.as_str()))
        .map(|(family, _)| (*family).to_owned())
        .or_else(|| {
            let by_kin = [
                ("debian", "Debian"),
                ("ubuntu", "Debian"),
                ("rhel", "RedHat"),
                ("fedora", "RedHat"),
                ("suse", "Suse"),
                ("arch", "Archlinux"),
            ];
            by_kin
                .iter()
                .find(|(kin, _)| like.split_whitespace().any(|word| word == *kin))
                .map(|(_, family)| (*family).to_owned())
        })
        .unwrap_or_else(|| name.clone());
    found.name = name;
    found
}

/// Facts of the group `distribution`.
pub(super) fn gather(host: &dyn Inspect, facts: &mut Facts) {
    let files = files(host);
    let found = recognise(&files);
    facts.set("distribution", found.name.clone());
    facts.set("distribution_version", found.version);
    facts.set("distribution_major_version", found.major);
    if let Some(minor) = found.minor {
        facts.set("distribution_minor_version", minor);
    }
    facts.set("distribution_release", found.release);
    let (path, variety) = if found.name == "CentOS" && !files.redhat_release.is_empty() {
        ("/etc/redhat-release".to_owned(), "CentOS".to_owned())
    } else if found.family == "RedHat" && !files.redhat_release.is_empty() {
        ("/etc/redhat-release".into(), "RedHat".into())
    } else {
        ("/etc/os-release".into(), found.family.clone())
    };
    facts.set("distribution_file_path", path);
    facts.set("distribution_file_variety", variety);
    facts.set("distribution_file_parsed", true);
    facts.set("os_family", found.family);
}

fn files(host: &dyn Inspect) -> Files {
    let or =
        |path: &str, other: &str| Some(text(host, path)).filter(|text| !text.is_empty()).unwrap_or_else(|| text(host, other));
    Files {
        os_release: or("/etc/os-release", "/usr/lib/os-release"),
        debian_version: text(host, "/etc/debian_version"),
        redhat_release: or("/etc/centos-release", "/etc/redhat-release"),
        lsb_release: text(host, "/etc/lsb-release"),
    }
}

/// Facts of the group `lsb`, where the host has `lsb_release` or its file.
pub(super) fn lsb(host: &dyn Inspect, facts: &mut Facts) {
    let files = files(host);
    let lsb = assignments(&files.lsb_release);
    let tool = super::gather::exists(host, "/usr/bin/lsb_release");
    let os = assignments(&files.os_release);
    let found = recognise(&files);
    // What the tool says where the file says nothing; without the tool only the file counts.
    let told = [
        ("id", "DISTRIB_ID", Some(found.name)),
        ("description", "DISTRIB_DESCRIPTION", os.get("PRETTY_NAME").cloned()),
        ("codename", "DISTRIB_CODENAME", Some(found.release)),
        ("release", "DISTRIB_RELEASE", os.get("VERSION_ID").cloned()),
    ];
    let mut map = serde_json::Map::new();
    for (name, in_file, from_tool) in told {
        if let Some(value) = lsb.get(in_file).cloned().or(from_tool.filter(|_| tool)) {
            if name == "release" {
                map.insert("major_release".into(), value.split('.').next().unwrap_or_default().into());
            }
            map.insert(name.into(), value.into());
        }
    }
    facts.set("lsb", Value::Object(map));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distributions_are_named_as_playbooks_expect() {
        let debian = "PRETTY_NAME=\"Debian GNU/Linux 12 (bookworm)\"\nNAME=\"Debian GNU/Linux\"\nVERSION_ID=\"12\"\nVERSION=\"12 (bookworm)\"\nVERSION_CODENAME=bookworm\nID=debian\n";
        let ubuntu = "PRETTY_NAME=\"Ubuntu 22.04.3 LTS\"\nNAME=\"Ubuntu\"\nVERSION_ID=\"22.04\"\nVERSION=\"22.04.3 LTS (Jammy Jellyfish)\"\nVERSION_CODENAME=jammy\nID=ubuntu\nID_LIKE=debian\n";
        let rhel =
            "NAME=\"Red Hat Enterprise Linux\"\nVERSION=\"9.3 (Plow)\"\nID=\"rhel\"\nID_LIKE=\"fedora\"\nVERSION_ID=\"9.3\"\n";
        let rocky = "NAME=\"Rocky Linux\"\nVERSION=\"9.3 (Blue Onyx)\"\nID=\"rocky\"\nID_LIKE=\"rhel centos fedora\"\nVERSION_ID=\"9.3\"\n";
        let alma = "NAME=\"AlmaLinux\"\nVERSION=\"8.9 (Midnight Oncilla)\"\nID=\"almalinux\"\nVERSION_ID=\"8.9\"\n";
        let centos7 = "NAME=\"CentOS Linux\"\nVERSION=\"7 (Core)\"\nID=\"centos\"\nVERSION_ID=\"7\"\n";
        let stream = "NAME=\"CentOS Stream\"\nVERSION=\"9\"\nID=\"centos\"\nVERSION_ID=\"9\"\n";
        let fedora = "NAME=\"Fedora Linux\"\nVERSION=\"39 (Server Edition)\"\nID=fedora\nVERSION_ID=39\nVERSION_CODENAME=\"\"\n";
        let leap =
            "NAME=\"openSUSE Leap\"\nVERSION=\"15.5\"\nID=\"opensuse-leap\"\nID_LIKE=\"suse opensuse\"\nVERSION_ID=\"15.5\"\n";
        let sles = "NAME=\"SLES\"\nVERSION=\"15-SP5\"\nVERSION_ID=\"15.5\"\nID=\"sles\"\nID_LIKE=\"suse\"\n";
        let alpine = "NAME=\"Alpine Linux\"\nID=alpine\nVERSION_ID=3.19.0\n";
        let arch = "NAME=\"Arch Linux\"\nID=arch\nBUILD_ID=rolling\n";
        let amazon = "NAME=\"Amazon Linux\"\nVERSION=\"2023\"\nID=\"amzn\"\nID_LIKE=\"fedora\"\nVERSION_ID=\"2023\"\n";
        let mint = "NAME=\"Linux Mint\"\nVERSION=\"21.2 (Victoria)\"\nID=linuxmint\nID_LIKE=\"ubuntu debian\"\nVERSION_ID=\"21.2\"\nVERSION_CODENAME=victoria\n";
        let unknown = "NAME=\"Frob Linux\"\nID=frob\nID_LIKE=\"debian\"\nVERSION_ID=\"3\"\n";
        let cases = [
            (debian, "12.11\n", "", ["Debian", "12.11", "12", "bookworm", "Debian"]),
            (ubuntu, "bookworm/sid\n", "", ["Ubuntu", "22.04", "22", "jammy", "Debian"]),
            (rhel, "", "Red Hat Enterprise Linux release 9.3 (Plow)", ["RedHat", "9.3", "9", "Plow", "RedHat"]),
            (rocky, "", "Rocky Linux release 9.3 (Blue Onyx)", ["Rocky", "9.3", "9", "Blue Onyx", "RedHat"]),
            (alma, "", "", ["AlmaLinux", "8.9", "8", "Midnight Oncilla", "RedHat"]),
            (centos7, "", "CentOS Linux release 7.9.2009 (Core)\n", ["CentOS", "7.9", "7", "Core", "RedHat"]),
            (stream, "", "CentOS Stream release 9\n", ["CentOS", "9", "9", "Stream", "RedHat"]),
            (fedora, "", "Fedora release 39 (Thirty Nine)", ["Fedora", "39", "39", "", "RedHat"]),
            (leap, "", "", ["openSUSE Leap", "15.5", "15", "5", "Suse"]),
            (sles, "", "", ["SLES", "15.5", "15", "5", "Suse"]),
            (alpine, "", "", ["Alpine", "3.19.0", "3", "NA", "Alpine"]),
            (arch, "", "", ["Archlinux", "rolling", "rolling", "NA", "Archlinux"]),
            (amazon, "", "", ["Amazon", "2023", "2023", "NA", "RedHat"]),
            (mint, "bookworm/sid", "", ["Linux Mint", "21.2", "21", "victoria", "Debian"]),
            (unknown, "", "", ["Frob Linux", "3", "3", "NA", "Debian"]),
        ];
        for (os_release, debian_version, redhat_release, expected) in cases {
            let files = Files {
                os_release: os_release.into(),
                debian_version: debian_version.into(),
                redhat_release: redhat_release.into(),
                lsb_release: String::new(),
            };
            let found = recognise(&files);
            assert_eq!([found.name, found.version, found.major, found.release, found.family], expected);
        }
    }

    #[test]
    fn quotes_are_taken_off() {
        assert_eq!(assignments("A=\"x y\"\nB='z'\nC=1\n")["A"], "x y");
        assert_eq!(assignments("B='z'\n")["B"], "z");
    }
}
