//! `cronvar`: variables of crontabs.

use std::path::PathBuf;

use serde_json::{Map, Value, json};

use super::crontab::{self, Crontab, Place};
use crate::accounts::group::Presence;
use crate::args;
use crate::claims::Claims;
use crate::host::{Host, Inspect};
use crate::outcome::Failure;
use crate::resource::{Resource, Step, Written};

args! {
    /// Manages variables in a user's crontab or in a file of `/etc/cron.d`.
    pub struct Args {
        /// Name of the variable.
        name: String,
        /// Its value, written as it is.
        value: Option<String>,
        /// Whether it is there.
        state: Presence = Presence::Present,
        /// Whose crontab.
        user: Option<String>,
        /// File of `/etc/cron.d`, or an absolute path, instead of a user's crontab.
        cron_file: Option<PathBuf>,
        /// Variable after which a new one is put.
        insertafter: Option<String>,
        /// Variable before which a new one is put.
        insertbefore: Option<String>,
        /// Whether a copy of the old crontab is kept.
        backup: bool = false,
    }
}

/// Examples; each is a test.
pub const EXAMPLES: &str = "
- name: Where mail goes
  cronvar:
    name: MAILTO
    value: doug@example.org
    user: root
- name: In a file of its own
  cronvar:
    name: LOGFILE
    value: /var/log/app.log
    cron_file: app
- name: No variable
  cronvar:
    name: LEGACY
    state: absent
";

/// The module.
pub struct Cronvar;

impl Resource for Cronvar {
    type Args = Args;
    type State = Crontab;

    fn read(args: &Args, host: &dyn Inspect) -> Result<Crontab, Failure> {
        Crontab::read(args.user.as_deref().or(Some("root")), args.cron_file.as_deref(), host)
    }

    fn want(args: &Args, now: &Crontab) -> Result<Crontab, Failure> {
        if args.name.is_empty() || !args.name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') {
            return Err(Failure::new(format!("`{}` cannot be the name of a variable", args.name)));
        }
        let text = now.file.text.as_deref().unwrap_or_default();
        if args.state == Presence::Absent {
            if now.file.text.is_none() {
                return Ok(now.clone());
            }
            let edited = crontab::edit_variable(text, &args.name, None, Place::Top)?;
            return Ok(Crontab { file: now.file.with(edited), ..now.clone() });
        }
        let value =
            args.value.as_deref().ok_or_else(|| Failure::new("You must specify 'value' to insert a new cron variable"))?;
        if value.contains('\n') {
            return Err(Failure::new("the value must be one line"));
        }
        let value = if value.is_empty() { "\"\"" } else { value };
        let place = Place::of(args.insertafter.as_deref(), args.insertbefore.as_deref());
        let edited = crontab::edit_variable(text, &args.name, Some(&format!("{}={value}", args.name)), place)?;
        Ok(Crontab { file: now.file.with(edited), ..now.clone() })
    }

    fn write(args: &Args, step: &Step<'_, Crontab>, host: &mut dyn Host) -> Result<Written, Failure> {
        crontab::write(step, true, args.backup, "backup_file", host)
    }

    fn result(args: &Args, _: &Crontab, after: &Crontab) -> Map<String, Value> {
        let mut result = Map::from_iter([("vars".to_owned(), json!(after.variables()))]);
        if let Some(file) = &args.cron_file {
            result.insert("cron_file".into(), file.display().to_string().into());
        }
        result
    }

    fn claims(args: &Args) -> Claims {
        crontab::claims(args.user.as_deref(), args.cron_file.as_deref())
    }
}
