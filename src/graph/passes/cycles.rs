//! Nothing may wait for itself.

use petgraph::Direction;
use petgraph::algo::tarjan_scc;
use petgraph::graph::NodeIndex;

use crate::graph::build::Draft;
use crate::source::Diagnostic;

/// Reports every loop with the place and reason of each of its edges.
pub(in crate::graph) fn cycles(draft: &mut Draft<'_>) {
    let graph = &draft.graph.inner;
    let mut loops: Vec<Vec<NodeIndex>> = tarjan_scc(graph)
        .into_iter()
        .filter(|group| group.len() > 1 || graph.find_edge(group[0], group[0]).is_some())
        .map(|group| shortest(draft, &group))
        .collect();
    loops.sort();
    for nodes in loops {
        let name = |index: NodeIndex| graph[index].name.as_str();
        let names: Vec<_> = nodes.iter().map(|index| name(*index)).collect();
        let first = &graph[nodes[0]];
        let mut diagnostic = Diagnostic::error("cycle", format!("these tasks wait for each other: {}", names.join(", ")))
            .at(first.span, "waits for itself through the others");
        for (at, target) in nodes.iter().enumerate() {
            let source = nodes[(at + 1) % nodes.len()];
            let edge = graph.find_edge(source, *target).expect("a loop consists of edges");
            let label = format!("`{}` waits for `{}`: {}", name(*target), name(source), graph[edge].why());
            diagnostic = diagnostic.related(graph[*target].span, label);
        }
        draft.diagnostics.push(diagnostic.hint("remove one of these dependencies"));
    }
}

/// A shortest loop through the first node of a group, each node followed by one that it waits for.
fn shortest(draft: &Draft<'_>, group: &[NodeIndex]) -> Vec<NodeIndex> {
    let graph = &draft.graph.inner;
    let start = *group.iter().min().expect("a group has a node");
    let mut paths = std::collections::VecDeque::from([vec![start]]);
    let mut seen = std::collections::BTreeSet::new();
    while let Some(path) = paths.pop_front() {
        let last = *path.last().expect("a path has a node");
        let mut sources: Vec<_> = graph.neighbors_directed(last, Direction::Incoming).collect();
        sources.sort();
        for source in sources {
            if source == start {
                return path;
            }
            if group.contains(&source) && seen.insert(source) {
                paths.push_back(path.iter().copied().chain([source]).collect());
            }
        }
    }
    vec![start]
}
