//! `mount_facts`: mounts from the kernel's list, from `/etc/fstab` and others, with their sizes.

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::{Map, Value, json};

use super::mounts;
use crate::commands::glob::matches;
use crate::host::{CommandLine, Inspect};
use crate::outcome::Failure;
use crate::query::Query;
use crate::system::tool::exists;
use crate::{args, choice};

choice! {
    /// What happens when a file system does not answer.
    pub enum OnTimeout {
        /// It is a failure.
        Error = "error",
        /// It is said, and its size is left out.
        Warn = "warn",
        /// Its size is left out.
        Ignore = "ignore",
    }
}

args! {
    /// Returns what is mounted, or listed to be mounted, as the facts `mount_points` and `aggregate_mounts`.
    pub struct Args {
        /// Patterns, of which a device must match one.
        devices: Option<Vec<String>>,
        /// Patterns, of which a type must match one.
        fstypes: Option<Vec<String>>,
        /// Files like `/etc/fstab` and `/proc/mounts`, `mount` for that program, or `all`, `static`, `dynamic`.
        sources: Option<Vec<String>>,
        /// The program that lists mounts where no file does; `null`: none.
        mount_binary: Value = json!("mount"),
        /// Seconds that one file system may take to answer; without it 5.
        timeout: Option<f64>,
        /// What happens when one does not.
        on_timeout: OnTimeout = OnTimeout::Error,
        /// Whether every mount is listed, also those that hide each other.
        include_aggregate_mounts: Option<bool>,
    }
}

/// Examples; each is a test.
pub const EXAMPLES: &str = "
- name: Everything
  mount_facts:
    on_timeout: ignore
- name: Network file systems that should be mounted
  mount_facts:
    fstypes: ['nfs*']
    sources: [/etc/fstab]
";

const DYNAMIC: [&str; 3] = ["/etc/mtab", "/proc/mounts", "/etc/mnttab"];
const STATIC: [&str; 3] = ["/etc/fstab", "/etc/vfstab", "/etc/filesystems"];

/// The module.
pub struct MountFacts;

/// A line of a source.
struct Row {
    device: String,
    mount: String,
    fstype: String,
    options: String,
    /// `dump` and `passno`, where the source has them.
    numbers: Option<[u64; 2]>,
    line: String,
}

/// Lines as `/etc/fstab` has them.
fn table(text: &str) -> Vec<Row> {
    let rows = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
    rows.filter_map(|line| {
        let words: Vec<String> = line.split_whitespace().map(mounts::unescape).collect();
        let [device, mount, fstype, options, rest @ ..] = words.as_slice() else { return None };
        let number = |at: usize| rest.get(at).and_then(|word| word.parse().ok()).unwrap_or(0);
        let [device, mount, fstype, options] = [device, mount, fstype, options].map(Clone::clone);
        Some(Row { device, mount, fstype, options, numbers: Some([number(0), number(1)]), line: line.to_owned() })
    })
    .collect()
}

/// Lines as the program `mount` prints them.
fn listing(text: &str) -> Vec<Row> {
    text.lines()
        .filter_map(|line| {
            let (device, rest) = line.split_once(" on ")?;
            let (mount, rest) = rest.rsplit_once(" type ")?;
            let (fstype, options) = rest.split_once(' ')?;
            let options = options.split(')').next()?.trim_start_matches('(');
            let [device, mount, fstype, options] = [device, mount, fstype, options].map(str::to_owned);
            Some(Row { device, mount, fstype, options, numbers: None, line: line.to_owned() })
        })
        .collect()
}

fn expand(args: &Args) -> Vec<String> {
    let binary = args.mount_binary.as_str().unwrap_or_default();
    let asked = args.sources.clone().unwrap_or_else(|| vec!["all".into()]);
    let mut sources = Vec::new();
    for name in &asked {
        let many: Vec<&str> = match name.as_str() {
            "all" => DYNAMIC.iter().chain([&binary]).chain(&STATIC).copied().collect(),
            "dynamic" => DYNAMIC.iter().chain([&binary]).copied().collect(),
            "static" => STATIC.to_vec(),
            other => vec![other],
        };
        sources.extend(many.into_iter().filter(|name| !name.is_empty()).map(str::to_owned));
    }
    sources
}

impl Query for MountFacts {
    type Args = Args;

    fn query(args: &Args, host: &dyn Inspect) -> Result<Map<String, Value>, Failure> {
        let binary = args.mount_binary.as_str().unwrap_or_default();
        let asked_for_binary = args.sources.iter().flatten().any(|name| name == binary);
        let mut seen: Vec<PathBuf> = Vec::new();
        let mut found_dynamic = false;
        let (mut points, mut aggregate) = (Map::new(), Vec::new());
        let mut warnings = Vec::new();
        for source in expand(args) {
            let rows = if source == binary {
                if !asked_for_binary && found_dynamic {
                    continue;
                }
                let output = host.query(&CommandLine::new([binary]).env("LC_ALL", "C"));
                listing(&output.map(|output| output.text()).unwrap_or_default())
            } else {
                let path = Path::new(&source);
                // `/etc/mtab` and `/proc/mounts` lead to the same list.
                let real = crate::files::paths::real_path(path, host).unwrap_or_else(|_| path.to_owned());
                if !exists(path, host) || seen.contains(&real) {
                    continue;
                }
                seen.push(real);
                let text = host.read(path, 64 << 20)?;
                table(&String::from_utf8_lossy(&text))
            };
            found_dynamic |= DYNAMIC.contains(&source.as_str()) && !rows.is_empty();
            let fits = |patterns: &Option<Vec<String>>, word: &str| {
                patterns.as_ref().is_none_or(|patterns| patterns.iter().any(|pattern| matches(pattern, word)))
            };
            for row in rows.into_iter().filter(|row| fits(&args.devices, &row.device) && fits(&args.fstypes, &row.fstype)) {
                let mount = row.mount.clone();
                let entry = described(row, &source, args, host, &mut warnings)?;
                if args.include_aggregate_mounts == Some(true) {
                    aggregate.push(entry.clone());
                }
                points.entry(mount).or_insert(entry);
            }
        }
        let facts = json!({"mount_points": points, "aggregate_mounts": aggregate});
        let mut result = Map::from_iter([("ansible_facts".to_owned(), facts)]);
        if args.on_timeout == OnTimeout::Warn {
            result.insert("warnings".into(), json!(warnings));
        }
        Ok(result)
    }
}

fn described(row: Row, source: &str, args: &Args, host: &dyn Inspect, warnings: &mut Vec<String>) -> Result<Value, Failure> {
    let mut entry = json!({
        "mount": row.mount, "device": row.device, "fstype": row.fstype, "options": row.options, "uuid": uuid(&row.device, host),
        "ansible_context": {"source": source, "source_data": row.line},
    });
    if let Some([dump, pass]) = row.numbers {
        entry["dump"] = dump.into();
        entry["passno"] = pass.into();
    }
    let mount = Path::new(&row.mount);
    if !exists(mount, host) {
        return Ok(entry);
    }
    let within = Duration::try_from_secs_f64(args.timeout.unwrap_or(5.0)).unwrap_or(Duration::from_secs(5));
    match host.file_system(mount, within) {
        Some(found) => entry.as_object_mut().expect("an object was made").extend(mounts::sizes(&found)),
        None if args.on_timeout == OnTimeout::Error && args.timeout.is_some() => {
            return Err(Failure::new(format!("the file system at `{}` did not answer in {} s", row.mount, within.as_secs_f64())));
        }
        None => warnings.push(format!("the file system at `{}` does not answer; its size is left out", row.mount)),
    }
    Ok(entry)
}

/// The UUID that udev knows for a device.
fn uuid(device: &str, host: &dyn Inspect) -> Option<String> {
    if let Some(uuid) = device.strip_prefix("UUID=") {
        return Some(uuid.trim_matches('"').to_owned());
    }
    let directory = Path::new("/dev/disk/by-uuid");
    let real = |path: &Path| crate::files::paths::real_path(path, host).ok();
    let wanted = device.starts_with("/dev/").then(|| real(Path::new(device))).flatten()?;
    host.list(directory).unwrap_or_default().into_iter().find(|name| real(&directory.join(name)).as_ref() == Some(&wanted))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_forms_of_a_list_are_read() {
        let rows = table("# c\n/dev/sda1 /mnt/a\\040b ext4 rw,noatime 0 2\nshort line\n");
        assert_eq!((rows.len(), rows[0].mount.as_str(), rows[0].numbers), (1, "/mnt/a b", Some([0, 2])));
        let rows = listing("/dev/sda1 on /mnt/a b type ext4 (rw,noatime)\nnothing\n");
        assert_eq!((rows.len(), rows[0].mount.as_str(), rows[0].options.as_str()), (1, "/mnt/a b", "rw,noatime"));
    }
}
