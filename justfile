# What one types while working on stead. `just` lists it.

default:
    @just --list

# Compile without building.
check:
    cargo check --workspace --all-targets

# Unit tests: seconds, no root.
test *filter:
    cargo test --workspace --lib {{ filter }}

# The built binary on labs and Debian hosts: root, minutes.
e2e *filter:
    cargo test --test e2e {{ filter }}

# Format and lints.
lint:
    cargo fmt --all
    cargo clippy --workspace --all-targets -- -D warnings

# Everything that must hold before a change goes in.
ci:
    tests/run.sh

# The tool for use.
release:
    cargo build --release

# Agents for all architectures whose targets are installed.
agents:
    cargo xtask agent

# Compare with ansible-core, mitogen and pyinfra on 1, 4 and 16 hosts: root, hours.
bench *options: release
    bench/bench.py {{ options }}
