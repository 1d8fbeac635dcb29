//! Pages in the forms of `ansible-doc`: its list, its page, its JSON, its snippet.

use serde_json::{Map, Value, json};
use stead_modules::args::{ArgKind, Field, Presence};

use super::page::Page;
use super::render::{dedented, default, examples, paragraphs};

/// Name and first sentence of each page, one a line.
pub fn names(pages: &[Page]) -> String {
    pages.iter().map(|page| format!("{:<38} {}\n", full(page), page.summary())).collect()
}

/// A page.
pub fn page(page: &Page) -> String {
    let mut text = format!("> MODULE {}\n\n{}", full(page), paragraphs(page.doc, "  "));
    if !page.fields.is_empty() {
        text.push_str("\nOPTIONS (= indicates it is required):\n");
    }
    for field in &page.fields {
        let mark = if field.presence == Presence::Required { '=' } else { '-' };
        text.push_str(&format!("\n{mark} {}\n{}", field.name, paragraphs(field.doc, "        ")));
        if !field.aliases.is_empty() {
            text.push_str(&format!("        aliases: [{}]\n", field.aliases.join(", ")));
        }
        if let Some(choices) = choices(field) {
            text.push_str(&format!("        choices: [{}]\n", choices.join(", ")));
        }
        if let Presence::Default(value) = field.presence {
            text.push_str(&format!("        default: {}\n", default(value)));
        }
        text.push_str(&format!("        type: {}\n", type_name(&field.kind)));
    }
    if !page.examples.trim().is_empty() {
        text.push_str("\nEXAMPLES:\n\n");
        examples(page).iter().for_each(|line| text.push_str(&format!("{line}\n")));
    }
    text
}

/// A page as JSON, keyed by the module's full name.
pub fn json(page: &Page) -> Value {
    let option = |field: &Field| {
        let mut option = Map::new();
        let description: Vec<String> = paragraphs(field.doc, "").lines().map(str::to_owned).collect();
        option.insert("description".into(), json!(description));
        option.insert("required".into(), json!(field.presence == Presence::Required));
        option.insert("type".into(), json!(type_name(&field.kind)));
        if let ArgKind::List(of) = &field.kind {
            option.insert("elements".into(), json!(type_name(of)));
        }
        if let Presence::Default(value) = field.presence {
            option.insert("default".into(), json!(default(value)));
        }
        if let Some(choices) = choices(field) {
            option.insert("choices".into(), json!(choices));
        }
        if !field.aliases.is_empty() {
            option.insert("aliases".into(), json!(field.aliases));
        }
        (field.name.to_owned(), Value::Object(option))
    };
    let options: Map<String, Value> = page.fields.iter().map(option).collect();
    let description: Vec<String> = paragraphs(page.doc, "").lines().map(str::to_owned).collect();
    json!({full(page): {
        "doc": {
            "collection": "ansible.builtin",
            "description": description,
            "module": page.name,
            "options": options,
            "plugin_name": full(page),
            "short_description": page.summary(),
        },
        "examples": dedented(page.examples),
        "metadata": null,
        "return": null,
    }})
}

/// A task with every option, to be filled in.
pub fn snippet(page: &Page) -> String {
    let mut text = format!("- name: {}\n  {}:\n", page.summary(), page.name);
    for field in &page.fields {
        let about = paragraphs(field.doc, "").lines().next().unwrap_or_default().to_owned();
        let required = if field.presence == Presence::Required { "(required) " } else { "" };
        text.push_str(&format!("      {:<22} # {required}{about}\n", format!("{}:", field.name)));
    }
    text
}

fn full(page: &Page) -> String {
    format!("ansible.builtin.{}", page.name)
}

fn choices(field: &Field) -> Option<&'static [&'static str]> {
    match &field.kind {
        ArgKind::Choice(choices) => Some(choices),
        ArgKind::List(of) => match &**of {
            ArgKind::Choice(choices) => Some(choices),
            _ => None,
        },
        _ => None,
    }
}

/// The type's name in argument specifications.
fn type_name(kind: &ArgKind) -> &'static str {
    match kind {
        ArgKind::Str | ArgKind::Choice(_) => "str",
        ArgKind::Bool => "bool",
        ArgKind::Int => "int",
        ArgKind::Float => "float",
        ArgKind::Path => "path",
        ArgKind::List(_) => "list",
        ArgKind::Dict => "dict",
        ArgKind::Mode | ArgKind::Raw => "raw",
    }
}

#[cfg(test)]
mod tests {
    use super::super::{find, modules};
    use super::*;

    #[test]
    fn every_option_is_in_every_form() {
        for page in &modules(Vec::new()) {
            let (text, data, snippet) = (super::page(page), json(page), snippet(page));
            for field in &page.fields {
                assert!(text.contains(&format!("\n- {}\n", field.name)) || text.contains(&format!("\n= {}\n", field.name)));
                let known = &data[full(page)]["doc"]["options"][field.name];
                assert_eq!(known["type"], type_name(&field.kind), "{} {}", page.name, field.name);
                assert!(snippet.contains(&format!("      {}:", field.name)));
            }
        }
    }

    #[test]
    fn choices_and_defaults_are_named() {
        let pages = modules(Vec::new());
        let state = &json(find(&pages, "ansible.builtin.group").unwrap())["ansible.builtin.group"]["doc"]["options"]["state"];
        assert_eq!(
            *state,
            json!({
                "description": state["description"], "required": false, "type": "str", "default": "present",
                "choices": state["choices"],
            })
        );
        assert!(state["choices"].as_array().unwrap().contains(&json!("absent")));
    }
}
