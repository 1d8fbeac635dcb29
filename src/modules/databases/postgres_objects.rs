//! Where PostgreSQL keeps the privileges of each type of object, and how statements name them.

use super::sql::{identifier, literal};
use crate::choice;
use crate::outcome::Failure;

choice! {
    /// The type of objects.
    pub enum Kind {
        /// A database.
        Database = "database",
        /// Objects that are yet to be made.
        DefaultPrivs = "default_privs",
        /// A wrapper of foreign data.
        ForeignDataWrapper = "foreign_data_wrapper",
        /// A foreign server.
        ForeignServer = "foreign_server",
        /// A function, with the types of its arguments.
        Function = "function",
        /// A role whose rights others get by being its members.
        Group = "group",
        /// A language.
        Language = "language",
        /// A table or a view.
        Table = "table",
        /// A tablespace.
        Tablespace = "tablespace",
        /// A schema.
        Schema = "schema",
        /// A sequence.
        Sequence = "sequence",
        /// A type.
        Type = "type",
        /// A procedure, with the types of its arguments.
        Procedure = "procedure",
        /// A parameter of the server's configuration.
        Parameter = "parameter",
    }
}

/// Types of objects that are yet to be made: the word of statements, and the letter of the catalogue.
const DEFAULTS: [(&str, char); 5] = [("TABLES", 'r'), ("SEQUENCES", 'S'), ("FUNCTIONS", 'f'), ("TYPES", 'T'), ("SCHEMAS", 'n')];

impl Kind {
    /// Whether objects of this type are in a schema.
    pub(super) fn in_schema(self) -> bool {
        matches!(self, Self::Table | Self::Sequence | Self::Function | Self::Procedure | Self::Type | Self::DefaultPrivs)
    }

    /// The words before an object's name in a statement.
    pub(super) fn words(self) -> &'static str {
        match self {
            Self::Database => "DATABASE ",
            Self::ForeignDataWrapper => "FOREIGN DATA WRAPPER ",
            Self::ForeignServer => "FOREIGN SERVER ",
            Self::Function => "FUNCTION ",
            Self::Language => "LANGUAGE ",
            Self::Table => "TABLE ",
            Self::Tablespace => "TABLESPACE ",
            Self::Schema => "SCHEMA ",
            Self::Sequence => "SEQUENCE ",
            Self::Type => "TYPE ",
            Self::Procedure => "PROCEDURE ",
            Self::Parameter => "PARAMETER ",
            Self::DefaultPrivs | Self::Group => "",
        }
    }
}

/// A query for objects: as they were given (`given`), as statements name them (`name`, null if there is no
/// such object), their privileges (`acl`), their owner's role number, and the catalogue's letter for them.
pub(super) fn objects(kind: Kind, given: &[String], schema: Option<&str>, creators: &[String]) -> Result<String, Failure> {
    let values = |names: &[String]| names.iter().map(|name| format!("({})", literal(name))).collect::<Vec<_>>().join(", ");
    let simple = |letter: char, table: &str, prefix: &str, owner: &str| {
        format!(
            "SELECT g.given, quote_ident(o.{prefix}name) AS name, o.{prefix}acl AS acl, '{letter}'::\"char\" AS letter, \
             o.{owner} AS owner FROM (VALUES {}) g (given) LEFT JOIN {table} o ON o.{prefix}name = g.given",
            values(given)
        )
    };
    let schema_name = || schema.ok_or_else(|| Failure::new("`schema: not-specified` is for `type: default_privs` only"));
    let all = given.iter().any(|name| name == "ALL_IN_SCHEMA");
    Ok(match kind {
        Kind::Database => simple('d', "pg_database", "dat", "datdba"),
        Kind::ForeignDataWrapper => simple('F', "pg_foreign_data_wrapper", "fdw", "fdwowner"),
        Kind::ForeignServer => simple('S', "pg_foreign_server", "srv", "srvowner"),
        Kind::Language => simple('l', "pg_language", "lan", "lanowner"),
        Kind::Schema => simple('n', "pg_namespace", "nsp", "nspowner"),
        Kind::Tablespace => simple('t', "pg_tablespace", "spc", "spcowner"),
        Kind::Table | Kind::Sequence => {
            let (letter, kinds) = if kind == Kind::Table { ('r', "'r', 'v', 'm', 'f', 'p'") } else { ('s', "'S'") };
            let class = format!(
                "(SELECT c.relname, quote_ident(n.nspname) || '.' || quote_ident(c.relname) AS name, c.relacl, c.relowner \
                 FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace \
                 WHERE n.nspname = {} AND c.relkind IN ({kinds}))",
                literal(schema_name()?)
            );
            let columns = format!("o.name, o.relacl AS acl, '{letter}'::\"char\" AS letter, o.relowner AS owner");
            if all {
                format!("SELECT o.name AS given, {columns} FROM {class} o")
            } else {
                let values = values(given);
                format!("SELECT g.given, {columns} FROM (VALUES {values}) g (given) LEFT JOIN {class} o ON o.relname = g.given")
            }
        }
        Kind::Function | Kind::Procedure => {
            let columns = "p.oid::regprocedure::text AS name, p.proacl AS acl, 'f'::\"char\" AS letter, p.proowner AS owner";
            let is_kind = if kind == Kind::Function { "p.prokind <> 'p'" } else { "p.prokind = 'p'" };
            let schema = schema_name()?;
            if all {
                format!(
                    "SELECT p.oid::regprocedure::text AS given, {columns} FROM pg_proc p \
                     WHERE {is_kind} AND p.pronamespace = (SELECT oid FROM pg_namespace WHERE nspname = {})",
                    literal(schema)
                )
            } else {
                let mut rows = Vec::new();
                for text in given {
                    let signature = text.replace(':', ",");
                    let Some((name, arguments)) = signature.split_once('(').filter(|_| signature.ends_with(')')) else {
                        let what = kind.word();
                        return Err(Failure::new(format!("Illegal {what} signature: \"{text}\"; write `name(type:type)`")));
                    };
                    let full = format!("{}.{}({arguments}", identifier(schema), identifier(name));
                    rows.push(format!("({}, {})", literal(text), literal(&full)));
                }
                format!(
                    "SELECT g.given, {columns} FROM (VALUES {}) g (given, signature) \
                     LEFT JOIN pg_proc p ON p.oid = to_regprocedure(g.signature)::oid AND {is_kind}",
                    rows.join(", ")
                )
            }
        }
        Kind::Type => format!(
            "SELECT g.given, quote_ident(o.nspname) || '.' || quote_ident(o.typname) AS name, o.typacl AS acl, \
             'T'::\"char\" AS letter, o.typowner AS owner FROM (VALUES {}) g (given) LEFT JOIN \
             (SELECT t.*, n.nspname FROM pg_type t JOIN pg_namespace n ON n.oid = t.typnamespace WHERE n.nspname = {}) o \
             ON o.typname = g.given",
            values(given),
            literal(schema_name()?)
        ),
        Kind::Parameter => format!(
            "SELECT g.given, quote_ident(s.name) AS name, o.paracl AS acl, 'p'::\"char\" AS letter, 10::oid AS owner \
             FROM (VALUES {}) g (given) LEFT JOIN pg_settings s ON lower(s.name) = lower(g.given) \
             LEFT JOIN pg_parameter_acl o ON o.parname = lower(g.given)",
            values(given)
        ),
        // Members as privileges: `MEMBER` is what there is to have.
        Kind::Group => format!(
            "SELECT g.given, quote_ident(r.rolname) AS name, r.oid AS owner \
             FROM (VALUES {}) g (given) LEFT JOIN pg_roles r ON r.rolname = g.given",
            values(given)
        ),
        Kind::DefaultPrivs => defaults(given, schema, creators)?,
    })
}

/// Likewise for what is yet to be made, by each of these roles.
fn defaults(given: &[String], schema: Option<&str>, creators: &[String]) -> Result<String, Failure> {
    let known = || DEFAULTS.iter().map(|(word, _)| *word).collect::<Vec<_>>().join(", ");
    let mut rows = Vec::new();
    for text in given {
        let word = text.to_uppercase();
        let Some((word, letter)) = DEFAULTS.iter().find(|(known, _)| *known == word) else {
            return Err(Failure::new(format!("`objs`: `{text}` is not one of {}", known())));
        };
        if *word == "SCHEMAS" && schema.is_some() {
            return Err(Failure::new("`objs: schemas` needs `schema: not-specified`: a schema is in no other"));
        }
        let makers = if creators.is_empty() {
            vec!["current_user::text".to_owned()]
        } else {
            creators.iter().map(|role| literal(role)).collect()
        };
        rows.extend(makers.into_iter().map(|role| format!("({}, '{letter}'::\"char\", {role})", literal(word))));
    }
    // What a role grants in one schema adds to what it grants everywhere.
    let (space, nothing) = match schema {
        Some(schema) => {
            (format!("coalesce((SELECT oid FROM pg_namespace WHERE nspname = {}), 1)", literal(schema)), "'{}'::aclitem[]")
        }
        None => ("0".to_owned(), "NULL"),
    };
    let place = schema.map(|schema| format!(" IN SCHEMA {}", identifier(schema))).unwrap_or_default();
    Ok(format!(
        "SELECT g.given || ' of ' || g.role AS given, \
         'FOR ROLE ' || quote_ident(g.role) || {} || '|' || g.given AS name, \
         coalesce(d.defaclacl, {nothing}) AS acl, CASE g.letter WHEN 'S' THEN 's'::\"char\" ELSE g.letter END AS letter, \
         r.oid AS owner FROM (VALUES {}) g (given, letter, role) JOIN pg_roles r ON r.rolname = g.role \
         LEFT JOIN pg_default_acl d ON d.defaclrole = r.oid AND d.defaclnamespace = {space} AND d.defaclobjtype = g.letter",
        literal(&place),
        rows.join(", ")
    ))
}
