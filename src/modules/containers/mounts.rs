//! What is mounted into containers.

use serde_json::{Map, Value, json};

use super::sizes::bytes;
use super::words::{map, pairs, scalar, texts};
use crate::commands::words::expand_home;
use crate::host::Inspect;
use crate::outcome::Failure;

/// Modes that say what is so anyway.
const USUAL: &[&str] = &["", "rw", "rprivate", "rbind", "bind"];

/// `SOURCE:TARGET[:MODES]` with modes in order and without those that say what is so anyway; also just `TARGET`.
pub(super) fn volume(text: &str) -> String {
    let parts: Vec<&str> = text.split(':').collect();
    match parts.as_slice() {
        [source, target] => format!("{source}:{target}"),
        [source, target, modes] => {
            let mut modes: Vec<&str> = modes.split(',').filter(|mode| !USUAL.contains(mode)).collect();
            modes.sort_unstable();
            if modes.is_empty() { format!("{source}:{target}") } else { format!("{source}:{target}:{}", modes.join(",")) }
        }
        _ => text.to_owned(),
    }
}

/// Asked volumes; `~` and `.` in sources are the home directory.
pub(super) fn volumes(list: &[String], host: &dyn Inspect) -> Result<Vec<String>, Failure> {
    let home = expand_home("~", host);
    list.iter()
        .map(|text| {
            if text.is_empty() || text.starts_with('-') || text.split(':').count() > 3 {
                return Err(Failure::new(format!("`volumes`: `{text}` is not SOURCE:TARGET:MODES")));
            }
            let whole = match text.strip_prefix('.') {
                Some(rest) if text.contains(':') && (rest.starts_with(['/', ':'])) => format!("{home}{rest}"),
                _ if text.starts_with('~') => expand_home(text, host),
                _ => text.clone(),
            };
            Ok(volume(&whole))
        })
        .collect()
}

/// What `inspect` says of a docker container, in the same form.
pub(super) fn bound(container: &Value) -> Value {
    let binds = container["HostConfig"]["Binds"].as_array().into_iter().flatten().filter_map(Value::as_str);
    let mut list: Vec<Value> = binds.map(|text| volume(text).into()).collect();
    list.extend(map(&container["Config"]["Volumes"]).keys().map(|target| json!(target)));
    list.into()
}

/// `TARGET:OPTIONS` of each file system in memory.
pub(super) fn tmpfs(list: &[String]) -> Map<String, Value> {
    list.iter()
        .map(|text| text.split_once(':').unwrap_or((text, "")))
        .map(|(target, options)| (target.to_owned(), options.into()))
        .collect()
}

/// A mount as it is asked for, with sizes as bytes.
pub(super) fn mount(given: &Map<String, Value>) -> Result<Value, Failure> {
    const NAMES: &[&str] = &[
        "target",
        "source",
        "type",
        "read_only",
        "consistency",
        "propagation",
        "no_copy",
        "non_recursive",
        "labels",
        "volume_driver",
        "volume_options",
        "subpath",
        "tmpfs_size",
        "tmpfs_mode",
        "create_mountpoint",
        "read_only_non_recursive",
        "read_only_force_recursive",
        "tmpfs_options",
    ];
    /// What no option of `--mount` can say.
    const UNSAID: &[&str] = &["create_mountpoint", "read_only_non_recursive", "read_only_force_recursive", "tmpfs_options"];
    let mut wanted = Map::new();
    for (name, value) in given.iter().filter(|(_, value)| !value.is_null()) {
        if !NAMES.contains(&name.as_str()) {
            return Err(Failure::new(format!("`mounts`: `{name}` is not an option of a mount")));
        }
        if UNSAID.contains(&name.as_str()) {
            if *value == json!(false) || *value == json!([]) {
                continue;
            }
            return Err(Failure::new(format!("`mounts`: `{name}` cannot be said to the docker client")));
        }
        let value = match name.as_str() {
            "tmpfs_size" => bytes("tmpfs_size", &scalar(value))?.into(),
            "tmpfs_mode" => {
                let text = scalar(value);
                let mode = u32::from_str_radix(text.trim_start_matches("0o"), 8);
                mode.map_err(|_| Failure::new(format!("`tmpfs_mode`: `{text}` is no mode in octal digits")))?.into()
            }
            "labels" | "volume_options" => texts(&map(value)).into(),
            "read_only" | "no_copy" | "non_recursive" => {
                let is = <bool as crate::args::Arg>::parse(value);
                is.map_err(|problem| Failure::new(format!("`mounts`: `{name}`: {problem}")))?.into()
            }
            _ => json!(scalar(value)),
        };
        wanted.insert(name.clone(), value);
    }
    if !wanted.contains_key("target") {
        return Err(Failure::new("`mounts`: a mount has no `target`"));
    }
    wanted.entry("type").or_insert(json!("volume"));
    if wanted["type"] != "tmpfs" && wanted["type"] != "volume" && !wanted.contains_key("source") {
        return Err(Failure::new(format!("`mounts`: the mount of `{}` has no `source`", scalar(&wanted["target"]))));
    }
    Ok(wanted.into())
}

/// What `inspect` says of mounts, by the names of the options.
pub(super) fn mounted(list: &Value) -> Value {
    let one = |found: &Value| {
        let nothing = |value: &Value, standard: Value| if value.is_null() { standard } else { value.clone() };
        json!({
            "target": found["Target"],
            "source": nothing(&found["Source"], json!("")),
            "type": found["Type"],
            "read_only": nothing(&found["ReadOnly"], json!(false)),
            "consistency": nothing(&found["Consistency"], json!("default")),
            "propagation": nothing(&found["BindOptions"]["Propagation"], json!("rprivate")),
            "non_recursive": nothing(&found["BindOptions"]["NonRecursive"], json!(false)),
            "no_copy": nothing(&found["VolumeOptions"]["NoCopy"], json!(false)),
            "labels": map(&found["VolumeOptions"]["Labels"]),
            "volume_driver": nothing(&found["VolumeOptions"]["DriverConfig"]["Name"], json!("")),
            "volume_options": map(&found["VolumeOptions"]["DriverConfig"]["Options"]),
            "subpath": nothing(&found["VolumeOptions"]["Subpath"], json!("")),
            "tmpfs_size": found["TmpfsOptions"]["SizeBytes"],
            "tmpfs_mode": found["TmpfsOptions"]["Mode"],
        })
    };
    list.as_array().into_iter().flatten().map(one).collect::<Vec<_>>().into()
}

/// A field of a line of values, quoted where it has to be.
fn field(text: &str) -> String {
    if text.contains([',', '"', '\n']) { format!("\"{}\"", text.replace('"', "\"\"")) } else { text.to_owned() }
}

/// The value of `--mount`.
pub(super) fn word(mount: &Value) -> String {
    let mut fields = Vec::new();
    for (name, option) in [
        ("type", "type"),
        ("source", "source"),
        ("target", "target"),
        ("read_only", "readonly"),
        ("consistency", "consistency"),
        ("propagation", "bind-propagation"),
        ("non_recursive", "bind-nonrecursive"),
        ("no_copy", "volume-nocopy"),
        ("volume_driver", "volume-driver"),
        ("subpath", "volume-subpath"),
        ("tmpfs_size", "tmpfs-size"),
    ] {
        match &mount[name] {
            Value::Null | Value::Bool(false) => {}
            Value::Bool(true) if name == "read_only" => fields.push("readonly".to_owned()),
            value => fields.push(field(&format!("{option}={}", scalar(value)))),
        }
    }
    fields.extend(mount["tmpfs_mode"].as_u64().map(|mode| format!("tmpfs-mode={mode:o}")));
    fields.extend(pairs(&map(&mount["labels"])).iter().map(|pair| field(&format!("volume-label={pair}"))));
    fields.extend(pairs(&map(&mount["volume_options"])).iter().map(|pair| field(&format!("volume-opt={pair}"))));
    fields.join(",")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::memory::MemoryHost;

    #[test]
    fn volumes_are_compared_without_what_goes_without_saying() {
        let host = MemoryHost::default();
        for (text, expected) in [
            ("/a:/b", "/a:/b"),
            ("/a:/b:rw", "/a:/b"),
            ("data:/b:z,ro", "data:/b:ro,z"),
            ("/b", "/b"),
            ("~/a:/b", "/root/a:/b"),
            ("./a:/b:ro", "/root/a:/b:ro"),
        ] {
            assert_eq!(volumes(&[text.into()], &host).unwrap(), [expected]);
        }
        for bad in ["", "-v", "a:b:c:d"] {
            assert!(volumes(&[bad.into()], &host).is_err(), "{bad}");
        }
    }

    #[test]
    fn mounts_are_said_and_read_back() {
        let cases = [
            (
                json!({"type": "bind", "source": "/a,b", "target": "/m", "read_only": "yes"}),
                "type=bind,\"source=/a,b\",target=/m,readonly",
            ),
            (
                json!({"type": "tmpfs", "target": "/t", "tmpfs_size": "1m", "tmpfs_mode": "1777"}),
                "type=tmpfs,target=/t,tmpfs-size=1048576,tmpfs-mode=1777",
            ),
            (
                json!({"target": "/v", "source": "data", "no_copy": true, "volume_options": {"o": "x"}, "labels": {"a": 1}}),
                "type=volume,source=data,target=/v,volume-nocopy=true,volume-label=a=1,volume-opt=o=x",
            ),
        ];
        for (given, expected) in cases {
            assert_eq!(word(&mount(given.as_object().unwrap()).unwrap()), expected);
        }
        for bad in [
            json!({"source": "x"}),
            json!({"type": "bind", "target": "/x"}),
            json!({"target": "/x", "size": 1}),
            json!({"target": "/x", "tmpfs_mode": "9"}),
            json!({"target": "/x", "create_mountpoint": true}),
        ] {
            assert!(mount(bad.as_object().unwrap()).is_err(), "{bad}");
        }
        let found = mounted(&json!([{"Type": "bind", "Source": "/tmp", "Target": "/m", "ReadOnly": true}]));
        let wanted =
            mount(json!({"type": "bind", "source": "/tmp", "target": "/m", "read_only": true}).as_object().unwrap()).unwrap();
        assert!(wanted.as_object().unwrap().iter().all(|(name, value)| found[0][name] == *value));
    }
}
