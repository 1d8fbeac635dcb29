//! What `parted` prints for machines, and places on a disk as they are written.

use serde_json::{Map, Value, json};

/// One partition, in bytes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Partition {
    pub number: u64,
    pub begin: u64,
    /// Its last byte.
    pub end: u64,
    pub fstype: String,
    pub name: String,
    pub flags: Vec<String>,
}

/// A disk and its partitions, in bytes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Table {
    pub size: u64,
    pub logical: u64,
    pub physical: u64,
    /// `gpt`, `msdos` ...; `unknown` where there is none.
    pub label: String,
    pub model: String,
    pub partitions: Vec<Partition>,
}

/// The lines of `print`, as fields.
struct Printed<'a> {
    /// Size, transport, sectors, label, model.
    disk: Vec<&'a str>,
    /// Cylinders, heads, sectors, size of a cylinder.
    geometry: Option<Vec<&'a str>>,
    partitions: Vec<Vec<&'a str>>,
}

/// A number with a unit: `512kiB`.
fn number(text: &str) -> (f64, &str) {
    let digits = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    (text[..digits].parse().unwrap_or(0.0), &text[digits..])
}

fn split(text: &str) -> Option<Printed<'_>> {
    let mut lines = text.lines().map(|line| line.trim_end().trim_end_matches(';')).filter(|line| !line.is_empty());
    let kind = lines.find(|line| ["BYT", "CYL", "CHS"].contains(line))?;
    let disk: Vec<&str> = lines.next()?.split(':').collect();
    // A device's path can have colons; sizes of sectors stand nowhere else.
    let is_number = |at: usize| disk.get(at).is_some_and(|field| field.parse::<u64>().is_ok());
    let from = (1..disk.len())
        .find(|at| disk[*at].starts_with(|c: char| c.is_ascii_digit()) && is_number(at + 2) && is_number(at + 3))?;
    let geometry = if kind == "BYT" { None } else { Some(lines.next()?.split(':').collect()) };
    // Number, begin, end, size; not the last with heads and sectors. Names can have colons.
    let fixed = if kind == "CHS" { 4 } else { 5 };
    let partitions = lines.filter_map(|line| {
        let mut fields: Vec<&str> = line.splitn(fixed + 1, ':').collect();
        let (name, flags) = fields.pop()?.rsplit_once(':')?;
        if fixed == 4 {
            fields.insert(3, "");
        }
        fields.extend([name, flags]);
        (fields.len() == 7).then_some(fields)
    });
    Some(Printed { disk: disk[from..].to_vec(), geometry, partitions: partitions.collect() })
}

fn flags(text: &str) -> Vec<String> {
    text.split(',').map(str::trim).filter(|flag| !flag.is_empty()).map(str::to_owned).collect()
}

/// A place as results have it: a number, or cylinder, head and sector.
fn shown(text: &str) -> Value {
    let parts: Vec<u64> = text.split(',').filter_map(|part| part.parse().ok()).collect();
    match parts.as_slice() {
        [cylinder, head, sector] => json!({"cylinder": cylinder, "head": head, "sector": sector}),
        _ if text.is_empty() => "".into(),
        _ => number(text).0.into(),
    }
}

/// The fields `disk` and `partitions` of the result, in the unit of the output.
pub(super) fn result(text: &str, device: &str) -> Option<Map<String, Value>> {
    let printed = split(text)?;
    let unit = if printed.disk[0].contains(',') { "chs".to_owned() } else { number(printed.disk[0]).1.to_lowercase() };
    let mut disk = json!({
        "dev": device, "size": shown(printed.disk[0]), "unit": unit, "table": printed.disk.get(4)?,
        "model": printed.disk.get(5).unwrap_or(&""), "logical_block": printed.disk[2].parse::<u64>().ok()?,
        "physical_block": printed.disk[3].parse::<u64>().ok()?,
    });
    if let Some([cylinders, heads, sectors, size]) = printed.geometry.as_deref() {
        let count = |text: &str| text.parse::<u64>().unwrap_or(0);
        let (size, size_unit) = number(size);
        disk["chs_info"] = json!({
            "cylinders": count(cylinders), "heads": count(heads), "sectors": count(sectors),
            "cyl_size": size, "cyl_size_unit": size_unit.to_lowercase(),
        });
    }
    let partitions: Vec<Value> = printed
        .partitions
        .iter()
        .map(|fields| {
            json!({
                "num": fields[0].parse::<u64>().unwrap_or(0), "begin": shown(fields[1]), "end": shown(fields[2]),
                "size": shown(fields[3]), "fstype": fields[4], "name": fields[5], "flags": flags(fields[6]), "unit": unit,
            })
        })
        .collect();
    Some(Map::from_iter([("disk".to_owned(), disk), ("partitions".to_owned(), partitions.into())]))
}

impl Table {
    /// What was printed in bytes; `None` where it is no table.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let printed = split(text)?;
        let bytes = |text: &str| number(text).0 as u64;
        let partition = |fields: &Vec<&str>| {
            Some(Partition {
                number: fields[0].parse().ok()?,
                begin: bytes(fields[1]),
                end: bytes(fields[2]),
                fstype: fields[4].to_owned(),
                name: fields[5].to_owned(),
                flags: flags(fields[6]),
            })
        };
        Some(Self {
            size: bytes(printed.disk[0]),
            logical: printed.disk[2].parse().ok()?,
            physical: printed.disk[3].parse().ok()?,
            label: (*printed.disk.get(4)?).to_owned(),
            model: printed.disk.get(5).map_or_else(String::new, |model| (*model).to_owned()),
            partitions: printed.partitions.iter().filter_map(partition).collect(),
        })
    }

    /// As `print` would print it in a unit; units that depend on the disk are megabytes.
    pub(super) fn print(&self, unit: &str) -> String {
        let (unit, factor) = match factor(unit, self.size, self.logical) {
            Some(factor) => (unit, factor),
            None => ("MB", 1e6),
        };
        let place = |bytes: u64| format!("{}{unit}", bytes as f64 / factor);
        let Self { logical, physical, label, model, .. } = self;
        let head = format!("BYT;\n:{}:file:{logical}:{physical}:{label}:{model}:;\n", place(self.size));
        self.partitions.iter().fold(head, |text, one| {
            let Partition { number, begin, end, fstype, name, flags } = one;
            let size = place((end + 1).saturating_sub(*begin));
            // Large units are too coarse to tell the last byte from what follows it.
            let last = if ["B", "s"].contains(&unit) { *end } else { *end + 1 };
            let (begin, end, flags) = (place(*begin), place(last), flags.join(", "));
            text + &format!("{number}:{begin}:{end}:{size}:{fstype}:{name}:{flags};\n")
        })
    }

    /// The partition of this number.
    pub(super) fn partition(&self, number: u64) -> Option<&Partition> {
        self.partitions.iter().find(|partition| partition.number == number)
    }
}

/// Bytes in a unit.
fn factor(unit: &str, size: u64, sector: u64) -> Option<f64> {
    Some(match unit {
        "s" => sector as f64,
        "B" => 1.0,
        "KB" | "kB" => 1e3,
        "MB" => 1e6,
        "GB" => 1e9,
        "TB" => 1e12,
        "KiB" | "kiB" => 1024.0,
        "MiB" => f64::from(1 << 20),
        "GiB" => f64::from(1 << 30),
        "TiB" => (1_u64 << 40) as f64,
        "%" => size as f64 / 100.0,
        _ => return None,
    })
}

/// Whether a place on a disk is written as `parted` takes it.
pub(super) fn is_place(text: &str) -> bool {
    let rest = text.strip_prefix('-').unwrap_or(text);
    rest.starts_with(|c: char| c.is_ascii_digit())
        && rest.chars().all(|c| c.is_ascii_alphanumeric() || ['.', ',', '%', ' '].contains(&c))
}

/// A place on a disk in bytes: `1GiB`, `50%`, `-1GiB` from the end, or a number in the usual unit;
/// `None` where that depends on the disk.
pub(super) fn place(text: &str, usual: &str, size: u64, sector: u64) -> Option<u64> {
    let (negative, rest) = text.strip_prefix('-').map_or((false, text), |rest| (true, rest));
    let (count, unit) = number(rest);
    let unit = if unit.trim().is_empty() { usual } else { unit.trim() };
    let bytes = (count * factor(unit, size, sector)?) as u64;
    Some(if negative { size.saturating_sub(bytes) } else { bytes })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_printed_for_machines_is_read() {
        let text = "BYT;\n/dev/disk/by-path/pci-0000:00:10.0:67108864B:file:512:4096:gpt:Disk X:;\n\
            1:1048576B:33554431B:32505856B:ext4:my: name:boot, esp;\n2:33554432B:67091455B:33537024B:::;\n";
        let table = Table::parse(text).unwrap();
        assert_eq!((table.size, table.label.as_str(), table.physical), (67_108_864, "gpt", 4096));
        let first = table.partition(1).unwrap();
        assert_eq!((first.begin, first.name.as_str(), first.flags.len()), (1_048_576, "my: name", 2));
        assert_eq!(table.partition(2).unwrap().flags, Vec::<String>::new());
        assert_eq!(Table::parse(&table.print("B")).unwrap(), table);
        assert_eq!(Table::parse("Error: no such device\n"), None);
        let result = result(&table.print("MiB"), "/dev/x").unwrap();
        assert_eq!(result["disk"]["size"], json!(64.0));
        assert_eq!((&result["disk"]["unit"], &result["partitions"][0]["size"]), (&json!("mib"), &json!(31.0)));
        assert_eq!(result["partitions"][0]["flags"], json!(["boot", "esp"]));
    }

    #[test]
    fn cylinders_are_shown_as_such() {
        let chs = "CHS;\n/d.img:1599,3,31:file:512:512:gpt::;\n1600:4:32:65.5kB;\n1:0,1,2:159,3,31::primary:;\n";
        let found = result(chs, "/d.img").unwrap();
        assert_eq!(found["disk"]["chs_info"]["cyl_size"], json!(65.5));
        assert_eq!(found["partitions"][0]["end"], json!({"cylinder": 159, "head": 3, "sector": 31}));
        assert_eq!((&found["partitions"][0]["size"], &found["disk"]["unit"]), (&json!(""), &json!("chs")));
        let cyl = "CYL;\n/d.img:1599cyl:file:512:512:gpt::;\n1600:4:32:65.5kB;\n1:0cyl:159cyl:159cyl::primary:;\n";
        let found = result(cyl, "/d.img").unwrap();
        assert_eq!((&found["partitions"][0]["size"], &found["disk"]["unit"]), (&json!(159.0), &json!("cyl")));
    }

    #[test]
    fn places_are_bytes() {
        for (text, expected) in [
            ("1GiB", Some(1_073_741_824)),
            ("50%", Some(2_000_000_000)),
            ("-1MB", Some(3_999_000_000)),
            ("2048s", Some(1_048_576)),
            ("4", Some(4096)),
            ("1cyl", None),
        ] {
            assert_eq!(place(text, "KiB", 4_000_000_000, 512), expected, "{text}");
            assert!(is_place(text), "{text}");
        }
        for bad in ["", "-", "x", "--help", "1;2"] {
            assert!(!is_place(bad), "{bad}");
        }
    }
}
