//! Which tasks `--tags` and `--skip-tags` select.

use std::sync::Arc;

use super::task::{Block, Item, Task};

/// The tags of the command line.
#[derive(Debug, Clone, Default)]
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
}
