//! A task that reads a variable waits for the task that makes it.

use std::collections::BTreeMap;

use crate::graph::build::Draft;
use crate::graph::model::{NodeId, Reason};

/// Who last made a variable, and who has read it since.
#[derive(Default)]
struct Uses {
    maker: Option<NodeId>,
    readers: Vec<NodeId>,
}

/// Draws edges from makers to readers. Where the written order is kept anyway they only tell why;
/// otherwise they, and edges that keep a variable from being made again too early, are the order.
pub(in crate::graph) fn data(draft: &mut Draft<'_>) {
    let mut uses: BTreeMap<&str, Uses> = BTreeMap::new();
    for at in 0..draft.tasks.len() {
        let Some(task) = draft.tasks[at] else { continue };
        let target = NodeId(at as u32);
        // Names that reach every variable.
        let reads_all = task.reads.contains("hostvars") || task.reads.contains("vars");
        for (name, use_of) in &mut uses {
            if reads_all || task.reads.contains(*name) {
                if let Some(maker) = use_of.maker {
                    connect(draft, maker, target, Reason::Reads((*name).to_owned()));
                }
                use_of.readers.push(target);
            }
        }
        for name in task.reads.iter().filter(|name| !uses.contains_key(name.as_str())).collect::<Vec<_>>() {
            uses.entry(name).or_default().readers.push(target);
        }
        for name in &task.provides {
            let use_of = uses.entry(name).or_default();
            if !draft.keeps_order() {
                for earlier in use_of.maker.iter().chain(&use_of.readers).copied().filter(|earlier| *earlier != target) {
                    connect(draft, earlier, target, Reason::Overwrites(name.clone()));
                }
            }
            *use_of = Uses { maker: Some(target), readers: Vec::new() };
        }
    }
}

fn connect(draft: &mut Draft<'_>, source: NodeId, target: NodeId, reason: Reason) {
    if draft.keeps_order() {
        draft.note(source, target, reason);
    } else {
        draft.draw(draft.lifted(source, target), target, reason);
    }
}
