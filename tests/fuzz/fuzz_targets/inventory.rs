//! Any text is read as an inventory, or refused.
#![no_main]

use libfuzzer_sys::fuzz_target;
use stead::inventory::{Inventory, InventorySettings};
use stead::source::SourceMap;

fuzz_target!(|text: &str| {
    let path = std::path::PathBuf::from(format!("/dev/shm/stead-fuzz-{}.ini", std::process::id()));
    std::fs::write(&path, text).expect("shared memory can be written");
    let (inventory, _) = Inventory::load(&SourceMap::default(), &[path.display().to_string()], &InventorySettings::default());
    for host in inventory.hosts().take(100) {
        inventory.host_layers(host);
    }
});
