//! Options that every module which writes files has: owner, group and mode.

use serde_json::Value;

use super::mode::Mode;
use crate::args::{Arg, ArgKind, shown};
use crate::host::Inspect;
use crate::outcome::Failure;

/// Declares a module's options followed by those that all file modules share.
macro_rules! file_args {
    (
        $(#[doc = $doc:literal])*
        $vis:vis struct $name:ident { $($fields:tt)* }
    ) => {
        $crate::args! {
            $(#[doc = $doc])*
            $vis struct $name {
                $($fields)*
                /// Owner: a name or a number. Missing: as it is; a new file belongs to the acting user.
                owner: Option<String>,
                /// Group: a name or a number. Missing: as it is; a new file belongs to the acting user's group.
                group: Option<String>,
                /// Permissions: octal in quotes (`"0644"`), or symbolic (`u=rw,g=r,o=`). Missing: as they
                /// are; a new file is made under the host's umask.
                mode: Option<$crate::files::mode::Mode>,
                /// `true` (writing in place, where a file cannot be replaced) is refused: files are always replaced whole.
                unsafe_writes: Option<$crate::files::attributes::Never>,
                /// Refused: flags of `chattr` cannot be set yet.
                attributes ("attr"): Option<$crate::files::attributes::Unsupported>,
                /// Refused: SELinux contexts cannot be set yet; that of a replaced file is kept.
                seuser: Option<$crate::files::attributes::Unsupported>,
                /// Refused, like `seuser`.
                serole: Option<$crate::files::attributes::Unsupported>,
                /// Refused, like `seuser`.
                setype: Option<$crate::files::attributes::Unsupported>,
                /// Refused, like `seuser`.
                selevel: Option<$crate::files::attributes::Unsupported>,
            }
        }
        impl $name {
            /// Owner, group and mode as they were written.
            pub(crate) fn wanted_attributes(&self) -> $crate::files::attributes::Written<'_> {
                $crate::files::attributes::Written {
                    owner: self.owner.as_deref(),
                    group: self.group.as_deref(),
                    mode: self.mode.as_ref(),
                }
            }
        }
    };
}
pub(crate) use file_args;

/// An option that is known but cannot be honoured: any value is an error that says so.
#[derive(Debug, Clone, Copy)]
pub struct Unsupported;

impl Arg for Unsupported {
    fn kind() -> ArgKind {
        ArgKind::Raw
    }
    fn parse(_: &Value) -> Result<Self, String> {
        Err("cannot be honoured by this version; leave it out, or do it in a task of its own".into())
    }
}

/// An option that can only be left off.
#[derive(Debug, Clone, Copy)]
pub struct Never;

impl Arg for Never {
    fn kind() -> ArgKind {
        ArgKind::Bool
    }
    fn parse(value: &Value) -> Result<Self, String> {
        match bool::parse(value) {
            Ok(false) => Ok(Self),
            Ok(true) => Err(format!("{} cannot be honoured by this version: files are always replaced whole", shown(value))),
            Err(problem) => Err(problem),
        }
    }
}

/// Owner, group and mode as they were written.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Written<'a> {
    pub(crate) owner: Option<&'a str>,
    pub(crate) group: Option<&'a str>,
    pub(crate) mode: Option<&'a Mode>,
}

/// An account or group by number, with its name where it has one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Account {
    pub(crate) id: u32,
    pub(crate) name: Option<String>,
}

impl Account {
    /// The name, or else the number.
    pub(crate) fn shown(&self) -> String {
        self.name.clone().unwrap_or_else(|| self.id.to_string())
    }
}

/// Owner, group and mode with the numbers that they stand for on the host.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Wanted {
    pub(crate) owner: Option<Account>,
    pub(crate) group: Option<Account>,
    pub(crate) mode: Option<Mode>,
}

impl Written<'_> {
    /// Looks the names up; an unknown one is a failure.
    pub(crate) fn look_up(&self, host: &dyn Inspect) -> Result<Wanted, Failure> {
        let owner = self.owner.filter(|name| !name.is_empty()).map(|name| find_owner(name, host)).transpose()?;
        let group = self.group.filter(|name| !name.is_empty()).map(|name| find_group(name, host)).transpose()?;
        Ok(Wanted { owner, group, mode: self.mode.cloned() })
    }
}

fn find_owner(name: &str, host: &dyn Inspect) -> Result<Account, Failure> {
    if let Ok(id) = name.parse() {
        return owner_of(id, host);
    }
    let id = host.user(name)?.map(|user| user.uid).or_else(|| host.awaited_account(name));
    let id = id.ok_or_else(|| Failure::new(format!("chown failed: failed to look up user {name}")))?;
    Ok(Account { id, name: Some(name.to_owned()) })
}

fn find_group(name: &str, host: &dyn Inspect) -> Result<Account, Failure> {
    if let Ok(id) = name.parse() {
        return group_of(id, host);
    }
    let id = host.group(name)?.map(|group| group.gid).or_else(|| host.awaited_account(name));
    let id = id.ok_or_else(|| Failure::new(format!("chgrp failed: failed to look up group {name}")))?;
    Ok(Account { id, name: Some(name.to_owned()) })
}

/// The account of this number.
pub(crate) fn owner_of(id: u32, host: &dyn Inspect) -> Result<Account, Failure> {
    Ok(Account { id, name: host.user_by_id(id)?.map(|user| user.name) })
}

/// The group of this number.
pub(crate) fn group_of(id: u32, host: &dyn Inspect) -> Result<Account, Failure> {
    Ok(Account { id, name: host.group_by_id(id)?.map(|group| group.name) })
}
