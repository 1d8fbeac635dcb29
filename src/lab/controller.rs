//! The controller's side of a lab: starts hosts, knows how to reach them, ends them.

use std::io::{self, BufReader};
use std::net::{Ipv4Addr, TcpListener};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use super::child::{COMMAND, SCRATCH_PREFIX};
use super::keys;
use super::protocol::{Assignment, Report, receive, send};

/// How long ending a host may take before its processes are killed.
const GRACE: Duration = Duration::from_secs(5);

/// What a lab needs to know of this machine.
#[derive(Debug, Clone)]
pub struct LabSettings {
    /// This program: started again for every host with [`child::COMMAND`](super::child::COMMAND).
    pub program: PathBuf,
    /// Where a directory for the lab's keys is made; best in memory.
    pub scratch: PathBuf,
    /// How long starting a host may take.
    pub deadline: Duration,
}

impl LabSettings {
    /// The usual settings for this program.
    pub fn new(program: PathBuf) -> Self {
        let scratch = if Path::new("/run").is_dir() { "/run" } else { "/tmp" };
        Self { program, scratch: scratch.into(), deadline: Duration::from_secs(20) }
    }
}

/// How to reach a lab host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LabHost {
    /// `lab1`, `lab2` ...
    pub name: String,
    /// Always loopback.
    pub address: Ipv4Addr,
    /// The port that the kernel chose.
    pub port: u16,
    /// File with the private key that may log in.
    pub private_key: PathBuf,
    /// File with the keys of the lab's hosts.
    pub known_hosts: PathBuf,
}

impl LabHost {
    /// The connection variables that an inventory would have for it.
    pub fn variables(&self) -> Vec<(&'static str, String)> {
        let quoted = |path: &Path| format!("'{}'", path.display());
        vec![
            ("ansible_connection", "ssh".to_owned()),
            ("ansible_host", self.address.to_string()),
            ("ansible_port", self.port.to_string()),
            ("ansible_user", "root".to_owned()),
            ("ansible_ssh_private_key_file", self.private_key.display().to_string()),
            (
                "ansible_ssh_common_args",
                format!(
                    "-F none -o IdentitiesOnly=yes -o StrictHostKeyChecking=yes -o UserKnownHostsFile={}",
                    quoted(&self.known_hosts)
                ),
            ),
        ]
    }
}

/// Why there is no lab.
#[derive(Debug, thiserror::Error)]
pub enum LabError {
    /// Namespaces and mounts are root's.
    #[error(
        "a lab needs root: its hosts are made of namespaces and overlay mounts\nhint: run it with sudo, or apply to hosts that exist"
    )]
    NotRoot,
    /// The machine lacks something, or a container around it forbids it.
    #[error("lab host `{host}`: cannot {step}: {message}{hint}")]
    Refused {
        /// Which host.
        host: String,
        /// What was attempted.
        step: String,
        /// What the system said.
        message: String,
        /// What can be done, on a line of its own; may be empty.
        hint: String,
    },
    /// A host's process ended or said nothing.
    #[error("lab host `{host}` did not start: {cause}")]
    NotStarted {
        /// Which host.
        host: String,
        /// What was seen of it.
        cause: io::Error,
    },
    /// Files, sockets or processes of the controller.
    #[error("cannot {step}: {cause}")]
    Io {
        /// What was attempted.
        step: &'static str,
        /// What the system said.
        cause: io::Error,
    },
}

/// Hosts that live as long as this value does.
#[derive(Debug)]
pub struct Lab {
    hosts: Vec<LabHost>,
    running: Vec<Running>,
    /// Holds the keys; removed last.
    scratch: TempDir,
}

/// One host's first process and the socket by whose end it ends.
#[derive(Debug)]
struct Running {
    process: Child,
    control: Option<UnixStream>,
}

impl Lab {
    /// Starts `count` hosts side by side and returns when all of them accept connections.
    pub async fn start(count: usize, settings: LabSettings) -> Result<Self, LabError> {
        tokio::task::spawn_blocking(move || Self::start_and_wait(count, &settings)).await.expect("starting a lab does not panic")
    }

    /// The same for callers without a runtime.
    pub fn start_and_wait(count: usize, settings: &LabSettings) -> Result<Self, LabError> {
        if !rustix::process::geteuid().is_root() {
            return Err(LabError::NotRoot);
        }
        let scratch = tempfile::Builder::new()
            .prefix(SCRATCH_PREFIX)
            .tempdir_in(&settings.scratch)
            .map_err(io_error("make a directory for the lab's keys"))?;
        let login = keys::generate().map_err(io_error("make a key"))?;
        let private_key = keys::write_identity(scratch.path(), &login).map_err(io_error("write the lab's key"))?;
        let authorized_key = keys::public_text(&login).map_err(io_error("make a key"))?;

        let mut lab = Self { hosts: Vec::new(), running: Vec::new(), scratch };
        let mut known = Vec::new();
        for number in 1..=count {
            let name = format!("lab{number}");
            let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).map_err(io_error("listen on 127.0.0.1"))?;
            let port = listener.local_addr().map_err(io_error("listen on 127.0.0.1"))?.port();
            let host_key = keys::generate().map_err(io_error("make a key"))?;
            known.push((port, keys::public_text(&host_key).map_err(io_error("make a key"))?));
            let host_key = keys::private_text(&host_key).map_err(io_error("make a key"))?;
            let assignment = Assignment { name: name.clone(), host_key, authorized_key: authorized_key.clone() };
            lab.running.push(launch(settings, lab.scratch.path(), listener, &assignment)?);
            lab.hosts.push(LabHost {
                name,
                address: Ipv4Addr::LOCALHOST,
                port,
                private_key: private_key.clone(),
                known_hosts: lab.scratch.path().join("known_hosts"),
            });
        }
        keys::write_known_hosts(lab.scratch.path(), &known).map_err(io_error("write the lab's known_hosts"))?;
        for (host, running) in lab.hosts.iter().zip(&lab.running) {
            running.wait_until_ready(&host.name, settings.deadline)?;
        }
        Ok(lab)
    }

    /// How to reach the hosts, in order.
    pub fn hosts(&self) -> &[LabHost] {
        &self.hosts
    }

    /// Ends all hosts; returns when nothing is left of them. Dropping the lab does the same.
    pub async fn stop(self) {
        tokio::task::spawn_blocking(move || drop(self)).await.expect("ending a lab does not panic");
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        for running in &mut self.running {
            running.control = None; // this is what tells them
        }
        for running in &mut self.running {
            running.wait_for_end();
        }
    }
}

impl Running {
    fn wait_until_ready(&self, host: &str, deadline: Duration) -> Result<(), LabError> {
        let not_started = |cause| LabError::NotStarted { host: host.to_owned(), cause };
        let control = self.control.as_ref().expect("a host's socket is closed only when it ends");
        control.set_read_timeout(Some(deadline)).map_err(not_started)?;
        match receive(&mut BufReader::new(control)).map_err(not_started)? {
            Some(Report::Ready) => Ok(()),
            Some(Report::Failed(trouble)) => Err(LabError::Refused {
                host: host.to_owned(),
                hint: hint(&trouble.step),
                step: trouble.step,
                message: trouble.message,
            }),
            None => Err(not_started(io::Error::new(io::ErrorKind::UnexpectedEof, "its process ended without a word"))),
        }
    }

    /// Waits for the end that closing the socket brings, and enforces it if it does not come.
    fn wait_for_end(&mut self) {
        let until = Instant::now() + GRACE;
        while Instant::now() < until {
            match self.process.try_wait() {
                Ok(None) => std::thread::sleep(Duration::from_millis(2)),
                Ok(Some(_)) | Err(_) => return,
            }
        }
        // Its PID 1 is tied to this process and dies with it.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Starts the first process of a host, with the listening socket as its standard input and a control
/// socket as its standard output, and tells it what to be.
fn launch(settings: &LabSettings, scratch: &Path, listener: TcpListener, assignment: &Assignment) -> Result<Running, LabError> {
    let (ours, theirs) = UnixStream::pair().map_err(io_error("make a socket pair"))?;
    let process = Command::new(&settings.program)
        .arg0("stead")
        .args([COMMAND, "enter"])
        .arg(scratch)
        .stdin(Stdio::from(OwnedFd::from(listener)))
        .stdout(Stdio::from(OwnedFd::from(theirs)))
        .current_dir("/")
        .process_group(0) // Ctrl-C at the terminal is for the controller to handle
        .spawn()
        .map_err(io_error("start a lab host's process"))?;
    let running = Running { process, control: Some(ours) };
    let control = running.control.as_ref().expect("it was just made");
    send(control, assignment).map_err(io_error("talk to a lab host's process"))?;
    Ok(running)
}

fn io_error(step: &'static str) -> impl FnOnce(io::Error) -> LabError {
    move |cause| LabError::Io { step, cause }
}

/// What to do about a step that the system refused.
fn hint(step: &str) -> String {
    let advice = if step.contains("namespace") {
        "the kernel or a container around this machine forbids namespaces (CAP_SYS_ADMIN is needed)"
    } else if step.contains("overlay") {
        "the kernel needs overlayfs, and a root that is not itself made of two overlays (a container in a container)"
    } else if step.contains("mount") || step.contains("root") {
        "a container around this machine forbids mounts (CAP_SYS_ADMIN is needed, without a seccomp or AppArmor profile)"
    } else {
        return String::new();
    };
    format!("\nhint: {advice}")
}
