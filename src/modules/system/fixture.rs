//! What the examples of settings, services, disks and networks find on a host in memory.

use crate::host::memory::MemoryHost;

/// Directories that are there.
const DIRECTORIES: &[&str] = &[
    "/etc/modules-load.d",
    "/etc/modprobe.d",
    "/etc/rc2.d",
    "/etc/rc3.d",
    "/etc/rc4.d",
    "/etc/rc5.d",
    "/mnt/old",
    "/etc/network",
    "/etc/sudoers.d",
    "/etc/security/limits.d",
];

/// Files and what is in them.
const FILES: &[(&str, &str)] = &[
    ("/etc/fstab", "/dev/sda1 / ext4 errors=remount-ro 0 1\n/dev/sdb1 /mnt/old ext4 defaults 0 2\n"),
    ("/proc/self/mountinfo", "1 0 8:1 / / rw - ext4 /dev/sda1 rw\n2 1 8:17 / /mnt/old rw - ext4 /dev/sdb1 rw\n"),
    ("/proc/modules", "pcspkr 16384 0 - Live 0x0000000000000000\n"),
    ("/etc/ufw/ufw.conf", "ENABLED=no\nLOGLEVEL=low\n"),
    ("/etc/default/ufw", "DEFAULT_INPUT_POLICY=\"ACCEPT\"\n"),
    ("/etc/locale.gen", "# de_CH.UTF-8 UTF-8\n# en_GB.UTF-8 UTF-8\nfr_FR.UTF-8 UTF-8\n"),
    ("/etc/selinux/config", "# Mode\nSELINUX=enforcing\nSELINUXTYPE=targeted\n"),
    ("/sys/fs/selinux/enforce", "1"),
    ("/sys/fs/selinux/booleans/httpd_can_network_connect", "0 0"),
    ("/sys/fs/selinux/booleans/httpd_enable_homedirs", "1 1"),
    ("/etc/pam.d/app", "auth required pam_unix.so\npassword required pam_pwquality.so retry=3\n"),
    ("/etc/modprobe.d/graphics.conf", "blacklist nouveau\n"),
    ("/etc/ssh/ssh_config", "Host old\n    Port 22\n\nHost *\n    SendEnv LANG\n"),
    ("/etc/network/interfaces", "auto eth0\niface eth0 inet dhcp\n    up route add a\n    mtu 1500\n"),
    ("/etc/sudoers.d/old-rule", "joe ALL=NOPASSWD: ALL\n"),
    ("/usr/bin/app", "#!/bin/sh\n"),
    ("/usr/bin/vim.basic", ""),
    ("/bin/nano", ""),
    ("/dev/sdb1", ""),
    ("/dev/sdc1", ""),
    ("/etc/init.d/app", "#!/bin/sh\n"),
];

/// Commands (a last word `*` stands for any further words), exit status and standard output.
const ANSWERS: &[(&str, i32, &str)] = &[
    ("/etc/init.d/app status", 3, ""),
    ("iptables -t filter -S *", 0, "-P INPUT ACCEPT\n"),
    ("iptables -t filter -S ALLOWLIST", 1, ""),
    ("iptables -t filter -C *", 1, ""),
    ("iptables -t nat -C *", 1, ""),
    ("iptables -t nat -S *", 0, "-P PREROUTING ACCEPT\n"),
    ("ip6tables -t filter -S *", 0, "-P INPUT ACCEPT\n"),
    ("ip6tables -t filter -C *", 1, ""),
    ("locale -a", 0, "C\nPOSIX\nfr_FR.utf8\n"),
    ("update-alternatives --query *", 2, ""),
    (
        "update-alternatives --query editor",
        0,
        "Name: editor\nLink: /usr/bin/editor\nStatus: manual\nBest: /bin/nano\nValue: /bin/nano\n\n\
         Alternative: /bin/nano\nPriority: 40\n\nAlternative: /usr/bin/vim.basic\nPriority: 30\n",
    ),
    ("blkid -c /dev/null -o value -s TYPE /dev/sdb1", 0, "ext4\n"),
    ("blkid -c /dev/null -o value -s TYPE /dev/sdc1", 2, ""),
    ("pvs *", 0, "  /dev/sdz;oldvg;4290772992;4294967296;1048576;4194304\n"),
    ("lvs *", 0, ""),
    ("lvs --noheadings --nosuffix --units b --separator ; -o lv_name,lv_size,lv_attr oldvg", 0, "  old;104857600;-wi-a-----\n"),
    ("vgs --noheadings --nosuffix --units b --separator ; -o vg_name,lv_count", 0, "  oldvg;0\n"),
    (
        "vgs --noheadings --nosuffix --units b --separator ; -o vg_name,vg_size,vg_free,vg_extent_size",
        0,
        "  oldvg;4290772992;4185915392;4194304\n",
    ),
    ("parted --version", 0, "parted (GNU parted) 3.5\n"),
    ("parted -s -m /dev/sde *", 1, "BYT;\n/dev/sde:1073741824B:scsi:512:512:unknown:A disk:;\n"),
    (
        "parted -s -m /dev/sdf *",
        0,
        "BYT;\n/dev/sdf:1073741824B:scsi:512:512:msdos:A disk:;\n1:1048576B:536870911B:535822336B:ext4::boot;\n\
         2:536870912B:805306367B:268435456B:::;\n",
    ),
    ("grubby --info=ALL", 0, "index=0\nargs=\"ro quiet\"\n"),
    ("semanage boolean -l -n", 0, "httpd_can_network_connect      (off  ,  off)  Allow httpd to connect\n"),
    ("semanage port -l -n", 0, "http_port_t                    tcp      8081, 80, 443\n"),
    ("semanage fcontext -l -n", 0, "/srv/old(/.*)?     all files     system_u:object_r:old_t:s0 \n"),
    ("semanage fcontext -l -n -C", 0, "/srv/old(/.*)?     all files     system_u:object_r:old_t:s0 \n"),
    ("firewall-cmd --state", 0, "running\n"),
    ("firewall-cmd --get-default-zone", 0, "public\n"),
    ("firewall-cmd --permanent --get-zones", 0, "dmz public\n"),
    ("firewall-cmd --zone=public --query-service=https", 1, "no\n"),
    ("firewall-cmd --permanent --zone=public --query-service=https", 1, "no\n"),
    ("firewall-cmd --permanent --zone=dmz --query-port=8081/tcp", 0, "yes\n"),
    ("firewall-cmd --permanent --zone=dmz --query-masquerade", 1, "no\n"),
    ("atq", 0, "3\tTue Nov 24 10:00:00 2026 a root\n"),
    ("at -c 3", 0, "#!/bin/sh\npoweroff\n"),
    ("nmcli -t -e no -f NAME connection show", 0, "lo\nold\n"),
    ("nmcli -t -e no connection show id old", 0, "connection.id:old\nconnection.type:802-3-ethernet\n"),
    ("ufw status", 0, "Status: inactive\n"),
    ("ufw --dry-run *", 0, "*filter\n### tuple ### limit tcp 22 0.0.0.0/0 any 0.0.0.0/0 in\n"),
];

/// Adds all of it.
pub(crate) fn add(host: &mut MemoryHost) {
    for path in DIRECTORIES {
        host.add_directory(path);
    }
    for (path, content) in FILES {
        host.add_file(path, content);
    }
    for (line, rc, stdout) in ANSWERS {
        let words: Vec<&str> = line.split(' ').collect();
        host.answer(&words, *rc, stdout);
    }
}
