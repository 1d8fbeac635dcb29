//! Debian hosts by `tests/fleet/fleet.sh`, pristine for every test that asks for them.

use std::env;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use rustix::fs::{FlockOperation, flock};

use crate::support::{lacking, skip, succeed, text};

/// Hosts h1..hN, this test's alone: the tests that use them wait for each other.
pub(crate) struct Fleet {
    count: usize,
    inventory: String,
    _turn: File,
}

/// The pool of the tests, unless the caller of the tests chose another.
fn pool() -> String {
    env::var("STEAD_TEST_FLEET_POOL").unwrap_or_else(|_| "11".to_owned())
}

fn helper() -> Command {
    let mut command = Command::new(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fleet/fleet.sh"));
    command.env("FLEET_POOL", pool()).stdin(Stdio::null());
    command
}

impl Fleet {
    /// Boots `count` pristine hosts; says why if this machine cannot.
    pub(crate) fn boot(test: &str, count: usize) -> Option<Self> {
        if let Some(why) = lacking(&["systemd-nspawn", "debootstrap", "ip", "nft", "ssh"]) {
            skip(test, &why);
            return None;
        }
        let turn =
            File::create(Path::new(env!("CARGO_TARGET_TMPDIR")).join("fleet.turn")).expect("the target directory is writable");
        flock(&turn, FlockOperation::LockExclusive).expect("a fresh file can be locked");
        let mut fleet = Self { count, inventory: String::new(), _turn: turn };
        fleet.reset();
        fleet.inventory = succeed(helper().args(["inventory", &count.to_string()]));
        Some(fleet)
    }

    /// The same; the hosts see packages of services to install.
    pub(crate) fn boot_with_packages(test: &str, count: usize) -> Option<Self> {
        if lacking(&["systemd-nspawn", "debootstrap"]).is_none() {
            succeed(helper().arg("packages"));
        }
        Self::boot(test, count)
    }

    /// Makes all hosts pristine again.
    pub(crate) fn reset(&self) {
        succeed(helper().args(["reset", &self.count.to_string()]));
    }

    /// An inventory that logs in as root; group `fleet`.
    pub(crate) fn inventory(&self) -> &str {
        &self.inventory
    }

    /// Value of a variable of the group.
    fn variable(&self, name: &str) -> &str {
        let line = self.inventory.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix('='));
        line.expect("the helper writes this variable")
    }

    /// The key that logs in to all hosts.
    pub(crate) fn key(&self) -> PathBuf {
        PathBuf::from(self.variable("ansible_ssh_private_key_file"))
    }

    /// Address of host `number`.
    pub(crate) fn address(&self, number: usize) -> String {
        succeed(helper().args(["addr", &number.to_string()])).trim().to_owned()
    }

    /// Runs a script on a host as root, by OpenSSH.
    pub(crate) fn ssh(&self, number: usize, script: &str) -> Output {
        Command::new("ssh")
            .args(["-F", "none", "-o", "BatchMode=yes", "-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null"])
            .args(["-o", "LogLevel=ERROR", "-i"])
            .arg(self.key())
            .args([&format!("root@{}", self.address(number)), script])
            .stdin(Stdio::null())
            .output()
            .expect("ssh starts")
    }

    /// The same, for scripts that must succeed.
    pub(crate) fn on(&self, number: usize, script: &str) -> String {
        let output = self.ssh(number, script);
        assert!(output.status.success(), "on h{number}: {script}: {}", text(&output));
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    /// From now on nothing reaches the host or leaves it.
    pub(crate) fn cut(&self, number: usize) {
        succeed(helper().args(["cut", &number.to_string()]));
    }

    /// Ends a cut.
    pub(crate) fn heal(&self, number: usize) {
        succeed(helper().args(["heal", &number.to_string()]));
    }
}

impl Drop for Fleet {
    fn drop(&mut self) {
        let _ = helper().arg("down").status();
    }
}
