//! The SSH server of a lab host: one key may log in, commands run as root through `/bin/sh`.
//! No terminals, no forwarding, no subsystems: stead needs none of them.

use std::collections::HashMap;
use std::ffi::OsStr;
use std::future::Future;
use std::net::TcpListener;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::process::ExitStatusExt;
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use russh::keys::{PrivateKey, PublicKey};
use russh::server::{Auth, ChannelOpenHandle, Config, Handler, Msg, PublicKeyOffer, Session, VerifiedPublicKey};
use russh::{Channel, ChannelId, ChannelMsg, ChannelReadHalf, ChannelWriteHalf, MethodKind, MethodSet};
use tokio::io::AsyncWriteExt;
use tokio::process::{ChildStdin, Command};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use super::protocol::{Assignment, Step, Trouble};

/// Serves connections until the process is killed; calls `ready` once they are accepted.
pub(super) fn run(listener: TcpListener, assignment: &Assignment, ready: impl FnOnce()) -> Result<(), Trouble> {
    let host_key = PrivateKey::from_openssh(&assignment.host_key).step("read the host key")?;
    let authorized = PublicKey::from_openssh(&assignment.authorized_key).step("read the login key")?;
    let config = Arc::new(Config {
        methods: MethodSet::from(&[MethodKind::PublicKey][..]),
        keys: vec![host_key],
        auth_rejection_time: Duration::ZERO, // guessing an ed25519 key is not what it protects from
        inactivity_timeout: None,
        nodelay: true,
        ..Config::default()
    });
    let authorized = Arc::new(authorized);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().step("start the server")?;
    runtime.block_on(async {
        listener.set_nonblocking(true).step("listen")?;
        let listener = tokio::net::TcpListener::from_std(listener).step("listen")?;
        ready();
        loop {
            let (stream, _) = listener.accept().await.step("accept a connection")?;
            // Nagle's algorithm would add 40 ms to answers; a connection without it is only slower.
            let _ = stream.set_nodelay(true);
            let (config, visitor) = (Arc::clone(&config), Visitor::new(&authorized));
            tokio::spawn(async move {
                if let Ok(session) = russh::server::run_stream(config, stream, visitor).await {
                    // How a connection ended is for the client to say.
                    let _ = session.await;
                }
            });
        }
    })
}

/// One connection.
struct Visitor {
    authorized: Arc<PublicKey>,
    /// Channels that are open, but on which nothing runs yet.
    idle: HashMap<ChannelId, Channel<Msg>>,
}

impl Visitor {
    fn new(authorized: &Arc<PublicKey>) -> Self {
        Self { authorized: Arc::clone(authorized), idle: HashMap::new() }
    }

    fn judge(&self, key: &PublicKey) -> Auth {
        if key.key_data() == self.authorized.key_data() { Auth::Accept } else { Auth::reject() }
    }

    /// Runs `script`, or reads one from the client, on a channel that is still idle.
    fn start(&mut self, channel: ChannelId, script: Option<&[u8]>, session: &mut Session) -> Result<(), russh::Error> {
        let Some(idle) = self.idle.remove(&channel) else { return session.channel_failure(channel) };
        let mut shell = shell();
        if let Some(script) = script {
            shell.arg("-c").arg(OsStr::from_bytes(script));
        }
        session.channel_success(channel)?;
        tokio::spawn(execute(shell, idle));
        Ok(())
    }
}

impl Handler for Visitor {
    type Error = russh::Error;

    fn auth_publickey_offered(
        &mut self,
        _user: &str,
        offer: PublicKeyOffer<'_>,
    ) -> impl Future<Output = Result<Auth, Self::Error>> + Send {
        std::future::ready(Ok(self.judge(offer.public_key)))
    }

    fn auth_publickey(
        &mut self,
        _user: &str,
        key: VerifiedPublicKey<'_>,
    ) -> impl Future<Output = Result<Auth, Self::Error>> + Send {
        std::future::ready(Ok(self.judge(key.public_key)))
    }

    async fn channel_open_session(
        &mut self,
        channel: Channel<Msg>,
        reply: ChannelOpenHandle,
        _session: &mut Session,
    ) -> Result<(), Self::Error> {
        self.idle.insert(channel.id(), channel);
        reply.accept().await;
        Ok(())
    }

    async fn channel_close(&mut self, channel: ChannelId, _session: &mut Session) -> Result<(), Self::Error> {
        self.idle.remove(&channel);
        Ok(())
    }

    async fn exec_request(&mut self, channel: ChannelId, data: &[u8], session: &mut Session) -> Result<(), Self::Error> {
        self.start(channel, Some(data), session)
    }

    async fn shell_request(&mut self, channel: ChannelId, session: &mut Session) -> Result<(), Self::Error> {
        self.start(channel, None, session)
    }

    async fn subsystem_request(&mut self, channel: ChannelId, _: &str, session: &mut Session) -> Result<(), Self::Error> {
        session.channel_failure(channel)
    }

    async fn pty_request(
        &mut self,
        channel: ChannelId,
        _term: &str,
        _columns: u32,
        _rows: u32,
        _width: u32,
        _height: u32,
        _modes: &[(russh::Pty, u32)],
        session: &mut Session,
    ) -> Result<(), Self::Error> {
        session.channel_failure(channel)
    }

    async fn env_request(&mut self, channel: ChannelId, _: &str, _: &str, session: &mut Session) -> Result<(), Self::Error> {
        session.channel_failure(channel)
    }
}

/// A shell as root finds it after logging in, with nothing of the controller's environment.
fn shell() -> Command {
    let mut command = Command::new("/bin/sh");
    command
        .env_clear()
        .env("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin")
        .envs([("HOME", "/root"), ("USER", "root"), ("LOGNAME", "root"), ("SHELL", "/bin/sh")])
        .current_dir("/root")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

/// Runs a command with its three streams on a channel, then says how it ended.
async fn execute(mut command: Command, channel: Channel<Msg>) {
    let (read, write) = channel.split();
    let status = run_piped(&mut command, read, &write).await.unwrap_or(127);
    // The client may have hung up; then nobody wants to know.
    let _ = write.exit_status(status).await;
    let _ = write.eof().await;
    let _ = write.close().await;
}

async fn run_piped(command: &mut Command, read: ChannelReadHalf, write: &ChannelWriteHalf<Msg>) -> std::io::Result<u32> {
    let mut child = command.spawn()?;
    let (queue, queued) = unbounded_channel();
    tokio::spawn(receive_input(read, queue));
    tokio::spawn(feed(child.stdin.take().expect("standard input is piped"), queued));
    let (mut output, mut errors) = (write.make_writer(), write.make_writer_ext(Some(1)));
    let mut stdout = child.stdout.take().expect("standard output is piped");
    let mut stderr = child.stderr.take().expect("standard error is piped");
    // As with any sshd, a channel ends when its output has ended, not when the command has.
    let _ = tokio::join!(tokio::io::copy(&mut stdout, &mut output), tokio::io::copy(&mut stderr, &mut errors));
    drop((stdout, stderr));
    let status = child.wait().await?;
    Ok(status.code().unwrap_or_else(|| 128 + status.signal().unwrap_or(0)).cast_unsigned())
}

/// Takes input off the channel at once, however slow the command is: the connection is shared, and
/// a full pipe must not hold up the other channels.
async fn receive_input(mut read: ChannelReadHalf, queue: UnboundedSender<Vec<u8>>) {
    while let Some(message) = read.wait().await {
        let more = match message {
            ChannelMsg::Data { data } => queue.send(data.to_vec()).is_ok(), // else the command reads no more
            ChannelMsg::Eof | ChannelMsg::Close => false,
            _ => true,
        };
        if !more {
            break;
        }
    }
    drop(queue);
    while read.wait().await.is_some() {}
}

async fn feed(mut stdin: ChildStdin, mut queued: UnboundedReceiver<Vec<u8>>) {
    while let Some(data) = queued.recv().await {
        if stdin.write_all(&data).await.is_err() {
            return;
        }
    }
}
