//! `getent`: looks something up in the host's databases.

use serde_json::{Map, Value, json};

use crate::args;
use crate::host::{CommandLine, Inspect};
use crate::outcome::Failure;
use crate::query::Query;

args! {
    /// Looks up entries of `passwd`, `group`, `hosts` and other databases and returns them as the
    /// fact `getent_DATABASE`.
    pub struct Args {
        /// The database.
        database: String,
        /// The entry; without it, all that the database lists.
        key: Option<String>,
        /// Where to look, e.g. `files`.
        service: Option<String>,
        /// What separates fields; otherwise as the database has it.
        split: Option<String>,
        /// Whether it is a failure if there is no such entry.
        fail_key: bool = true,
    }
}

/// Examples; each is a test.
pub const EXAMPLES: &str = "
- name: An account
  getent:
    database: passwd
    key: root
- name: A group that may be missing
  getent:
    database: group
    key: nosuchgroup
    fail_key: false
";

/// The module.
pub struct Getent;

impl Query for Getent {
    type Args = Args;

    fn query(args: &Args, host: &dyn Inspect) -> Result<Map<String, Value>, Failure> {
        let fact = format!("getent_{}", args.database);
        if let (Some(key), None) = (&args.key, &args.service)
            && let Some(fields) = account(&args.database, key, host)?
        {
            return Ok(facts(&fact, Map::from_iter([(key.clone(), fields)])));
        }
        let mut line = CommandLine::new(["getent"]).env("LC_ALL", "C");
        if let Some(service) = &args.service {
            line.argv.extend(["-s".into(), service.clone()]);
        }
        line.argv.push(args.database.clone());
        line.argv.extend(args.key.clone());
        let output = match host.query(&line) {
            Ok(output) => output,
            // A host without `getent` has nothing beside its files, and those were looked at.
            Err(_) if args.key.is_some() && ["passwd", "group"].contains(&args.database.as_str()) => {
                crate::host::Output { rc: 2, ..crate::host::Output::default() }
            }
            Err(failure) => return Err(failure),
        };
        match output.rc {
            0 => {
                let text = output.text();
                let rows = text.lines().filter_map(|row| entry(row, args));
                let mut entries: Map<String, Value> = Map::new();
                for (name, fields) in rows {
                    entries.entry(name).or_insert(fields);
                }
                Ok(facts(&fact, entries))
            }
            2 if !args.fail_key => Ok(facts(&fact, Map::from_iter([(args.key.clone().unwrap_or_default(), Value::Null)]))),
            1 => Err(Failure::new("Missing arguments, or database unknown.")),
            2 => Err(Failure::new("One or more supplied key could not be found in the database.")),
            3 => Err(Failure::new("Enumeration not supported on this database.")),
            rc => Err(Failure::new(format!("getent ended with {rc}: {}", output.error_text().trim()))),
        }
    }
}

fn facts(name: &str, entries: Map<String, Value>) -> Map<String, Value> {
    Map::from_iter([("ansible_facts".to_owned(), json!({name: entries}))])
}

/// Accounts as the host is seen by later tasks of a plan.
fn account(database: &str, key: &str, host: &dyn Inspect) -> Result<Option<Value>, Failure> {
    let number = key.parse().ok();
    Ok(match database {
        "passwd" => {
            let user = if let Some(uid) = number { host.user_by_id(uid)? } else { host.user(key)? };
            user.map(|user| {
                let home = user.home.display().to_string();
                json!(["x", user.uid.to_string(), user.gid.to_string(), user.comment, home, user.shell])
            })
        }
        "group" => {
            let group = if let Some(gid) = number { host.group_by_id(gid)? } else { host.group(key)? };
            group.map(|group| json!(["x", group.gid.to_string(), group.members.join(",")]))
        }
        _ => None,
    })
}

/// A row as name and fields.
fn entry(row: &str, args: &Args) -> Option<(String, Value)> {
    let colons = ["passwd", "shadow", "group", "gshadow"].contains(&args.database.as_str());
    let fields: Vec<&str> = match args.split.as_deref().or(colons.then_some(":")) {
        Some(split) if !split.is_empty() => row.split(split).collect(),
        _ => row.split_whitespace().collect(),
    };
    let (name, rest) = fields.split_first()?;
    Some(((*name).to_owned(), json!(rest)))
}
