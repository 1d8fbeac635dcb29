//! Whether the host is a guest, and of what.

use super::gather::{Facts, exists, line, text};
use crate::host::Inspect;

/// Everything that was looked at, as text.
#[derive(Debug, Default)]
struct Signs {
    environment: String,
    control_groups: String,
    container_file: Option<String>,
    docker: bool,
    podman: bool,
    product: String,
    vendor: String,
    bios: String,
    family: String,
    cpu: String,
    modules: String,
    hypervisor_type: String,
    openvz: bool,
    kvm_device: bool,
}

/// Type and role, and every technique that was seen as guest and as host.
#[derive(Debug, PartialEq, Eq)]
struct Found {
    kind: String,
    role: &'static str,
    guest: Vec<String>,
    host: Vec<String>,
}

/// Facts of the group.
pub(super) fn gather(host: &dyn Inspect, facts: &mut Facts) {
    let dmi = |name: &str| line(host, format!("/sys/class/dmi/id/{name}")).unwrap_or_default();
    let signs = Signs {
        environment: text(host, "/proc/1/environ"),
        control_groups: text(host, "/proc/self/cgroup"),
        container_file: line(host, "/run/systemd/container"),
        docker: exists(host, "/.dockerenv") || exists(host, "/.dockerinit"),
        podman: exists(host, "/run/.containerenv"),
        product: dmi("product_name"),
        vendor: dmi("sys_vendor"),
        bios: dmi("bios_vendor"),
        family: dmi("product_family"),
        cpu: text(host, "/proc/cpuinfo"),
        modules: text(host, "/proc/modules"),
        hypervisor_type: line(host, "/sys/hypervisor/type").unwrap_or_default(),
        openvz: exists(host, "/proc/vz") && !exists(host, "/proc/lve"),
        kvm_device: exists(host, "/dev/kvm"),
    };
    let found = decide(&signs);
    facts.set("virtualization_type", found.kind);
    facts.set("virtualization_role", found.role);
    facts.set("virtualization_tech_guest", found.guest);
    facts.set("virtualization_tech_host", found.host);
}

fn decide(signs: &Signs) -> Found {
    let container =
        signs.environment.split('\0').find_map(|pair| pair.strip_prefix("container=")).or(signs.container_file.as_deref());
    let mut guest: Vec<&str> = Vec::new();
    let is_docker = signs.docker || signs.control_groups.lines().any(|line| line.contains("/docker"));
    if is_docker {
        guest.extend(["docker", "container"]);
    }
    match container {
        Some("podman") => guest.extend(["podman", "container"]),
        Some("lxc" | "lxc-libvirt") => guest.extend(["lxc", "container"]),
        Some("systemd-nspawn") => guest.extend(["container", "systemd-nspawn"]),
        Some(_) => guest.push("container"),
        None if signs.podman => guest.extend(["podman", "container"]),
        None => {}
    }
    if signs.openvz {
        guest.push("openvz");
    }
    if signs.hypervisor_type == "xen" {
        guest.push("xen");
    }
    let has = |text: &str, words: &[&str]| words.iter().any(|word| text.contains(word));
    match () {
        () if has(&signs.product, &["KVM", "Bochs", "AHV", "Google Compute Engine", "RDO Server"])
            || signs.product.starts_with("Standard PC") =>
        {
            guest.push("kvm");
        }
        () if has(&signs.product, &["RHEV Hypervisor", "oVirt Node"]) || signs.family == "RHV" => guest.push("RHEV"),
        () if signs.product.starts_with("VMware") || signs.vendor.starts_with("VMware") => guest.push("VMware"),
        () if has(&signs.product, &["OpenStack Compute", "OpenStack Nova"]) => guest.push("openstack"),
        () if signs.product.starts_with("VirtualBox") || signs.bios.starts_with("innotek") => guest.push("virtualbox"),
        () if signs.product == "Virtual Machine" && signs.vendor.starts_with("Microsoft") => guest.push("VirtualPC"),
        () if signs.vendor.starts_with("Parallels") => guest.push("parallels"),
        () if signs.bios == "Xen" || signs.product == "HVM domU" => guest.push("xen"),
        () if has(&signs.vendor, &["QEMU", "Amazon EC2", "DigitalOcean", "Hetzner", "Scaleway", "Nutanix"]) => guest.push("kvm"),
        () if signs.cpu.contains("QEMU Virtual CPU") => guest.push("kvm"),
        () if signs.cpu.contains("User Mode Linux") => guest.push("uml"),
        () => {}
    }
    let mut host: Vec<&str> = Vec::new();
    let module = |name: &str| signs.modules.lines().any(|line| line.split(' ').next() == Some(name));
    if module("kvm") || signs.kvm_device {
        host.push("kvm");
    }
    if module("vboxdrv") {
        host.push("virtualbox");
    }
    // What is most specific goes first: a container in a virtual machine is a container.
    let kind = guest.first().or(host.first()).copied().unwrap_or("NA").to_owned();
    let role = match () {
        () if !guest.is_empty() => "guest",
        () if !host.is_empty() => "host",
        () => "NA",
    };
    let owned = |list: Vec<&str>| {
        let mut seen: Vec<String> = Vec::new();
        for name in list {
            if !seen.iter().any(|other| other == name) {
                seen.push(name.to_owned());
            }
        }
        seen
    };
    Found { kind, role, guest: owned(guest), host: owned(host) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn guests_and_hosts_are_told_apart() {
        let dmi = |product: &str, vendor: &str| Signs { product: product.into(), vendor: vendor.into(), ..Signs::default() };
        let cases = [
            (Signs::default(), "NA", "NA"),
            (Signs { docker: true, ..dmi("KVM", "QEMU") }, "docker", "guest"),
            (Signs { environment: "PATH=/bin\0container=systemd-nspawn\0".into(), ..Signs::default() }, "container", "guest"),
            (Signs { environment: "container=lxc\0".into(), ..Signs::default() }, "lxc", "guest"),
            (dmi("Standard PC (Q35 + ICH9, 2009)", "QEMU"), "kvm", "guest"),
            (dmi("VMware Virtual Platform", "VMware, Inc."), "VMware", "guest"),
            (dmi("t3.micro", "Amazon EC2"), "kvm", "guest"),
            (dmi("Virtual Machine", "Microsoft Corporation"), "VirtualPC", "guest"),
            (Signs { modules: "kvm 1 0 - Live 0x0\n".into(), ..dmi("PowerEdge R640", "Dell Inc.") }, "kvm", "host"),
        ];
        for (signs, kind, role) in cases {
            let found = decide(&signs);
            assert_eq!((found.kind.as_str(), found.role), (kind, role), "{signs:?}");
        }
    }
}
