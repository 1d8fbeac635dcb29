//! Volume groups, logical and physical volumes, as LVM's own tools list them.

use serde_json::{Map, Value, json};

use super::gather::{Facts, exists};
use crate::host::{CommandLine, Inspect};

/// Facts about LVM; `N/A` where it is not there or may not be asked.
pub(super) fn gather(host: &dyn Inspect, facts: &mut Facts) {
    let is_there = ["/sbin/vgs", "/usr/sbin/vgs"].iter().any(|path| exists(host, path));
    if !is_there || host.whoami().0 != 0 {
        facts.set("lvm", "N/A");
        return;
    }
    let ask = |tool: &str, columns: &str| -> Vec<Vec<String>> {
        let mut line = CommandLine::new([tool, "--noheadings", "--nosuffix", "--units", "g", "--separator", ",", "-o", columns]);
        line.environment.insert("LC_ALL".into(), "C".into());
        line.deadline = Some(facts.patience);
        host.query(&line).map(|output| rows(&output.text())).unwrap_or_default()
    };
    let table = |rows: Vec<Vec<String>>, names: &[&str]| -> Map<String, Value> {
        rows.into_iter()
            .filter(|row| row.len() == names.len() + 1)
            .map(|row| {
                let fields = names.iter().zip(&row[1..]).filter(|(_, value)| !value.is_empty());
                (row[0].clone(), Value::Object(fields.map(|(name, value)| ((*name).to_owned(), value.as_str().into())).collect()))
            })
            .collect()
    };
    let vgs = table(ask("vgs", "vg_name,pv_count,lv_count,vg_size,vg_free"), &["num_pvs", "num_lvs", "size_g", "free_g"]);
    let lvs = table(ask("lvs", "lv_name,vg_name,lv_size"), &["vg", "size_g"]);
    let pvs = table(ask("pvs", "pv_name,vg_name,pv_size,pv_free"), &["vg", "size_g", "free_g"]);
    facts.set("lvm", json!({"vgs": vgs, "lvs": lvs, "pvs": pvs}));
}

fn rows(said: &str) -> Vec<Vec<String>> {
    let lines = said.lines().map(str::trim).filter(|line| !line.is_empty());
    lines.map(|line| line.split(',').map(|field| field.trim().to_owned()).collect()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::memory::MemoryHost;

    #[test]
    fn volumes_are_listed() {
        let mut host = MemoryHost::default();
        let found = |host: &MemoryHost| {
            let mut facts = Facts::default();
            gather(host, &mut facts);
            facts.map["ansible_lvm"].clone()
        };
        assert_eq!(found(&host), "N/A");
        host.add_file("/usr/sbin/vgs", "");
        host.answer(&["vgs", "*"], 0, "  data,1,2,9.99,3.50\n");
        host.answer(&["lvs", "*"], 0, "  home,data,5.00\n  srv,data,1.49\n");
        host.answer(&["pvs", "*"], 0, "  /dev/sdb,data,9.99,3.50\n");
        let wanted = json!({
            "vgs": {"data": {"num_pvs": "1", "num_lvs": "2", "size_g": "9.99", "free_g": "3.50"}},
            "lvs": {"home": {"vg": "data", "size_g": "5.00"}, "srv": {"vg": "data", "size_g": "1.49"}},
            "pvs": {"/dev/sdb": {"vg": "data", "size_g": "9.99", "free_g": "3.50"}},
        });
        assert_eq!(found(&host), wanted);
    }
}
