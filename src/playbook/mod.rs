//! Playbooks: as written (plays, blocks, tasks, roles), then resolved (imports, roles, inherited
//! keywords), ready to be drawn as a graph.

pub mod catalog;
pub mod collections;
pub mod keywords;
pub mod load;
pub mod outline;
pub mod play;
pub mod role;
pub mod role_load;
pub mod select;
pub mod task;
pub mod task_load;

pub use catalog::{Catalog, Entry, Performer};
pub use keywords::Keywords;
pub use load::{LoadSettings, Loader, Place};
pub use play::{Play, Playbook};
pub use role::RoleInfo;
pub use select::{TagSelection, as_written, start_at};
pub use task::{Action, Block, Item, LoopControl, LoopSpec, Task};
