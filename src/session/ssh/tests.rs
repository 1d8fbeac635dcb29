//! Whole sessions over SSH on loopback: connect, judge, log in, push, run.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::{Map, Value, json};
use stead_agent::wire::{Mode, Task};
use stead_modules::outcome::Ending;

use super::test_server::TestServer;
use crate::session::{Contents, Echo, HostSession, Identity, Prompt, Secret, SessionError, SessionSettings, Target, Transport};

const SH: &str = "/bin/sh";

/// A controller's user with a home, and a way to a server.
struct Controller {
    home: tempfile::TempDir,
    target: Target,
    settings: SessionSettings,
}

impl Controller {
    /// One who knows the server's host key and has a key that may log in.
    fn of(server: &TestServer) -> Self {
        let home = tempfile::tempdir().unwrap();
        std::fs::create_dir(home.path().join(".ssh")).unwrap();
        std::fs::write(home.path().join(".ssh/known_hosts"), server.known_hosts_line()).unwrap();
        let target = Target {
            host: "web1".into(),
            transport: Transport::Ssh,
            address: "127.0.0.1".into(),
            port: Some(server.port),
            user: Some("deploy".into()),
            password: None,
            private_key: Some(server.login_key.clone()),
            passphrase: None,
            ssh_args: Vec::new(),
            host_key_checking: None,
        };
        let settings = SessionSettings {
            home: Some(home.path().to_owned()),
            user: "ann".into(),
            connect_timeout: Duration::from_secs(10),
            retries: 0,
            ..SessionSettings::default()
        };
        Self { home, target, settings }
    }

    async fn connect(&self) -> Result<HostSession, SessionError> {
        HostSession::connect(self.target.clone(), Arc::new(self.settings.clone()), Contents::default()).await
    }

    fn known_hosts(&self) -> String {
        std::fs::read_to_string(self.home.path().join(".ssh/known_hosts")).unwrap()
    }

    fn forget_host_keys(&self) {
        std::fs::write(self.home.path().join(".ssh/known_hosts"), "").unwrap();
    }
}

fn command(argv: &[&str]) -> Task {
    let Value::Object(options) = json!({ "argv": argv }) else { unreachable!("it is a mapping") };
    Task {
        id: 0,
        module: "command".into(),
        options,
        mode: Mode::Apply,
        in_doubt: false,
        environment: Map::new(),
        timeout: None,
        job: None,
    }
}

async fn says_hello(session: &HostSession) {
    let outcome = session.run(&Identity::Login, command(&["echo", "hello"])).await.unwrap();
    assert_eq!(outcome.result["stdout"], "hello", "{outcome:?}");
}

fn message(result: Result<HostSession, SessionError>) -> String {
    match result {
        Ok(_) => panic!("it must not connect"),
        Err(SessionError::Unreachable { message, hint }) => format!("{message}\nhint: {}", hint.unwrap_or_default()),
        Err(other) => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn the_agent_is_pushed_once_and_then_started_by_one_command() {
    let server = TestServer::start(Path::new(SH)).await;
    let controller = Controller::of(&server);
    let session = controller.connect().await.unwrap();
    says_hello(&session).await;
    says_hello(&session).await;
    session.close().await;
    assert_eq!(server.commands.lock().unwrap().len(), 3, "look, push, start");
    server.commands.lock().unwrap().clear();
    let session = controller.connect().await.unwrap();
    says_hello(&session).await;
    session.close().await;
    assert_eq!(server.commands.lock().unwrap().len(), 1);
    assert_eq!(session.host_key(), Some(server.host_key.fingerprint(russh::keys::HashAlg::Sha256).to_string()));
    assert!(!session.accepted_new_key());
}

#[tokio::test]
async fn a_damaged_agent_in_the_cache_is_replaced() {
    let server = TestServer::start(Path::new(SH)).await;
    let controller = Controller::of(&server);
    let session = controller.connect().await.unwrap();
    says_hello(&session).await;
    session.close().await;
    let cache = server.home.path().join(".cache/stead");
    let agent = std::fs::read_dir(&cache).unwrap().next().unwrap().unwrap().path();
    std::fs::remove_file(&agent).unwrap();
    std::fs::write(&agent, "exit 1\n").unwrap();
    std::fs::set_permissions(&agent, std::os::unix::fs::PermissionsExt::from_mode(0o700)).unwrap();
    let session = controller.connect().await.unwrap();
    says_hello(&session).await;
    session.close().await;
}

#[tokio::test]
async fn a_noisy_profile_does_not_disturb() {
    use std::os::unix::fs::PermissionsExt as _;
    let directory = tempfile::tempdir().unwrap();
    let shell = directory.path().join("noisy");
    let text = "#!/bin/sh\necho 'Welcome to this host!'; printf 'prompt> '; echo 'warning' >&2\nexec /bin/sh \"$@\"\n";
    std::fs::write(&shell, text).unwrap();
    std::fs::set_permissions(&shell, std::fs::Permissions::from_mode(0o755)).unwrap();
    let server = TestServer::start(&shell).await;
    let session = Controller::of(&server).connect().await.unwrap();
    says_hello(&session).await;
    session.close().await;
}

#[tokio::test]
async fn a_login_shell_that_runs_nothing_is_reported_with_its_words() {
    use std::os::unix::fs::PermissionsExt as _;
    let directory = tempfile::tempdir().unwrap();
    let shell = directory.path().join("nologin");
    std::fs::write(&shell, "#!/bin/sh\necho 'This account is currently not available.'\nexit 1\n").unwrap();
    std::fs::set_permissions(&shell, std::fs::Permissions::from_mode(0o755)).unwrap();
    let server = TestServer::start(&shell).await;
    let session = Controller::of(&server).connect().await.unwrap();
    let error = session.run(&Identity::Login, command(&["true"])).await.unwrap_err();
    assert!(error.to_string().contains("This account is currently not available."), "{error}");
}

#[tokio::test]
async fn an_unknown_host_key_is_refused_and_recorded_only_when_asked() {
    let server = TestServer::start(Path::new(SH)).await;
    let mut controller = Controller::of(&server);
    controller.forget_host_keys();
    let fingerprint = server.host_key.fingerprint(russh::keys::HashAlg::Sha256).to_string();
    let refusal = message(controller.connect().await);
    assert!(refusal.contains(&fingerprint) && refusal.contains("--accept-new-host-keys"), "{refusal}");
    assert_eq!(controller.known_hosts(), "");
    controller.target.host_key_checking = Some(false);
    controller.connect().await.unwrap().close().await;
    assert_eq!(controller.known_hosts(), "");
    controller.target.host_key_checking = None;
    controller.settings.accept_new_host_keys = true;
    assert!(controller.connect().await.unwrap().accepted_new_key());
    controller.settings.accept_new_host_keys = false;
    assert!(!controller.connect().await.unwrap().accepted_new_key(), "{}", controller.known_hosts());
}

#[tokio::test]
async fn a_changed_host_key_is_refused_even_when_new_ones_are_accepted() {
    let server = TestServer::start(Path::new(SH)).await;
    let mut controller = Controller::of(&server);
    controller.settings.accept_new_host_keys = true;
    let other = russh::keys::ssh_key::private::Ed25519Keypair::from_seed(&[3; 32]);
    let other = russh::keys::PrivateKey::from(other).public_key().to_openssh().unwrap();
    let file = controller.home.path().join(".ssh/known_hosts");
    std::fs::write(&file, format!("\n[127.0.0.1]:{} {other}\n", server.port)).unwrap();
    let refusal = message(controller.connect().await);
    assert!(refusal.contains("has changed") && refusal.contains(&format!("{}:2", file.display())), "{refusal}");
    assert!(refusal.contains("ssh-keygen -R"), "{refusal}");
    // With checking off it connects, but no password is given away.
    controller.target.host_key_checking = Some(false);
    controller.connect().await.unwrap().close().await;
    controller.target.private_key = None;
    controller.target.password = Some(Secret::new("open sesame"));
    assert!(message(controller.connect().await).contains("withheld"));
}

#[tokio::test]
async fn a_password_logs_in_and_a_wrong_one_says_what_was_tried() {
    let server = TestServer::start(Path::new(SH)).await;
    let mut controller = Controller::of(&server);
    controller.target.private_key = None;
    controller.target.password = Some(Secret::new("open sesame"));
    says_hello(&controller.connect().await.unwrap()).await;
    controller.target.password = Some(Secret::new("let me in"));
    let refusal = message(controller.connect().await);
    assert!(refusal.contains("tried password") && !refusal.contains("let me in"), "{refusal}");
}

#[tokio::test]
async fn the_passphrase_of_a_key_is_asked_for_once_for_all_hosts() {
    use std::sync::atomic::{AtomicUsize, Ordering};
    let server = TestServer::start(Path::new(SH)).await;
    let mut controller = Controller::of(&server);
    let encrypted = controller.home.path().join("encrypted");
    std::fs::copy(&server.login_key, &encrypted).unwrap();
    std::fs::set_permissions(&encrypted, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    let made = std::process::Command::new("ssh-keygen").args(["-q", "-p", "-N", "sesame", "-f"]).arg(&encrypted).status();
    if !made.is_ok_and(|status| status.success()) {
        #[expect(clippy::print_stderr, reason = "a test that cannot run here says so aloud")]
        {
            eprintln!("SKIPPED encrypted keys: there is no ssh-keygen that could encrypt a key");
        }
        return;
    }
    controller.target.private_key = Some(encrypted);
    assert!(message(controller.connect().await).contains("is encrypted"));
    let asked = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&asked);
    controller.settings.ask = Some(Prompt(Arc::new(move |prompt: &str, echo| {
        assert_eq!(echo, Echo::Hidden);
        assert!(prompt.contains("encrypted"), "{prompt}");
        counter.fetch_add(1, Ordering::SeqCst);
        Some(Secret::new("sesame"))
    })));
    let (one, two) = tokio::join!(controller.connect(), controller.connect());
    one.unwrap().close().await;
    two.unwrap().close().await;
    assert_eq!(asked.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn a_host_behind_another_is_reached_through_it() {
    let gate = TestServer::start(Path::new(SH)).await;
    let server = TestServer::start(Path::new(SH)).await;
    let mut controller = Controller::of(&server);
    let both = format!("{}{}", server.known_hosts_line(), gate.known_hosts_line());
    std::fs::write(controller.home.path().join(".ssh/known_hosts"), both).unwrap();
    controller.target.ssh_args = vec!["-o".into(), format!("ProxyJump=ann@127.0.0.1:{}", gate.port)];
    let session = controller.connect().await.unwrap();
    says_hello(&session).await;
    session.close().await;
    assert!(gate.commands.lock().unwrap().is_empty());
}

#[tokio::test]
async fn a_link_that_breaks_under_a_task_is_lost_and_later_tasks_are_refused() {
    let server = TestServer::start(Path::new(SH)).await;
    let session = Controller::of(&server).connect().await.unwrap();
    says_hello(&session).await;
    let sign = server.home.path().join("running");
    let script = format!("touch '{}'; exec sleep 60", sign.display());
    let running = session.run(&Identity::Login, command(&["/bin/sh", "-c", &script]));
    let breaking = async {
        while !sign.exists() {
            tokio::task::yield_now().await;
        }
        server.hang_up();
    };
    let started = Instant::now();
    let (error, ()) = tokio::join!(running, breaking);
    assert!(matches!(error, Err(SessionError::Lost { .. })), "{error:?}");
    assert!(started.elapsed() < Duration::from_secs(30));
    let later = session.run(&Identity::Login, command(&["true"])).await;
    assert!(matches!(later, Err(SessionError::Unreachable { .. })), "{later:?}");
}

#[tokio::test]
async fn a_server_that_says_nothing_is_given_up_in_time() {
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let server = TestServer::start(Path::new(SH)).await;
    let mut controller = Controller::of(&server);
    controller.target.port = Some(silent.local_addr().unwrap().port());
    controller.settings.connect_timeout = Duration::from_millis(300);
    let refusal = message(controller.connect().await);
    assert!(refusal.contains("no answer within"), "{refusal}");
}

#[tokio::test]
async fn nobody_there_is_said_with_address_and_port() {
    let server = TestServer::start(Path::new(SH)).await;
    let mut controller = Controller::of(&server);
    controller.target.port = Some(1);
    let refusal = message(controller.connect().await);
    assert!(refusal.contains("`127.0.0.1` port 1"), "{refusal}");
}

/// Asks for the password as sudo does: again and again, on standard input, silently.
const SUDO: &str = r#"#!/bin/sh
ask=; never=
while [ $# -gt 0 ]; do
    case $1 in -n) never=1;; -S) ask=1;; -p|-u) shift;; -H) ;; *) break;; esac
    shift
done
if [ ! -e "$HOME/nopasswd" ]; then
    [ -n "$never" ] && { echo "sudo: il faut un mot de passe" >&2; exit 1; }
    while [ -n "$ask" ]; do
        IFS= read -r word || { echo "sudo: aucun mot de passe" >&2; exit 1; }
        echo try >>"$HOME/tries"
        [ "$word" = "open sesame" ] && break
        echo "Essayez de nouveau." >&2
    done
fi
BECAME=yes exec "$@"
"#;

fn sudo(password: Option<&str>) -> Identity {
    Identity::Become(crate::session::Become {
        method: "sudo".into(),
        user: "app".into(),
        flags: Vec::new(),
        password: password.map(Secret::new),
    })
}

#[tokio::test]
async fn becoming_another_user_works_with_a_password_and_without() {
    let server = TestServer::start(Path::new(SH)).await;
    server.install("sudo", SUDO);
    let became = command(&["/bin/sh", "-c", "echo $BECAME"]);
    let session = Controller::of(&server).connect().await.unwrap();
    let error = session.run(&sudo(None), became.clone()).await.unwrap_err();
    assert!(matches!(&error, SessionError::Refused { hint: Some(hint), .. } if hint.contains("--ask-become-pass")), "{error:?}");
    let with_password = sudo(Some("open sesame"));
    let outcome = session.run(&with_password, became.clone()).await.unwrap();
    assert_eq!(outcome.result["stdout"], "yes", "{outcome:?}");
    let raw = session.raw(&with_password, "echo $BECAME", None).await.unwrap();
    assert_eq!(String::from_utf8_lossy(&raw.stdout), "yes\n");
    let plain = session.run(&Identity::Login, became.clone()).await.unwrap();
    assert_eq!(plain.result["stdout"], "", "{plain:?}");
    session.close().await;
    // A password that is not asked for reaches nobody.
    std::fs::write(server.home.path().join("nopasswd"), "").unwrap();
    for identity in [sudo(None), with_password] {
        let session = Controller::of(&server).connect().await.unwrap();
        let outcome = session.run(&identity, became.clone()).await.unwrap();
        assert_eq!(outcome.result["stdout"], "yes", "{outcome:?}");
        session.close().await;
    }
    let lines = server.commands.lock().unwrap().join("\n");
    assert!(!lines.contains("open sesame"), "the password is not in a command line");
}

#[tokio::test]
async fn a_wrong_password_is_tried_once_and_reported_in_time() {
    let server = TestServer::start(Path::new(SH)).await;
    server.install("sudo", SUDO);
    let session = Controller::of(&server).connect().await.unwrap();
    let started = Instant::now();
    for _ in 0..3 {
        let error = session.run(&sudo(Some("wrong")), command(&["true"])).await.unwrap_err();
        assert!(matches!(error, SessionError::Refused { .. }), "{error:?}");
        assert!(!error.to_string().contains("wrong\n"), "{error}");
    }
    assert!(session.raw(&sudo(Some("wrong")), "true", None).await.is_err());
    assert!(started.elapsed() < Duration::from_secs(6), "{:?}", started.elapsed());
    assert_eq!(std::fs::read_to_string(server.home.path().join("tries")).unwrap(), "try\n");
}

#[tokio::test]
async fn raw_output_and_status_come_through() {
    let server = TestServer::start(Path::new(SH)).await;
    let session = Controller::of(&server).connect().await.unwrap();
    let output = session.raw(&Identity::Login, "head -c 300000 /dev/zero; echo err >&2; exit 3", None).await.unwrap();
    assert_eq!((output.rc, output.stdout.len(), output.stderr.as_slice()), (3, 300_000, b"err\n".as_slice()));
    assert_eq!(session.run(&Identity::Login, command(&["false"])).await.unwrap().ending, Ending::Failed);
}
