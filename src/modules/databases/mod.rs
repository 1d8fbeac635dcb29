//! Databases: PostgreSQL, MySQL and MariaDB, through the clients that they bring.

use crate::registry::{self, Module};

#[cfg(test)]
pub(crate) mod fixture;
mod postgres;
mod postgres_dump;
pub mod postgresql_db;
pub mod postgresql_ext;
pub mod postgresql_query;
pub mod postgresql_user;
mod rows;
mod sql;
mod verifier;

/// The modules of this family.
pub(crate) const MODULES: &[Module] = &[
    registry::resource::<postgresql_db::PostgresqlDb>("postgresql_db", postgresql_db::EXAMPLES),
    registry::resource::<postgresql_ext::PostgresqlExt>("postgresql_ext", postgresql_ext::EXAMPLES),
    registry::command::<postgresql_query::PostgresqlQuery>("postgresql_query", postgresql_query::EXAMPLES),
    registry::resource::<postgresql_user::PostgresqlUser>("postgresql_user", postgresql_user::EXAMPLES),
];
