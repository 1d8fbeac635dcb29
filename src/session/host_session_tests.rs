//! Sessions with this machine and with hosts in memory, by the public door.

use serde_json::{Map, Value, json};
use stead_agent::wire::Mode;
use stead_modules::host::memory::MemoryHost;
use stead_modules::outcome::Ending;

use super::*;
use crate::session::target::Become;

fn target(transport: Transport) -> Target {
    Target {
        host: "web1".into(),
        transport,
        address: "web1".into(),
        port: None,
        user: None,
        password: None,
        private_key: None,
        passphrase: None,
        ssh_args: Vec::new(),
        host_key_checking: None,
    }
}

fn task(module: &str, options: Value, mode: Mode) -> Task {
    let Value::Object(options) = options else { panic!("options are a mapping") };
    Task { id: 0, module: module.into(), options, mode, in_doubt: false, environment: Map::new(), timeout: None, job: None }
}

async fn local() -> HostSession {
    let settings = SessionSettings { user: "tester".into(), ..SessionSettings::default() };
    HostSession::connect(target(Transport::Local), Arc::new(settings), Contents::default()).await.unwrap()
}

#[tokio::test]
async fn a_task_runs_on_this_machine() {
    let session = local().await;
    let command = task("command", json!({"argv": ["echo", "hello"]}), Mode::Apply);
    let outcome = session.run(&Identity::Login, command).await.unwrap();
    assert_eq!(outcome.result["stdout"], "hello", "{outcome:?}");
    session.close().await;
}

#[tokio::test]
async fn the_environment_and_the_timeout_of_a_task_are_kept() {
    let session = local().await;
    let mut command = task("command", json!({"argv": ["/bin/sh", "-c", "echo $GREETING"]}), Mode::Apply);
    command.environment.insert("GREETING".into(), "moin".into());
    let outcome = session.run(&Identity::Login, command).await.unwrap();
    assert_eq!(outcome.result["stdout"], "moin", "{outcome:?}");
    let mut endless = task("command", json!({"argv": ["sleep", "600"]}), Mode::Apply);
    endless.timeout = Some(1);
    let outcome = session.run(&Identity::Login, endless).await.unwrap();
    assert_eq!(outcome.ending, Ending::Failed, "{outcome:?}");
    session.close().await;
}

#[tokio::test]
async fn raw_needs_no_agent() {
    let session = local().await;
    let output = session.raw(&Identity::Login, "echo out; echo err >&2; exit 3", None).await.unwrap();
    assert_eq!(output, RawOutput { rc: 3, stdout: b"out\n".to_vec(), stderr: b"err\n".to_vec() });
    let started = std::time::Instant::now();
    let output = session.raw(&Identity::Login, "sleep 600", Some(Duration::from_millis(100))).await.unwrap();
    assert_eq!(output.rc, -1);
    assert!(started.elapsed() < Duration::from_secs(60));
}

#[tokio::test]
async fn becoming_somebody_unknown_is_refused() {
    let how = Become { method: "su".into(), user: "nobody-here".into(), flags: Vec::new(), password: None };
    let error = local().await.raw(&Identity::Become(how), "true", None).await.unwrap_err();
    assert!(matches!(error, SessionError::Refused { .. }), "{error:?}");
    assert!(error.to_string().contains("nobody-here"), "{error}");
}

#[tokio::test]
async fn a_plan_on_a_host_in_memory_touches_nothing_and_an_apply_does() {
    let settings = Arc::new(SessionSettings::default());
    settings.memory.add("web1", MemoryHost::default());
    let contents = Contents::default();
    let session = HostSession::connect(target(Transport::Memory), Arc::clone(&settings), contents).await.unwrap();
    let options = json!({"name": "web"});
    let before = settings.memory.host("web1").unwrap();
    for (mode, ending) in
        [(Mode::Plan, Ending::Changed), (Mode::Plan, Ending::Ok), (Mode::Apply, Ending::Changed), (Mode::Apply, Ending::Ok)]
    {
        let outcome = session.run(&Identity::Login, task("group", options.clone(), mode)).await.unwrap();
        assert_eq!(outcome.ending, ending, "{outcome:?}");
        let touched = settings.memory.host("web1").unwrap() != before;
        assert_eq!(touched, mode == Mode::Apply);
    }
    session.close().await;
}

#[tokio::test]
async fn a_host_that_is_not_in_memory_is_unreachable() {
    let settings = Arc::new(SessionSettings::default());
    let error = HostSession::connect(target(Transport::Memory), settings, Contents::default()).await.unwrap_err();
    assert!(matches!(error, SessionError::Unreachable { .. }), "{error:?}");
}
