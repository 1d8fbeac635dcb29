//! `lvg`: volume groups of LVM.

use std::path::PathBuf;

use serde_json::{Map, Value, json};

use super::lvm;
use crate::change::{Action, Change, Difference, ResourceId, ResourceState};
use crate::claims::Claims;
use crate::files::paths;
use crate::host::{Effect, Host, Inspect, Thing, split_command};
use crate::outcome::Failure;
use crate::resource::{self, Resource, Step, Written};
use crate::system::tool::{Tool, exists, plain_word};
use crate::{args, choice};

choice! {
    /// What is wanted of a group.
    pub enum Wish {
        /// It is not there.
        Absent = "absent",
        /// It is there.
        Present = "present",
        /// It is there, and its volumes can be used.
        Active = "active",
        /// It is there, and its volumes cannot be used.
        Inactive = "inactive",
    }
}

args! {
    /// Manages volume groups: their devices, and whether their volumes can be used.
    pub struct Args {
        /// Name of the group.
        vg: String,
        /// Its devices.
        pvs: Option<Vec<String>>,
        /// What is wanted.
        state: Wish = Wish::Present,
        /// Size of an extent of a new group; megabytes without a unit.
        pesize: String = "4".into(),
        /// Further options of `pvcreate`.
        pv_options: String = String::new(),
        /// Further options of `vgcreate`.
        vg_options: String = String::new(),
        /// Whether devices grow to their full size.
        pvresize: bool = false,
        /// Whether a group with volumes may be removed.
        force: bool = false,
        /// Whether devices that `pvs` does not name leave the group.
        remove_extra_pvs: bool = true,
        /// New UUID of the group, every time.
        reset_vg_uuid: bool = false,
        /// New UUIDs of its devices, every time.
        reset_pv_uuid: bool = false,
    }
}

/// Examples; each is a test.
pub const EXAMPLES: &str = "
- name: A group of one device
  lvg:
    vg: data
    pvs: /dev/sdc1
    pesize: 32
- name: No group
  lvg:
    vg: oldvg
    state: absent
";

/// The module.
pub struct Lvg;

/// The group as it is or should be.
#[derive(Debug, Clone, Default)]
pub struct State {
    name: String,
    /// Its devices; `None`: no such group.
    pvs: Option<Vec<String>>,
    volumes: usize,
    /// All its volumes can be used; `None` = not managed.
    active: Option<bool>,
    /// Devices that are smaller than they could be; `None` = not managed.
    small: Option<Vec<String>>,
    /// Devices that some group or none has already.
    known: Vec<String>,
    /// The devices of the task.
    asked: Option<Vec<String>>,
}

impl resource::State for State {
    fn resources(&self) -> Vec<ResourceState> {
        let id = id(&self.name);
        vec![match &self.pvs {
            None => ResourceState::absent(id),
            Some(pvs) => ResourceState::present(id)
                .with("pvs", json!(pvs))
                .with("active", json!(self.active))
                .with("smaller_than_device", json!(self.small)),
        }]
    }
}

/// The resource of a group.
pub(super) fn id(name: &str) -> ResourceId {
    ResourceId::new("volume group", name)
}

fn remember(state: &State) -> Thing {
    let pvs = state.pvs.clone().unwrap_or_default().join(",");
    Thing::There(format!("{pvs};{}", if state.active == Some(false) { "inactive" } else { "active" }))
}

/// Devices whose extents do not fill them.
fn small(rows: &[Vec<String>], group: &str) -> Vec<String> {
    let fits = |row: &&Vec<String>| {
        let number = |at: usize| row.get(at).and_then(|field| field.parse::<u64>().ok()).unwrap_or(0);
        let (size, device, start, extent) = (number(2), number(3), number(4), number(5).max(1));
        row.get(1).is_some_and(|name| name == group) && device.saturating_sub(start) / extent * extent > size
    };
    rows.iter().filter(fits).filter_map(|row| row.first().cloned()).collect()
}

impl Resource for Lvg {
    type Args = Args;
    type State = State;

    fn read(args: &Args, host: &dyn Inspect) -> Result<State, Failure> {
        plain_word("vg", &args.vg)?;
        let asked = match &args.pvs {
            None => None,
            Some(names) => {
                let mut real = Vec::new();
                for name in names.iter().filter(|name| !name.is_empty()) {
                    plain_word("pvs", name)?;
                    if !exists(name, host) && args.state != Wish::Absent {
                        return Err(Failure::new(format!("Device {name} not found.")));
                    }
                    // The mapper's own names stay: LVM lists them.
                    let path = PathBuf::from(name);
                    let mapped = name.starts_with("/dev/mapper/");
                    real.push(if mapped { name.clone() } else { paths::real_path(&path, host)?.display().to_string() });
                }
                real.sort();
                real.dedup();
                Some(real)
            }
        };
        let rows = lvm::report("pvs", "pv_name,vg_name,pv_size,dev_size,pe_start,vg_extent_size", None, host)?;
        let known: Vec<String> = rows.iter().filter_map(|row| row.first().cloned()).collect();
        let mut state = State { name: args.vg.clone(), known, asked, ..State::default() };
        match host.thing(&id(&args.vg)) {
            Some(Thing::Gone) => return Ok(state),
            Some(Thing::There(text)) => {
                let (pvs, active) = text.split_once(';').unwrap_or((&text, "active"));
                state.pvs = Some(pvs.split(',').filter(|name| !name.is_empty()).map(str::to_owned).collect());
                state.active = Some(active == "active");
                state.small = Some(Vec::new());
                return Ok(state);
            }
            None => {}
        }
        let groups = lvm::report("vgs", "vg_name,lv_count", None, host)?;
        let Some(group) = groups.iter().find(|row| row.first() == Some(&args.vg)) else { return Ok(state) };
        state.volumes = group.get(1).and_then(|count| count.parse().ok()).unwrap_or(0);
        let mut pvs: Vec<String> =
            rows.iter().filter(|row| row.get(1) == Some(&args.vg)).filter_map(|row| row.first().cloned()).collect();
        pvs.sort();
        state.pvs = Some(pvs);
        let attributes = lvm::report("lvs", "lv_attr", Some(&args.vg), host)?;
        let is_active = |row: &Vec<String>| row.first().is_some_and(|text| text.as_bytes().get(4) == Some(&b'a'));
        state.active = Some(!attributes.is_empty() && attributes.iter().all(is_active));
        // A group without volumes is as it is wanted.
        if attributes.is_empty() {
            state.active = Some(args.state != Wish::Inactive);
        }
        state.small = Some(small(&rows, &args.vg));
        Ok(state)
    }

    fn want(args: &Args, now: &State) -> Result<State, Failure> {
        if args.state == Wish::Absent {
            if now.pvs.is_some() && now.volumes > 0 && !args.force {
                return Err(Failure::new(format!("Refuse to remove non-empty volume group {} without force=true", args.vg)));
            }
            return Ok(State { pvs: None, ..now.clone() });
        }
        let pvs = match (&now.pvs, &now.asked) {
            (None, None) => return Err(Failure::new("No physical volumes given.")),
            (Some(pvs), None) => pvs.clone(),
            (Some(pvs), Some(asked)) if !args.remove_extra_pvs => {
                let mut all: Vec<String> = pvs.iter().chain(asked).cloned().collect();
                all.sort();
                all.dedup();
                all
            }
            (_, Some(asked)) => asked.clone(),
        };
        if pvs.is_empty() {
            return Err(Failure::new("No physical volumes given."));
        }
        Ok(State {
            pvs: Some(pvs),
            active: match args.state {
                Wish::Active => Some(true),
                Wish::Inactive => Some(false),
                _ => None,
            },
            small: (args.pvresize && now.pvs.is_some()).then(Vec::new),
            ..now.clone()
        })
    }

    fn runs(args: &Args, now: &State, _: &State) -> Vec<Change> {
        let asked = [(args.reset_vg_uuid, "uuid"), (args.reset_pv_uuid, "pv_uuid")];
        asked
            .into_iter()
            .filter(|(asked, _)| *asked && now.pvs.is_some() && args.state != Wish::Absent)
            .map(|(_, property)| {
                let difference = Difference { property: property.into(), before: Value::Null, after: "new".into(), diff: None };
                Change { resource: id(&args.vg), action: Action::Run, differences: vec![difference] }
            })
            .collect()
    }

    fn write(args: &Args, step: &Step<'_, State>, host: &mut dyn Host) -> Result<Written, Failure> {
        let tool = |name: &'static str| Tool::new(name, "lvm2");
        let gone = [Effect::Thing(id(&args.vg), Thing::Gone)];
        let there = [Effect::Thing(id(&args.vg), remember(step.want))];
        let Some(pvs) = &step.want.pvs else {
            tool("vgremove").act(["--force", "--yes", &args.vg], &gone, host)?;
            return Ok(Written::quiet());
        };
        let words = |text: &str| split_command(text).ok_or_else(|| Failure::new("a quotation mark in the options is not closed"));
        let old = step.now.pvs.clone().unwrap_or_default();
        let new: Vec<String> = pvs.iter().filter(|name| !old.contains(name)).cloned().collect();
        for device in new.iter().filter(|name| !step.now.known.contains(name)) {
            let mut line = words(&args.pv_options)?;
            line.extend(["-f".into(), "-y".into(), device.clone()]);
            tool("pvcreate").act(line, &[], host)?;
        }
        if step.now.pvs.is_none() {
            let mut line = words(&args.vg_options)?;
            // Without a unit megabytes are meant, as everywhere in these options.
            line.extend(["-s".into(), args.pesize.clone(), args.vg.clone()]);
            line.extend(new);
            tool("vgcreate").act(line, &there, host)?;
        } else {
            if !new.is_empty() {
                tool("vgextend").act(std::iter::once(args.vg.clone()).chain(new), &there, host)?;
            }
            let extra: Vec<String> = old.iter().filter(|name| !pvs.contains(name)).cloned().collect();
            if !extra.is_empty() {
                tool("vgreduce").act(["--force".to_owned(), args.vg.clone()].into_iter().chain(extra), &there, host)?;
            }
            for device in step.now.small.iter().flatten().filter(|_| step.differs("smaller_than_device")) {
                tool("pvresize").act([device], &there, host)?;
            }
        }
        if let Some(active) = step.want.active.filter(|active| step.now.active != Some(*active)) {
            tool("vgchange").act(["--activate", if active { "y" } else { "n" }, &args.vg], &there, host)?;
        }
        if step.differs("uuid") {
            tool("vgchange").act(["--uuid", &args.vg], &there, host)?;
        }
        if step.differs("pv_uuid") {
            for device in pvs {
                tool("pvchange").act(["--uuid", device], &there, host)?;
            }
        }
        Ok(Written::quiet())
    }

    fn result(args: &Args, _: &State, _: &State) -> Map<String, Value> {
        Map::from_iter([("vg".to_owned(), args.vg.clone().into())])
    }

    fn claims(args: &Args) -> Claims {
        let devices =
            args.pvs.iter().flatten().flat_map(|name| [ResourceId::new("file", name), ResourceId::new("partition table", name)]);
        Claims::provides([id(&args.vg)]).needing(devices).needing([ResourceId::new("package", "lvm2")])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::memory::MemoryHost;
    use crate::outcome::{Ending, Outcome};

    fn run(options: Value, host: &mut MemoryHost) -> Outcome {
        let module = crate::registry::find("lvg").unwrap();
        (module.run)(options.as_object().unwrap(), host)
    }

    #[test]
    fn devices_come_and_go() {
        let mut host = MemoryHost::default();
        for device in ["/dev/sdb1", "/dev/sdc1", "/dev/sdd1"] {
            host.add_file(device, "");
        }
        host.answer(
            &["pvs", "*"],
            0,
            "  /dev/sdb1;data;4194304;8388608;1048576;4194304\n  /dev/sdc1;data;4194304;5242880;1048576;4194304\n",
        );
        host.answer(&["vgs", "*"], 0, "  data;1\n");
        host.answer(&["lvs", "*"], 0, "  -wi-a-----\n");
        assert_eq!(run(json!({"vg": "data", "pvs": ["/dev/sdc1", "/dev/sdb1"], "pvresize": true}), &mut host).ending, Ending::Ok);
        assert_eq!(run(json!({"vg": "data", "state": "active"}), &mut host).ending, Ending::Ok);
        let outcome = run(json!({"vg": "data", "state": "absent"}), &mut host);
        assert_eq!(outcome.result["msg"], "Refuse to remove non-empty volume group data without force=true");
        assert_eq!(
            run(json!({"vg": "data", "pvs": "/dev/sdb1,/dev/sdd1", "state": "inactive"}), &mut host).ending,
            Ending::Changed
        );
        let ran: Vec<String> = host.ran.iter().map(|line| line.argv.join(" ")).collect();
        assert_eq!(
            ran,
            [
                "pvcreate -f -y /dev/sdd1",
                "vgextend data /dev/sdd1",
                "vgreduce --force data /dev/sdc1",
                "vgchange --activate n data"
            ]
        );
        assert_eq!(run(json!({"vg": "new"}), &mut host).result["msg"], "No physical volumes given.");
        let rows = [["/dev/sdb1", "data", "4194304", "9437184", "1048576", "4194304"].map(String::from).to_vec()];
        assert_eq!(small(&rows, "data"), ["/dev/sdb1"]);
    }
}
