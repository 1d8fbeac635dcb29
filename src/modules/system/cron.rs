//! `cron`: jobs and variables of crontabs.

use std::path::PathBuf;

use serde_json::{Map, Value, json};

use super::crontab::{self, Crontab, Place};
use crate::accounts::group::Presence;
use crate::claims::Claims;
use crate::host::{Host, Inspect};
use crate::outcome::Failure;
use crate::resource::{Resource, Step, Written};
use crate::{args, choice};

choice! {
    /// A time that has a name.
    pub enum Special {
        /// Every year.
        Annually = "annually",
        /// Every day.
        Daily = "daily",
        /// Every hour.
        Hourly = "hourly",
        /// Every month.
        Monthly = "monthly",
        /// When the host starts.
        Reboot = "reboot",
        /// Every week.
        Weekly = "weekly",
        /// Every year.
        Yearly = "yearly",
    }
}

args! {
    /// Manages jobs and variables in a user's crontab or in a file of `/etc/cron.d`.
    ///
    /// A job is known by a comment line `#Ansible: NAME` before it, so that crontabs can be shared
    /// with Ansible.
    pub struct Args {
        /// Name of the job, or of the variable with `env`.
        name: Option<String>,
        /// The command, or the variable's value.
        job ("value"): Option<String>,
        /// Whether it is there.
        state: Presence = Presence::Present,
        /// Whose crontab, or who runs a job of `cron_file`.
        user: Option<String>,
        /// File of `/etc/cron.d`, or an absolute path, instead of a user's crontab.
        cron_file: Option<PathBuf>,
        /// Whether a copy of the old file is kept.
        backup: bool = false,
        /// Minute.
        minute: String = "*".into(),
        /// Hour.
        hour: String = "*".into(),
        /// Day of the month.
        day ("dom"): String = "*".into(),
        /// Month.
        month: String = "*".into(),
        /// Day of the week, Sunday is 0.
        weekday ("dow"): String = "*".into(),
        /// A time that has a name, instead of the five columns.
        special_time: Option<Special>,
        /// Whether the job is there but commented out.
        disabled: bool = false,
        /// Whether a variable is managed instead of a job.
        env: bool = false,
        /// Variable after which a new one is put.
        insertafter: Option<String>,
        /// Variable before which a new one is put.
        insertbefore: Option<String>,
    }
}

/// Examples; each is a test.
pub const EXAMPLES: &str = "
- name: A job of root
  cron:
    name: check dirs
    minute: '0'
    hour: 5,2
    job: ls -alh > /dev/null
- name: A job in a file of its own
  cron:
    name: yum autoupdate
    weekday: '2'
    minute: '0'
    hour: '12'
    user: root
    job: YUMINTERACTIVE=0 /usr/sbin/yum-autoupdate
    cron_file: ansible_yum-autoupdate
- name: A variable
  cron:
    name: PATH
    env: true
    job: /opt/bin
- name: At every start
  cron:
    name: a job for reboot
    special_time: reboot
    job: /some/job.sh
- name: No job
  cron:
    name: an old job
    state: absent
";

const MARK: &str = "#Ansible: ";

/// The module.
pub struct Cron;

/// The line of a job.
fn job_line(args: &Args) -> Result<String, Failure> {
    let job = args.job.as_deref().filter(|job| !job.is_empty());
    let job = job
        .ok_or_else(|| Failure::new("You must specify 'job' to install a new cron job or variable"))?
        .trim_matches(['\r', '\n']);
    let off = if args.disabled { "#" } else { "" };
    let user = match (&args.cron_file, &args.user) {
        (Some(_), Some(user)) => format!("{user} "),
        (Some(_), None) => return Err(Failure::new("To use cron_file=... parameter you must specify user=... as well")),
        (None, _) => String::new(),
    };
    let columns = [&args.minute, &args.hour, &args.day, &args.month, &args.weekday];
    if args.special_time.is_some() && columns.iter().any(|column| *column != "*") {
        return Err(Failure::new("You must specify time and date fields or special time."));
    }
    Ok(match args.special_time {
        Some(special) => format!("{off}@{} {user}{job}", special.word()),
        None => format!("{off}{} {} {} {} {} {user}{job}", args.minute, args.hour, args.day, args.month, args.weekday),
    })
}

/// The crontab with the job set (or gone).
fn edit_job(text: &str, name: &str, job: Option<&str>) -> String {
    let mark = format!("{MARK}{name}");
    let mut lines: Vec<&str> = Vec::new();
    let mut rest = text.lines();
    let mut done = false;
    while let Some(line) = rest.next() {
        if line != mark {
            lines.push(line);
            continue;
        }
        rest.next();
        if let Some(job) = job.filter(|_| !done) {
            lines.extend([mark.as_str(), job]);
        }
        done = true;
    }
    if let Some(job) = job.filter(|_| !done) {
        lines.extend([mark.as_str(), job]);
    }
    lines.iter().fold(String::new(), |all, line| all + line + "\n")
}

impl Resource for Cron {
    type Args = Args;
    type State = Crontab;

    fn read(args: &Args, host: &dyn Inspect) -> Result<Crontab, Failure> {
        Crontab::read(args.user.as_deref(), args.cron_file.as_deref(), host)
    }

    fn want(args: &Args, now: &Crontab) -> Result<Crontab, Failure> {
        let text = now.file.text.as_deref().unwrap_or_default();
        let absent = args.state == Presence::Absent;
        let Some(name) = args.name.as_deref().filter(|name| !name.is_empty()) else {
            if absent && args.cron_file.is_some() {
                return Ok(Crontab { file: now.file.gone(), ..now.clone() });
            }
            return Err(Failure::new("`name` is required"));
        };
        if name.contains('\n') || args.job.as_deref().is_some_and(|job| job.trim_matches(['\r', '\n']).contains('\n')) {
            return Err(Failure::new("name and job must each be one line"));
        }
        if absent && now.file.text.is_none() {
            return Ok(now.clone());
        }
        let edited = match (args.env, absent) {
            (true, true) => crontab::edit_variable(text, name, None, Place::Top)?,
            (true, false) => {
                if name.contains(' ') {
                    return Err(Failure::new("Invalid name for environment variable"));
                }
                let value = args.job.as_deref();
                let value = value.ok_or_else(|| Failure::new("You must specify 'job' to install a new cron job or variable"))?;
                let place = Place::of(args.insertafter.as_deref(), args.insertbefore.as_deref());
                crontab::edit_variable(text, name, Some(&format!("{name}=\"{value}\"")), place)?
            }
            (false, true) => edit_job(text, name, None),
            (false, false) => edit_job(text, name, Some(&job_line(args)?)),
        };
        // A file of which nothing is left goes.
        let text = Some(edited).filter(|text| !(absent && args.cron_file.is_some() && text.trim().is_empty()));
        Ok(Crontab { file: text.map_or_else(|| now.file.gone(), |text| now.file.with(text)), ..now.clone() })
    }

    fn write(args: &Args, step: &Step<'_, Crontab>, host: &mut dyn Host) -> Result<Written, Failure> {
        crontab::write(step, args.user.is_some(), args.backup, "backup_file", host)
    }

    fn result(args: &Args, _: &Crontab, after: &Crontab) -> Map<String, Value> {
        let jobs: Vec<&str> = after.file.lines().filter_map(|line| line.strip_prefix(MARK)).collect();
        let mut result = Map::from_iter([("jobs".to_owned(), json!(jobs)), ("envs".to_owned(), json!(after.variables()))]);
        if let Some(file) = &args.cron_file {
            result.insert("cron_file".into(), json!(file));
        }
        result
    }

    fn claims(args: &Args) -> Claims {
        crontab::claims(args.user.as_deref(), args.cron_file.as_deref())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn jobs_are_known_by_their_mark() {
        let text = "MAILTO=x\n#Ansible: a\n* * * * * one\n#Ansible: b\n* * * * * two\n";
        assert_eq!(edit_job(text, "a", None), "MAILTO=x\n#Ansible: b\n* * * * * two\n");
        assert_eq!(edit_job(text, "b", Some("@daily x")), "MAILTO=x\n#Ansible: a\n* * * * * one\n#Ansible: b\n@daily x\n");
        assert_eq!(edit_job("", "c", Some("@daily x")), "#Ansible: c\n@daily x\n");
    }
}
