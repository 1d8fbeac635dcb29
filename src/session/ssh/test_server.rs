//! A small SSH server for tests: it runs commands through a shell with a home of its own, knows one
//! key and one password, connects further for jump hosts, and can hang up on everybody.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use russh::keys::ssh_key::LineEnding;
use russh::keys::ssh_key::private::Ed25519Keypair;
use russh::keys::{PrivateKey, PublicKey};
use russh::server::{Auth, ChannelOpenHandle, Config, Handler, Msg, PublicKeyOffer, Session, VerifiedPublicKey};
use russh::{Channel, ChannelId, ChannelMsg};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::process::Command;

/// A running server.
pub(super) struct TestServer {
    /// Where it listens, on 127.0.0.1.
    pub(super) port: u16,
    /// The home of whoever logs in.
    pub(super) home: tempfile::TempDir,
    /// A private key that may log in.
    pub(super) login_key: PathBuf,
    /// Its host key.
    pub(super) host_key: PublicKey,
    /// Commands that were started.
    pub(super) commands: Arc<Mutex<Vec<String>>>,
    connections: Arc<Mutex<Vec<tokio::task::AbortHandle>>>,
    listening: tokio::task::AbortHandle,
}

impl TestServer {
    /// Starts a server whose login shell is `shell`, called with `-c`.
    pub(super) async fn start(shell: &Path) -> Self {
        let home = tempfile::tempdir().unwrap();
        let pair = |seed: u8| PrivateKey::from(Ed25519Keypair::from_seed(&[seed; 32]));
        let (host, login) = (pair(1), pair(2));
        let login_key = home.path().join("login_key");
        std::fs::write(&login_key, login.to_openssh(LineEnding::LF).unwrap().as_bytes()).unwrap();
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let host_key = host.public_key().clone();
        let config = Arc::new(Config {
            keys: vec![host],
            auth_rejection_time: Duration::ZERO,
            auth_rejection_time_initial: Some(Duration::ZERO),
            inactivity_timeout: None,
            ..Config::default()
        });
        let commands = Arc::<Mutex<Vec<String>>>::default();
        let connections = Arc::<Mutex<Vec<tokio::task::AbortHandle>>>::default();
        let visitor = Visitor {
            login: login.public_key().clone(),
            shell: shell.to_owned(),
            home: home.path().to_owned(),
            commands: Arc::clone(&commands),
            idle: HashMap::new(),
        };
        let listening = tokio::spawn({
            let connections = Arc::clone(&connections);
            async move {
                loop {
                    let (stream, _) = listener.accept().await.unwrap();
                    let (config, visitor) = (Arc::clone(&config), visitor.clone_idle());
                    let served = tokio::spawn(async move {
                        if let Ok(session) = russh::server::run_stream(config, Cut::new(stream), visitor).await {
                            let _ = session.await;
                        }
                    });
                    connections.lock().unwrap().push(served.abort_handle());
                }
            }
        });
        Self { port, home, login_key, host_key, commands, connections, listening: listening.abort_handle() }
    }

    /// Puts a program first in the path of whoever logs in.
    pub(super) fn install(&self, name: &str, script: &str) {
        use std::os::unix::fs::PermissionsExt as _;
        let bin = self.home.path().join("bin");
        std::fs::create_dir_all(&bin).unwrap();
        std::fs::write(bin.join(name), script).unwrap();
        std::fs::set_permissions(bin.join(name), std::fs::Permissions::from_mode(0o755)).unwrap();
    }

    /// Breaks all connections without a word.
    pub(super) fn hang_up(&self) {
        self.listening.abort();
        for connection in self.connections.lock().unwrap().drain(..) {
            connection.abort();
        }
        CUT.lock().unwrap().push(self.port);
    }

    /// A line for a known_hosts file.
    pub(super) fn known_hosts_line(&self) -> String {
        format!("[127.0.0.1]:{} {}\n", self.port, self.host_key.to_openssh().unwrap())
    }
}

impl Drop for TestServer {
    fn drop(&mut self) {
        self.hang_up();
    }
}

/// Ports whose connections are cut: a served session runs in tasks that cannot be reached.
static CUT: Mutex<Vec<u16>> = Mutex::new(Vec::new());

/// A stream that ends when its server hangs up.
struct Cut {
    stream: tokio::net::TcpStream,
    port: u16,
    tick: tokio::time::Interval,
}

impl Cut {
    fn new(stream: tokio::net::TcpStream) -> Self {
        let port = stream.local_addr().map_or(0, |address| address.port());
        Self { stream, port, tick: tokio::time::interval(Duration::from_millis(10)) }
    }
}

impl tokio::io::AsyncRead for Cut {
    fn poll_read(
        mut self: std::pin::Pin<&mut Self>,
        cx: &mut std::task::Context<'_>,
        buf: &mut tokio::io::ReadBuf<'_>,
    ) -> std::task::Poll<std::io::Result<()>> {
        while self.tick.poll_tick(cx).is_ready() {}
        if CUT.lock().unwrap().contains(&self.port) {
            return std::task::Poll::Ready(Err(std::io::ErrorKind::ConnectionReset.into()));
        }
        std::pin::Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl tokio::io::AsyncWrite for Cut {
    fn poll_write(
        mut self: std::pin::Pin<&mut Self>,
        cx: &mut std::task::Context<'_>,
        bytes: &[u8],
    ) -> std::task::Poll<std::io::Result<usize>> {
        std::pin::Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: std::pin::Pin<&mut Self>, cx: &mut std::task::Context<'_>) -> std::task::Poll<std::io::Result<()>> {
        std::pin::Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(
        mut self: std::pin::Pin<&mut Self>,
        cx: &mut std::task::Context<'_>,
    ) -> std::task::Poll<std::io::Result<()>> {
        std::pin::Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

struct Visitor {
    login: PublicKey,
    shell: PathBuf,
    home: PathBuf,
    commands: Arc<Mutex<Vec<String>>>,
    idle: HashMap<ChannelId, Channel<Msg>>,
}

impl Visitor {
    fn clone_idle(&self) -> Self {
        Self {
            login: self.login.clone(),
            shell: self.shell.clone(),
            home: self.home.clone(),
            commands: Arc::clone(&self.commands),
            idle: HashMap::new(),
        }
    }

    fn judge(&self, key: &PublicKey) -> Auth {
        if key.key_data() == self.login.key_data() { Auth::Accept } else { Auth::reject() }
    }
}

impl Handler for Visitor {
    type Error = russh::Error;

    async fn auth_publickey_offered(&mut self, _: &str, offer: PublicKeyOffer<'_>) -> Result<Auth, Self::Error> {
        Ok(self.judge(offer.public_key))
    }

    async fn auth_publickey(&mut self, _: &str, key: VerifiedPublicKey<'_>) -> Result<Auth, Self::Error> {
        Ok(self.judge(key.public_key))
    }

    async fn auth_password(&mut self, _: &str, password: &str) -> Result<Auth, Self::Error> {
        Ok(if password == "open sesame" { Auth::Accept } else { Auth::reject() })
    }

    async fn channel_open_session(
        &mut self,
        channel: Channel<Msg>,
        reply: ChannelOpenHandle,
        _: &mut Session,
    ) -> Result<(), Self::Error> {
        self.idle.insert(channel.id(), channel);
        reply.accept().await;
        Ok(())
    }

    async fn channel_open_direct_tcpip(
        &mut self,
        channel: Channel<Msg>,
        host: &str,
        port: u32,
        _: &str,
        _: u32,
        reply: ChannelOpenHandle,
        _: &mut Session,
    ) -> Result<(), Self::Error> {
        let mut further = tokio::net::TcpStream::connect((host, port as u16)).await?;
        reply.accept().await;
        tokio::spawn(async move {
            let mut stream = channel.into_stream();
            let _ = tokio::io::copy_bidirectional(&mut stream, &mut further).await;
        });
        Ok(())
    }

    async fn exec_request(&mut self, id: ChannelId, data: &[u8], session: &mut Session) -> Result<(), Self::Error> {
        let Some(channel) = self.idle.remove(&id) else { return session.channel_failure(id) };
        let line = String::from_utf8_lossy(data).into_owned();
        self.commands.lock().unwrap().push(line.clone());
        let mut command = Command::new(&self.shell);
        let path = format!("{}/bin:/usr/sbin:/usr/bin:/sbin:/bin", self.home.display());
        command.arg("-c").arg(line).env("HOME", &self.home).env("PATH", path).current_dir(&self.home);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        session.channel_success(id)?;
        tokio::spawn(execute(command, channel));
        Ok(())
    }
}

async fn execute(mut command: Command, channel: Channel<Msg>) {
    let mut child = command.spawn().unwrap();
    let (mut read, write) = channel.split();
    let mut stdin = child.stdin.take();
    tokio::spawn(async move {
        while let Some(message) = read.wait().await {
            match message {
                ChannelMsg::Data { data } => {
                    if let Some(stdin) = &mut stdin {
                        let _ = stdin.write_all(&data).await;
                    }
                }
                ChannelMsg::Eof => stdin = None,
                _ => {}
            }
        }
    });
    let (mut output, mut errors) = (write.make_writer(), write.make_writer_ext(Some(1)));
    let (mut stdout, mut stderr) = (child.stdout.take().unwrap(), child.stderr.take().unwrap());
    let mut said = Vec::new();
    let _ = tokio::join!(tokio::io::copy(&mut stdout, &mut output), stderr.read_to_end(&mut said));
    let _ = errors.write_all(&said).await;
    let status = child.wait().await.unwrap();
    let _ = write.exit_status(status.code().unwrap_or(255) as u32).await;
    let _ = write.eof().await;
    let _ = write.close().await;
}
