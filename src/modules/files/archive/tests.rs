#![expect(clippy::disallowed_methods, reason = "archives are read by the machine's own programs")]

use std::process::Command;

use serde_json::{Value, json};

use crate::host::overlay::Overlay;
use crate::host::real::RealHost;
use crate::outcome::{Ending, Failure, Outcome};
use crate::registry::find;

/// A place with files.
struct Place(tempfile::TempDir);

impl Place {
    fn new() -> Self {
        let place = Self(tempfile::tempdir().unwrap());
        place.shell("mkdir -p in/d/sub; echo 1 >in/a.txt; echo 2 >in/d/b.txt; echo 3 >in/d/sub/c; ln -s b.txt in/d/l; ln -s sub in/d/s; touch -- in/-n; mkfifo in/d/pipe; touch -d 2001-02-03 in/a.txt; ln -s nowhere broken");
        place
    }

    fn shell(&self, text: &str) -> String {
        let done = Command::new("sh").args(["-ec", text]).current_dir(self.0.path()).output().unwrap();
        assert!(done.status.success(), "{text}: {}", String::from_utf8_lossy(&done.stderr));
        String::from_utf8(done.stdout).unwrap().trim().to_owned()
    }

    fn place(&self, text: &str) -> String {
        text.replace('@', &format!("{}/", self.0.path().display()))
    }

    /// Plans, applies, and applies again: the plan must have said the same.
    fn apply(&self, options: &Value) -> Outcome {
        let text = self.place(&options.to_string());
        let options: Value = serde_json::from_str(&text).unwrap();
        let (module, options) = (find("archive").unwrap(), options.as_object().unwrap().clone());
        let host = || RealHost::new(Box::new(|_| Err(Failure::new("no content"))));
        let mut overlay = Overlay::new(host());
        let planned = (module.run)(&options, &mut overlay);
        let again = (module.run)(&options, &mut overlay);
        let outcome = (module.run)(&options, &mut host());
        assert_eq!(planned.ending, outcome.ending, "{text}: {:?} {:?}", planned.result, outcome.result);
        assert_eq!(planned.changes, outcome.changes, "{text}");
        if outcome.ending != Ending::Failed {
            assert_eq!(again.ending, Ending::Ok, "{text}: planned a second time: {:?}", again.changes);
            let again = (module.run)(&options, &mut host());
            assert_eq!(again.ending, Ending::Ok, "{text}: a second time: {:?}", again.changes);
        }
        outcome
    }
}

#[test]
fn archives_hold_what_was_asked_for() {
    for (options, test, names) in [
        (json!({"path": "@in/d", "dest": "@o.tgz"}), "tar tzf o.tgz", "d/b.txt d/l d/s d/sub/ d/sub/c"),
        (json!({"path": "@in/d/", "dest": "@o.tar", "format": "tar"}), "tar tf o.tar", "b.txt l s sub/ sub/c"),
        (json!({"path": ["@in/a.txt", "@in/-n"], "dest": "@o.tgz"}), "tar tzf o.tgz", "-n a.txt"),
        (json!({"path": ["@in/*"], "exclude_path": ["@in/d"], "dest": "@o", "format": "bz2"}), "tar tjf o", "-n a.txt"),
        (
            json!({"path": "@in/d", "dest": "@o", "format": "xz", "exclusion_patterns": ["*.txt", "d/l"]}),
            "tar tJf o",
            "d/s d/sub/ d/sub/c",
        ),
        (json!({"path": "@in/d", "dest": "@o.zip", "format": "zip"}), "unzip -Z1 o.zip", "d/b.txt d/l d/s/ d/sub/ d/sub/c"),
        (
            json!({"path": "@in/a.txt", "dest": "@o", "force_archive": true, "mode": "0600"}),
            "stat -c %a o >/dev/null; tar tzf o",
            "a.txt",
        ),
        (json!({"path": "@in/a.txt"}), "zcat in/a.txt.gz", "1"),
        (json!({"path": "@in/a.txt", "format": "zip"}), "unzip -Z1 in/a.txt.zip", "a.txt"),
        (json!({"path": "@in/a.txt", "format": "bz2"}), "bzcat in/a.txt.bz2", "1"),
        (json!({"path": "@in/a.txt", "dest": "@o.xz", "format": "xz"}), "xzcat o.xz", "1"),
    ] {
        let program = options["format"].as_str().unwrap_or("gzip").replace("bz2", "bzip2");
        if Command::new(&program).arg("--version").output().is_err() {
            continue;
        }
        let place = Place::new();
        let outcome = place.apply(&options);
        assert_eq!(outcome.ending, Ending::Changed, "{options}: {:?}", outcome.result);
        let mut found: Vec<String> = place.shell(test).lines().map(str::to_owned).collect();
        found.sort();
        assert_eq!(found.join(" "), names, "{options}");
    }
}

#[test]
fn an_archive_follows_its_files() {
    let place = Place::new();
    let options = json!({"path": "@in/d", "dest": "@o.tgz"});
    place.apply(&options);
    for change in ["echo x >in/d/b.txt", "chmod 600 in/d/sub/c", "rm in/d/l", "touch -d 2002-01-01 in/d/b.txt", "echo no >o.tgz"]
    {
        place.shell(change);
        let outcome = place.apply(&options);
        assert_eq!(outcome.ending, Ending::Changed, "{change}");
        place.shell("rm -rf out; mkdir out; tar xzf o.tgz -C out; rm -f in/d/pipe; diff -r --no-dereference in/d out/d");
    }
    place.shell("mkdir in/d/out; cp o.tgz in/d/out");
    let within = json!({"path": "@in/d", "dest": "@in/d/out/own.tgz"});
    assert_eq!(place.apply(&within).ending, Ending::Changed);
}

#[test]
fn files_are_removed_when_they_were_packed() {
    let place = Place::new();
    let outcome = place.apply(&json!({"path": ["@in/d/", "@in/a.txt"], "dest": "@o.tgz", "remove": true}));
    assert_eq!((outcome.ending, &outcome.result["state"]), (Ending::Changed, &json!("file")));
    assert_eq!(place.shell("ls in; tar tzf o.tgz | sort"), "-n\na.txt\nd/b.txt\nd/l\nd/s\nd/sub/\nd/sub/c");
}

#[test]
fn what_is_missing_is_told() {
    let place = Place::new();
    let outcome = place.apply(&json!({"path": ["@in/a.txt", "@in/no"], "dest": "@o.tgz"}));
    assert_eq!((outcome.ending, &outcome.result["dest_state"]), (Ending::Changed, &json!("incomplete")));
    assert_eq!(outcome.result["missing"], json!([place.place("@in/no")]));
    assert_eq!(outcome.result["arcroot"], place.place("@in/"));
    let outcome = place.apply(&json!({"path": "@in/no", "dest": "@p.tgz"}));
    assert_eq!((outcome.ending, &outcome.result["dest_state"]), (Ending::Ok, &json!("absent")));
    for (options, part) in [
        (json!({"path": "@in/d"}), "must specify \"dest\""),
        (json!({"path": "@no*", "dest": "@o"}), "no source paths were found"),
        (json!({"path": "@in/d", "dest": "@in"}), "is a directory"),
        (json!({"path": "@in/d", "dest": "@no/o"}), "does not exist"),
        (json!({"path": "@broken", "dest": "@o.zip", "format": "zip"}), "leads nowhere"),
    ] {
        let outcome = place.apply(&options);
        assert_eq!(outcome.ending, Ending::Failed, "{options}");
        assert!(outcome.result["msg"].as_str().unwrap().contains(part), "{options}: {:?}", outcome.result);
    }
}
