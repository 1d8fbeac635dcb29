//! What package managers answer on the host in memory that the examples are applied to.

use crate::host::memory::MemoryHost;

/// Adds the answers.
pub(crate) fn answers(host: &mut MemoryHost) {
    let rpms = "glibc\t(none)\t2.38\t1.fc39\tx86_64\nbash\t(none)\t5.2.15\t5.fc39\tx86_64\nzlib\t(none)\t1.2.13\t4.fc39\tx86_64\ntelnet\t1\t0.17\t90\tx86_64\n";
    host.answer(&["rpm", "-qa", "*"], 0, rpms);
    let table = |rows: &str| format!("{rows}\nTransaction Summary\n");
    for (words, rows) in [
        (
            &["install", "httpd"][..],
            "Installing:\n httpd x86_64 2.4.58-1 updates 1 M\nInstalling dependencies:\n apr x86_64 1.7.3-2 fedora 1 k\n",
        ),
        (&["upgrade", "zlib"], "Upgrading:\n zlib x86_64 1.2.13-5.fc39 updates 90 k\n"),
        (
            &["--setopt=clean_requirements_on_remove=False", "remove", "telnet"],
            "Removing:\n telnet x86_64 1:0.17-90 @fedora 1 k\n",
        ),
    ] {
        host.answer(&[&["dnf", "--assumeno"], words].concat(), 1, &table(rows));
    }
    host.add_directory("/etc/yum.repos.d");
    host.answer(&["rpm", "-q", "gpg-pubkey", "*"], 0, "deadb33f 5f2a1b3c\n");
    host.answer(&["zypper", "*"], 0, "<to-install><solvable name=\"nmap\" edition=\"7.94-1\"/></to-install>");
    host.answer(&["pacman", "-Q"], 0, "glibc 2.38-7\ntree 2.1.1-1\n");
    host.answer(&["pacman", "-T", "nginx"], 127, "nginx\n");
    host.answer(&["pacman", "-Sgq", "--", "nginx"], 1, "");
    host.answer(&["pacman", "-S", "*"], 0, "> pcre2 10.42-2\n> nginx 1.24.0-3\n");
    host.answer(&["pacman", "-R", "*"], 0, "> tree 2.1.1-1\n");
    host.answer(&["pacman", "-Su", "*"], 0, "> glibc 2.39-1\n");
    host.add_file("/etc/apk/world", "busybox\n");
    host.answer(&["apk", "info", "-v"], 0, "busybox-1.36.1-r5\nmusl-1.2.4-r2\n");
    host.answer(&["apk", "add", "--simulate", "*"], 0, "(1/2) Installing pcre (8.45-r3)\n(2/2) Installing nginx (1.24.0-r6)\n");
    host.answer(&["apk", "upgrade", "--simulate"], 0, "(1/1) Upgrading musl (1.2.4-r2 -> 1.2.4-r3)\n");
    host.add_directory("/opt/app");
    host.answer(&["npm", "ls", "*"], 0, r#"{"dependencies": {"oldpackage": {"version": "1.0.0"}}}"#);
    host.answer(&["npm", "install", "*"], 0, r#"{"add": [{"name": "coffee-script", "version": "1.6.1"}]}"#);
    host.answer(&["npm", "uninstall", "*"], 0, r#"{"remove": [{"name": "oldpackage", "version": "1.0.0"}]}"#);
    host.answer(&["gem", "list", "*"], 0, "");
    host.answer(&["gem", "list", "--norc", "--local", "--exact", "--no-details", "rake"], 0, "rake (13.0.6)\n");
    host.answer(&["gem", "list", "--norc", "--local", "--exact", "--no-details", "oldgem"], 0, "oldgem (2.0, 1.0)\n");
    host.answer(&["composer", "*"], 0, "  - Installing my/package (1.0.0)\n");
    host.answer(
        &["snap", "list", "--all"],
        0,
        "Name Version Rev Tracking Publisher Notes\noldsnap 1 1 latest/stable me -\nkubectl 1.29 3 latest/stable x classic\n",
    );
    let formula = |name: &str, installed: &str| {
        format!(r#"{{"formulae": [{{"name": "{name}", "versions": {{"stable": "1.7"}}, "installed": [{installed}]}}]}}"#)
    };
    host.answer(&["brew", "info", "--json=v2", "--formula", "jq"], 0, &formula("jq", ""));
    host.answer(&["brew", "info", "--json=v2", "--formula", "wget"], 0, &formula("wget", r#"{"version": "1.6"}"#));
    host.answer(&["python3", "-m", "pip", "--version"], 0, "pip 20.3.4 from /usr/lib/python3/dist-packages/pip (python 3.9)\n");
    host.answer(&["python3", "-m", "pip", "list", "*"], 0, r#"[{"name": "six", "version": "1.16.0"}]"#);
}
