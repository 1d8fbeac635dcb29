//! The graph for people and for other programs: dot, Mermaid, JSON, and plain words.

use serde_json::{Value, json as value};

use super::model::{Edge, Graph, Node, NodeId, NodeKind, Section};
use crate::source::SourceMap;

/// Graphviz. Edges that wait for all hosts are bold; edges that others imply are dashed.
pub fn dot(graph: &Graph, sources: &SourceMap) -> String {
    let mut text = String::from("digraph play {\n  rankdir=TB;\n  node [shape=box, fontname=\"sans-serif\"];\n");
    for (id, node) in graph.nodes() {
        let shape = if matches!(node.kind, NodeKind::BlockEnd(_)) { ", shape=point" } else { "" };
        text.push_str(&format!("  n{} [label=\"{}\"{shape}];\n", id.index(), quoted(&title(node, sources))));
    }
    for (source, target, edge) in graph.edges() {
        let style = match (edge.across_hosts, edge.implied) {
            (true, _) => ", style=bold",
            (_, true) => ", style=dashed, constraint=false",
            _ => "",
        };
        text.push_str(&format!("  n{} -> n{} [label=\"{}\"{style}];\n", source.index(), target.index(), quoted(&edge.why())));
    }
    text.push_str("}\n");
    text
}

/// Mermaid, for Markdown pages. Thick arrows wait for all hosts; dotted ones are implied by others.
pub fn mermaid(graph: &Graph, sources: &SourceMap) -> String {
    let mut text = String::from("flowchart TD\n");
    for (id, node) in graph.nodes() {
        let label = entities(&title(node, sources));
        match node.kind {
            NodeKind::Task(_) => text.push_str(&format!("  n{}[\"{label}\"]\n", id.index())),
            NodeKind::BlockEnd(_) => text.push_str(&format!("  n{}((\"{label}\"))\n", id.index())),
        }
    }
    for (source, target, edge) in graph.edges() {
        let arrow = match (edge.across_hosts, edge.implied) {
            (true, _) => "==>",
            (_, true) => "-.->",
            _ => "-->",
        };
        text.push_str(&format!("  n{} {arrow}|\"{}\"| n{}\n", source.index(), entities(&edge.why()), target.index()));
    }
    text
}

/// JSON: `nodes` and `edges`, each edge with its reasons.
pub fn json(graph: &Graph, sources: &SourceMap) -> Value {
    let nodes: Vec<Value> = graph
        .nodes()
        .map(|(id, node)| {
            let scope: Vec<Value> =
                node.scope.iter().map(|(block, section)| value!({"block": block.index(), "section": section.word()})).collect();
            value!({
                "id": id.index(),
                "kind": if matches!(node.kind, NodeKind::Task(_)) { "task" } else { "block_end" },
                "name": node.name,
                "place": sources.place(node.span),
                "scope": scope,
                "run_once": node.run_once,
                "throttle": node.throttle,
            })
        })
        .collect();
    let edges: Vec<Value> = graph
        .edges()
        .into_iter()
        .map(|(source, target, edge)| {
            value!({
                "from": source.index(),
                "to": target.index(),
                "reasons": edge.reasons.iter().map(ToString::to_string).collect::<Vec<_>>(),
                "all_hosts": edge.across_hosts,
                "implied": edge.implied,
            })
        })
        .collect();
    value!({"nodes": nodes, "edges": edges})
}

/// In words: every node with what it waits for, and why.
pub fn text(graph: &Graph, sources: &SourceMap) -> String {
    graph.nodes().map(|(id, _)| explain(graph, id, sources)).collect()
}

/// Why one node waits.
pub fn explain(graph: &Graph, id: NodeId, sources: &SourceMap) -> String {
    let node = graph.node(id);
    let mut text = title(node, sources);
    for (block, section) in &node.scope {
        if *section != Section::Body {
            text.push_str(&format!(" in {} of block {}", section.word(), block.index() + 1));
        }
    }
    text.push('\n');
    let edges = graph.waits_for(id);
    if edges.is_empty() {
        text.push_str("  waits for nothing\n");
    }
    for (source, edge) in edges {
        text.push_str(&line(graph, source, edge, sources));
    }
    text
}

fn line(graph: &Graph, source: NodeId, edge: &Edge, sources: &SourceMap) -> String {
    format!("  waits for {}: {}\n", title(graph.node(source), sources), edge.why())
}

fn title(node: &Node, sources: &SourceMap) -> String {
    format!("{} ({})", node.name, sources.place(node.span))
}

fn quoted(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', " ")
}

fn entities(text: &str) -> String {
    text.replace('&', "&amp;").replace('"', "&quot;").replace('<', "&lt;").replace('>', "&gt;").replace('\n', " ")
}

#[cfg(test)]
mod tests {
    use super::super::build::build;
    use super::super::build::tests::{outline, place, task};
    use super::super::outline::{OutlineItem, Strategy, TaskOutline};
    use super::*;

    fn sample() -> Graph {
        let first = TaskOutline { name: "say \"hi\"".into(), ..task(0) };
        build(&outline(Strategy::Linear, vec![OutlineItem::Task(first), OutlineItem::Task(task(1))])).0
    }

    #[test]
    fn dot_quotes_names_and_says_why() {
        insta::assert_snapshot!(dot(&sample(), &place().0), @r#"
        digraph play {
          rankdir=TB;
          node [shape=box, fontname="sans-serif"];
          n0 [label="say \"hi\" (site.yml:1)"];
          n1 [label="t1 (site.yml:1)"];
          n0 -> n1 [label="written after it; all hosts: linear strategy", style=bold];
        }
        "#);
    }

    #[test]
    fn mermaid_draws_thick_arrows_for_barriers() {
        insta::assert_snapshot!(mermaid(&sample(), &place().0), @r#"
        flowchart TD
          n0["say &quot;hi&quot; (site.yml:1)"]
          n1["t1 (site.yml:1)"]
          n0 ==>|"written after it; all hosts: linear strategy"| n1
        "#);
    }

    #[test]
    fn json_holds_every_node_and_edge() {
        let json = json(&sample(), &place().0);
        assert_eq!(json["nodes"].as_array().map(Vec::len), Some(2));
        assert_eq!(json["edges"][0]["all_hosts"], true);
        assert_eq!(json["edges"][0]["reasons"][0], "written after it");
    }
}
