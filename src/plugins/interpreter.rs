//! Which Python runs plugins: one that has ansible-core, if there is one, since many plugins use it.

use std::collections::BTreeMap;
use std::io::Read as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

/// The program: the one that was named, the Python of an `ansible-playbook` in the path, that of a
/// virtual environment, or `python3`.
pub(super) fn find(named: Option<&Path>, environment: &BTreeMap<String, String>) -> Option<PathBuf> {
    if let Some(named) = named {
        return Some(named.to_owned());
    }
    let directories: Vec<PathBuf> =
        environment.get("PATH").map(|path| path.split(':').map(PathBuf::from).collect()).unwrap_or_default();
    let ansible = directories.iter().find_map(|directory| of_script(&directory.join("ansible-playbook")));
    let virtual_environment = environment.get("VIRTUAL_ENV").map(|root| Path::new(root).join("bin/python3"));
    let usual = directories.iter().map(|directory| directory.join("python3"));
    ansible.into_iter().chain(virtual_environment).chain(usual).find(|path| runs(path))
}

fn runs(path: &Path) -> bool {
    path.metadata().is_ok_and(|metadata| metadata.is_file() && metadata.permissions().mode() & 0o111 != 0)
}

/// The interpreter that a script names in its first line. (This program may well be called
/// `ansible-playbook` itself: it is no script.)
fn of_script(script: &Path) -> Option<PathBuf> {
    let mut start = [0; 256];
    let length = std::fs::File::open(script).ok()?.read(&mut start).ok()?;
    let line = std::str::from_utf8(&start[..length]).ok()?.lines().next()?;
    let program = line.strip_prefix("#!")?.split_whitespace().next()?;
    let path = PathBuf::from(program);
    (path.is_absolute() && path.file_name()?.to_str()?.starts_with("python")).then_some(path)
}

/// Where a Python installed by `pip` has collections.
pub(super) fn site_collections(python: &Path) -> Vec<PathBuf> {
    let Some(library) = python.parent().and_then(Path::parent).map(|root| root.join("lib")) else { return Vec::new() };
    let entries = std::fs::read_dir(library).into_iter().flatten().filter_map(Result::ok);
    entries
        .filter(|entry| entry.file_name().to_string_lossy().starts_with("python3"))
        .map(|entry| entry.path().join("site-packages/ansible_collections"))
        .filter(|path| path.is_dir())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_python_of_ansible_goes_before_others() {
        let directory = tempfile::tempdir().unwrap();
        let path = |name: &str| directory.path().join(name);
        let program = |name: &str, text: &str| {
            std::fs::create_dir_all(path(name).parent().unwrap()).unwrap();
            std::fs::write(path(name), text).unwrap();
            std::fs::set_permissions(path(name), std::fs::Permissions::from_mode(0o755)).unwrap();
        };
        let environment = BTreeMap::from([("PATH".to_owned(), path("bin").display().to_string())]);
        assert_eq!(find(None, &environment), None);
        program("bin/python3", "");
        assert_eq!(find(None, &environment), Some(path("bin/python3")));
        program("venv/bin/python3", "");
        program("bin/ansible-playbook", "\x7fELF");
        assert_eq!(find(None, &environment), Some(path("bin/python3")));
        program("bin/ansible-playbook", &format!("#!{}\nimport re\n", path("venv/bin/python3").display()));
        assert_eq!(find(None, &environment), Some(path("venv/bin/python3")));
        assert_eq!(find(Some(Path::new("/x/python")), &environment), Some(PathBuf::from("/x/python")));
        std::fs::create_dir_all(path("venv/lib/python3.11/site-packages/ansible_collections")).unwrap();
        assert_eq!(site_collections(&path("venv/bin/python3")).len(), 1);
    }
}
