#!/usr/bin/env bash
# Everything that must hold before a change goes in: format, lints, documentation, licences, tests,
# and the built binary on real hosts beside ansible-core. About 20 minutes on two cores.
#
# As root on Debian or Ubuntu it installs what it needs; elsewhere it says what it skips for the lack
# of it. The end lists every skip.
set -euo pipefail
cd "$(dirname "$0")/.."

skipped=$(mktemp); trap 'rm -f "$skipped"' EXIT
skip() { echo "SKIPPED $*" | tee -a "$skipped" >&2; }
step() { printf '\n== %s (%s)\n' "$1" "$(date +%T)"; }

step "packages"
packages=(ca-certificates debootstrap iproute2 nftables openssh-client openssh-server procps python3 python3-venv strace sudo systemd-container util-linux)
missing=()
for package in "${packages[@]}"; do
  dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q 'install ok installed' || missing+=("$package")
done
if [ ${#missing[@]} -gt 0 ]; then
  if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    apt-get -q update && DEBIAN_FRONTEND=noninteractive apt-get -qy install --no-install-recommends "${missing[@]}" ||
      skip "installing packages: ${missing[*]} (tests that need them skip themselves)"
  else
    skip "packages: ${missing[*]} are missing, and only root can install them"
  fi
fi

step "ansible-core, to compare with"
if [ -z "${STEAD_TEST_ANSIBLE:-}" ] && [ ! -x bench/.venv/bin/pyinfra ]; then
  { python3 -m venv bench/.venv && bench/.venv/bin/pip install -q -r bench/requirements.txt; } ||
    skip "comparison with ansible-core: bench/requirements.txt cannot be installed"
fi

step "roles of others, to be read"
if [ -z "${STEAD_TEST_COLLECTIONS:-}" ] && [ ! -d bench/.collections/ansible_collections ]; then
  { mkdir -p bench/.collections && python3 -m venv bench/.collections/venv &&
    bench/.collections/venv/bin/pip download -q --no-deps --dest bench/.collections 'ansible==12.3.0' &&
    python3 -m zipfile -e bench/.collections/ansible-12.3.0-py3-none-any.whl bench/.collections/unpacked &&
    mv bench/.collections/unpacked/ansible_collections bench/.collections/ &&
    rm -rf bench/.collections/unpacked bench/.collections/venv bench/.collections/*.whl; } ||
    skip "roles of others: the package \`ansible\` cannot be fetched from PyPI"
fi

step "format"
cargo fmt --all --check

step "lints"
cargo clippy --locked --workspace --all-targets -- -D warnings

step "documentation"
RUSTDOCFLAGS="-D warnings" cargo doc --locked --workspace --no-deps

step "licences and advisories"
if cargo deny --version >/dev/null 2>&1; then
  cargo deny --locked check
else
  skip "licences and advisories: cargo-deny is not installed (cargo install --locked cargo-deny)"
fi

step "base image of the test hosts"
if [ "$(id -u)" = 0 ]; then
  tests/fleet/fleet.sh build || skip "tests on Debian hosts: no base image"
else
  skip "tests on Debian hosts and in labs: root is needed"
fi

step "tests"
cargo test --locked --workspace --no-fail-fast 2> >(tee >(grep '^SKIPPED' >>"$skipped") >&2)

step "done"
if [ -s "$skipped" ]; then
  echo "skipped:"
  sort -u "$skipped" | sed 's/^SKIPPED /  /'
else
  echo "nothing was skipped"
fi
