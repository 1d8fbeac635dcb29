//! Options of the tasks that the engine itself carries out: `meta`, includes and imports.

use stead_modules::args;

args! {
    /// Tells the engine to do something: run the notified handlers, end a play or a host, forget facts.
    pub struct MetaArgs {
        /// `flush_handlers`, `end_play`, `end_batch`, `end_host`, `end_role`, `clear_facts`, `clear_host_errors`, `refresh_inventory`, `reset_connection` or `noop`.
        _raw_params ("free_form"): Option<String>,
    }
}

args! {
    /// Runs the tasks of another file: `include_tasks` reads it when the run gets there, `import_tasks` before the run.
    pub struct IncludeTasksArgs {
        /// The file, relative to the one that names it.
        file ("_raw_params"): Option<String>,
        /// Keywords for the included tasks (`include_tasks` only).
        apply: Option<serde_json::Map<String, serde_json::Value>>,
    }
}

args! {
    /// Runs a role as if it were a task: `include_role` reads it when the run gets there, `import_role` before the run.
    pub struct RoleArgs {
        /// The role.
        name ("role"): String,
        /// File of tasks in the role.
        tasks_from: Option<String>,
        /// File of variables in the role.
        vars_from: Option<String>,
        /// File of defaults in the role.
        defaults_from: Option<String>,
        /// File of handlers in the role.
        handlers_from: Option<String>,
        /// Keywords for the role's tasks (`include_role` only).
        apply: Option<serde_json::Map<String, serde_json::Value>>,
        /// Later tasks see the role's defaults and variables.
        public: bool = false,
        /// The role runs even on hosts that have run it already.
        allow_duplicates: bool = true,
        /// Check the role's arguments against its specification.
        rolespec_validate: bool = true,
    }
}
