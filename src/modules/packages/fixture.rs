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
    host.answer(&["python3", "-m", "pip", "--version"], 0, "pip 20.3.4 from /usr/lib/python3/dist-packages/pip (python 3.9)\n");
    host.answer(&["python3", "-m", "pip", "list", "*"], 0, r#"[{"name": "six", "version": "1.16.0"}]"#);
}
