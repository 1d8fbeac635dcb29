//! Databases: PostgreSQL, MySQL and MariaDB, through the clients that they bring.

use crate::registry::{self, Module};

mod dump;
#[cfg(test)]
pub(crate) mod fixture;
mod mysql;
mod mysql_account;
pub mod mysql_db;
mod mysql_priv;
pub mod mysql_query;
pub mod mysql_user;
pub mod mysql_variables;
mod postgres;
mod postgres_dump;
mod postgres_objects;
pub mod postgresql_db;
pub mod postgresql_ext;
pub mod postgresql_privs;
pub mod postgresql_query;
pub mod postgresql_user;
mod rows;
mod sql;
mod verifier;

/// The modules of this family.
pub(crate) const MODULES: &[Module] = &[
    registry::resource::<mysql_db::MysqlDb>("mysql_db", mysql_db::EXAMPLES),
    registry::command::<mysql_query::MysqlQuery>("mysql_query", mysql_query::EXAMPLES),
    registry::resource::<mysql_user::MysqlUser>("mysql_user", mysql_user::EXAMPLES),
    registry::resource::<mysql_variables::MysqlVariables>("mysql_variables", mysql_variables::EXAMPLES),
    registry::resource::<postgresql_db::PostgresqlDb>("postgresql_db", postgresql_db::EXAMPLES),
    registry::resource::<postgresql_ext::PostgresqlExt>("postgresql_ext", postgresql_ext::EXAMPLES),
    registry::resource::<postgresql_privs::PostgresqlPrivs>("postgresql_privs", postgresql_privs::EXAMPLES),
    registry::command::<postgresql_query::PostgresqlQuery>("postgresql_query", postgresql_query::EXAMPLES),
    registry::resource::<postgresql_user::PostgresqlUser>("postgresql_user", postgresql_user::EXAMPLES),
];
