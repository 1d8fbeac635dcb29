//! `lvol`: logical volumes of LVM, snapshots and thin pools.

use std::path::Path;

use serde_json::{Map, Value, json};

use super::{lvg, lvm};
use crate::accounts::group::Presence;
use crate::args;
use crate::change::{ResourceId, ResourceState};
use crate::claims::Claims;
use crate::host::{Effect, Host, Inspect, Thing, split_command};
use crate::outcome::Failure;
use crate::resource::{self, Resource, Step, Written};
use crate::system::tool::{Tool, plain_word};

args! {
    /// Manages logical volumes: their size, whether they can be used, snapshots, thin pools and volumes in them.
    ///
    /// A size in percent of what is free counts when a volume is made; afterwards it says nothing.
    pub struct Args {
        /// Name of the volume; of the origin with `snapshot`.
        lv: Option<String>,
        /// Group.
        vg: String,
        /// Size: megabytes, or with a unit, or percent (`60%VG`, `100%FREE`, `100%PVS`); `+` and `-` change it every time.
        size: Option<String>,
        /// Further options of `lvcreate`.
        opts: Option<String>,
        /// Whether it is there.
        state: Presence = Presence::Present,
        /// Whether it can be used.
        active: bool = true,
        /// Whether it may be made smaller, or be removed.
        force: bool = false,
        /// Name of a snapshot of the volume.
        snapshot: Option<String>,
        /// Devices on which it lies.
        pvs: Option<Vec<String>>,
        /// Thin pool: of the volume, or to be made if no volume is named.
        thinpool: Option<String>,
        /// Whether a volume that is too large is made smaller.
        shrink: bool = true,
        /// Whether the file system changes its size with it.
        resizefs: bool = false,
    }
}

/// Examples; each is a test.
pub const EXAMPLES: &str = "
- name: A volume
  lvol:
    vg: oldvg
    lv: app
    size: 512m
- name: What is left
  lvol:
    vg: oldvg
    lv: rest
    size: 100%FREE
    shrink: false
- name: No volume
  lvol:
    vg: oldvg
    lv: old
    state: absent
    force: true
";

/// The module.
pub struct Lvol;

/// The volume as it is or should be.
#[derive(Debug, Clone, Default)]
pub struct State {
    name: String,
    /// Bytes; `None`: no such volume.
    size: Option<u64>,
    active: Option<bool>,
    /// The size is asked for, so it is compared.
    sized: bool,
    group: Group,
    /// Options of `lvresize` for the wanted size.
    resize: Option<[String; 2]>,
}

/// What sizes in percent are of.
#[derive(Debug, Clone, Copy, Default)]
struct Group {
    size: u64,
    free: u64,
    extent: u64,
}

impl resource::State for State {
    fn resources(&self) -> Vec<ResourceState> {
        let id = id(&self.name);
        vec![match self.size {
            None => ResourceState::absent(id),
            Some(size) => ResourceState::present(id)
                .with("size", json!(self.sized.then(|| format!("{size} bytes"))))
                .with("active", json!(self.active)),
        }]
    }
}

fn id(path: &str) -> ResourceId {
    ResourceId::new("logical volume", path)
}

/// Name of the volume that is managed.
fn name(args: &Args) -> Result<&str, Failure> {
    let name = args.snapshot.as_ref().or(args.lv.as_ref()).or(args.thinpool.as_ref());
    name.map(String::as_str).ok_or_else(|| Failure::new("one of the following is required: lv, thinpool"))
}

/// A wanted size.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Size<'a> {
    /// Bytes.
    Bytes(u64),
    /// Percent of the group, of devices, of what is free, of the origin.
    Percent(f64, &'a str),
}

/// A sign that changes what is there, and the size.
fn parse(text: &str) -> Result<(Option<char>, Size<'_>), Failure> {
    let bad = || Failure::new(format!("Bad size specification of '{text}'"));
    let sign = text.chars().next().filter(|c| ['+', '-'].contains(c));
    let rest = &text[usize::from(sign.is_some())..];
    let Some((percent, whole)) = rest.split_once('%') else {
        return lvm::bytes(rest).map(|bytes| (sign, Size::Bytes(bytes))).ok_or_else(bad);
    };
    let percent: f64 = percent.parse().ok().filter(|percent| *percent > 0.0).ok_or_else(bad)?;
    match whole {
        "VG" | "PVS" | "FREE" | "ORIGIN" if percent <= 100.0 || whole == "ORIGIN" => Ok((sign, Size::Percent(percent, whole))),
        _ => Err(bad()),
    }
}

/// The bytes that are wanted of a volume that has `now`; `None` where the size says nothing about it.
fn wanted(text: &str, now: u64, group: Group) -> Result<Option<u64>, Failure> {
    let (sign, size) = parse(text)?;
    let extent = group.extent.max(1);
    let bytes = match size {
        Size::Bytes(bytes) => bytes.div_ceil(extent) * extent,
        Size::Percent(_, "ORIGIN") => return Ok(None),
        Size::Percent(_, "FREE") if sign.is_none() => return Ok(None),
        Size::Percent(percent, whole) => {
            let of = if whole == "FREE" { group.free } else { group.size };
            (percent / 100.0 * of as f64) as u64 / extent * extent
        }
    };
    Ok(Some(match sign {
        Some('+') => now + bytes,
        Some(_) => now.saturating_sub(bytes),
        None => bytes,
    }))
}

impl Resource for Lvol {
    type Args = Args;
    type State = State;

    fn read(args: &Args, host: &dyn Inspect) -> Result<State, Failure> {
        let name = name(args)?;
        for (option, word) in [
            ("vg", Some(&args.vg)),
            ("lv", args.lv.as_ref()),
            ("snapshot", args.snapshot.as_ref()),
            ("thinpool", args.thinpool.as_ref()),
        ] {
            word.map_or(Ok(()), |word| plain_word(option, word))?;
        }
        let path = format!("/dev/{}/{name}", args.vg);
        let mut state = State { name: path.clone(), sized: true, ..State::default() };
        let groups = lvm::report("vgs", "vg_name,vg_size,vg_free,vg_extent_size", None, host)?;
        let group = groups.iter().find(|row| row.first() == Some(&args.vg));
        let planned = matches!(host.thing(&lvg::id(&args.vg)), Some(Thing::There(_)));
        match group {
            None if args.state == Presence::Absent => return Ok(state),
            None if planned => {}
            None => return Err(Failure::new(format!("Volume group {} does not exist.", args.vg))),
            Some(row) => {
                let number = |at: usize| row.get(at).and_then(|field| field.parse().ok()).unwrap_or(0);
                state.group = Group { size: number(1), free: number(2), extent: number(3) };
            }
        }
        match host.thing(&id(&path)) {
            Some(Thing::Gone) => return Ok(state),
            Some(Thing::There(text)) => {
                let (size, active) = text.split_once(' ').unwrap_or((&text, "true"));
                state.size = Some(size.parse().unwrap_or(0));
                state.active = Some(active == "true");
            }
            None if group.is_none() => return Ok(state),
            None => {
                let volumes = lvm::report("lvs", "lv_name,lv_size,lv_attr", Some(&args.vg), host)?;
                let plain = |row: &&Vec<String>| row.first().is_some_and(|listed| listed.trim_matches(['[', ']']) == name);
                let Some(row) = volumes.iter().find(plain) else { return Ok(state) };
                state.size = Some(row.get(1).and_then(|size| size.parse().ok()).unwrap_or(0));
                state.active = Some(row.get(2).is_some_and(|attributes| attributes.as_bytes().get(4) == Some(&b'a')));
            }
        }
        Ok(state)
    }

    fn want(args: &Args, now: &State) -> Result<State, Failure> {
        if args.state == Presence::Absent {
            if now.size.is_some() && !args.force {
                return Err(Failure::new(format!("Sorry, no removal of logical volume {} without force=true.", name(args)?)));
            }
            return Ok(State { size: None, ..now.clone() });
        }
        // Snapshots and pools are used by the kernel as it needs them.
        let active = (args.lv.is_some() && args.snapshot.is_none()).then_some(args.active);
        let unsized_ = State { sized: false, active, ..now.clone() };
        let Some(have) = now.size else {
            let size = args.size.as_deref();
            if size.is_none() && args.snapshot.is_none() {
                return Err(Failure::new("No size given."));
            }
            if size.is_some_and(|size| size.starts_with(['+', '-'])) {
                return Err(Failure::new(format!("Bad size specification of '{}' for creating LV", size.unwrap_or_default())));
            }
            size.map_or(Ok(()), |size| parse(size).map(|_| ()))?;
            return Ok(State { size: Some(0), ..unsized_ });
        };
        let Some((text, want)) =
            args.size.as_deref().map(|text| Ok::<_, Failure>((text, wanted(text, have, now.group)?))).transpose()?
        else {
            return Ok(unsized_);
        };
        let Some(want) = want else { return Ok(unsized_) };
        if want > have {
            if want - have > now.group.free {
                return Err(Failure::new(format!(
                    "Logical Volume {} could not be extended. Not enough free space left ({} bytes required / {} bytes available)",
                    name(args)?,
                    want - have,
                    now.group.free
                )));
            }
        } else if have > want {
            // A percentage is rounded down, so that up to an extent more is the same.
            let rounded = text.contains('%') && have <= want + now.group.extent;
            if !args.shrink || rounded {
                return Ok(unsized_);
            }
            if want == 0 {
                return Err(Failure::new(format!("Sorry, no shrinking of {} to 0 permitted.", name(args)?)));
            }
            if !args.force {
                return Err(Failure::new(format!("Sorry, no shrinking of {} without force=true.", name(args)?)));
            }
        }
        let option = if text.contains('%') { "-l" } else { "-L" };
        let resize = [option.to_owned(), if text.contains('%') { text.to_owned() } else { with_unit(text) }];
        // Added to or taken away every time, it cannot be compared afterwards.
        let sized = !text.starts_with(['+', '-']);
        Ok(State { size: Some(want), sized: sized || want != have, active, resize: Some(resize), ..now.clone() })
    }

    fn settled(args: &Args, _: &State) -> bool {
        args.size.as_deref().is_some_and(|size| size.starts_with(['+', '-']))
    }

    fn write(args: &Args, step: &Step<'_, State>, host: &mut dyn Host) -> Result<Written, Failure> {
        let tool = |name: &'static str| Tool::new(name, "lvm2");
        let path = &step.want.name;
        let full = format!("{}/{}", args.vg, name(args)?);
        let effect = |size: u64, active: bool| [Effect::Thing(id(path), Thing::There(format!("{size} {active}")))];
        let Some(size) = step.want.size else {
            tool("lvremove").act(
                ["--force", &full],
                &[Effect::Thing(id(path), Thing::Gone), Effect::NoPath(path.into())],
                host,
            )?;
            return Ok(Written::quiet());
        };
        if step.now.size.is_none() {
            let mut effects = effect(planned_size(args, step.now.group), true).to_vec();
            if host.stat(Path::new(&format!("/dev/{}", args.vg)))?.is_some() {
                effects.push(Effect::File(path.into(), Vec::new(), 0o660));
            }
            tool("lvcreate").act(creation(args)?, &effects, host)?;
        } else if let Some(resize) = step.want.resize.as_ref().filter(|_| step.differs("size")) {
            let grows = Some(size) > step.now.size;
            let mut words: Vec<String> = if grows { Vec::new() } else { vec!["--force".into()] };
            if args.resizefs {
                words.push("--resizefs".into());
            }
            words.extend(resize.iter().cloned());
            words.push(full.clone());
            words.extend(args.pvs.iter().flatten().cloned());
            let active = step.now.active.unwrap_or(true);
            tool(if grows { "lvextend" } else { "lvreduce" }).act(words, &effect(size, active), host)?;
        }
        let active = if step.now.size.is_none() { Some(true) } else { step.now.active };
        if let Some(wanted) = step.want.active.filter(|wanted| Some(*wanted) != active) {
            let size = if step.now.size.is_none() { planned_size(args, step.now.group) } else { size };
            tool("lvchange").act(["--activate", if wanted { "y" } else { "n" }, &full], &effect(size, wanted), host)?;
        }
        Ok(Written::quiet())
    }

    fn result(args: &Args, _: &State, after: &State) -> Map<String, Value> {
        let mut result = Map::new();
        result.insert("vg".into(), args.vg.clone().into());
        result.insert("lv".into(), name(args).unwrap_or_default().into());
        result.insert("size".into(), json!(after.size));
        result
    }

    fn claims(args: &Args) -> Claims {
        let path = format!("/dev/{}/{}", args.vg, name(args).unwrap_or_default());
        Claims::provides([id(&path)]).needing([lvg::id(&args.vg), ResourceId::new("package", "lvm2")])
    }
}

/// Megabytes are what a number alone means.
fn with_unit(text: &str) -> String {
    if text.ends_with(|c: char| c.is_ascii_digit()) { format!("{text}m") } else { text.to_owned() }
}

/// The size that a new volume will have, as far as a plan can tell.
fn planned_size(args: &Args, group: Group) -> u64 {
    match args.size.as_deref().and_then(|size| parse(size).ok()) {
        Some((_, Size::Percent(percent, "FREE"))) => {
            (percent / 100.0 * group.free as f64) as u64 / group.extent.max(1) * group.extent.max(1)
        }
        _ => args.size.as_deref().and_then(|size| wanted(size, 0, group).ok().flatten()).unwrap_or(0),
    }
}

/// The words of `lvcreate`.
fn creation(args: &Args) -> Result<Vec<String>, Failure> {
    let mut words: Vec<String> = vec!["--yes".into()];
    let size = args.size.as_deref();
    let option = |thin: bool| match size {
        _ if thin => "-V",
        Some(size) if size.contains('%') => "-l",
        _ => "-L",
    };
    let thin_volume = args.thinpool.is_some() && args.lv.is_some() && args.snapshot.is_none();
    if thin_volume && size.is_some_and(|size| size.contains('%')) {
        return Err(Failure::new("a thin volume has no size in percent: its pool grants only what is used"));
    }
    if let Some(size) = size {
        words.extend([option(thin_volume).to_owned(), if size.contains('%') { size.to_owned() } else { with_unit(size) }]);
    }
    words.extend(
        split_command(args.opts.as_deref().unwrap_or_default())
            .ok_or_else(|| Failure::new("`opts`: a quotation mark is not closed"))?,
    );
    match (&args.snapshot, &args.lv, &args.thinpool) {
        (Some(snapshot), Some(lv), _) => words.extend(["-s".into(), "-n".into(), snapshot.clone(), format!("{}/{lv}", args.vg)]),
        (Some(_), None, _) => return Err(Failure::new("`snapshot` needs `lv`, of which it is one")),
        (None, Some(lv), Some(pool)) => words.extend(["-n".into(), lv.clone(), "-T".into(), format!("{}/{pool}", args.vg)]),
        (None, None, Some(pool)) => words.extend(["-T".into(), format!("{}/{pool}", args.vg)]),
        (None, lv, None) => words.extend(["-n".into(), lv.clone().unwrap_or_default(), args.vg.clone()]),
    }
    words.extend(args.pvs.iter().flatten().cloned());
    Ok(words)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::args::Arguments as _;
    use crate::host::memory::MemoryHost;
    use crate::outcome::{Ending, Outcome};

    const M: u64 = 1 << 20;

    #[test]
    fn sizes_say_what_is_wanted() {
        let group = Group { size: 1000 * M, free: 400 * M, extent: 4 * M };
        for (text, now, expected) in [
            ("510", 0, Some(512 * M)),
            ("1g", 0, Some(1024 * M)),
            ("60%VG", 0, Some(600 * M)),
            ("100%FREE", 600 * M, None),
            ("+100%FREE", 600 * M, Some(1000 * M)),
            ("-100m", 600 * M, Some(500 * M)),
        ] {
            assert_eq!(wanted(text, now, group), Ok(expected), "{text}");
        }
        for bad in ["x", "10%", "120%VG", "0%VG", "10%DISK"] {
            assert!(parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn options_become_words() {
        for (options, expected) in [
            (json!({"lv": "a", "size": "512", "opts": "-r 16"}), "--yes -L 512m -r 16 -n a vg"),
            (json!({"lv": "a", "size": "100%FREE", "pvs": "/dev/sda,/dev/sdb"}), "--yes -l 100%FREE -n a vg /dev/sda /dev/sdb"),
            (json!({"lv": "a", "snapshot": "s", "size": "100m"}), "--yes -L 100m -s -n s vg/a"),
            (json!({"thinpool": "p", "size": "1g"}), "--yes -L 1g -T vg/p"),
            (json!({"thinpool": "p", "lv": "t", "size": "10g"}), "--yes -V 10g -n t -T vg/p"),
        ] {
            let mut options = options.as_object().unwrap().clone();
            options.insert("vg".into(), "vg".into());
            assert_eq!(creation(&Args::parse(&options).unwrap()).unwrap().join(" "), expected);
        }
    }

    #[test]
    fn nothing_is_lost_unasked() {
        let mut host = MemoryHost::default();
        host.answer(&["vgs", "*"], 0, "  vg;1048576000;419430400;4194304\n");
        host.answer(&["lvs", "*"], 0, "  a;629145600;-wi-a-----\n");
        let run = |options: Value, host: &mut MemoryHost| -> Outcome {
            (crate::registry::find("lvol").unwrap().run)(options.as_object().unwrap(), host)
        };
        for (options, ending) in [
            (json!({"vg": "vg", "lv": "a", "size": "600m"}), Ending::Ok),
            (json!({"vg": "vg", "lv": "a", "size": "100%FREE"}), Ending::Ok),
            (json!({"vg": "vg", "lv": "a", "size": "100m"}), Ending::Failed),
            (json!({"vg": "vg", "lv": "a", "size": "100m", "shrink": false}), Ending::Ok),
            (json!({"vg": "vg", "lv": "a", "size": "1g"}), Ending::Failed),
            (json!({"vg": "vg", "lv": "a", "state": "absent"}), Ending::Failed),
            (json!({"vg": "other", "lv": "a", "size": "1g"}), Ending::Failed),
            (json!({"vg": "other", "lv": "a", "state": "absent"}), Ending::Ok),
        ] {
            assert_eq!(run(options.clone(), &mut host).ending, ending, "{options}");
        }
        assert!(host.ran.is_empty());
        let outcome = run(json!({"vg": "vg", "lv": "a", "size": "700m", "resizefs": true, "active": false}), &mut host);
        assert_eq!(outcome.ending, Ending::Changed, "{:?}", outcome.result);
        let ran: Vec<String> = host.ran.iter().map(|line| line.argv.join(" ")).collect();
        assert_eq!(ran, ["lvextend --resizefs -L 700m vg/a", "lvchange --activate n vg/a"]);
    }
}
