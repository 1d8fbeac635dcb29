//! Becoming another user: how a script is started under `sudo`, `su` or `doas`.
//!
//! Whether it worked is told by what the script says with this session's nonce, and by the end of
//! the command; never by the text of a prompt, which is translated and configurable.

use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::error::SessionError;
use super::process::{Exec, LastWords, Process, ended, quote};
use super::script::SAYS;
use super::target::{Become, Identity};

/// How long a password is waited for to be accepted before the input is ended. A refused password
/// is asked for again, which only the end of the input ends.
const PATIENCE: Duration = Duration::from_millis(4200);
/// The same when the first time was too short.
const LONG_PATIENCE: Duration = Duration::from_secs(20);

/// A command line for the login shell that runs `script` with `/bin/sh` as `identity`.
pub(super) fn command(identity: &Identity, script: &str) -> Result<String, SessionError> {
    let Identity::Become(how) = identity else {
        return Ok(format!("exec /bin/sh -c {}", quote(script)));
    };
    if how.user.is_empty() || how.user.starts_with('-') {
        return Err(refused(how, "that is not a user name"));
    }
    let user = quote(&how.user);
    let mut flags = String::new();
    // `-n` and `-S` are ours to decide: they depend on whether there is a password.
    for flag in how.flags.iter().filter(|flag| !matches!(flag.as_str(), "-n" | "-S")) {
        flags.push_str(&quote(flag));
        flags.push(' ');
    }
    let shell = format!("/bin/sh -c {}", quote(script));
    match how.method.as_str() {
        "sudo" => {
            let ask = if how.password.is_some() { "-S -p ''" } else { "-n" };
            Ok(format!("exec sudo {ask} -H {flags}-u {user} {shell}"))
        }
        "su" => Ok(format!("exec su {flags}{user} -c {}", quote(&format!("exec {shell}")))),
        "doas" => Ok(format!("exec doas -n {flags}-u {user} {shell}")),
        other => {
            Err(refused(how, &format!("there is no become method `{other}`")).hint("the methods are `sudo`, `su` and `doas`"))
        }
    }
}

/// Starts `script` as `identity`; where a password is needed it is handed over first, and the
/// process is returned when the script runs and reads its input.
pub(super) async fn enter(
    exec: &dyn Exec,
    identity: &Identity,
    script: &str,
    nonce: &str,
    words: &LastWords,
) -> Result<Process, SessionError> {
    let password = match identity {
        // doas talks to a terminal only; it is asked without a password.
        Identity::Become(how) if how.method != "doas" => how.password.as_ref().map(|password| (how, password)),
        _ => None,
    };
    let Some((how, password)) = password else {
        return exec.exec(&command(identity, script)?, words.clone()).await;
    };
    if password.reveal().contains(['\n', '\0']) {
        return Err(refused(how, "the password has a line break in it"));
    }
    let prelude =
        format!(r#"echo {SAYS} {nonce} ready; while IFS= read -r l; do [ "$l" = {nonce} ] && break; done; unset l; {script}"#);
    let line = command(identity, &prelude)?;
    for patience in [PATIENCE, LONG_PATIENCE] {
        let mut process = exec.exec(&line, words.clone()).await?;
        let mut secret = password.reveal().as_bytes().to_vec();
        secret.push(b'\n');
        let sent = process.stdin.write_all(&secret).await;
        secret.fill(0);
        if sent.is_err() || process.stdin.flush().await.is_err() {
            return Err(refused_by(how, &mut process).await);
        }
        let ready = format!("{SAYS} {nonce} ready\n");
        match tokio::time::timeout(patience, wait_for(&mut process, &ready)).await {
            Ok(true) => {
                let go = process.stdin.write_all(format!("{nonce}\n").as_bytes()).await;
                if go.is_err() || process.stdin.flush().await.is_err() {
                    return Err(refused_by(how, &mut process).await);
                }
                return Ok(process);
            }
            Ok(false) => return Err(refused_by(how, &mut process).await),
            Err(_) => {
                process.end_input().await;
                let late = tokio::time::timeout(Duration::from_secs(1), wait_for(&mut process, &ready)).await;
                if late != Ok(true) {
                    return Err(refused_by(how, &mut process).await);
                }
                // The password was accepted, only slowly: once more with patience.
            }
        }
    }
    Err(refused(how, "no answer came in time"))
}

/// Reads output until `text` came (true) or the output ended (false).
async fn wait_for(process: &mut Process, text: &str) -> bool {
    let mut seen: Vec<u8> = Vec::new();
    let mut byte = [0];
    while let Ok(1) = process.stdout.read(&mut byte).await {
        seen.push(byte[0]);
        if seen.ends_with(text.as_bytes()) {
            return true;
        }
        if seen.len() > stead_agent::wire::LONGEST_NOISE {
            return false;
        }
    }
    false
}

async fn refused_by(how: &Become, process: &mut Process) -> SessionError {
    let status = ended(&mut process.status).await;
    refused_with(how, status, &process.words.text())
}

/// The error for a become command that ended with this status and these last words.
pub(super) fn refused_with(how: &Become, status: Option<i32>, words: &str) -> SessionError {
    let said = match (words, status) {
        ("", Some(status)) => format!("it ended with status {status} and said nothing"),
        ("", None) => "it did not answer".to_owned(),
        (words, _) => words.to_owned(),
    };
    let error = refused(how, &said);
    match (how.method.as_str(), &how.password) {
        ("doas", Some(_)) => error.hint("doas reads passwords from a terminal only: allow it with `nopass`, or use sudo"),
        (_, None) => error.hint(
            "if a password is needed, give it with `--ask-become-pass` or `ansible_become_password`; \
             otherwise allow the login user to become that user",
        ),
        (_, Some(_)) => error.hint("the password may be wrong; it was tried once"),
    }
}

fn refused(how: &Become, why: &str) -> SessionError {
    let message = format!("cannot become user `{}` with `{}`: {why}", how.user, how.method);
    SessionError::Refused { message, hint: None }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::Secret;

    fn sudo(user: &str, flags: &[&str], password: Option<&str>) -> Identity {
        Identity::Become(Become {
            method: "sudo".into(),
            user: user.into(),
            flags: flags.iter().map(|flag| (*flag).to_owned()).collect(),
            password: password.map(Secret::new),
        })
    }

    #[test]
    fn command_lines() {
        let line = |identity: &Identity| command(identity, "echo 'x'").unwrap();
        assert_eq!(line(&Identity::Login), r"exec /bin/sh -c 'echo '\''x'\'''");
        assert_eq!(line(&sudo("root", &[], None)), r"exec sudo -n -H -u 'root' /bin/sh -c 'echo '\''x'\'''");
        let with_password = line(&sudo("app", &["-E", "-n"], Some("hunter2")));
        assert_eq!(with_password, r"exec sudo -S -p '' -H '-E' -u 'app' /bin/sh -c 'echo '\''x'\'''");
    }

    #[test]
    fn a_user_name_cannot_be_an_option() {
        assert!(command(&sudo("-s", &[], None), "true").is_err());
        assert!(command(&sudo("", &[], None), "true").is_err());
    }

    #[test]
    fn an_unknown_method_is_named() {
        let how = Become { method: "runas".into(), user: "root".into(), flags: Vec::new(), password: None };
        let error = command(&Identity::Become(how), "true").unwrap_err();
        assert!(error.to_string().contains("`runas`"), "{error}");
    }
}
