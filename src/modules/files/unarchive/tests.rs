#![expect(clippy::disallowed_methods, reason = "archives are made by the machine's own programs")]

use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

use crate::files::packed::fixture::{Made, app, tar};
use crate::host::memory::MemoryHost;
use crate::host::overlay::Overlay;
use crate::host::real::RealHost;
use crate::host::{Host, Inspect as _};
use crate::outcome::{Ending, Failure, Outcome};
use crate::registry::find;

fn run(host: &mut dyn Host, options: &Value) -> Outcome {
    let mut all = json!({"src": "/a.tar", "dest": "/srv", "remote_src": true});
    all.as_object_mut().unwrap().extend(options.as_object().unwrap().clone());
    (find("unarchive").unwrap().run)(all.as_object().unwrap(), host)
}

fn host(archive: Vec<u8>) -> MemoryHost {
    let mut host = MemoryHost::default();
    host.add_group("admin", 1000, &[]);
    host.add_user("admin", 1000, 1000, "/home/admin", "/bin/sh");
    host.add_file("/a.tar", "").content = archive;
    host.add_directory("/srv");
    host
}

/// Everything beneath a directory: path, kind, mode, owner, time, content or target.
fn all(host: &MemoryHost, top: &str) -> Vec<String> {
    let paths = host.names.iter().filter(|(path, _)| path.starts_with(top) && *path != Path::new(top));
    paths
        .map(|(path, number)| {
            let node = &host.nodes[number];
            let text =
                node.target.as_ref().map_or(String::from_utf8_lossy(&node.content).into_owned(), |to| to.display().to_string());
            format!("{} {:o} {} {}", path.display(), node.mode, node.uid, text.trim())
        })
        .collect()
}

#[test]
fn what_is_in_an_archive_is_put_in_its_place() {
    let mut host = host(app());
    let outcome = run(&mut host, &json!({"list_files": true}));
    assert_eq!(outcome.ending, Ending::Changed, "{:?}", outcome.result);
    assert_eq!(outcome.result["handler"], "TarArchive");
    assert_eq!(outcome.result["files"][1], "app-1.0/bin/app");
    assert_eq!(
        all(&host, "/srv"),
        [
            "/srv/app-1.0 755 1000 ",
            "/srv/app-1.0/bin 755 0 ",
            "/srv/app-1.0/bin/app 755 1000 #!/bin/sh",
            "/srv/app-1.0/bin/second 755 1000 #!/bin/sh",
            "/srv/app-1.0/current 777 1000 bin/app",
            "/srv/app-1.0/notes.txt 640 1000 notes",
        ]
    );
    let stat = |path: &str| host.stat(Path::new(path)).unwrap().unwrap();
    assert_eq!(stat("/srv/app-1.0/bin/app").ino, stat("/srv/app-1.0/bin/second").ino);
    assert!((stat("/srv/app-1.0/notes.txt").mtime - 1e9).abs() < 1.0);
}

#[test]
fn only_what_differs_is_changed() {
    for (path, change, property) in [
        ("notes.txt", "content", "content"),
        ("notes.txt", "mode", "mode"),
        ("notes.txt", "time", "modified"),
        ("notes.txt", "gone", "state"),
        ("bin/second", "gone", "state"),
        ("current", "target", "src"),
    ] {
        let mut host = host(app());
        run(&mut host, &json!({}));
        let before = all(&host, "/srv");
        let path = format!("/srv/app-1.0/{path}");
        match change {
            "gone" => host.remove(Path::new(&path)).unwrap(),
            "target" => host.add_link(&path, "elsewhere"),
            _ => {
                let number = host.names[Path::new(&path)];
                let node = host.nodes.get_mut(&number).unwrap();
                match change {
                    "content" => node.content = b"other\n".to_vec(),
                    "mode" => node.mode = 0o600,
                    _ => node.mtime += 60.0,
                }
            }
        }
        let outcome = run(&mut host, &json!({}));
        assert_eq!(outcome.ending, Ending::Changed, "{change}: {:?}", outcome.result);
        let differences: Vec<&str> =
            outcome.changes.iter().flat_map(|change| &change.differences).map(|one| one.property.as_str()).collect();
        assert!(differences.contains(&property), "{change}: {differences:?}");
        assert_eq!(outcome.changes.len(), 1, "{change}: {:?}", outcome.changes);
        assert_eq!(all(&host, "/srv"), before, "{change}");
        assert_eq!(run(&mut host, &json!({})).ending, Ending::Ok, "{change}");
    }
}

#[test]
fn options_choose_rename_and_keep() {
    for (options, expected) in [
        (json!({"include": ["app-1.0/bin"]}), vec!["app-1.0", "app-1.0/bin", "app-1.0/bin/app", "app-1.0/bin/second"]),
        (json!({"exclude": ["bin", "*.txt"]}), vec!["app-1.0", "app-1.0/current"]),
        (json!({"extra_opts": ["--strip-components=2"]}), vec!["app", "second"]),
        (json!({"extra_opts": ["--strip-components", "1"], "exclude": ["bin"]}), vec!["current", "notes.txt"]),
    ] {
        let mut host = host(app());
        let outcome = run(&mut host, &options);
        assert_eq!(outcome.ending, Ending::Changed, "{options}: {:?}", outcome.result);
        let names: Vec<String> = host
            .names
            .keys()
            .filter_map(|path| Some(path.strip_prefix("/srv").ok()?.display().to_string()))
            .filter(|name| !name.is_empty())
            .collect();
        assert_eq!(names, expected, "{options}");
    }
    for (options, text) in
        [(json!({"keep_newer": true}), "mine"), (json!({}), "notes\n"), (json!({"extra_opts": ["--keep-old-files"]}), "mine")]
    {
        let mut host = host(app());
        host.add_file("/srv/app-1.0/notes.txt", "mine");
        run(&mut host, &options);
        assert_eq!(host.text("/srv/app-1.0/notes.txt").as_deref(), Some(text), "{options}");
        assert_eq!(run(&mut host, &options).ending, Ending::Ok, "{options}");
    }
}

#[test]
fn nothing_is_unpacked_of_an_archive_that_would_leave_the_directory() {
    let fine: Made<'_> = ("fine", b'0', "x", 0o644);
    for bad in [
        vec![("/../etc/passwd", b'0', "x", 0o644)],
        vec![("../etc/passwd", b'0', "x", 0o644)],
        vec![("a/../../etc/passwd", b'0', "x", 0o644)],
        vec![("l", b'2', "/etc", 0o777), ("l/passwd", b'0', "x", 0o644)],
        vec![("l", b'2', "..", 0o777), ("l/etc/passwd", b'0', "x", 0o644)],
        vec![("h", b'1', "/etc/passwd", 0o644)],
        vec![("h", b'1', "../etc/passwd", 0o644)],
        vec![("out/passwd", b'0', "x", 0o644)],
        vec![("h", b'1', "out/passwd", 0o666)],
        vec![("d/x", b'0', "x", 0o644), ("d", b'2', "/etc", 0o777)],
        vec![("f", b'0', "x", 0o644), ("f/x", b'0', "x", 0o644)],
        vec![("pipe", b'6', "", 0o644)],
        vec![("disk", b'4', "", 0o644)],
    ] {
        let mut entries = vec![fine];
        entries.extend(&bad);
        let mut host = host(tar(&entries));
        host.add_file("/etc/passwd", "root");
        host.add_link("/srv/out", "/etc");
        let before = host.clone();
        let outcome = run(&mut host, &json!({}));
        assert_eq!(outcome.ending, Ending::Failed, "{bad:?}");
        assert!(outcome.result["msg"].as_str().unwrap().contains("refused"), "{:?}", outcome.result);
        assert!(host == before, "{bad:?}: something was changed");
    }
}

#[test]
fn what_cannot_be_unpacked_is_said() {
    for (options, archive, part) in [
        (json!({"dest": "/nowhere"}), app(), "must be an existing dir"),
        (json!({"src": "/nothing.tar"}), app(), "does not exist"),
        (json!({}), b"text".to_vec(), "neither a tar nor a zip archive"),
        (json!({"include": ["other"]}), app(), "is not in the archive"),
        (json!({"remote_src": false}), app(), "remote_src"),
        (json!({"extra_opts": ["--transform=s/a/b/"]}), app(), "not supported"),
        (json!({}), app()[..1200].to_vec(), "cannot be read"),
        (json!({"exclude": ["a"], "include": ["b"]}), app(), "mutually exclusive"),
    ] {
        let mut host = host(archive);
        host.packages.clear();
        let before = host.clone();
        let outcome = run(&mut host, &options);
        assert_eq!(outcome.ending, Ending::Failed, "{options}");
        assert!(outcome.result["msg"].as_str().unwrap().contains(part), "{options}: {:?}", outcome.result);
        assert!(host == before, "{options}");
    }
}

#[test]
fn archives_of_services_are_unknown_in_a_plan_and_leave_nothing_behind() {
    let mut host = host(Vec::new());
    host.add_directory("/tmp");
    host.serve("GET https://example.org/app.tar", 200, &[], app());
    let options = json!({"src": "https://example.org/app.tar", "owner": "root"});
    let mut plan = Overlay::new(host.clone());
    assert_eq!(run(&mut plan, &options).ending, Ending::Unknown);
    assert_eq!(run(&mut host, &options).ending, Ending::Changed);
    assert_eq!(host.list(Path::new("/tmp")).unwrap(), Vec::<String>::new());
    assert!(host.text("/srv/app-1.0/notes.txt").is_some());
    assert_eq!(run(&mut host, &options).ending, Ending::Ok);
    let missing = json!({"src": "https://example.org/no.tar"});
    host.serve("GET https://example.org/no.tar", 404, &[], "");
    assert!(run(&mut host, &missing).result["msg"].as_str().unwrap().contains("HTTP Error 404"));
}

#[test]
fn every_kind_of_archive_that_the_usual_programs_make_is_read() {
    let place = tempfile::tempdir().unwrap();
    let top = place.path();
    let shell = |text: &str| {
        let done = Command::new("sh").args(["-ec", text]).current_dir(top).output().unwrap();
        assert!(done.status.success(), "{text}: {}", String::from_utf8_lossy(&done.stderr));
        String::from_utf8(done.stdout).unwrap()
    };
    shell(
        "mkdir -p in/d/e; echo one >in/d/one; head -c 300000 /dev/urandom >in/d/e/big; : >in/empty; chmod 750 in/d/e; chmod 4755 in/d/one; ln -s d/one in/link; touch -d 2001-02-03 in/d/one",
    );
    shell("n=$(printf 'long%.0s' $(seq 40)); echo long >in/d/$n; ln -s $n$n in/d/longlink");
    let programs = [
        ("bzip2", "tar cjf"),
        ("xz", "tar cJf"),
        ("zstd", "tar --zstd -cf"),
        ("tar", "tar cf"),
        ("gzip", "tar czf"),
        ("tar", "tar --format=pax -cf"),
        ("zip", "zip -qry"),
    ];
    let mut made = 0;
    for (program, line) in programs {
        if Command::new(program).arg("--version").output().is_err() {
            continue;
        }
        made += 1;
        shell(&format!("rm -rf out a; mkdir out; (cd in; {line} ../a .); [ -f a ] || mv a.zip a"));
        let mut host = RealHost::new(Box::new(|_| Err(Failure::new("no content"))));
        let options = json!({"src": top.join("a").display().to_string(), "dest": top.join("out").display().to_string()});
        let outcome = run(&mut host, &options);
        assert_eq!(outcome.ending, Ending::Changed, "{line}: {:?}", outcome.result);
        shell("diff -r --no-dereference in out");
        let shown = "find . -mindepth 1 ! -type d -printf '%P %m %U %T@ %l\\n' | sed 's/\\.[0-9]* / /' | sort";
        let zipped = |text: String| if program == "zip" { text.replace("4755", "755") } else { text };
        let attributes = |directory: &str| shell(&format!("cd {directory}; {shown}"));
        let (of_links, expected) = (attributes("out"), zipped(attributes("in")));
        let files = |text: &str| text.lines().filter(|line| !line.contains("777")).map(str::to_owned).collect::<Vec<_>>();
        assert_eq!(files(&of_links), files(&expected), "{line}");
        assert_eq!(shell("stat -c %a out/d/e"), "750\n", "{line}");
        assert_eq!(run(&mut host, &options).ending, Ending::Ok, "{line}: a second time");
    }
    assert!(made >= 3, "tar, gzip and one more are on every machine");
}

#[test]
fn a_plan_of_large_files_is_known() {
    let large = "x".repeat(5 << 20);
    let mut overlay = Overlay::new(host(tar(&[("large", b'0', &large, 0o644), ("small", b'0', "s", 0o644)])));
    let outcome = run(&mut overlay, &json!({}));
    assert_eq!((outcome.ending, outcome.changes.len()), (Ending::Changed, 2), "{:?}", outcome.result);
}

#[test]
fn absolute_paths_are_taken_as_paths_beneath() {
    let mut host = host(tar(&[("/etc/motd", b'0', "new", 0o644), ("volume", b'V', "", 0o644)]));
    host.add_file("/etc/motd", "old");
    let outcome = run(&mut host, &json!({}));
    assert_eq!(outcome.ending, Ending::Changed, "{:?}", outcome.result);
    let texts = ["/etc/motd", "/srv/etc/motd"].map(|path| host.text(path));
    assert_eq!(texts, [Some("old".to_owned()), Some("new".to_owned())]);
}

#[test]
fn holes_in_files_are_not_their_content() {
    let place = tempfile::tempdir().unwrap();
    let at = |name: &str| place.path().join(name).display().to_string();
    std::fs::create_dir(at("in")).unwrap();
    std::fs::create_dir(at("out")).unwrap();
    let file = std::fs::File::create(at("in/holes")).unwrap();
    file.set_len(3 << 20).unwrap();
    std::os::unix::fs::FileExt::write_at(&file, b"end", (2 << 20) + 5).unwrap();
    for format in ["gnu", "pax"] {
        let words = [&format!("--format={format}"), "--sparse", "-cf", "a.tar", "-C", "in", "holes"];
        assert!(Command::new("tar").args(words).current_dir(place.path()).status().unwrap().success());
        let mut real = RealHost::new(Box::new(|_| Err(Failure::new("no content"))));
        let outcome = run(&mut real, &json!({"src": at("a.tar"), "dest": at("out")}));
        let read = |path: &str| std::fs::read(at(path)).ok();
        if outcome.ending == Ending::Failed {
            assert!(format == "pax" && read("out/holes").is_none(), "{format}: {:?}", outcome.result);
        } else {
            assert!(read("in/holes") == read("out/holes"), "{format}: other content");
        }
        let _ = std::fs::remove_file(at("out/holes"));
        assert_eq!(std::fs::read_dir(at("out")).unwrap().count(), 0, "{format}: something else was made");
    }
}
