//! What a template knows about itself: `ansible_managed`, `template_path` and their like.

use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use jiff::tz::TimeZone;
use jiff::{Timestamp, Zoned};

use crate::vars::Value;

/// The variables of a template's file; `written` is how the playbook names it, `dest` where its
/// result goes.
pub fn about(written: &str, path: &Path, dest: Option<&str>) -> Vec<(&'static str, Value)> {
    let metadata = std::fs::metadata(path).ok();
    let modified = metadata.as_ref().and_then(|metadata| Timestamp::new(metadata.mtime(), metadata.mtime_nsec() as i32).ok());
    let mut known = vec![
        ("ansible_managed", Value::from("Ansible managed")),
        ("template_host", Value::from(rustix::system::uname().nodename().to_string_lossy().into_owned())),
        ("template_path", Value::from(written)),
        ("template_fullpath", Value::from(path.display().to_string())),
        ("template_run_date", Value::from(local(Timestamp::now()))),
        ("template_destpath", dest.map_or(Value::Null, Value::from)),
    ];
    known.extend(modified.map(|time| ("template_mtime", Value::from(local(time)))));
    known.extend(metadata.map(|metadata| ("template_uid", Value::from(owner(metadata.uid())))));
    known
}

/// A time as Python prints it, in the zone of this machine.
fn local(time: Timestamp) -> String {
    Zoned::new(time, TimeZone::system()).strftime("%Y-%m-%d %H:%M:%S.%6f").to_string()
}

/// The name of an account of this machine, or its number.
fn owner(uid: u32) -> String {
    let accounts = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
    let name = accounts.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        (fields.nth(1)?.parse() == Ok(uid)).then(|| name.to_owned())
    });
    name.unwrap_or_else(|| uid.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_template_knows_its_file() {
        let known = about("Cargo.toml", &Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.toml"), Some("/etc/x"));
        let text = |name: &str| known.iter().find(|(known, _)| *known == name).unwrap().1.to_string();
        assert_eq!(text("ansible_managed"), "Ansible managed");
        assert_eq!((text("template_path").as_str(), text("template_destpath").as_str()), ("Cargo.toml", "/etc/x"));
        assert!(text("template_fullpath").ends_with("/Cargo.toml"));
        assert_eq!(text("template_mtime").len(), "2024-01-02 03:04:05.000006".len());
        assert_eq!(owner(0), "root");
        assert_eq!(owner(u32::MAX), u32::MAX.to_string());
        assert_eq!(about("none", Path::new("/none"), None).len(), 6);
    }
}
