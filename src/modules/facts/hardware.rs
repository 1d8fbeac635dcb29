//! Processor, memory, firmware, uptime.

use serde_json::{Map, Value, json};

use super::gather::{Facts, exists, line, text};
use crate::host::Inspect;
use crate::storage::mounts;

/// Facts about processors.
pub(super) fn processor(host: &dyn Inspect, facts: &mut Facts) {
    let allowed = text(host, "/proc/self/status");
    let allowed = allowed.lines().find_map(|line| line.strip_prefix("Cpus_allowed_list:")).map(count_ranges);
    for (name, value) in parse_cpuinfo(&text(host, "/proc/cpuinfo"), allowed) {
        facts.set(&name, value);
    }
}

/// `0-3,6` is five.
fn count_ranges(text: &str) -> usize {
    text.trim()
        .split(',')
        .filter_map(|range| {
            let (first, last) = range.split_once('-').unwrap_or((range, range));
            Some(last.parse::<usize>().ok()?.checked_sub(first.parse().ok()?)? + 1)
        })
        .sum()
}

fn parse_cpuinfo(cpuinfo: &str, allowed: Option<usize>) -> Vec<(String, Value)> {
    let mut list: Vec<String> = Vec::new();
    let mut sockets: Vec<&str> = Vec::new();
    let (mut processors, mut cores, mut siblings, mut flags) = (0usize, None, None, Vec::new());
    for (key, value) in cpuinfo.lines().filter_map(|line| line.split_once(':')) {
        let value = value.trim();
        match key.trim() {
            "processor" => {
                processors += 1;
                list.push(value.into());
            }
            "vendor_id" | "model name" | "Model Name" | "Processor" | "cpu" | "vendor" => list.push(value.into()),
            "physical id" if !sockets.contains(&value) => sockets.push(value),
            "cpu cores" => cores = value.parse::<usize>().ok(),
            "siblings" => siblings = value.parse::<usize>().ok(),
            "flags" | "Features" if flags.is_empty() => flags = value.split_whitespace().map(str::to_owned).collect(),
            _ => {}
        }
    }
    let count = if sockets.is_empty() { processors } else { sockets.len() };
    let cores = cores.unwrap_or(1).max(1);
    let threads = siblings.map_or(1, |siblings| (siblings / cores).max(1));
    vec![
        ("processor".into(), list.into()),
        ("processor_count".into(), count.into()),
        ("processor_cores".into(), cores.into()),
        ("processor_threads_per_core".into(), threads.into()),
        ("processor_vcpus".into(), (count * cores * threads).into()),
        ("processor_nproc".into(), allowed.unwrap_or(processors).into()),
        ("flags".into(), flags.into()),
    ]
}

/// Facts about memory, in MiB.
pub(super) fn memory(host: &dyn Inspect, facts: &mut Facts) {
    let info = text(host, "/proc/meminfo");
    let mib = |name: &str| -> i64 {
        info.lines()
            .find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))
            .and_then(|rest| rest.split_whitespace().next()?.parse::<i64>().ok())
            .unwrap_or(0)
            / 1024
    };
    let (total, free, swap_total, swap_free) = (mib("MemTotal"), mib("MemFree"), mib("SwapTotal"), mib("SwapFree"));
    let without_cache = free + mib("Cached") + mib("Buffers");
    facts.set("memtotal_mb", total);
    facts.set("memfree_mb", free);
    facts.set("swaptotal_mb", swap_total);
    facts.set("swapfree_mb", swap_free);
    facts.set(
        "memory_mb",
        json!({
            "real": {"total": total, "used": total - free, "free": free},
            "nocache": {"free": without_cache, "used": total - without_cache},
            "swap": {"total": swap_total, "free": swap_free, "used": swap_total - swap_free, "cached": mib("SwapCached")},
        }),
    );
}

/// Kinds of chassis by their number in the firmware's tables.
const FORM_FACTORS: [&str; 33] = [
    "Unknown",
    "Other",
    "Unknown",
    "Desktop",
    "Low Profile Desktop",
    "Pizza Box",
    "Mini Tower",
    "Tower",
    "Portable",
    "Laptop",
    "Notebook",
    "Hand Held",
    "Docking Station",
    "All In One",
    "Sub Notebook",
    "Space-saving",
    "Lunch Box",
    "Main Server Chassis",
    "Expansion Chassis",
    "Sub Chassis",
    "Bus Expansion Chassis",
    "Peripheral Chassis",
    "RAID Chassis",
    "Rack Mount Chassis",
    "Sealed-case PC",
    "Multi-system",
    "CompactPCI",
    "AdvancedTCA",
    "Blade",
    "Blade Enclosure",
    "Tablet",
    "Convertible",
    "Detachable",
];

/// Facts from the firmware's tables; `NA` where they may not be read.
pub(super) fn firmware(host: &dyn Inspect, facts: &mut Facts) {
    let names = [
        ("bios_date", "bios_date"),
        ("bios_vendor", "bios_vendor"),
        ("bios_version", "bios_version"),
        ("board_asset_tag", "board_asset_tag"),
        ("board_name", "board_name"),
        ("board_serial", "board_serial"),
        ("board_vendor", "board_vendor"),
        ("board_version", "board_version"),
        ("chassis_asset_tag", "chassis_asset_tag"),
        ("chassis_serial", "chassis_serial"),
        ("chassis_vendor", "chassis_vendor"),
        ("chassis_version", "chassis_version"),
        ("form_factor", "chassis_type"),
        ("product_name", "product_name"),
        ("product_serial", "product_serial"),
        ("product_uuid", "product_uuid"),
        ("product_version", "product_version"),
        ("system_vendor", "sys_vendor"),
    ];
    for (name, file) in names {
        let value = line(host, format!("/sys/class/dmi/id/{file}")).unwrap_or_else(|| "NA".into());
        let value = match name {
            "form_factor" => {
                value.parse::<usize>().ok().and_then(|at| FORM_FACTORS.get(at)).map_or(value, |text| (*text).to_owned())
            }
            _ => value,
        };
        facts.set(name, value);
    }
}

/// Seconds since the host was started, and its load.
pub(super) fn uptime(host: &dyn Inspect, facts: &mut Facts) {
    let seconds = line(host, "/proc/uptime").and_then(|line| line.split(['.', ' ']).next()?.parse::<u64>().ok());
    if let Some(seconds) = seconds {
        facts.set("uptime_seconds", seconds);
    }
}

/// Block devices.
pub(super) fn devices(host: &dyn Inspect, facts: &mut Facts) {
    let mut devices = Map::new();
    let links = links(host);
    for name in host.list("/sys/block".as_ref()).unwrap_or_default() {
        if name.starts_with("ram") {
            continue;
        }
        let at = format!("/sys/block/{name}");
        let file = |rest: &str| line(host, format!("{at}/{rest}"));
        let mut partitions = Map::new();
        for part in host.list(at.as_ref()).unwrap_or_default().into_iter().filter(|part| part.starts_with(&name)) {
            let inside = format!("{at}/{part}");
            if !exists(host, format!("{inside}/partition")) {
                continue;
            }
            let sectors: u64 = line(host, format!("{inside}/size")).and_then(|text| text.parse().ok()).unwrap_or(0);
            partitions.insert(
                part.clone(),
                json!({
                    "holders": holders(host, &inside), "links": of(&links, &part), "sectors": sectors, "sectorsize": 512,
                    "size": size(sectors * 512), "start": line(host, format!("{inside}/start")).unwrap_or_default(),
                    "uuid": of(&links, &part)["uuids"].get(0).cloned().unwrap_or(Value::Null),
                }),
            );
        }
        let sectors: u64 = file("size").and_then(|text| text.parse().ok()).unwrap_or(0);
        let scheduler = file("queue/scheduler").unwrap_or_default();
        let mode = scheduler.split('[').nth(1).and_then(|rest| rest.split(']').next()).unwrap_or_default().to_owned();
        devices.insert(
            name.clone(),
            json!({
                "virtual": 1, "links": of(&links, &name), "vendor": file("device/vendor"), "model": file("device/model"),
                "sas_address": null, "sas_device_handle": null, "removable": file("removable"),
                "support_discard": file("queue/discard_granularity"), "partitions": partitions,
                "rotational": file("queue/rotational"), "scheduler_mode": mode, "sectors": sectors,
                "sectorsize": file("queue/logical_block_size").unwrap_or_else(|| "512".into()), "size": size(sectors * 512),
                "host": "", "holders": holders(host, &at),
            }),
        );
    }
    facts.set("devices", Value::Object(devices));
    let by_kind = |kind: &str| -> Map<String, Value> {
        let mut map = Map::new();
        for (of, device, link) in &links {
            if *of == kind {
                map.entry(device.clone())
                    .or_insert_with(|| json!([]))
                    .as_array_mut()
                    .expect("a list was put in")
                    .push(json!(link));
            }
        }
        map
    };
    facts.set(
        "device_links",
        json!({"ids": by_kind("ids"), "labels": by_kind("labels"), "masters": {}, "uuids": by_kind("uuids")}),
    );
}

fn holders(host: &dyn Inspect, at: &str) -> Vec<String> {
    host.list(format!("{at}/holders").as_ref()).unwrap_or_default()
}

/// Kind, device and name of the links in `/dev/disk`.
fn links(host: &dyn Inspect) -> Vec<(&'static str, String, String)> {
    let mut all = Vec::new();
    for (kind, directory) in [("ids", "/dev/disk/by-id"), ("labels", "/dev/disk/by-label"), ("uuids", "/dev/disk/by-uuid")] {
        for name in host.list(directory.as_ref()).unwrap_or_default() {
            if let Some(device) = super::gather::link_name(host, format!("{directory}/{name}")) {
                all.push((kind, device, name));
            }
        }
    }
    all
}

fn of(links: &[(&'static str, String, String)], device: &str) -> Value {
    let named = |kind: &str| -> Vec<&str> {
        links.iter().filter(|link| link.0 == kind && link.1 == device).map(|link| link.2.as_str()).collect()
    };
    json!({"ids": named("ids"), "labels": named("labels"), "masters": [], "uuids": named("uuids")})
}

/// `256.00 GB`, as Ansible writes sizes.
fn size(bytes: u64) -> String {
    let units = [(80, "YB"), (70, "ZB"), (60, "EB"), (50, "PB"), (40, "TB"), (30, "GB"), (20, "MB"), (10, "KB")];
    for (power, unit) in units {
        let whole = 2f64.powi(power);
        if bytes as f64 >= whole {
            return format!("{:.2} {unit}", bytes as f64 / whole);
        }
    }
    format!("{bytes}.00 Bytes")
}

/// Mounted file systems; one that does not answer is listed without its size.
pub(super) fn mounts(host: &dyn Inspect, facts: &mut Facts) {
    let uuids = links(host);
    let parts = parts(&text(host, "/proc/self/mountinfo"));
    let mut list: Vec<Value> = Vec::new();
    let mut slow = 0;
    for row in text(host, "/proc/self/mounts").lines() {
        let columns: Vec<String> = row.split(' ').map(mounts::unescape).collect();
        let [device, mount, kind, options, ..] = columns.as_slice() else { continue };
        if kind == "none" || !(device.starts_with(['/', '\\']) || device.contains(":/")) {
            continue;
        }
        let number = |at: usize| columns.get(at).and_then(|text| text.parse::<u64>().ok()).unwrap_or(0);
        let name = device.rsplit('/').next().unwrap_or_default();
        let uuid = uuids.iter().find(|link| link.0 == "uuids" && link.1 == name).map_or("N/A", |link| link.2.as_str());
        let is_bound = parts.get(mount).is_some_and(|is_part| *is_part) && !options.split(',').any(|option| option == "bind");
        let options = if is_bound { format!("{options},bind") } else { options.clone() };
        let mut entry = json!({
            "mount": mount, "device": device, "fstype": kind, "options": options, "dump": number(4), "passno": number(5), "uuid": uuid,
        });
        // Two dead mounts are enough to know that the others are not worth the wait.
        let found =
            if slow < 2 { host.file_system(mount.as_ref(), facts.patience.min(std::time::Duration::from_secs(5))) } else { None };
        match found {
            None => {
                slow += 1;
                facts.warnings.push(format!("the file system at `{mount}` does not answer; its size is left out"));
                entry["note"] = "could not get mount size".into();
            }
            Some(found) => {
                let Value::Object(entry) = &mut entry else { continue };
                entry.extend(mounts::sizes(&found));
            }
        }
        // Of several that lie upon each other, the uppermost is seen.
        match list.iter_mut().find(|other| other["mount"] == entry["mount"]) {
            Some(other) => *other = entry,
            None => list.push(entry),
        }
    }
    facts.set("mounts", list);
}

/// For every mount point, whether what is mounted there is only a part of a file system.
fn parts(mountinfo: &str) -> std::collections::BTreeMap<String, bool> {
    let part = |row: &str| {
        let columns: Vec<&str> = row.split(' ').collect();
        Some((mounts::unescape(columns.get(4)?), *columns.get(3)? != "/"))
    };
    mountinfo.lines().filter_map(part).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn processors_are_counted() {
        let one = |number: usize, socket: usize| {
            format!(
                "processor\t: {number}\nvendor_id\t: GenuineIntel\nmodel name\t: Xeon\nphysical id\t: {socket}\nsiblings\t: 4\ncpu cores\t: 2\nflags\t: fpu vme\n\n"
            )
        };
        let text: String = (0..8).map(|number| one(number, number / 4)).collect();
        let facts: Map<String, Value> = parse_cpuinfo(&text, Some(count_ranges("\t0-3,6"))).into_iter().collect();
        assert_eq!(facts["processor_count"], 2);
        assert_eq!(facts["processor_cores"], 2);
        assert_eq!(facts["processor_threads_per_core"], 2);
        assert_eq!(facts["processor_vcpus"], 8);
        assert_eq!(facts["processor_nproc"], 5);
        assert_eq!(facts["flags"], json!(["fpu", "vme"]));
        assert_eq!(facts["processor"].as_array().unwrap()[..3], [json!("0"), json!("GenuineIntel"), json!("Xeon")]);
    }

    #[test]
    fn sizes_are_written_as_ansible_writes_them() {
        assert_eq!((size(0), size(274_877_906_944)), ("0.00 Bytes".into(), "256.00 GB".into()));
    }
}
