//! `parted`: partitions of disks.

use std::path::PathBuf;

use serde_json::{Map, Value, json};

use super::parted_table::{self, Partition, Table};
use crate::change::{ResourceId, ResourceState};
use crate::claims::Claims;
use crate::host::{Effect, Host, Inspect, Thing};
use crate::outcome::Failure;
use crate::resource::{self, Resource, Step, Written};
use crate::system::tool::Tool;
use crate::{args, choice};

choice! {
    /// What is asked for.
    pub enum Wish {
        /// Nothing is changed.
        Info = "info",
        /// The partition is there.
        Present = "present",
        /// It is not.
        Absent = "absent",
    }
}

choice! {
    /// Where new partitions begin and end.
    pub enum Align {
        /// As the disk works best.
        Optimal = "optimal",
        /// At its blocks.
        Minimal = "minimal",
        /// At cylinders.
        Cylinder = "cylinder",
        /// Anywhere.
        None = "none",
        /// As `parted` does it.
        Undefined = "undefined",
    }
}

choice! {
    /// Kinds of partition tables.
    pub enum Label {
        /// MBR.
        Msdos = "msdos",
        /// GUID partition table.
        Gpt = "gpt",
        /// AIX.
        Aix = "aix",
        /// Amiga.
        Amiga = "amiga",
        /// BSD.
        Bsd = "bsd",
        /// IRIX.
        Dvh = "dvh",
        /// No table at all.
        Loop = "loop",
        /// Apple.
        Mac = "mac",
        /// PC-98.
        Pc98 = "pc98",
        /// Solaris.
        Sun = "sun",
    }
}

choice! {
    /// Kinds of partitions.
    pub enum Kind {
        /// One of four.
        Primary = "primary",
        /// Holds logical ones.
        Extended = "extended",
        /// In the extended one.
        Logical = "logical",
    }
}

choice! {
    /// Units of places and sizes.
    pub enum Unit {
        /// Sectors.
        Sector = "s",
        /// Bytes.
        Byte = "B",
        /// Thousands of bytes.
        Kb = "KB",
        /// 1024 bytes.
        Kib = "KiB",
        /// Megabytes.
        Mb = "MB",
        /// Mebibytes.
        Mib = "MiB",
        /// Gigabytes.
        Gb = "GB",
        /// Gibibytes.
        Gib = "GiB",
        /// Terabytes.
        Tb = "TB",
        /// Tebibytes.
        Tib = "TiB",
        /// Percent of the disk.
        Percent = "%",
        /// Cylinders.
        Cylinder = "cyl",
        /// Cylinder, head and sector.
        Chs = "chs",
        /// As it reads best.
        Compact = "compact",
    }
}

args! {
    /// Manages the partitions of a disk (or of a file), one at a time.
    ///
    /// Partitions get the lowest number that is free: a table with another order is refused. A disk with
    /// another kind of table than `label` gets a new one, and its partitions are lost; a plan lists them.
    pub struct Args {
        /// The disk.
        device: PathBuf,
        /// Number of the partition.
        number: Option<u64>,
        /// Whether it is there; `info` only looks.
        state: Wish = Wish::Info,
        /// Kind of partition table.
        label: Label = Label::Msdos,
        /// Where a new partition begins: with a unit, in percent, or from the end of the disk with a hyphen.
        part_start: String = "0%".into(),
        /// Where it ends, written alike.
        part_end: String = "100%".into(),
        /// Kind of a new partition (`msdos` and `dvh`).
        part_type: Kind = Kind::Primary,
        /// For what file system a new partition is marked; none is made.
        fs_type: Option<String>,
        /// Name of the partition (`gpt`, `mac`, `pc98`).
        name: Option<String>,
        /// All flags that it has.
        flags: Option<Vec<String>>,
        /// Whether a partition that is there is moved in its end to `part_end`.
        resize: bool = false,
        /// Where new partitions begin and end.
        align: Align = Align::Optimal,
        /// Unit of results, and of numbers without one.
        unit: Unit = Unit::Kib,
    }
}

/// Examples; each is a test.
pub const EXAMPLES: &str = "
- name: The whole disk
  parted:
    device: /dev/sde
    number: 1
    state: present
    label: gpt
    name: data
    flags: [lvm]
- name: What is there
  parted:
    device: /dev/sdf
    unit: MiB
  register: disk
- name: No longer there
  parted:
    device: /dev/sdf
    number: 2
    state: absent
- name: Grows to the end of the disk
  parted:
    device: /dev/sdf
    number: 2
    state: present
    part_end: 100%
    resize: true
";

const PARTED: Tool = Tool::new("parted", "parted");

/// How far the end of a partition may be from what was asked for: alignment, and the copy of a GPT.
const GRAIN: u64 = 2 << 20;

/// The module.
pub struct Parted;

/// The disk as it is or should be.
#[derive(Debug, Clone)]
pub struct State {
    device: String,
    number: Option<u64>,
    table: Table,
    /// The same in the unit of the result.
    shown: String,
    /// The end is asked for, so it is compared.
    resized: bool,
    /// `parted` is not installed yet.
    unknown: bool,
}

impl resource::State for State {
    fn resources(&self) -> Vec<ResourceState> {
        let others: Vec<u64> =
            self.table.partitions.iter().map(|one| one.number).filter(|number| Some(*number) != self.number).collect();
        let mut list = vec![
            ResourceState::present(id(&self.device)).with("label", self.table.label.clone()).with("other_partitions", others),
        ];
        if let Some(number) = self.number {
            let id = ResourceId::new("partition", format!("{}:{number}", self.device));
            list.push(match self.table.partition(number) {
                None => ResourceState::absent(id),
                Some(one) => ResourceState::present(id)
                    .with("name", Some(one.name.clone()).filter(|name| !name.is_empty()))
                    .with("flags", Some(one.flags.clone()).filter(|flags| !flags.is_empty()))
                    .with("end", self.resized.then_some(one.end)),
            });
        }
        list
    }
}

fn id(device: &str) -> ResourceId {
    ResourceId::new("partition table", device)
}

/// Flags as they are found afterwards: some come in pairs.
fn all_flags(flags: &[String], label: &str) -> Vec<String> {
    let mut all: Vec<String> = flags.iter().map(|flag| flag.trim().to_lowercase()).filter(|flag| !flag.is_empty()).collect();
    if label == "gpt" && all.iter().any(|flag| flag == "boot" || flag == "esp") {
        all.extend(["boot".to_owned(), "esp".to_owned()]);
    }
    all.sort();
    all.dedup();
    all
}

/// The number that the next partition gets, where that is known.
fn next_number(table: &Table, kind: Kind) -> Option<u64> {
    let first = match (table.label.as_str(), kind) {
        ("msdos", Kind::Logical) => 5,
        ("gpt" | "msdos", _) => 1,
        _ => return None,
    };
    // One number more than there are partitions.
    let last = first + table.partitions.len() as u64;
    (first..=last).find(|number| table.partition(*number).is_none())
}

/// The table without a partition. Logical ones move up, and go with the extended one.
fn without(table: &Table, number: u64) -> Table {
    let mut left = table.clone();
    let Some(gone) = table.partition(number) else { return left };
    let inside = |one: &Partition| table.label == "msdos" && one.number > 4;
    left.partitions
        .retain(|one| one.number != number && !(inside(one) && number < 5 && gone.begin <= one.begin && one.end <= gone.end));
    if inside(gone) {
        left.partitions.iter_mut().filter(|one| one.number > number).for_each(|one| one.number -= 1);
    }
    left
}

/// A word as `parted` reads it, which takes spaces for the end of one.
fn quoted(word: &str) -> Result<String, Failure> {
    match (word.contains('"'), word.contains('\'')) {
        _ if word.contains(['\\', '\n', '\0']) => {
            Err(Failure::new(format!("`name`: `{word}` cannot be the name of a partition")))
        }
        (false, _) => Ok(format!("\"{word}\"")),
        (true, false) => Ok(format!("'{word}'")),
        (true, true) => Err(Failure::new(format!("`name`: `{word}` has both kinds of quotation marks"))),
    }
}

/// The table, in bytes and as it was printed in a unit; `None` in a plan that would install `parted`.
fn look(args: &Args, host: &dyn Inspect) -> Result<Option<(Table, String)>, Failure> {
    let device = args.device.display().to_string();
    if let Some(Thing::There(text)) = host.thing(&id(&device)) {
        let table = Table::parse(&text).expect("a planned table was printed by this module");
        let shown = table.print(args.unit.word());
        return Ok(Some((table, shown)));
    }
    let print = |unit: &str| -> Result<Option<String>, Failure> {
        let words = ["-s", "-m", device.as_str(), "--", "unit", unit, "print"];
        let Some(output) = PARTED.ask(words, host)? else { return Ok(None) };
        // Without a table it ends with an error, and yet says what it knows of the disk.
        let text = output.text();
        if Table::parse(&text).is_some() {
            Ok(Some(text))
        } else {
            Err(crate::commands::process::failed(&PARTED.line(words), &output))
        }
    };
    let Some(bytes) = print("B")? else { return Ok(None) };
    let shown = print(args.unit.word())?.unwrap_or_default();
    Ok(Table::parse(&bytes).map(|table| (table, shown)))
}

fn check(args: &Args) -> Result<(), Failure> {
    if !args.device.is_absolute() {
        return Err(Failure::new(format!("`{}` is not the absolute path of a device", args.device.display())));
    }
    if args.state == Wish::Info {
        return Ok(());
    }
    let Some(number) = args.number else {
        return Err(Failure::new(format!("state is {} but all of the following are missing: number", args.state.word())));
    };
    if number == 0 {
        return Err(Failure::new("The partition number must be greater than zero."));
    }
    for (option, place) in [("part_start", &args.part_start), ("part_end", &args.part_end)] {
        if !parted_table::is_place(place) {
            return Err(Failure::new(format!("`{option}`: `{place}` is not a place on a disk (as `1GiB`, `15%`, `-512MiB`)")));
        }
    }
    if args.state == Wish::Present && args.label == Label::Sun && args.name.is_some() {
        return Err(Failure::new("a table of the kind `sun` has no names of partitions"));
    }
    let words = args.flags.iter().flatten().chain(&args.fs_type);
    if let Some(bad) = words.into_iter().find(|word| !word.chars().all(|c| c.is_ascii_alphanumeric() || "-_+()".contains(c))) {
        return Err(Failure::new(format!("`{bad}` is neither a flag nor a type of file system")));
    }
    Ok(())
}

/// A partition as it is made, before it gets name and flags.
fn new(number: u64, args: &Args, table: &Table) -> Partition {
    let at = |text: &str| parted_table::place(text, args.unit.word(), table.size, table.logical);
    // A GPT takes the kind for a name.
    let name = if table.label == "gpt" { args.part_type.word() } else { "" };
    Partition {
        number,
        begin: at(&args.part_start).unwrap_or(0),
        end: at(&args.part_end).unwrap_or(table.size).min(table.size).saturating_sub(1),
        name: name.to_owned(),
        ..Partition::default()
    }
}

/// The end that is asked for, as the last byte.
fn wanted_end(args: &Args, table: &Table) -> Result<u64, Failure> {
    parted_table::place(&args.part_end, args.unit.word(), table.size, table.logical)
        .map(|end| end.min(table.size).saturating_sub(1))
        .ok_or_else(|| {
            Failure::new(format!("`part_end`: where `{}` is cannot be told; use bytes, sectors or percent", args.part_end))
        })
}

impl Resource for Parted {
    type Args = Args;
    type State = State;

    fn read(args: &Args, host: &dyn Inspect) -> Result<State, Failure> {
        check(args)?;
        let device = args.device.display().to_string();
        let (found, number) = (look(args, host)?, args.number.filter(|_| args.state != Wish::Info));
        let unknown = found.is_none();
        let (table, shown) = found.unwrap_or_default();
        Ok(State { device, number, table, shown, resized: args.resize && args.state == Wish::Present, unknown })
    }

    fn want(args: &Args, now: &State) -> Result<State, Failure> {
        let mut want = now.clone();
        let Some(number) = now.number else { return Ok(want) };
        if now.unknown {
            return Err(Failure::unknown(format!("`parted` is not installed yet, so what is on {} is not known", now.device)));
        }
        if args.state == Wish::Absent {
            want.table = without(&now.table, number);
            return Ok(want);
        }
        let table = &mut want.table;
        if table.label != args.label.word() {
            (table.label, table.partitions) = (args.label.word().to_owned(), Vec::new());
        }
        let label = table.label.clone();
        if table.partition(number).is_none() {
            if let Some(next) = next_number(table, args.part_type).filter(|next| *next != number) {
                let kind = args.part_type.word();
                return Err(Failure::new(format!(
                    "the next {kind} partition of {} will be number {next}, not {number}: parted takes the first that is free",
                    now.device
                )));
            }
            let made = new(number, args, table);
            table.partitions.push(made);
            table.partitions.sort_by_key(|one| one.number);
        }
        let end = if args.resize { Some(wanted_end(args, table)?) } else { None };
        let one = table.partitions.iter_mut().find(|one| one.number == number).expect("it was added where it was not there");
        if let Some(name) = args.name.as_ref().filter(|name| !name.is_empty()) {
            one.name.clone_from(name);
        }
        if let Some(flags) = args.flags.as_ref().filter(|flags| !flags.is_empty()) {
            let mut found = one.flags.clone();
            found.sort();
            let flags = all_flags(flags, &label);
            if flags != found {
                one.flags = flags;
            }
        }
        if let Some(end) = end.filter(|end| one.end.abs_diff(*end) > GRAIN) {
            one.end = end;
        }
        Ok(want)
    }

    fn write(args: &Args, step: &Step<'_, State>, host: &mut dyn Host) -> Result<Written, Failure> {
        let (State { device, table, .. }, now) = (step.want, step.now);
        let number = now.number.expect("without a number nothing is wanted").to_string();
        let planned = [Effect::Thing(id(device), Thing::There(table.print("B")))];
        let mut script: Vec<String> = Vec::new();
        if args.state == Wish::Absent {
            script.extend(["rm".into(), number]);
            run(args, &script, &planned, host)?;
            return Ok(Written::quiet().with("script", script));
        }
        let unit = || ["unit".to_owned(), args.unit.word().to_owned()];
        let want = table.partition(now.number.unwrap_or_default()).expect("it is wanted");
        let mut found = now.table.partition(want.number).filter(|_| now.table.label == table.label).cloned();
        if let Some(found) = &found {
            if found.end != want.end {
                script.extend(["resizepart".into(), number.clone(), args.part_end.clone()]);
            }
        } else {
            script.extend(unit());
            if now.table.label != table.label {
                script.extend(["mklabel".into(), table.label.clone()]);
            }
            script.push("mkpart".into());
            script.extend((args.label != Label::Sun).then(|| args.part_type.word().to_owned()));
            script.extend(args.fs_type.clone());
            script.extend([args.part_start.clone(), args.part_end.clone()]);
        }
        if !script.is_empty() {
            let mut made = table.clone();
            let old = found.clone().unwrap_or_else(|| new(want.number, args, table));
            let one = made.partitions.iter_mut().filter(|one| one.number == want.number);
            one.for_each(|one| (one.name, one.flags) = (old.name.clone(), old.flags.clone()));
            run(args, &script, &[Effect::Thing(id(device), Thing::There(made.print("B")))], host)?;
            // A new partition has the flags of its file system.
            found = look(args, host.inspect())?.and_then(|(table, _)| table.partition(want.number).cloned()).or(found);
        }
        let mut rest: Vec<String> = Vec::new();
        let found = found.unwrap_or_default();
        if args.name.as_ref().is_some_and(|name| !name.is_empty()) && found.name != want.name {
            rest.extend(["name".into(), number.clone(), quoted(&want.name)?]);
        }
        if args.flags.as_ref().is_some_and(|flags| !flags.is_empty()) {
            let set = |flag: &String, on: &str| ["set".to_owned(), number.clone(), flag.clone(), on.to_owned()];
            // Taken off first: of a pair, the one that is left out would take the other with it.
            rest.extend(found.flags.iter().filter(|flag| !want.flags.contains(flag)).flat_map(|flag| set(flag, "off")));
            rest.extend(want.flags.iter().filter(|flag| !found.flags.contains(flag)).flat_map(|flag| set(flag, "on")));
        }
        if !rest.is_empty() {
            let line: Vec<String> = unit().into_iter().chain(rest).collect();
            run(args, &line, &planned, host)?;
            script.extend(line);
        }
        Ok(Written::quiet().with("script", script))
    }

    fn result(args: &Args, _: &State, after: &State) -> Map<String, Value> {
        let mut result = parted_table::result(&after.shown, &after.device).unwrap_or_default();
        let info = ["unit", args.unit.word(), "print"];
        result.insert("script".into(), if args.state == Wish::Info { json!(info) } else { json!([]) });
        result
    }

    fn claims(args: &Args) -> Claims {
        let device = args.device.display().to_string();
        Claims::provides([id(&device)]).needing([ResourceId::new("file", device), ResourceId::new("package", "parted")])
    }
}

/// Runs a script. What `parted` can mend (a disk that has grown) it mends, since 3.4.64.
fn run(args: &Args, script: &[String], effects: &[Effect], host: &mut dyn Host) -> Result<(), Failure> {
    let version = PARTED.ask(["--version"], host.inspect())?.map(|output| output.text()).unwrap_or_default();
    let mut words: Vec<&str> = vec!["-s"];
    words.extend(mends(&version).then_some("-f"));
    words.push("-m");
    if args.align != Align::Undefined {
        words.extend(["-a", args.align.word()]);
    }
    let device = args.device.display().to_string();
    words.extend([device.as_str(), "--"]);
    words.extend(script.iter().map(String::as_str));
    PARTED.act(words, effects, host).map(|_| ())
}

/// Whether `--version` is one that knows `--fix`.
fn mends(version: &str) -> bool {
    let first = version.lines().next().unwrap_or_default();
    let numbers = first.rsplit(' ').next().unwrap_or_default().split(['.', '-']);
    let numbers: Vec<u64> = numbers.map_while(|part| part.parse().ok()).collect();
    numbers >= vec![3, 4, 64]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::args::Arguments as _;
    use crate::host::memory::MemoryHost;
    use crate::outcome::{Ending, Outcome};

    const DISK: &str = "BYT;\n/dev/sdx:1073741824B:scsi:512:512:msdos:A disk:;\n";

    fn host(rows: &str) -> MemoryHost {
        let mut host = MemoryHost::default();
        host.answer(&["parted", "-s", "-m", "*"], 0, &format!("{DISK}{rows}"));
        host.answer(&["parted", "--version"], 0, "parted (GNU parted) 3.5\nCopyright\n");
        host.answer(&["parted", "-s", "-f", "*"], 0, "");
        host
    }

    fn run(options: &Value, host: &mut MemoryHost) -> Outcome {
        let mut options = options.as_object().unwrap().clone();
        options.insert("device".into(), "/dev/sdx".into());
        (crate::registry::find("parted").unwrap().run)(&options, host)
    }

    #[test]
    fn scripts_close_the_difference() {
        let first = "1:1048576B:536870911B:535822336B:ext4::boot;\n";
        for (rows, options, expected) in [
            (
                "",
                json!({"number": 1, "state": "present", "part_end": "512MiB", "fs_type": "ext4", "flags": "boot"}),
                "unit KiB mkpart primary ext4 0% 512MiB unit KiB set 1 boot on",
            ),
            (first, json!({"number": 1, "state": "present", "flags": ["boot"]}), ""),
            (first, json!({"number": 1, "state": "present", "flags": ["lvm"]}), "unit KiB set 1 boot off set 1 lvm on"),
            (first, json!({"number": 1, "state": "present", "part_end": "513MiB", "resize": true}), ""),
            (first, json!({"number": 1, "state": "present", "part_end": "100%", "resize": true}), "resizepart 1 100%"),
            (first, json!({"number": 1, "state": "absent"}), "rm 1"),
            (first, json!({"number": 2, "state": "absent"}), ""),
            (
                first,
                json!({"number": 1, "state": "present", "label": "gpt", "name": "a b", "unit": "s"}),
                "unit s mklabel gpt mkpart primary 0% 100% unit s name 1 \"a b\"",
            ),
        ] {
            let mut host = host(rows);
            let outcome = run(&options, &mut host);
            let ending = if expected.is_empty() { Ending::Ok } else { Ending::Changed };
            assert_eq!(outcome.ending, ending, "{options} {:?}", outcome.result);
            let script: Vec<&str> = outcome.result["script"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
            assert_eq!(script.join(" "), expected, "{options}");
        }
    }

    #[test]
    fn mistakes_are_told() {
        for options in [
            json!({"state": "present"}),
            json!({"state": "present", "number": 0}),
            json!({"state": "present", "number": 2}),
            json!({"state": "present", "number": 1, "part_start": "--help"}),
            json!({"state": "present", "number": 1, "flags": "on off"}),
            json!({"state": "present", "number": 1, "label": "gpt", "name": "a\\"}),
        ] {
            let mut host = host("");
            assert_eq!(run(&options, &mut host).ending, Ending::Failed, "{options}");
        }
    }

    #[test]
    fn logical_partitions_move_up() {
        let rows = "1:1048576B:1073741823B:1072693248B:::;\n5:2097152B:3145727B:1048576B:::;\n6:4194304B:5242879B:1048576B:::;\n";
        let table = Table::parse(&format!("{DISK}{rows}")).unwrap();
        let numbers = |table: Table| table.partitions.iter().map(|one| one.number).collect::<Vec<_>>();
        assert_eq!(numbers(without(&table, 5)), [1, 5]);
        assert_eq!(numbers(without(&table, 1)), [] as [u64; 0]);
        assert_eq!((next_number(&table, Kind::Logical), next_number(&table, Kind::Primary)), (Some(7), Some(2)));
        let args = Args::parse(json!({"device": "/dev/sdx", "part_end": "1cyl"}).as_object().unwrap()).unwrap();
        assert!(wanted_end(&args, &table).is_err());
    }

    #[test]
    fn versions_are_compared() {
        for (version, expected) in [
            ("parted (GNU parted) 3.5", true),
            ("parted (GNU parted) 3.4", false),
            ("parted (GNU parted) 3.4.64-5", true),
            ("", false),
        ] {
            assert_eq!(mends(version), expected, "{version}");
        }
    }
}
