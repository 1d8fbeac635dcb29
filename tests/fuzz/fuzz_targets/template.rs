//! Any text is compiled and rendered as a template, or refused, in bounded time.
#![no_main]

use libfuzzer_sys::fuzz_target;
use stead::source::{Node, SourceMap, Span};
use stead::template::{RenderSettings, Renderer};
use stead::vars::Scope;

fuzz_target!(|text: &str| {
    // Lookups that run commands are not tried with commands that chance wrote.
    if ["pipe", "lines"].iter().any(|word| text.contains(word)) {
        return;
    }
    let map = SourceMap::default();
    let file = map.add(std::path::Path::new("fuzz.yml"), text);
    let span = Span { file, start: 0, end: text.len() as u32 };
    let renderer = Renderer::new(RenderSettings::default());
    let _ = renderer.value(&Node::str(span, text), &Scope::default());
    let _ = renderer.expression(text, span, &Scope::default());
});
