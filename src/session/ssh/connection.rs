//! An SSH connection, authenticated, on which commands are started.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use async_trait::async_trait;
use russh::client::{self, Handle};
use russh::keys::PublicKeyOrCertificate;
use russh::{ChannelMsg, Disconnect, Preferred, Sig, cipher};
use tokio::io::AsyncWriteExt as _;
use tokio::sync::oneshot;

use super::auth::log_in;
use super::config::{self, Options, Strictness};
use super::known_hosts::{self, Judgement, KnownHost};
use super::stream::{self, Duplex};
use crate::session::error::SessionError;
use crate::session::process::{Exec, LastWords, Process};
use crate::session::target::{SessionSettings, Target};

/// How often a silent connection is asked whether it lives.
const KEEPALIVE: Duration = Duration::from_secs(10);
/// Bytes of output that wait between the connection and their reader.
const OUTPUT_BUFFER: usize = 256 << 10;
/// Most jump hosts in a row.
const MOST_JUMPS: usize = 8;

/// Judges the host's key when the connection asks.
#[derive(Debug)]
pub(super) struct Gate {
    known: KnownHost,
    options: Options,
    seen: Arc<Mutex<Seen>>,
}

/// What the gate saw.
#[derive(Debug, Default)]
struct Seen {
    fingerprint: Option<String>,
    refused: Option<SessionError>,
    recorded: bool,
    changed: bool,
}

impl client::Handler for Gate {
    type Error = russh::Error;

    async fn check_server_key(&mut self, shown: &PublicKeyOrCertificate) -> Result<bool, Self::Error> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
        let judgement = self.known.judge(shown, now);
        let key = shown.public_key();
        let decision = known_hosts::decide(&judgement, shown, &self.known, self.options.strictness);
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.fingerprint = Some(key.fingerprint(russh::keys::HashAlg::Sha256).to_string());
        seen.changed = matches!(judgement, Judgement::Changed { .. } | Judgement::BadCertificate { .. });
        let record = match decision {
            Ok(record) => record,
            Err(error) => {
                seen.refused = Some(error);
                return Ok(false);
            }
        };
        if let Some(file) = self.options.user_known_hosts.first().filter(|_| record) {
            let recorded = known_hosts::record(file, self.known.name(), &key, self.options.hash_known_hosts);
            if let Err(error) = recorded {
                let message = format!("the host key cannot be recorded in `{}`: {error}", file.display());
                seen.refused = Some(SessionError::unreachable(message));
                return Ok(false);
            }
            seen.recorded = true;
        }
        Ok(true)
    }
}

/// An authenticated connection.
pub(crate) struct Connection {
    handle: Handle<Gate>,
    user: String,
    timeout: Duration,
    fingerprint: Option<String>,
    recorded: bool,
    /// The connection that this one goes through.
    _through: Option<Box<Connection>>,
}

/// Connects, judges the host key and logs in. What failed before anything was started is tried
/// again, unless trying again cannot help.
pub(crate) async fn connect(target: &Target, settings: &SessionSettings) -> Result<Connection, SessionError> {
    let options = config::resolve(target, settings).await?;
    let mut attempt = 0;
    loop {
        match once(target, &options, settings, MOST_JUMPS).await {
            Ok(connection) => return Ok(connection),
            Err(Failure::Final(error)) => return Err(error),
            Err(Failure::Passing(error)) if attempt >= settings.retries => return Err(error),
            Err(Failure::Passing(_)) => {
                attempt += 1;
                // Many hosts behind one gate must not come back all at once.
                let jitter = rand::random::<u64>() % 500;
                tokio::time::sleep(Duration::from_millis(250 * (1 << attempt.min(4)) + jitter)).await;
            }
        }
    }
}

/// Whether trying again could help.
enum Failure {
    Passing(SessionError),
    Final(SessionError),
}

async fn once(target: &Target, options: &Options, settings: &SessionSettings, jumps: usize) -> Result<Connection, Failure> {
    let place = format!("`{}` port {}", options.hostname, options.port);
    let connecting = async {
        let (stream, through) = open(target, options, settings, jumps).await?;
        let seen = Arc::<Mutex<Seen>>::default();
        let known = KnownHost::load(options);
        let config = Arc::new(client_config(&known));
        let gate = Gate { known, options: options.clone(), seen: Arc::clone(&seen) };
        let connected = client::connect_stream(config, stream, gate).await;
        let mut seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
        match (connected, seen.refused.take()) {
            (_, Some(refused)) => Err(Failure::Final(refused)),
            (Ok(handle), None) => Ok((handle, std::mem::take(&mut *seen), through)),
            (Err(error @ russh::Error::NoCommonAlgo { .. }), None) => {
                Err(Failure::Final(SessionError::unreachable(format!("cannot talk to {place}: {error}"))))
            }
            (Err(error), None) => Err(Failure::Passing(SessionError::unreachable(format!("cannot connect to {place}: {error}")))),
        }
    };
    let timeout = options.connect_timeout;
    let (mut handle, seen, through) = tokio::time::timeout(timeout, connecting).await.map_err(|_| {
        let message = format!("cannot connect to {place}: no answer within {} s", timeout.as_secs());
        Failure::Final(SessionError::unreachable(message).hint("check the address, the port, and firewalls on the way"))
    })??;
    let withhold = seen.changed && options.strictness == Strictness::Off;
    log_in(&mut handle, options, target, settings, withhold).await.map_err(Failure::Final)?;
    Ok(Connection {
        handle,
        user: options.user.clone(),
        timeout: settings.connect_timeout,
        fingerprint: seen.fingerprint,
        recorded: seen.recorded,
        _through: through.map(Box::new),
    })
}

type Opened = (Box<dyn Duplex>, Option<Connection>);

/// Opens the byte stream under the connection.
async fn open(target: &Target, options: &Options, settings: &SessionSettings, jumps: usize) -> Result<Opened, Failure> {
    if let Some(command) = &options.proxy_command {
        let stream = stream::proxy(command, options, &target.address)
            .map_err(|error| Failure::Final(SessionError::unreachable(format!("cannot start the proxy command: {error}"))))?;
        return Ok((stream, None));
    }
    let Some((last, before)) = options.proxy_jump.split_last() else {
        let stream = stream::tcp(options).await.map_err(|error| {
            let place = format!("`{}` port {}", options.hostname, options.port);
            let failure = SessionError::unreachable(format!("cannot connect to {place}: {error}"));
            // A name that does not exist will not exist in a second either.
            let known = error.raw_os_error().is_some() || error.kind() == std::io::ErrorKind::TimedOut;
            if known { Failure::Passing(failure) } else { Failure::Final(failure) }
        })?;
        return Ok((stream, None));
    };
    if jumps == 0 {
        return Err(Failure::Final(SessionError::unreachable("there are too many jump hosts in a row")));
    }
    let through = Box::pin(jump(last, before, target, options, settings, jumps - 1)).await?;
    let channel = through.handle.channel_open_direct_tcpip(options.hostname.clone(), u32::from(options.port), "127.0.0.1", 0);
    let channel = channel.await.map_err(|error| {
        let message = format!("jump host `{last}` cannot connect to `{}` port {}: {error}", options.hostname, options.port);
        Failure::Passing(SessionError::unreachable(message))
    })?;
    Ok((Box::new(channel.into_stream()), Some(through)))
}

/// Connects to a jump host `[user@]host[:port]`, through the ones before it.
async fn jump(
    hop: &str,
    before: &[String],
    target: &Target,
    options: &Options,
    settings: &SessionSettings,
    jumps: usize,
) -> Result<Connection, Failure> {
    let hop = hop.strip_prefix("ssh://").unwrap_or(hop);
    let (user, place) = hop.rsplit_once('@').map_or((None, hop), |(user, place)| (Some(user.to_owned()), place));
    let (address, port) = match place.rsplit_once(':') {
        Some((address, port)) if !address.contains(':') || address.ends_with(']') => (address, port.parse().ok()),
        _ => (place, None),
    };
    let gate = Target {
        address: address.trim_matches(['[', ']']).to_owned(),
        port,
        user,
        // Its password and key are its own; the key that the inventory names may serve for both.
        password: None,
        ssh_args: Vec::new(),
        ..target.clone()
    };
    let mut gate_options = config::resolve(&gate, settings).await.map_err(Failure::Final)?;
    // As OpenSSH does: host key policy is given for the whole way.
    gate_options.strictness = options.strictness;
    gate_options.user_known_hosts.clone_from(&options.user_known_hosts);
    if !before.is_empty() {
        gate_options.proxy_jump = before.to_vec();
    }
    once(&gate, &gate_options, settings, jumps).await
}

fn client_config(known: &KnownHost) -> client::Config {
    let mut preferred = Preferred::DEFAULT;
    preferred.cipher =
        vec![cipher::AES_256_GCM, cipher::CHACHA20_POLY1305, cipher::AES_256_CTR, cipher::AES_192_CTR, cipher::AES_128_CTR]
            .into();
    preferred.compression = vec![russh::compression::NONE].into();
    preferred.key = known.prefer(&Preferred::DEFAULT.key).into();
    if known.has_authority() {
        preferred.host_key_certificates = Preferred::DEFAULT.key;
    }
    client::Config {
        keepalive_interval: Some(KEEPALIVE),
        keepalive_max: 3,
        nodelay: true,
        preferred,
        ..client::Config::default()
    }
}

#[async_trait]
impl Exec for Connection {
    async fn exec(&self, command: &str, words: LastWords) -> Result<Process, SessionError> {
        let starting = async {
            let channel = self.handle.channel_open_session().await?;
            channel.exec(true, command).await?;
            Ok::<_, russh::Error>(channel)
        };
        let channel = match tokio::time::timeout(self.timeout, starting).await {
            Ok(Ok(channel)) => channel,
            Ok(Err(error)) => return Err(SessionError::unreachable(format!("the host starts no command: {error}"))),
            Err(_) => {
                let message = format!("the host started no command within {} s", self.timeout.as_secs());
                return Err(SessionError::unreachable(message));
            }
        };
        let (mut from, to) = channel.split();
        let stdin = to.make_writer();
        let (mut output, stdout) = tokio::io::duplex(OUTPUT_BUFFER);
        let (tell, status) = oneshot::channel();
        let to = Arc::new(to);
        let killer = Arc::clone(&to);
        tokio::spawn({
            let words = words.clone();
            async move {
                let mut code = None;
                // Until the channel is gone: the status may come after the end of the output.
                while let Some(message) = from.wait().await {
                    match message {
                        // Where nobody reads any more it is dropped, but never left unread.
                        ChannelMsg::Data { data } => drop(output.write_all(&data).await),
                        ChannelMsg::ExtendedData { data, ext: 1 } => words.push(&data),
                        ChannelMsg::ExitStatus { exit_status } => code = Some(exit_status as i32),
                        ChannelMsg::Eof => drop(output.shutdown().await),
                        ChannelMsg::Failure => words.push(b"the host refuses to run commands"),
                        _ => {}
                    }
                }
                let _ = to.close().await;
                drop(output);
                let _ = tell.send(code);
            }
        });
        let kill = move || {
            tokio::spawn(async move {
                let _ = killer.signal(Sig::KILL).await;
                let _ = killer.close().await;
            });
        };
        Ok(Process {
            stdin: Box::new(Box::pin(stdin)),
            stdout: Box::new(stdout),
            words,
            status,
            keep: Box::new(()),
            kill: Box::new(kill),
        })
    }

    fn login_user(&self) -> &str {
        &self.user
    }

    fn host_key(&self) -> Option<String> {
        self.fingerprint.clone()
    }

    fn accepted_new_key(&self) -> bool {
        self.recorded
    }

    async fn close(&self) {
        let goodbye = self.handle.disconnect(Disconnect::ByApplication, "", "en");
        let _ = tokio::time::timeout(Duration::from_secs(1), goodbye).await;
    }
}
