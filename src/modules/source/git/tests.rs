#![expect(clippy::disallowed_methods, reason = "repositories are made by the machine's own git")]

use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

use crate::host::Host;
use crate::host::memory::MemoryHost;
use crate::host::overlay::Overlay;
use crate::host::real::RealHost;
use crate::outcome::{Ending, Failure, Outcome};
use crate::registry::find;

/// A repository with branches `main` (two commits) and `dev`, tags `v1` and `v2` (with a text), in a place of its own.
struct Place(tempfile::TempDir);

impl Place {
    fn new() -> Self {
        let place = Self(tempfile::tempdir().unwrap());
        place.shell(
            "git init -q -b main repo; cd repo; echo 1 >f; git add f; git commit -qm one; git tag v1
             git checkout -qb dev; echo dev >f; git commit -qam dev; git tag -am text v2
             git checkout -q main; echo 2 >f; git commit -qam two",
        );
        place
    }

    fn shell(&self, text: &str) -> String {
        let names = ["GIT_AUTHOR_NAME", "GIT_AUTHOR_EMAIL", "GIT_COMMITTER_NAME", "GIT_COMMITTER_EMAIL"];
        let mut command = Command::new("sh");
        command.args(["-ec", text]).current_dir(self.0.path()).envs(names.map(|name| (name, "a@b")));
        command.envs([("GIT_CONFIG_COUNT", "1"), ("GIT_CONFIG_KEY_0", "protocol.file.allow"), ("GIT_CONFIG_VALUE_0", "always")]);
        let done = command.output().unwrap();
        assert!(done.status.success(), "{text}: {}", String::from_utf8_lossy(&done.stderr));
        String::from_utf8(done.stdout).unwrap().trim().to_owned()
    }

    fn options(&self, options: &Value) -> serde_json::Map<String, Value> {
        let path = |name: &str| self.0.path().join(name).display().to_string();
        let mut all = json!({"repo": format!("file://{}", path("repo")), "dest": path("sub/clone")});
        for (name, value) in options.as_object().unwrap() {
            let value = value.as_str().map_or(value.clone(), |text| text.replace('@', &path("")).into());
            all[name] = value;
        }
        all.as_object().unwrap().clone()
    }

    fn host() -> RealHost {
        RealHost::new(Box::new(|_| Err(Failure::new("no content"))))
    }

    /// Plans, applies, and applies again: the plan must have said the same.
    fn apply(&self, options: &Value) -> Outcome {
        let (module, parsed) = (find("git").unwrap(), self.options(options));
        let planned = (module.run)(&parsed, &mut Overlay::new(Self::host()));
        let outcome = (module.run)(&parsed, &mut Self::host());
        assert_eq!(planned.ending, outcome.ending, "{options}: {:?} {:?}", planned.result, outcome.result);
        assert_eq!(planned.changes, outcome.changes, "{options}");
        if outcome.ending != Ending::Failed {
            let again = (module.run)(&parsed, &mut Self::host());
            assert_eq!(again.ending, Ending::Ok, "{options}: a second time: {:?} {:?}", again.result, again.changes);
        }
        outcome
    }

    fn here(&self) -> String {
        self.shell("cat sub/clone/f; git -C sub/clone symbolic-ref -q --short HEAD || echo none").replace('\n', " ")
    }
}

#[test]
fn every_kind_of_version_is_checked_out_and_left() {
    let place = Place::new();
    let short = place.shell("git -C repo rev-parse --short v1");
    let full = place.shell("git -C repo rev-parse dev");
    for (version, expected) in [
        ("HEAD", "2 main"),
        ("dev", "dev dev"),
        ("HEAD", "dev dev"),
        ("v1", "1 none"),
        ("v2", "dev none"),
        ("main", "2 main"),
        (&short, "1 none"),
        (&full, "dev none"),
    ] {
        let outcome = place.apply(&json!({"version": version}));
        assert_ne!(outcome.ending, Ending::Failed, "{version}: {:?}", outcome.result);
        assert_eq!(place.here(), if version == full { "dev none" } else { expected }, "{version}");
        let head = place.shell("git -C sub/clone rev-parse HEAD");
        assert_eq!(outcome.result["after"], head, "{version}");
    }
    place.shell("cd repo; git checkout -q dev; echo newer >f; git commit -qam newer");
    let outcome = place.apply(&json!({"version": "dev"}));
    assert_eq!((outcome.ending, place.here().as_str()), (Ending::Changed, "newer dev"));
    let outcome = place.apply(&json!({"version": "nothing"}));
    assert_eq!(outcome.ending, Ending::Failed);
}

#[test]
fn clones_are_made_as_they_are_asked_for() {
    for (options, test) in [
        (json!({"depth": 1, "version": "dev"}), "[ $(git -C sub/clone rev-list --count HEAD) = 1 ]"),
        (json!({"depth": 1}), "[ -f sub/clone/.git/shallow ]"),
        (json!({"depth": 1, "version": "v1"}), "[ $(cat sub/clone/f) = 1 ]"),
        (json!({"remote": "up"}), "git -C sub/clone rev-parse up/dev"),
        (json!({"single_branch": true, "version": "main"}), "! git -C sub/clone rev-parse -q --verify origin/dev"),
        (json!({"separate_git_dir": "@own.git"}), "[ -f sub/clone/.git ] && [ -f own.git/HEAD ]"),
        (json!({"bare": true}), "[ -f sub/clone/HEAD ] && git -C sub/clone rev-parse dev"),
        (json!({"bare": true, "remote": "up"}), "git -C sub/clone config remote.up.url"),
        (json!({"umask": "0077"}), "[ $(stat -c %a sub/clone/f) = 600 ]"),
        (json!({"refspec": "+refs/heads/dev:refs/heads/other"}), "git -C sub/clone rev-parse other"),
        (json!({"reference": "@repo"}), "[ -s sub/clone/.git/objects/info/alternates ]"),
        (json!({"archive": "@a.tar.gz", "version": "v1"}), "tar xzf a.tar.gz && [ $(cat f) = 1 ]"),
        (json!({"archive": "@a.zip", "archive_prefix": "x/"}), "unzip -l a.zip | grep x/f"),
    ] {
        let place = Place::new();
        let outcome = place.apply(&options);
        assert_eq!(outcome.ending, Ending::Changed, "{options}: {:?}", outcome.result);
        assert_eq!(outcome.result["before"], Value::Null, "{options}");
        place.shell(test);
    }
}

#[test]
fn a_shallow_clone_can_go_to_other_versions() {
    let place = Place::new();
    let first = place.shell("git -C repo rev-parse v1");
    for (options, expected) in [
        (json!({"depth": 1, "version": "main"}), "2 main"),
        (json!({"depth": 1, "version": "dev"}), "dev dev"),
        (json!({"depth": 1, "version": "v1"}), "1 none"),
        (json!({"version": "dev"}), "dev dev"),
        (json!({"version": first}), "1 none"),
    ] {
        let outcome = place.apply(&options);
        assert_eq!(outcome.ending, Ending::Changed, "{options}: {:?}", outcome.result);
        assert_eq!(place.here(), expected, "{options}");
    }
}

#[test]
fn changes_in_the_clone_are_kept_unless_force_is_given() {
    let place = Place::new();
    place.apply(&json!({}));
    place.shell("echo mine >sub/clone/f; echo new >sub/clone/untracked");
    let outcome = place.apply(&json!({}));
    assert_eq!(outcome.ending, Ending::Failed);
    assert!(outcome.result["msg"].as_str().unwrap().starts_with("Local modifications exist in the destination"));
    assert_eq!(place.apply(&json!({"update": false})).ending, Ending::Ok);
    let outcome = place.apply(&json!({"force": true}));
    assert_eq!(outcome.ending, Ending::Changed);
    assert_eq!(outcome.changes[0].differences[0].before, json!(["f"]));
    assert_eq!((place.here().as_str(), place.shell("cat sub/clone/untracked").as_str()), ("2 main", "new"));
}

#[test]
fn another_address_and_another_place_for_gits_files_are_changes() {
    let place = Place::new();
    place.apply(&json!({}));
    place.shell("git clone -q --bare repo other.git");
    let outcome = place.apply(&json!({"repo": "file://@other.git"}));
    assert_eq!((outcome.ending, &outcome.result["remote_url_changed"]), (Ending::Changed, &json!(true)));
    assert!(place.shell("git -C sub/clone remote get-url origin").ends_with("/other.git"));
    assert_eq!(place.apply(&json!({"repo": "@other.git"})).ending, Ending::Ok, "a path is the same as its address");
    let outcome = place.apply(&json!({"repo": "@other.git", "separate_git_dir": "@own.git"}));
    assert_eq!(outcome.ending, Ending::Changed);
    place.shell("[ -f own.git/HEAD ] && [ -f sub/clone/.git ] && git -C sub/clone status");
}

#[test]
fn a_mirror_has_every_branch() {
    let place = Place::new();
    place.apply(&json!({"bare": true}));
    place.shell("cd repo; git checkout -q dev; echo n >f; git commit -qam n; git tag v3");
    let outcome = place.apply(&json!({"bare": true}));
    assert_eq!(outcome.changes[0].differences[0].before, json!(["refs/heads/dev", "refs/tags/v3"]));
    place.shell("[ $(git -C sub/clone rev-parse dev) = $(git -C repo rev-parse v3) ]");
}

#[test]
fn submodules_are_as_the_version_has_them() {
    let place = Place::new();
    place.shell("git clone -q repo lib; cd repo; git submodule add -q ../lib lib; git commit -qm lib");
    // Git refuses paths as submodules unless it is told not to.
    let home = place.0.path().join("home");
    std::fs::create_dir(&home).unwrap();
    std::fs::write(home.join("config"), "[protocol \"file\"]\n\tallow = always\n").unwrap();
    let run = |options: &Value| {
        let mut host = Place::host();
        let file = home.join("config").display().to_string();
        host.begin_task(std::collections::BTreeMap::from([("GIT_CONFIG_GLOBAL".to_owned(), file)]), None);
        (find("git").unwrap().run)(&place.options(options), &mut host)
    };
    let lib = "cat sub/clone/lib/f 2>/dev/null || echo none";
    assert_eq!((run(&json!({"recursive": false})).ending, place.shell(lib).as_str()), (Ending::Changed, "none"));
    let outcome = run(&json!({}));
    assert_eq!((outcome.ending, place.shell(lib).as_str()), (Ending::Changed, "2"), "{:?}", outcome.result);
    assert_eq!(outcome.changes[0].differences[0].before, json!(["lib"]));
    assert_eq!(run(&json!({})).ending, Ending::Ok);
    place.shell("cd lib; echo 3 >f; git commit -qam three");
    assert_eq!(run(&json!({})).ending, Ending::Ok);
    let outcome = run(&json!({"track_submodules": true}));
    assert_eq!((outcome.ending, place.shell(lib).as_str()), (Ending::Changed, "3"), "{:?}", outcome.result);
    assert_eq!(run(&json!({"track_submodules": true})).ending, Ending::Ok);
}

#[test]
fn without_cloning_the_version_is_told() {
    let place = Place::new();
    let outcome = (find("git").unwrap().run)(&place.options(&json!({"clone": false, "version": "v2"})), &mut Place::host());
    assert_eq!((outcome.ending, &outcome.result["after"]), (Ending::Changed, &json!(place.shell("git -C repo rev-parse dev"))));
    assert!(!place.0.path().join("sub").exists());
}

#[test]
fn what_cannot_be_cloned_is_said_and_nothing_is_touched() {
    let place = Place::new();
    place.shell("mkdir -p full; touch full/x; git init -q empty");
    for (options, part) in [
        (json!({"repo": "file://@nothing"}), "nothing"),
        (json!({"dest": "@full"}), "is not empty"),
        (json!({"repo": "--upload-pack=touch @x"}), "cannot be used as a name"),
        (json!({"version": "--orphan"}), "cannot be used as a name"),
        (json!({"repo": "@empty"}), "no commit yet"),
        (json!({"archive": "@a.rar"}), "does not end in"),
        (json!({"umask": "9"}), "octal"),
        (json!({"verify_commit": true}), "Failed to verify"),
    ] {
        let outcome = (find("git").unwrap().run)(&place.options(&options), &mut Place::host());
        assert_eq!(outcome.ending, Ending::Failed, "{options}");
        let message = outcome.result["msg"].as_str().unwrap();
        assert!(message.contains(part), "{options}: {message}");
    }
}

#[test]
fn passwords_are_neither_in_commands_nor_in_messages() {
    let mut host = MemoryHost::default();
    host.add_directory("/srv");
    host.answer(&["git", "ls-remote", "--", "https://h.org/a.git", "*"], 0, &format!("{}\tHEAD\n", "1".repeat(40)));
    host.answer(&["git", "-C", "/srv/a", "rev-parse", "*"], 0, &"1".repeat(40));
    let options = json!({"repo": "https://me:hunter2@h.org/a.git", "dest": "/srv/a"});
    let outcome = (find("git").unwrap().run)(options.as_object().unwrap(), &mut host);
    assert_eq!(outcome.ending, Ending::Changed, "{:?}", outcome.result);
    assert!(!format!("{outcome:?}").contains("hunter2"));
    let clone = &host.ran[0];
    assert!(!clone.argv.iter().any(|word| word.contains("hunter2")), "{:?}", clone.argv);
    assert_eq!(clone.environment["GIT_CONFIG_KEY_0"], "url.https://me:hunter2@h.org/.insteadOf");
    assert!(host.inspect().stat(Path::new("/srv/a/.git")).unwrap().is_some());
}

#[test]
fn keys_and_options_go_to_ssh() {
    let mut host = MemoryHost::default();
    host.add_directory("/srv");
    host.answer(&["git", "ls-remote", "*"], 0, &format!("{}\tHEAD\n", "1".repeat(40)));
    host.answer(&["git", "-C", "/srv/a", "rev-parse", "*"], 0, &"1".repeat(40));
    let options =
        json!({"repo": "git@h.org:a", "dest": "/srv/a", "key_file": "/k e;y", "accept_newhostkey": true, "ssh_opts": "-p 22"});
    (find("git").unwrap().run)(options.as_object().unwrap(), &mut host);
    assert_eq!(
        host.ran[0].environment["GIT_SSH_COMMAND"],
        "ssh -o StrictHostKeyChecking=accept-new -o IdentitiesOnly=yes -i '/k e;y' -p 22 -o BatchMode=yes"
    );
}
