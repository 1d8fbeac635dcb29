//! What `ansible-playbook` lists without running anything: hosts, tasks, tags.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::process::ExitCode;

use stead::playbook::{Item, TagSelection, Task, as_written};
use stead::run::escape::escape_line;
use stead::source::Node;

use super::super::prepare::{Prepared, show};
use super::exit;

/// What is listed; nothing = only the playbooks' names.
pub(super) struct Wanted {
    pub(super) hosts: bool,
    pub(super) tasks: bool,
    pub(super) tags: bool,
}

/// Lists it.
pub(super) fn print(prepared: &Prepared, wanted: &Wanted, tags: &TagSelection, limit: Option<&str>) -> ExitCode {
    let mut text = String::new();
    for playbook in &prepared.playbooks {
        let _ = writeln!(text, "\nplaybook: {}", playbook.path.display());
        if !(wanted.hosts || wanted.tasks || wanted.tags) {
            continue;
        }
        for (number, play) in playbook.plays.iter().enumerate() {
            let patterns = patterns(&play.hosts);
            let play_tags: Vec<&str> = play.keywords.tags.iter().map(|tag| &**tag).collect();
            let title = escape_line(&play.title());
            let _ = writeln!(text, "\n  play #{} ({}): {title}\tTAGS: [{}]", number + 1, patterns.join(","), play_tags.join(","));
            if wanted.hosts {
                match selected(prepared, &patterns, limit) {
                    Ok(hosts) => {
                        let quoted: Vec<String> = patterns.iter().map(|pattern| format!("'{pattern}'")).collect();
                        let _ = writeln!(text, "    pattern: [{}]\n    hosts ({}):", quoted.join(", "), hosts.len());
                        hosts.iter().for_each(|host| {
                            let _ = writeln!(text, "      {host}");
                        });
                    }
                    Err(code) => return code,
                }
            }
            let mut tasks = Vec::new();
            let items = tags.apply(&play.items, &as_written);
            collect(&items, &mut tasks);
            if wanted.tags {
                let all: BTreeSet<&str> = tasks.iter().flat_map(|task| &task.keywords.tags).map(|tag| &**tag).collect();
                let _ = writeln!(text, "      TASK TAGS: [{}]", all.into_iter().collect::<Vec<_>>().join(", "));
            }
            if wanted.tasks {
                text.push_str("    tasks:\n");
                for task in tasks {
                    let role = task.role.as_ref().map(|role| format!("{} : ", role.name)).unwrap_or_default();
                    let tags: BTreeSet<&str> = task.keywords.tags.iter().map(|tag| &**tag).collect();
                    let tags = tags.into_iter().collect::<Vec<_>>().join(", ");
                    let _ = writeln!(text, "      {role}{}\tTAGS: [{tags}]", escape_line(task.title()));
                }
            }
        }
    }
    anstream::print!("{text}");
    ExitCode::SUCCESS
}

/// Tasks that people wrote and that are run if nothing fails, in order.
fn collect<'a>(items: &'a [Item], into: &mut Vec<&'a Task>) {
    for item in items {
        match item {
            Item::Task(task) if &*task.action.module == "meta" => {}
            Item::Task(task) => into.push(task),
            Item::Block(block) => {
                collect(&block.body, into);
                collect(&block.always, into);
            }
        }
    }
}

fn patterns(hosts: &Node) -> Vec<String> {
    match hosts.as_list() {
        Some(list) => list.iter().filter_map(Node::as_str).map(str::to_owned).collect(),
        None => hosts.as_str().map(str::to_owned).into_iter().collect(),
    }
}

fn selected(prepared: &Prepared, patterns: &[String], limit: Option<&str>) -> Result<Vec<String>, ExitCode> {
    match prepared.inventory.select(&patterns.join(","), limit) {
        Ok(selection) => Ok(selection.hosts.iter().map(|host| escape_line(host)).collect()),
        Err(found) => {
            show(&found, &prepared.map);
            Err(ExitCode::from(exit::ERROR))
        }
    }
}
