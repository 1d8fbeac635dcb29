//! Throw-away hosts: they are real, apart from the machine and from each other, and leave no trace.

use std::env;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use stead::lab::{Lab, LabHost, LabSettings};

use crate::support::{STEAD, lacking, skip, succeed, text};

/// Set for the process that plays the controller in the test that kills it.
const PLAY_CONTROLLER: &str = "STEAD_TEST_PLAY_CONTROLLER";

fn ssh(host: &LabHost, script: &str) -> Output {
    Command::new("ssh")
        .args(["-F", "none", "-o", "BatchMode=yes", "-o", "IdentitiesOnly=yes", "-o", "ConnectTimeout=10"])
        .arg("-o")
        .arg(format!("UserKnownHostsFile={}", host.known_hosts.display()))
        .arg("-i")
        .arg(&host.private_key)
        .args(["-p", &host.port.to_string(), &format!("root@{}", host.address), script])
        .stdin(Stdio::null())
        .output()
        .expect("ssh starts")
}

fn stdout(host: &LabHost, script: &str) -> String {
    let output = ssh(host, script);
    assert!(output.status.success(), "{script}: {}", text(&output));
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

fn settings(scratch: &Path) -> LabSettings {
    LabSettings { scratch: scratch.to_owned(), ..LabSettings::new(PathBuf::from(STEAD)) }
}

/// Processes whose command line mentions `scratch`: the first process of each host names it.
fn processes_of(scratch: &Path) -> usize {
    let wanted = scratch.display().to_string();
    let mentions = |line: &Vec<u8>| String::from_utf8_lossy(line).contains(&wanted);
    let processes = fs::read_dir("/proc").unwrap().flatten();
    processes.filter_map(|entry| fs::read(entry.path().join("cmdline")).ok()).filter(mentions).count()
}

/// Overlays of lab hosts that this machine can see; there should never be one.
fn mounts() -> usize {
    fs::read_to_string("/proc/self/mountinfo").unwrap().matches("/stead-upper").count()
}

/// Polls, because the kernel tears namespaces down in its own time.
fn eventually(what: &str, mut condition: impl FnMut() -> bool) {
    let until = Instant::now() + Duration::from_secs(10);
    while !condition() {
        assert!(Instant::now() < until, "not within 10 s: {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn hosts_are_apart_from_the_machine_and_from_each_other() {
    if let Some(why) = lacking(&["ssh"]) {
        return skip("lab", &why);
    }
    let scratch = tempfile::tempdir_in("/run").unwrap();
    let lab = Lab::start_and_wait(3, &settings(scratch.path())).unwrap();
    let hosts = lab.hosts().to_vec();
    assert_eq!(hosts.iter().map(|host| host.name.as_str()).collect::<Vec<_>>(), ["lab1", "lab2", "lab3"]);

    for host in &hosts {
        assert_eq!(stdout(host, "id -u; cat /proc/sys/kernel/hostname"), format!("0\n{}", host.name));
    }
    let path = "/etc/stead-lab-test";
    stdout(&hosts[0], &format!("echo one >{path}"));
    assert_eq!(stdout(&hosts[0], &format!("cat {path}")), "one");
    assert!(!ssh(&hosts[1], &format!("test -e {path}")).status.success());
    assert!(!Path::new(path).exists(), "a lab host wrote to the real machine");

    assert_eq!(ssh(&hosts[0], "exit 7").status.code(), Some(7));
    assert_eq!(ssh(&hosts[0], "kill -TERM $$").status.code(), Some(128 + 15));
    assert!(!ssh(&hosts[0], "echo x >/proc/sys/kernel/hostname").status.success());
    assert!(!ssh(&hosts[0], "mknod /disk b 254 0").status.success());
    assert!(!ssh(&hosts[0], "mount -t devtmpfs none /mnt").status.success());
    assert_eq!(stdout(&hosts[0], "ls -A /root"), "", "the real root's home is visible");
    let orphan = "setsid sh -c 'sleep 0.01 & exit' </dev/null >/dev/null 2>&1; ";
    stdout(&hosts[0], &orphan.repeat(20));
    eventually("orphans are reaped", || stdout(&hosts[0], "grep -l '^State:.Z' /proc/[0-9]*/status 2>/dev/null | wc -l") == "0");

    drop(lab);
    assert_eq!(processes_of(scratch.path()), 0);
    assert_eq!(mounts(), 0);
    assert_eq!(fs::read_dir(scratch.path()).unwrap().count(), 0, "the keys are still there");
    assert!(!ssh(&hosts[0], "true").status.success());
}

#[test]
fn only_the_key_of_the_occasion_may_log_in() {
    if let Some(why) = lacking(&["ssh", "ssh-keygen"]) {
        return skip("lab keys", &why);
    }
    let scratch = tempfile::tempdir_in("/run").unwrap();
    let lab = Lab::start_and_wait(1, &settings(scratch.path())).unwrap();
    let other = scratch.path().join("other");
    succeed(Command::new("ssh-keygen").args(["-q", "-t", "ed25519", "-N", "", "-f"]).arg(&other));
    let stranger = LabHost { private_key: other, ..lab.hosts()[0].clone() };
    let refused = ssh(&stranger, "true");
    assert_eq!(refused.status.code(), Some(255));
    assert!(text(&refused).contains("Permission denied (publickey)"), "{}", text(&refused));
}

#[test]
fn streams_are_complete_and_channels_are_independent() {
    if let Some(why) = lacking(&["ssh"]) {
        return skip("lab streams", &why);
    }
    let scratch = tempfile::tempdir_in("/run").unwrap();
    let lab = Lab::start_and_wait(1, &settings(scratch.path())).unwrap();
    let host = &lab.hosts()[0];
    let sent: Vec<u8> = (0..8_000_000_u32).flat_map(u32::to_le_bytes).collect();
    let mut child = Command::new("ssh")
        .args(["-F", "none", "-o", "BatchMode=yes", "-o", "IdentitiesOnly=yes", "-o"])
        .arg(format!("UserKnownHostsFile={}", host.known_hosts.display()))
        .arg("-i")
        .arg(&host.private_key)
        .args(["-p", &host.port.to_string(), "root@127.0.0.1", "cat; echo end >&2"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = child.stdin.take().unwrap();
    let output = std::thread::scope(|scope| {
        scope.spawn(|| {
            input.write_all(&sent).unwrap();
            drop(input);
        });
        assert_eq!(stdout(host, "echo meanwhile"), "meanwhile");
        child.wait_with_output().unwrap()
    });
    assert!(output.status.success());
    assert!(output.stdout == sent, "32 MB came back different ({} bytes)", output.stdout.len());
    assert_eq!(output.stderr, b"end\n");
}

#[test]
fn a_killed_controller_leaves_nothing() {
    if let Some(scratch) = env::var_os(PLAY_CONTROLLER) {
        let lab = Lab::start_and_wait(2, &settings(Path::new(&scratch))).unwrap();
        for host in lab.hosts() {
            stdout(host, "sleep 1000 >/dev/null 2>&1 & sleep 1000 </dev/null >/dev/null 2>&1 &");
        }
        #[expect(clippy::print_stdout, reason = "tells the process that started this one")]
        {
            println!("\nlab is up");
        }
        let _ = std::io::stdin().read(&mut [0]);
        return;
    }
    if let Some(why) = lacking(&["ssh"]) {
        return skip("lab kill", &why);
    }
    let scratch = tempfile::tempdir_in("/run").unwrap();
    let mut controller = Command::new(env::current_exe().unwrap())
        .args(["--exact", "lab::a_killed_controller_leaves_nothing", "--nocapture"])
        .env(PLAY_CONTROLLER, scratch.path())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(controller.stdout.take().unwrap()).lines();
    assert!(lines.map_while(Result::ok).any(|line| line == "lab is up"));
    assert_eq!(processes_of(scratch.path()), 2);

    controller.kill().unwrap();
    controller.wait().unwrap();
    eventually("no process is left", || processes_of(scratch.path()) == 0);
    eventually("no key is left", || fs::read_dir(scratch.path()).unwrap().count() == 0);
    assert_eq!(mounts(), 0);
}
