//! `reboot`: restarts a host and waits until it is back.

use std::time::Duration;

use serde_json::Map as JsonMap;
use stead_modules::args;
use stead_modules::change::{Change, ResourceId};
use stead_modules::outcome::Ending;

use super::wait_for_connection::options;
use super::{ActionContext, ActionError, Agent, Done};
use crate::session::{RawOutput, SessionError};
use crate::vars::{Map, Value};

args! {
    /// Restarts a host, waits until it is back, and goes on when a command succeeds on it.
    pub struct Args {
        /// Seconds before it restarts; `shutdown` counts in whole minutes, so less than 60 is at once.
        pre_reboot_delay ("pre_reboot_delay_sec"): u64 = 0,
        /// Seconds after the command before the first look whether it is back.
        post_reboot_delay ("post_reboot_delay_sec"): u64 = 0,
        /// Seconds that it may take to be back, and again that `test_command` may take to succeed.
        reboot_timeout ("reboot_timeout_sec"): u64 = 600,
        /// Seconds that one attempt to connect may take.
        connect_timeout ("connect_timeout_sec"): Option<u64>,
        /// What is run to see that everything is up.
        test_command: String = "whoami".into(),
        /// What is said to those who are logged in.
        msg: String = "Reboot initiated by Ansible".into(),
        /// Where `shutdown`, or the command, is looked for.
        search_paths: Vec<String> = ["/sbin", "/bin", "/usr/sbin", "/usr/bin", "/usr/local/sbin"].map(String::from).into(),
        /// What prints something else after every start.
        boot_time_command: String = "cat /proc/sys/kernel/random/boot_id".into(),
        /// The command that restarts the host, with its arguments, instead of `shutdown`.
        reboot_command: Option<String>,
    }
}

/// Longest pause between two looks.
const LONGEST_PAUSE: Duration = Duration::from_secs(12);
/// How long the command itself may take: the link often ends without a word.
const COMMAND: Duration = Duration::from_secs(60);

pub(super) async fn run(context: &ActionContext<'_>) -> Result<Done, ActionError> {
    let args = match options::<Args>(context)? {
        Ok(args) => args,
        Err(done) => return Ok(done),
    };
    if context.agent.is_controller() {
        return Ok(Done::failed("Running reboot with local connection would reboot the control node."));
    }
    let mut done = if context.plan {
        // That it is restarted is certain; only how long it takes is not.
        let mut done = Done::new(Ending::Changed, Map::new());
        done.result.insert("elapsed".into(), Value::Int(0));
        done.result.insert("rebooted".into(), Value::Bool(true));
        done
    } else {
        // The lock is taken before the first change, and a host that cannot be worked on is left alone.
        context.agent.module("ping", JsonMap::new()).await?;
        restart(&args, context.agent).await?
    };
    if done.ending == Ending::Changed {
        done.changes.push(Change::run(ResourceId::new("host", context.host)));
    }
    Ok(done)
}

async fn restart(args: &Args, agent: &dyn Agent) -> Result<Done, SessionError> {
    let begun = tokio::time::Instant::now();
    let failed = |message: String, rebooted: bool| {
        let mut done = Done::failed(message);
        done.result.insert("rebooted".into(), Value::Bool(rebooted));
        done.result.insert("elapsed".into(), Value::Int(begun.elapsed().as_secs() as i64));
        done
    };
    let before = agent.raw(&args.boot_time_command).await?;
    if before.rc != 0 {
        return Ok(failed(format!("cannot tell when the host was started: {}", said(&before)), false));
    }
    match tokio::time::timeout(COMMAND, agent.raw(&command(args))).await {
        Ok(Ok(output)) if output.rc != 0 => {
            return Ok(failed(format!("Reboot command failed. Error was: '{}'", said(&output)), false));
        }
        // The host went away while it was told to; that is what was asked for.
        Ok(Ok(_) | Err(SessionError::Lost { .. })) | Err(_) => {}
        Ok(Err(error)) => return Err(error),
    }
    super::sleep(Duration::from_secs(args.pre_reboot_delay / 60 * 60 + args.post_reboot_delay)).await;
    if let Err(last) = keep_trying(args, agent, Look::IsBack(&before.stdout)).await {
        let message = format!("Timed out waiting for last boot time check (timeout={}): {last}", args.reboot_timeout);
        return Ok(failed(message, false));
    }
    if let Err(last) = keep_trying(args, agent, Look::Passes).await {
        let message = format!("Timed out waiting for post-reboot test command (timeout={}): {last}", args.reboot_timeout);
        return Ok(failed(message, true));
    }
    let mut done = Done::new(Ending::Changed, Map::new());
    done.result.insert("rebooted".into(), Value::Bool(true));
    done.result.insert("elapsed".into(), Value::Int(begun.elapsed().as_secs() as i64));
    Ok(done)
}

/// Runs a command over a new connection.
async fn fresh(args: &Args, agent: &dyn Agent, command: &str) -> Result<RawOutput, String> {
    agent
        .reconnect(args.connect_timeout.map(|seconds| Duration::from_secs(seconds.max(1))))
        .await
        .map_err(|error| error.to_string())?;
    agent.raw(command).await.map_err(|error| error.to_string())
}

/// What is waited for.
#[derive(Clone, Copy)]
enum Look<'a> {
    /// Another answer than this one to the question when the host was started.
    IsBack(&'a [u8]),
    /// The test succeeds.
    Passes,
}

async fn look(args: &Args, agent: &dyn Agent, what: Look<'_>) -> Result<(), String> {
    match what {
        Look::IsBack(before) => {
            let now = fresh(args, agent, &args.boot_time_command).await?;
            if now.rc == 0 && now.stdout != before { Ok(()) } else { Err("it has not been restarted yet".to_owned()) }
        }
        Look::Passes => {
            let output = match agent.raw(&args.test_command).await {
                Ok(output) => output,
                Err(_) => fresh(args, agent, &args.test_command).await?,
            };
            if output.rc == 0 { Ok(()) } else { Err(said(&output)) }
        }
    }
}

/// Tries again and again, in growing intervals; the last reason if it never succeeds.
async fn keep_trying(args: &Args, agent: &dyn Agent, what: Look<'_>) -> Result<(), String> {
    let until = tokio::time::Instant::now() + Duration::from_secs(args.reboot_timeout);
    let mut pause = Duration::from_secs(1);
    loop {
        let Err(reason) = look(args, agent, what).await else { return Ok(()) };
        if tokio::time::Instant::now() >= until {
            return Err(reason);
        }
        super::sleep(pause).await;
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

fn said(output: &RawOutput) -> String {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
    [text(&output.stdout), text(&output.stderr)].into_iter().filter(|text| !text.is_empty()).collect::<Vec<_>>().join(", ")
}

/// One word for a POSIX shell.
fn quote(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

/// The line that restarts: the program is looked for in `search_paths` and nowhere else.
fn command(args: &Args) -> String {
    let line = args.reboot_command.as_deref().map(str::trim).filter(|line| !line.is_empty());
    let (program, arguments) = match line {
        Some(line) => {
            let (program, arguments) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
            (program.to_owned(), arguments.trim().to_owned())
        }
        None => ("shutdown".to_owned(), format!("-r {} {}", args.pre_reboot_delay / 60, quote(&args.msg))),
    };
    if program.starts_with('/') {
        return format!("{program} {arguments}").trim_end().to_owned();
    }
    let paths: Vec<String> = args.search_paths.iter().map(|path| quote(path)).collect();
    let program = quote(&program);
    format!(
        "for d in {}; do if [ -x \"$d\"/{program} ]; then exec \"$d\"/{program} {arguments}; fi; done; \
         echo Unable to find command {program} in search paths >&2; exit 127",
        paths.join(" ")
    )
}

#[cfg(test)]
pub(super) mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};

    use async_trait::async_trait;
    use serde_json::Value as Json;
    use stead_modules::args::Arguments as _;
    use stead_modules::outcome::Outcome;
    use tokio::time::Instant;

    use super::*;

    /// A machine that is down for some seconds, from the beginning or from when it is told to restart.
    pub(in crate::actions) struct Machine {
        start: Instant,
        down_until: AtomicU64,
        boots: AtomicU64,
        takes: u64,
    }

    impl Machine {
        pub(in crate::actions) fn down_for(seconds: u64) -> Self {
            Self { start: Instant::now(), down_until: AtomicU64::new(seconds + 3), boots: AtomicU64::new(1), takes: 0 }
        }

        fn restarts_in(seconds: u64) -> Self {
            Self { start: Instant::now(), down_until: AtomicU64::new(0), boots: AtomicU64::new(1), takes: seconds }
        }

        fn reach(&self) -> Result<(), SessionError> {
            let now = self.start.elapsed().as_secs();
            if now >= self.down_until.load(Ordering::Relaxed) {
                return Ok(());
            }
            Err(SessionError::Unreachable { message: "connection refused".into(), hint: None })
        }
    }

    #[async_trait]
    impl Agent for Machine {
        async fn module(&self, _name: &str, _options: JsonMap<String, Json>) -> Result<Outcome, SessionError> {
            self.reach().map(|()| Outcome::new(Ending::Ok, JsonMap::new()))
        }

        async fn raw(&self, command: &str) -> Result<RawOutput, SessionError> {
            self.reach()?;
            if command.contains("shutdown") {
                self.down_until.store(self.start.elapsed().as_secs() + self.takes, Ordering::Relaxed);
                self.boots.fetch_add(u64::from(self.takes > 0), Ordering::Relaxed);
                return Err(SessionError::Lost { message: "the link was lost".into() });
            }
            let stdout = format!("boot {}\n", self.boots.load(Ordering::Relaxed)).into_bytes();
            Ok(RawOutput { rc: i32::from(command == "false"), stdout, stderr: Vec::new() })
        }

        async fn reconnect(&self, _within: Option<Duration>) -> Result<(), SessionError> {
            self.reach()
        }

        fn is_controller(&self) -> bool {
            false
        }
    }

    fn args(options: &Json) -> Args {
        Args::parse(options.as_object().expect("an object")).expect("options that fit")
    }

    #[tokio::test(start_paused = true)]
    async fn a_host_is_back_when_its_boot_is_another() {
        let options = args(&serde_json::json!({"reboot_timeout": 100}));
        let done = restart(&options, &Machine::restarts_in(40)).await.unwrap();
        assert_eq!((done.ending, done.result.get("rebooted")), (Ending::Changed, Some(&Value::Bool(true))));
        let done = restart(&options, &Machine::restarts_in(400)).await.unwrap();
        assert_eq!((done.ending, done.result.get("rebooted")), (Ending::Failed, Some(&Value::Bool(false))));
        // It answers, but it was never down.
        assert_eq!(restart(&options, &Machine::restarts_in(0)).await.unwrap().ending, Ending::Failed);
        let options = args(&serde_json::json!({"reboot_timeout": 100, "test_command": "false"}));
        let done = restart(&options, &Machine::restarts_in(40)).await.unwrap();
        assert_eq!((done.ending, done.result.get("rebooted")), (Ending::Failed, Some(&Value::Bool(true))));
    }

    #[test]
    fn the_command_is_looked_for_and_quoted() {
        let line = command(&args(&serde_json::json!({"search_paths": ["/sbin"], "msg": "it's time", "pre_reboot_delay": 119})));
        assert!(
            line.starts_with(
                "for d in '/sbin'; do if [ -x \"$d\"/'shutdown' ]; then exec \"$d\"/'shutdown' -r 1 'it'\\''s time'; fi"
            ),
            "{line}"
        );
        assert_eq!(command(&args(&serde_json::json!({"reboot_command": "/sbin/reboot -f"}))), "/sbin/reboot -f");
        assert!(command(&args(&serde_json::json!({"reboot_command": "launch now"}))).contains("exec \"$d\"/'launch' now; fi"));
    }
}
