//! Which tasks `--tags` and `--skip-tags` select.

use std::sync::Arc;

use super::play::{Play, Playbook};
use super::task::{Block, Item, Task};

/// The tags of the command line.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TagSelection {
    /// `--tags`; empty = all.
    pub only: Vec<String>,
    /// `--skip-tags`.
    pub skip: Vec<String>,
}

impl TagSelection {
    /// Whether a task with these tags runs. `always`, `never`, `tagged`, `untagged` and `all` mean
    /// what Ansible's documentation of tags says.
    pub fn selects(&self, tags: &[Arc<str>]) -> bool {
        let has = |name: &str| tags.iter().any(|tag| **tag == *name);
        let named = |list: &[String]| {
            list.iter().any(|wanted| match wanted.as_str() {
                "tagged" => tags.iter().any(|tag| &**tag != "never"),
                "untagged" => tags.is_empty(),
                name => has(name),
            })
        };
        let explicit = named(&self.only);
        let all = self.only.is_empty() || self.only.iter().any(|tag| tag == "all");
        let mut runs = explicit || (all && !has("never")) || has("always");
        if has("never") && !explicit {
            runs = false;
        }
        let skips = |name: &str| self.skip.iter().any(|tag| tag == name);
        let skipped = named(&self.skip) || (skips("all") && (!has("always") || skips("always")));
        runs && !skipped
    }

    /// The items with only the selected tasks; blocks that are left without any are dropped.
    pub fn apply(&self, items: &[Item]) -> Vec<Item> {
        items
            .iter()
            .filter_map(|item| match item {
                Item::Task(task) => self.keeps(task).then(|| item.clone()),
                Item::Block(block) => {
                    let kept = Block {
                        span: block.span,
                        body: self.apply(&block.body),
                        rescue: self.apply(&block.rescue),
                        always: self.apply(&block.always),
                    };
                    let any = !(kept.body.is_empty() && kept.rescue.is_empty() && kept.always.is_empty());
                    any.then(|| Item::Block(Arc::new(kept)))
                }
            })
            .collect()
    }

    /// `meta` of the engine's own and handlers' flushes are always reached.
    fn keeps(&self, task: &Task) -> bool {
        self.selects(&task.keywords.tags)
    }
}

/// The playbooks without the tasks before the first whose name matches, as `--start-at-task` wants
/// it: the name as shown (`name` or `role : name`), or a pattern with `*` and `?`. `None`: there is
/// no such task. Plays before it are dropped; facts of its play are gathered all the same.
pub fn start_at(playbooks: &[Playbook], name: &str) -> Option<Vec<Playbook>> {
    let mut found = false;
    let mut rest = Vec::new();
    for playbook in playbooks {
        let mut plays = Vec::new();
        for play in &playbook.plays {
            if found {
                plays.push(Arc::clone(play));
                continue;
            }
            let items = from(&play.items, name, &mut found);
            if found {
                plays.push(Arc::new(Play { items, ..Play::clone(play) }));
            }
        }
        rest.push(Playbook { path: playbook.path.clone(), plays });
    }
    found.then_some(rest)
}

fn from(items: &[Item], name: &str, found: &mut bool) -> Vec<Item> {
    let mut kept = Vec::new();
    for item in items {
        if *found {
            kept.push(item.clone());
            continue;
        }
        match item {
            Item::Task(task) if is_named(task, name) => {
                *found = true;
                kept.push(item.clone());
            }
            Item::Task(_) => {}
            Item::Block(block) => {
                let section = |items: &[Item], found: &mut bool| from(items, name, found);
                let body = section(&block.body, found);
                let rescue = section(&block.rescue, found);
                let always = section(&block.always, found);
                if *found {
                    kept.push(Item::Block(Arc::new(Block { span: block.span, body, rescue, always })));
                }
            }
        }
    }
    kept
}

fn is_named(task: &Task, wanted: &str) -> bool {
    let title = task.title();
    let with_role = task.role.as_ref().map(|role| format!("{} : {title}", role.name));
    let matches = |text: &str| text == wanted || crate::template::matches_glob(wanted, text);
    matches(title) || with_role.as_deref().is_some_and(matches)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_select_as_documented() {
        // only, skip, tags of the task, runs
        let cases: &[(&[&str], &[&str], &[&str], bool)] = &[
            (&[], &[], &[], true),
            (&[], &[], &["never"], false),
            (&["a"], &[], &["a"], true),
            (&["a"], &[], &["b"], false),
            (&["a"], &[], &["always"], true),
            (&["a"], &[], &[], false),
            (&["a"], &[], &["never", "a"], true),
            (&["never"], &[], &["never"], true),
            (&["tagged"], &[], &["a"], true),
            (&["tagged"], &[], &[], false),
            (&["untagged"], &[], &[], true),
            (&["untagged"], &[], &["a"], false),
            (&["all"], &[], &["a"], true),
            (&[], &["a"], &["a"], false),
            (&[], &["a"], &["b"], true),
            (&["a"], &["b"], &["a", "b"], false),
            (&[], &["always"], &["always"], false),
            (&[], &["tagged"], &["a"], false),
            (&[], &["untagged"], &["a"], true),
        ];
        for (only, skip, tags, runs) in cases {
            let own = |list: &[&str]| list.iter().map(|text| (*text).to_owned()).collect();
            let selection = TagSelection { only: own(only), skip: own(skip) };
            let tags: Vec<Arc<str>> = tags.iter().map(|tag| Arc::from(*tag)).collect();
            assert_eq!(selection.selects(&tags), *runs, "{only:?} {skip:?} {tags:?}");
        }
    }

    #[test]
    fn a_run_starts_at_a_task_wherever_it_stands() {
        let text = "- hosts: a\n  tasks: [{ping: , name: one}, {ping: , name: two}]\n\
                    - hosts: b\n  tasks:\n    - {ping: , name: three}\n    - block: [{ping: , name: four}, {ping: , name: five}]\n      \
                    rescue: [{ping: , name: six}]\n- hosts: c\n  tasks: [{ping: , name: five}]\n";
        let ping = crate::playbook::Entry {
            name: "ping",
            performer: crate::playbook::Performer::Agent,
            fields: Vec::new(),
            takes_command: false,
            takes_anything: true,
            observable: false,
            check: |_| Vec::new(),
            claims: |_| stead_modules::claims::Claims::default(),
        };
        let catalog = Arc::new(crate::playbook::Catalog::new([ping]));
        let renderer = Arc::new(crate::template::Renderer::new(crate::template::RenderSettings::default()));
        let loader = crate::playbook::Loader::new(
            crate::source::SourceMap::default(),
            catalog,
            crate::playbook::LoadSettings::default(),
            renderer,
        );
        let (playbook, _) = loader.playbook_text("site.yml".as_ref(), text);
        let left = |name: &str| {
            let playbooks = start_at(std::slice::from_ref(&playbook), name)?;
            let tasks = |play: &Arc<Play>| {
                let mut all = Vec::new();
                super::super::load::collect_tasks(&play.items, &mut all);
                all.iter().filter(|task| &*task.action.module != "meta").map(|task| task.title().to_owned()).collect::<Vec<_>>()
            };
            Some(playbooks[0].plays.iter().map(tasks).collect::<Vec<_>>())
        };
        assert_eq!(left("fi*").unwrap(), [vec!["five", "six"], vec!["five"]]);
        assert_eq!(left("two").unwrap().concat(), ["two", "three", "four", "five", "six", "five"]);
        assert_eq!(left("seven"), None);
    }
}
