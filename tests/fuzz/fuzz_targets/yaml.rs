//! Any text is read as YAML, or refused with diagnostics that can be drawn.
#![no_main]

use std::path::Path;

use libfuzzer_sys::fuzz_target;
use stead::source::{SourceMap, render, yaml};

fuzz_target!(|text: &str| {
    let map = SourceMap::default();
    let file = map.add(Path::new("fuzz.yml"), text);
    let (_, diagnostics) = yaml::parse(&map, file);
    render::render(&diagnostics, &map, render::Colour::Plain);
});
