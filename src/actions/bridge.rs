//! Modules of others: packed here, run by the agent on the host's Python.

use std::sync::Arc;

use serde_json::{Map as JsonMap, Value as Json, json};

use super::{ActionContext, ActionError, Done};
use crate::plugins::{ForeignModule, Packed, PythonPlugins};
use crate::vars::Value;

/// What a module is told besides its options. The names are those that Ansible's documentation lists as
/// internal arguments of modules.
fn internal(module: &ForeignModule, context: &ActionContext<'_>, hide: bool) -> JsonMap<String, Json> {
    let all = json!({
        "_ansible_check_mode": false,
        "_ansible_debug": false,
        "_ansible_diff": true,
        "_ansible_ignore_unknown_opts": false,
        "_ansible_keep_remote_files": false,
        "_ansible_module_name": module.name,
        "_ansible_no_log": hide,
        "_ansible_remote_tmp": "~/.ansible/tmp",
        "_ansible_selinux_special_fs": ["fuse", "nfs", "vboxsf", "ramfs", "9p", "vfat"],
        "_ansible_shell_executable": "/bin/sh",
        "_ansible_socket": null,
        "_ansible_syslog_facility": "LOG_USER",
        "_ansible_target_log_info": null,
        "_ansible_tmpdir": null,
        "_ansible_tracebacks_for": [],
        "_ansible_verbosity": context.verbosity,
        "_ansible_version": "2.19.0",
    });
    match all {
        Json::Object(map) => map,
        _ => unreachable!("an object is written above"),
    }
}

/// The module's package, and what the agent is told of it.
pub fn request(
    module: &ForeignModule,
    packed: &Packed,
    context: &ActionContext<'_>,
    interpreter: Option<&Value>,
    hide: bool,
) -> Result<JsonMap<String, Json>, ActionError> {
    let mut params = context.json_options()?;
    if packed.style != "text" {
        params.extend(internal(module, context, hide));
    }
    let sha256 = context.contents.offer_bytes(packed.content.clone());
    let request = json!({
        "name": module.name,
        "style": packed.style,
        "entry": packed.entry,
        "stead_source": {"sha256": sha256, "size": packed.content.len()},
        "params": params,
        "interpreter": interpreter.map(ToString::to_string),
    });
    match request {
        Json::Object(map) => Ok(map),
        _ => unreachable!("an object is written above"),
    }
}

/// Packs a module off the async threads; a problem is how the task ends.
pub async fn packed(plugins: &Arc<PythonPlugins>, module: &Arc<ForeignModule>) -> Result<Arc<Packed>, Done> {
    let (plugins, module) = (Arc::clone(plugins), Arc::clone(module));
    let packed = tokio::task::spawn_blocking(move || plugins.pack(&module)).await;
    packed.expect("packing does not panic").map_err(|(message, hint)| {
        let mut done = Done::failed(message);
        done.hint = hint;
        done
    })
}
