//! Any text is a host pattern, or refused.
#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use stead::inventory::{Inventory, InventorySettings};
use stead::source::SourceMap;

static INVENTORY: LazyLock<Inventory> =
    LazyLock::new(|| Inventory::load(&SourceMap::default(), &["web[01:20].example.com,db-[a:e],10.0.0.1,".to_owned()], &InventorySettings::default()).0);

fuzz_target!(|text: &str| {
    let (pattern, limit) = text.split_once('\n').map_or((text, None), |(pattern, limit)| (pattern, Some(limit)));
    // A limit may name a file: those of this machine are not read here.
    let limit = limit.filter(|limit| !limit.contains('@'));
    let _ = INVENTORY.select(pattern, limit);
});
