//! ansible-core, to compare with.

use std::env;
use std::io::Write as _;
use std::path::{Path, PathBuf};

/// The directory of ansible-core's programs (`ansible-playbook`, `python`); `None`, said aloud, where there is none.
pub(crate) fn programs(test: &str) -> Option<PathBuf> {
    let named = env::var_os("STEAD_TEST_ANSIBLE").map(PathBuf::from);
    let installed = Path::new(env!("CARGO_MANIFEST_DIR")).join("bench/.venv/bin/ansible-playbook");
    let found = named.into_iter().chain([installed]).find(|path| path.exists());
    if found.is_none() {
        // Past the test harness, which swallows what passing tests print.
        let _ = writeln!(
            std::io::stderr(),
            "SKIPPED {test}: no ansible-playbook: set STEAD_TEST_ANSIBLE, or run tests/run.sh, which installs it"
        );
    }
    found.and_then(|path| path.parent().map(Path::to_owned))
}
