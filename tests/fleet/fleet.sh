#!/usr/bin/env bash
# Real Debian hosts on one Linux machine, for tests and measurements: systemd as PID 1, sshd, sudo,
# cron, a network of their own. All share one read-only base image; what a host writes is in memory
# and gone when it goes down.
#
#   fleet.sh up N         boot h1..hN side by side (hosts that run already are left alone)
#   fleet.sh down         stop all, remove the bridge
#   fleet.sh reset N      down, then up: every host pristine again
#   fleet.sh inventory N  an inventory of them, group [fleet]
#   fleet.sh addr I       address of host I
#   fleet.sh cut I        drop every packet of host I from now on, without a word to either side
#   fleet.sh heal I       let them through again
#   fleet.sh cpu I        CPU seconds that host I has used since it booted
#   fleet.sh build        only make the base image
#   fleet.sh packages     fetch Debian packages for hosts that are booted from now on; they see them as
#                         a repository: deb [trusted=yes] file:/srv/packages ./
#
# FLEET_ROOT   where the base image and the key are          (/var/cache/stead-fleet)
# FLEET_POOL   0..15, independent sets of hosts side by side (0); each has a bridge fleetK and the
#              network 10.200.(16K).0/20
# FLEET_USER   who the inventory logs in as (root); `admin` becomes root through sudo
# FLEET_SUITE  the Debian release (bookworm)
#
# Needs root. Missing programs are installed where apt-get is; otherwise they are named.
set -euo pipefail

root=${FLEET_ROOT:-/var/cache/stead-fleet}
pool=${FLEET_POOL:-0}
user=${FLEET_USER:-root}
suite=${FLEET_SUITE:-bookworm}
base=$root/base
key=$root/key
state=$root/pool$pool
bridge=fleet$pool
gateway=10.200.$((pool * 16)).1
host_packages=systemd,systemd-sysv,dbus,openssh-server,sudo,python3,python3-apt,iproute2,iputils-ping,ca-certificates,locales,cron,acl,procps

die() { echo "fleet: $*" >&2; exit 1; }

require() { # programs that this machine must have, as program:package
  [ "$(id -u)" = 0 ] || die "root is needed"
  local pair missing=()
  for pair in debootstrap:debootstrap systemd-nspawn:systemd-container ssh-keygen:openssh-client ip:iproute2 nsenter:util-linux "$@"; do
    command -v "${pair%%:*}" >/dev/null || missing+=("${pair#*:}")
  done
  [ ${#missing[@]} = 0 ] && return
  command -v apt-get >/dev/null || die "missing: ${missing[*]}"
  echo "fleet: installing ${missing[*]}" >&2
  { apt-get -q update && DEBIAN_FRONTEND=noninteractive apt-get -qy install --no-install-recommends "${missing[@]}"; } >&2 ||
    die "cannot install: ${missing[*]}"
}

build() {
  require
  mkdir -p "$root"
  exec 8>"$root/build.lock"; flock 8 # two pools may want the image at the same time
  if [ ! -e "$base/.ready" ]; then
    rm -rf "$base"
    debootstrap --variant=minbase --include="$host_packages" "$suite" "$base" >"$root/debootstrap.log" 2>&1 ||
      die "debootstrap failed, see $root/debootstrap.log"
    [ -f "$key" ] || ssh-keygen -q -t ed25519 -N '' -C stead-fleet -f "$key"
    install -d -m 700 "$base/root/.ssh"
    install -m 600 "$key.pub" "$base/root/.ssh/authorized_keys"
    chroot "$base" useradd -m -s /bin/bash admin
    install -d -m 700 -o 1000 -g 1000 "$base/home/admin/.ssh"
    install -m 600 -o 1000 -g 1000 "$key.pub" "$base/home/admin/.ssh/authorized_keys"
    echo 'admin ALL=(ALL) NOPASSWD:ALL' >"$base/etc/sudoers.d/admin"
    # sshd would otherwise refuse bursts of connections, and look up names where there is no DNS.
    printf 'MaxStartups 200:30:400\nMaxSessions 100\nUseDNS no\n' >"$base/etc/ssh/sshd_config.d/fleet.conf"
    rm -f "$base"/var/cache/apt/archives/*.deb
    touch "$base/.ready"
  fi
  exec 8>&-
}

# What services under test need, with all that it depends on.
offered=(
  acl apache2 at bzip2 chrony fail2ban firewalld dnsmasq git gnupg haproxy jq libapache2-mod-wsgi-py3 logrotate lvm2 make
  mariadb-server memcached monit nftables iptables nginx-light openssl parted patch pipx postgresql
  prometheus-node-exporter php-fpm postfix python3-apt python3-cryptography python3-firewall python3-lxml python3-passlib
  python3-pexpect python3-pip python3-psycopg2 python3-pymysql python3-redis python3-venv rabbitmq-server
  redis-server rsync rsyslog supervisor tree ufw unattended-upgrades unzip xfsprogs xz-utils zip zstd
)

packages() {
  require dpkg-scanpackages:dpkg-dev
  build
  local list="${offered[*]}" work=$root/packages.work
  exec 8>"$root/packages.lock"; flock 8
  if [ "$(cat "$root/packages/.offered" 2>/dev/null)" != "$list" ]; then
    rm -rf "$work"; mkdir -p "$work/upper" "$work/inner" "$work/root"
    mount -t overlay overlay -o "lowerdir=$base,upperdir=$work/upper,workdir=$work/inner" "$work/root"
    trap 'umount "$root/packages.work/root"' EXIT
    cp /etc/resolv.conf "$work/root/etc/resolv.conf"
    rm -f "$work/root/etc/apt/apt.conf.d/docker-clean"
    { chroot "$work/root" apt-get -q update &&
      DEBIAN_FRONTEND=noninteractive chroot "$work/root" apt-get -qy --no-install-recommends --download-only install "${offered[@]}"
    } >"$root/packages.log" 2>&1 || die "packages cannot be fetched, see $root/packages.log"
    rm -rf "$root/packages"; mkdir -p "$root/packages"
    cp "$work/root"/var/cache/apt/archives/*.deb "$root/packages/"
    umount "$work/root"; trap - EXIT
    rm -rf "$work"
    (cd "$root/packages" && dpkg-scanpackages --multiversion . >Packages 2>>"$root/packages.log" && printf %s "$list" >.offered) ||
      die "the index cannot be written, see $root/packages.log"
  fi
  exec 8>&-
}

# Control groups: one tree (version 2), or the version 1 trees that count processor time and memory.
cgroup_trees() {
  if [ -e /sys/fs/cgroup/cgroup.procs ]; then echo /sys/fs/cgroup; return; fi
  local tree
  for tree in systemd unified cpuacct memory; do
    if [ -e "/sys/fs/cgroup/$tree/cgroup.procs" ]; then echo "/sys/fs/cgroup/$tree"; fi
  done
}

addr() { echo "10.200.$((pool * 16 + $1 / 250)).$(($1 % 250 + 2))"; }

bridge_is_ours() { [[ $(ip -o addr show dev "$bridge" 2>/dev/null) == *" $gateway/"* ]]; }

running() { [ -e "$state/h$1.pid" ] && kill -0 "$(<"$state/h$1.pid")" 2>/dev/null; }

first_process() { # the host's PID 1 as this machine numbers it: the only child of its nspawn
  local nspawn children
  nspawn=$(<"$state/h$1.pid")
  children=$(cat "/proc/$nspawn/task/$nspawn/children" 2>/dev/null || true)
  echo "${children%% *}"
}

in_network_of() { # run a command in the network of host $1
  local pid; pid=$(first_process "$1"); shift
  nsenter -t "$pid" -n "$@"
}

boot() {
  local i=$1 address try fd
  address=$(addr "$i")
  if running "$i"; then return; fi
  (
    # A control group per host: without it the systemds of all hosts would share their unit groups,
    # and nobody could tell one host's processor time from another's.
    for tree in $(cgroup_trees); do
      mkdir -p "$tree/fleet$pool/h$i"
      echo "$BASHPID" >"$tree/fleet$pool/h$i/cgroup.procs"
    done
    # A host outlives this script and must not keep the caller's locks and pipes open.
    for fd in /proc/self/fd/*; do
      fd=${fd##*/}
      if [ "$fd" -gt 2 ] && [ "$fd" -lt 200 ]; then eval "exec $fd>&-"; fi
    done
    bind=()
    if [ -e "$root/packages/.offered" ]; then bind=(--bind-ro="$root/packages:/srv/packages"); fi
    exec setsid systemd-nspawn --quiet --directory="$base" "${bind[@]}" --volatile=overlay --boot --machine="stead-p${pool}-h$i" \
      --register=no --keep-unit --network-bridge="$bridge" --console=pipe --link-journal=no systemd.hostname="h$i"
  ) </dev/null >"$state/h$i.log" 2>&1 &
  echo $! >"$state/h$i.pid"
  disown
  for try in $(seq 600); do
    if [ -n "$(first_process "$i")" ] && in_network_of "$i" ip link show host0 >/dev/null 2>&1; then break; fi
    sleep 0.1
  done
  in_network_of "$i" ip -b - <<EOF
addr add $address/20 dev host0
link set host0 up
link set lo up
EOF
  nsenter -t "$(first_process "$i")" -a systemctl is-system-running --wait >/dev/null 2>&1 || true # `degraded` will do
  for try in $(seq 300); do
    if timeout 2 bash -c "read -r _ </dev/tcp/$address/22" 2>/dev/null; then return; fi
    sleep 0.1
  done
  die "h$i did not come up, see $state/h$i.log"
}

up() {
  local i pid pids=()
  build
  mkdir -p "$state"
  # Every systemd takes eight inotify instances.
  if [ "$(</proc/sys/fs/inotify/max_user_instances)" -lt 4096 ]; then echo 4096 >/proc/sys/fs/inotify/max_user_instances; fi
  if ip link show "$bridge" >/dev/null 2>&1; then
    bridge_is_ours || die "a network device $bridge exists and is not ours"
  else
    ip link add "$bridge" type bridge
    ip addr add "$gateway/20" dev "$bridge"
    ip link set "$bridge" up
  fi
  for i in $(seq 1 "$1"); do boot "$i" & pids+=($!); done
  for pid in "${pids[@]}"; do wait "$pid"; done
}

down() {
  local file pid tree nspawns=()
  for file in "$state"/h*.pid; do
    [ -e "$file" ] || continue
    pid=$(<"$file"); nspawns+=("$pid")
    # A system whose PID 1 is killed is gone at once; nspawn then ends by itself.
    kill -9 "$(first_process "$(basename "$file" .pid | tr -d h)")" 2>/dev/null || kill "$pid" 2>/dev/null || true
  done
  for pid in "${nspawns[@]}"; do
    for _ in $(seq 100); do kill -0 "$pid" 2>/dev/null || break; sleep 0.05; done
    kill -9 "$pid" 2>/dev/null || true
  done
  rm -f "$state"/h*.pid
  if bridge_is_ours; then ip link del "$bridge"; fi
  for tree in $(cgroup_trees); do
    if [ -d "$tree/fleet$pool" ]; then find "$tree/fleet$pool" -depth -type d -exec rmdir {} + 2>/dev/null || true; fi
  done
}

cut() {
  require nft:nftables
  in_network_of "$1" nft -f - <<'EOF'
table inet cut {
  chain in  { type filter hook input priority -500; iif != "lo" drop; }
  chain out { type filter hook output priority -500; oif != "lo" drop; }
}
EOF
}

heal() { in_network_of "$1" nft delete table inet cut; }

cpu() {
  local v2=/sys/fs/cgroup/fleet$pool/h$1/cpu.stat v1=/sys/fs/cgroup/cpuacct/fleet$pool/h$1/cpuacct.usage
  if [ -e "$v2" ]; then awk '$1 == "usage_usec" { printf "%.3f\n", $2 / 1e6 }' "$v2"
  else awk '{ printf "%.3f\n", $1 / 1e9 }' "$v1"; fi
}

inventory() {
  local i
  echo '[fleet]'
  for i in $(seq 1 "$1"); do echo "h$i ansible_host=$(addr "$i")"; done
  cat <<EOF

[fleet:vars]
ansible_user=$user
ansible_ssh_private_key_file=$key
ansible_python_interpreter=/usr/bin/python3
ansible_ssh_common_args=-o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o LogLevel=ERROR
EOF
  if [ "$user" != root ]; then echo ansible_become=true; fi
}

case ${1:-} in
  build | packages | down) "$1" ;;
  up | inventory | addr | cut | heal | cpu)
    [[ ${2:-} =~ ^[1-9][0-9]*$ ]] || die "$1 needs a number"
    "$1" "$2" ;;
  reset) down; up "${2:?fleet: reset needs a number}" ;;
  *) sed -n '2,26s/^# \{0,1\}//p' "$0"; exit 2 ;;
esac
