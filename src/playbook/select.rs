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
    /// what they mean to Ansible: a task without tags counts as tagged `untagged`, `always` beats
    /// `never`, and each can be skipped like any other tag.
    pub fn selects(&self, tags: &[Arc<str>]) -> bool {
        let has = |name: &str| if tags.is_empty() { name == "untagged" } else { tags.iter().any(|tag| **tag == *name) };
        let tagged = !tags.is_empty();
        let wants = |list: &[String], name: &str| list.iter().any(|tag| tag == name);
        let named = |list: &[String]| list.iter().any(|tag| has(tag));
        let only = &self.only;
        let runs = has("always")
            || ((only.is_empty() || wants(only, "all")) && !has("never"))
            || named(only)
            || (wants(only, "tagged") && tagged && !has("never"));
        let skipped = if wants(&self.skip, "all") {
            !has("always") || wants(&self.skip, "always")
        } else {
            named(&self.skip) || (wants(&self.skip, "tagged") && tagged)
        };
        runs && !skipped
    }

    /// The items with only the selected tasks; blocks that are left without any are dropped. `late`
    /// gives the tags that a template stands for.
    pub fn apply(&self, items: &[Item], late: &dyn Fn(&str) -> Vec<Arc<str>>) -> Vec<Item> {
        items
            .iter()
            .filter_map(|item| match item {
                Item::Task(task) => self.keeps(task, late).then(|| item.clone()),
                Item::Block(block) => {
                    let kept = Block {
                        span: block.span,
                        body: self.apply(&block.body, late),
                        rescue: self.apply(&block.rescue, late),
                        always: self.apply(&block.always, late),
                    };
                    let any = !(kept.body.is_empty() && kept.rescue.is_empty() && kept.always.is_empty());
                    any.then(|| Item::Block(Arc::new(kept)))
                }
            })
            .collect()
    }

    fn keeps(&self, task: &Task, late: &dyn Fn(&str) -> Vec<Arc<str>>) -> bool {
        let tags = &task.keywords.tags;
        if !tags.iter().any(|tag| tag.contains("{{")) {
            return self.selects(tags);
        }
        let known: Vec<Arc<str>> =
            tags.iter().flat_map(|tag| if tag.contains("{{") { late(tag) } else { vec![Arc::clone(tag)] }).collect();
        self.selects(&known)
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

/// For places where no variable is known: a tag that is a template stands for itself.
pub fn as_written(tag: &str) -> Vec<Arc<str>> {
    vec![tag.into()]
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
            (&["all"], &[], &["never"], false),
            (&[], &[], &["always", "never"], true),
            (&["a"], &[], &["always", "never"], true),
            (&["tagged"], &[], &["never", "a"], false),
            (&["untagged"], &[], &["always"], true),
            (&[], &["all"], &["a"], false),
            (&[], &["all"], &["always"], true),
            (&[], &["all", "always"], &["always"], false),
            (&[], &["a"], &["a"], false),
            (&[], &["a"], &["b"], true),
            (&["a"], &["b"], &["a", "b"], false),
            (&[], &["always"], &["always"], false),
            (&[], &["tagged"], &["a"], false),
            (&[], &["untagged"], &["a"], true),
            (&[], &["untagged"], &[], false),
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
