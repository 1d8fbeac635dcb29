//! `postgresql_privs`: who may do what with the objects of a PostgreSQL database.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};

use super::postgres::postgres_args;
use super::postgres_objects::{self, Kind};
use super::sql::{checked, identifier};
use crate::accounts::group::Presence;
use crate::change::{ResourceId, ResourceState};
use crate::claims::Claims;
use crate::host::{Host, Inspect};
use crate::object::{Object, properties};
use crate::outcome::Failure;
use crate::resource::{self, Resource, Step, Written};

postgres_args! {
    /// Grants privileges on objects of a PostgreSQL database to roles, or takes them away; also memberships
    /// (`type: group`) and the privileges of objects that are yet to be made (`type: default_privs`).
    ///
    /// Compared is what each role was granted itself. What an owner has without a grant counts as granted.
    pub struct Args {
        /// Database to connect to.
        login_db ("db", "database"): String,
        /// Whether the roles have the privileges.
        state: Presence = Presence::Present,
        /// The privileges: `SELECT`, `INSERT`, `ALL` and the like; none for `type: group`.
        privs ("priv"): Vec<String> = Vec::new(),
        /// Type of the objects.
        r#type: Kind = Kind::Table,
        /// The objects; `ALL_IN_SCHEMA` for all tables, sequences, functions or procedures of the schema, `ALL_DEFAULT`
        /// with `default_privs`. Types of a function's arguments stand between colons: `add(int:int)`.
        objs ("obj"): Vec<String> = Vec::new(),
        /// Schema of the objects, `public` where none is given; `not-specified`: none.
        schema: Option<String>,
        /// The roles; `PUBLIC` is everybody.
        roles ("role"): Vec<String>,
        /// Whether a role that does not exist is an error; otherwise it is left out.
        fail_on_role: bool = true,
        /// Roles whose future objects `default_privs` is about; missing: the one that logs in.
        target_roles: Vec<String> = Vec::new(),
        /// Whether the roles may grant the privileges to others; missing: left as it is.
        grant_option ("admin_option"): Option<bool>,
    }
}

/// Examples; each is a test.
pub const EXAMPLES: &str = "
- name: Two roles may read and write two tables
  postgresql_privs:
    login_db: library
    privs: SELECT,INSERT,UPDATE
    objs: books,authors
    roles: PUBLIC
    fail_on_role: false
- name: Nobody may make tables
  postgresql_privs:
    login_db: library
    state: absent
    privs: CREATE
    type: schema
    objs: public
    roles: PUBLIC
";

/// The module.
pub struct PostgresqlPrivs;

/// Privileges that are known; the server decides which ones an object has.
const PRIVILEGES: &[&str] = &[
    "ALL",
    "ALTER SYSTEM",
    "CONNECT",
    "CREATE",
    "DELETE",
    "EXECUTE",
    "INSERT",
    "MAINTAIN",
    "REFERENCES",
    "SELECT",
    "SET",
    "TEMP",
    "TEMPORARY",
    "TRIGGER",
    "TRUNCATE",
    "UPDATE",
    "USAGE",
];
/// Roles that are always there, and mean the one that logs in.
const SELF: [&str; 3] = ["CURRENT_ROLE", "CURRENT_USER", "SESSION_USER"];
const EVERYBODY: &str = "PUBLIC";
/// What a member of a role has.
const MEMBER: &str = "MEMBER";
const MANAGED: &[&str] = &["privileges", "grant_option"];

/// What one role may do with one object.
#[derive(Debug, Clone)]
struct Right {
    /// The object's name in statements.
    target: String,
    /// The role's name in statements.
    role: String,
    /// All privileges that such an object has.
    all: BTreeSet<String>,
    object: Object,
}

/// The rights as they are or should be.
#[derive(Debug, Clone)]
pub struct State {
    rights: Vec<Right>,
    /// Roles that do not exist and are left out.
    left_out: Vec<String>,
}

impl resource::State for State {
    fn resources(&self) -> Vec<ResourceState> {
        self.rights.iter().map(|right| right.object.resource(MANAGED)).collect()
    }
}

fn set(value: &Value) -> BTreeSet<String> {
    value.as_array().into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
}

fn words(list: &[String]) -> impl Iterator<Item = &str> {
    list.iter().map(|word| word.trim()).filter(|word| !word.is_empty())
}

impl Args {
    /// Privileges in capitals.
    fn wanted(&self) -> Result<BTreeSet<String>, Failure> {
        let given: BTreeSet<String> = words(&self.privs).map(|word| word.to_uppercase().replace('_', " ")).collect();
        if self.r#type == Kind::Group {
            if !given.is_empty() {
                return Err(Failure::new("argument \"privs\" must not be set with type \"group\"."));
            }
            return Ok(BTreeSet::from([MEMBER.to_owned()]));
        }
        let unknown: Vec<&str> = given.iter().map(String::as_str).filter(|word| !PRIVILEGES.contains(word)).collect();
        if given.is_empty() {
            return Err(Failure::new("argument \"privs\" is required"));
        }
        if !unknown.is_empty() {
            return Err(Failure::new(format!("Invalid privileges specified: {}", unknown.join(", "))));
        }
        Ok(given.into_iter().map(|word| if word == "TEMP" { "TEMPORARY".into() } else { word }).collect())
    }

    fn schema(&self) -> Result<Option<&str>, Failure> {
        match self.schema.as_deref() {
            Some(_) if !self.r#type.in_schema() => {
                Err(Failure::new(format!("argument \"schema\" is not allowed for type \"{}\".", self.r#type.word())))
            }
            Some("not-specified") => Ok(None),
            Some(schema) => Ok(Some(schema)),
            None => Ok(Some("public")),
        }
    }

    fn objects(&self) -> Result<Vec<String>, Failure> {
        let mut given: Vec<String> = words(&self.objs).map(str::to_owned).collect();
        if given.is_empty() && self.r#type == Kind::Database {
            given.push(self.login_db.clone());
        }
        if self.r#type == Kind::DefaultPrivs && given == ["ALL_DEFAULT"] {
            given = ["TABLES", "SEQUENCES", "TYPES", "FUNCTIONS"].map(str::to_owned).into();
        }
        if given.is_empty() {
            return Err(Failure::new(format!("argument \"objs\" is required for type \"{}\".", self.r#type.word())));
        }
        Ok(given)
    }

    fn id(&self, object: &str, role: &str) -> ResourceId {
        let name = format!("{}: {} {object}: {role}", self.login_db, self.r#type.word());
        ResourceId::new("postgresql_privs", self.login().place(&name))
    }

    /// A query for the objects with the rights of all roles.
    fn query(&self) -> Result<String, Failure> {
        let objects = self.objects()?;
        for name in objects.iter().chain(&self.roles).chain(&self.target_roles) {
            checked("objs, roles or target_roles", name)?;
        }
        let creators: Vec<String> = words(&self.target_roles).map(str::to_owned).collect();
        let objects = postgres_objects::objects(self.r#type, &objects, self.schema()?, &creators)?;
        if self.r#type == Kind::Group {
            return Ok(format!(
                "SELECT o.given, o.name, '[\"{MEMBER}\"]'::json AS every, (SELECT coalesce(json_agg(json_build_array(\
                 pg_get_userbyid(m.member), '{MEMBER}', m.admin_option)), '[]') \
                 FROM pg_auth_members m WHERE m.roleid = o.owner) AS rights FROM ({objects}) o"
            ));
        }
        Ok(format!(
            "SELECT o.given, o.name, \
             (SELECT json_agg(DISTINCT x.privilege_type) FROM aclexplode(acldefault(o.letter, o.owner)) x) AS every, \
             (SELECT coalesce(json_agg(json_build_array(\
             CASE x.grantee WHEN 0 THEN '{EVERYBODY}' ELSE pg_get_userbyid(x.grantee) END, x.privilege_type, x.is_grantable)), '[]') \
             FROM aclexplode(coalesce(o.acl, acldefault(o.letter, o.owner))) x) AS rights FROM ({objects}) o"
        ))
    }

    /// The statements that lead from what is to what is wanted.
    fn statements(&self, right: &Right, want: &Object) -> Vec<String> {
        let now = &right.object;
        let sets = |object: &Object| (set(object.get("privileges")), set(object.get("grant_option")));
        let ((has, may_grant), (wants, should_grant)) = (sets(now), sets(want));
        let is_group = self.r#type == Kind::Group;
        let (option, option_for) =
            if is_group { (" WITH ADMIN OPTION", "ADMIN OPTION FOR ") } else { (" WITH GRANT OPTION", "GRANT OPTION FOR ") };
        let (before, target) = match right.target.split_once('|').filter(|_| self.r#type == Kind::DefaultPrivs) {
            Some((place, objects)) => (format!("ALTER DEFAULT PRIVILEGES {place} "), objects.to_owned()),
            None => (String::new(), format!("{}{}", self.r#type.words(), right.target)),
        };
        let what = |privileges: &BTreeSet<String>| {
            let list = privileges.iter().map(String::as_str).collect::<Vec<_>>().join(", ");
            if is_group { right.target.clone() } else { format!("{list} ON {target}") }
        };
        let without: BTreeSet<String> = wants.difference(&has).filter(|word| !should_grant.contains(*word)).cloned().collect();
        let with: BTreeSet<String> = should_grant.difference(&may_grant).cloned().collect();
        let gone: BTreeSet<String> = has.difference(&wants).cloned().collect();
        let stays: BTreeSet<String> = may_grant.difference(&should_grant).filter(|word| wants.contains(*word)).cloned().collect();
        let mut list = Vec::new();
        for (privileges, verb, link, end) in [
            (&without, "GRANT ", "TO", ""),
            (&with, "GRANT ", "TO", option),
            (&gone, "REVOKE ", "FROM", ""),
            (&stays, &*format!("REVOKE {option_for}"), "FROM", ""),
        ] {
            if !privileges.is_empty() {
                list.push(format!("{before}{verb}{} {link} {}{end}", what(privileges), right.role));
            }
        }
        list
    }
}

/// A row's privileges of a role, and those of them that it may grant.
fn rights_of(row: &Value, role: &str) -> (BTreeSet<String>, BTreeSet<String>) {
    let mut rights = (BTreeSet::new(), BTreeSet::new());
    for right in row["rights"].as_array().into_iter().flatten() {
        if right[0].as_str() == Some(role)
            && let Some(privilege) = right[1].as_str()
        {
            rights.0.insert(privilege.to_owned());
            if right[2] == true {
                rights.1.insert(privilege.to_owned());
            }
        }
    }
    rights
}

impl Resource for PostgresqlPrivs {
    type Args = Args;
    type State = State;

    fn read(args: &Args, host: &dyn Inspect) -> Result<State, Failure> {
        args.wanted()?;
        let (login, database) = (args.login(), args.login_db.as_str());
        let database_id = |name: &str| ResourceId::new("postgresql_db", login.place(name));
        let known = login.rows(database, "SELECT rolname, rolname = current_user AS is_self FROM pg_roles", host)?;
        let rows = login.rows(database, &args.query()?, host)?;
        let mut state = State { rights: Vec::new(), left_out: Vec::new() };
        // The role's name to compare, and the one for statements.
        let mut roles: BTreeMap<String, String> = BTreeMap::new();
        for role in words(&args.roles) {
            let upper = role.to_uppercase();
            let own = known.iter().flatten().find(|row| row["is_self"] == true).and_then(|row| row["rolname"].as_str());
            if upper == EVERYBODY {
                roles.insert(upper.clone(), upper);
            } else if SELF.contains(&upper.as_str()) {
                roles.insert(own.unwrap_or(&args.login_user).to_owned(), upper);
            } else if known.iter().flatten().any(|row| row["rolname"] == role) || host.has_plans() {
                roles.insert(role.to_owned(), identifier(role));
            } else if args.fail_on_role {
                return Err(Failure::new(format!("Role '{role}' does not exist")));
            } else {
                state.left_out.push(role.to_owned());
            }
        }
        // In a plan that has yet to make the server, nothing is there.
        let rows = rows.unwrap_or_else(|| {
            let objects = args.objects().unwrap_or_default();
            objects.into_iter().map(|name| json!({"given": name, "name": identifier(&name), "every": [], "rights": []})).collect()
        });
        for row in &rows {
            let given = row["given"].as_str().unwrap_or_default();
            let target = match row["name"].as_str() {
                Some(name) => name.to_owned(),
                None if args.r#type == Kind::Database
                    && Object::planned(&database_id(given), host).is_some_and(|it| it.exists()) =>
                {
                    identifier(given)
                }
                None => {
                    let what = args.r#type.word().replace('_', " ");
                    let message = format!("there is no {what} `{given}` in database `{database}`");
                    // An earlier task of a plan may make it.
                    return Err(if host.has_plans() { Failure::unknown(message) } else { Failure::new(message) });
                }
            };
            for (role, written) in &roles {
                let (privileges, grantable) = rights_of(row, role);
                let id = args.id(given, role);
                let object = Object::planned(&id, host).unwrap_or_else(|| {
                    Object::present(id, properties([("privileges", json!(privileges)), ("grant_option", json!(grantable))]))
                });
                state.rights.push(Right { target: target.clone(), role: written.clone(), all: set(&row["every"]), object });
            }
        }
        Ok(state)
    }

    fn want(args: &Args, now: &State) -> Result<State, Failure> {
        let given = args.wanted()?;
        let mut want = now.clone();
        for right in &mut want.rights {
            // In a plan that has yet to make the object, what it will have is not known.
            let is_known = given.contains("ALL") && !right.all.is_empty();
            let asked = if is_known { right.all.clone() } else { given.clone() };
            let (mut privileges, mut grantable) = (set(right.object.get("privileges")), set(right.object.get("grant_option")));
            if args.state == Presence::Absent {
                privileges = &privileges - &asked;
                grantable = &grantable - &asked;
            } else {
                privileges = &privileges | &asked;
                match args.grant_option {
                    Some(true) => grantable = &grantable | &asked,
                    Some(false) => grantable = &grantable - &asked,
                    None => {}
                }
            }
            let wanted = properties([("privileges", json!(privileges)), ("grant_option", json!(grantable))]);
            right.object = Object::present(right.object.id.clone(), wanted);
        }
        Ok(want)
    }

    fn write(args: &Args, step: &Step<'_, State>, host: &mut dyn Host) -> Result<Written, Failure> {
        let (mut list, mut effects) = (Vec::new(), Vec::new());
        for (now, want) in step.now.rights.iter().zip(&step.want.rights) {
            let statements = args.statements(now, &want.object);
            if !statements.is_empty() {
                effects.push(want.object.effect(&now.object));
                list.extend(statements);
            }
        }
        args.login().act(&args.login_db, &list, &effects, host)?;
        let mut written = Written::quiet().with("queries", list);
        written.warnings.extend(step.now.left_out.iter().map(|role| format!("Role '{role}' does not exist, skipping it")));
        Ok(written)
    }

    fn result(_: &Args, _: &State, _: &State) -> Map<String, Value> {
        properties([("queries", json!([]))])
    }

    fn claims(args: &Args) -> Claims {
        let login = args.login();
        let roles = args.roles.iter().map(|role| ResourceId::new("postgresql_user", login.place(role)));
        let ids = args.objs.iter().flat_map(|object| args.roles.iter().map(move |role| args.id(object, role)));
        Claims::provides(ids).needing(roles.chain([ResourceId::new("postgresql_db", login.place(&args.login_db))]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::args::Arguments as _;
    use crate::host::memory::MemoryHost;

    fn planned(options: Value, rows: &Value) -> Vec<String> {
        let mut options = options;
        options["login_db"] = json!("d");
        let args = Args::parse(options.as_object().unwrap()).unwrap();
        let mut host = MemoryHost::default();
        host.answer(&["psql", "*"], 0, &rows.to_string());
        // The same answer to both questions: it has the roles, too.
        let now = PostgresqlPrivs::read(&args, &host).unwrap();
        let want = PostgresqlPrivs::want(&args, &now).unwrap();
        now.rights.iter().zip(&want.rights).flat_map(|(now, want)| args.statements(now, &want.object)).collect()
    }

    #[test]
    fn only_what_is_missing_is_granted_and_only_what_is_there_revoked() {
        let table = json!([{
            "rolname": "reader", "is_self": false, "given": "t", "name": "public.t", "every": ["INSERT", "SELECT", "UPDATE"],
            "rights": [["reader", "SELECT", false], ["reader", "UPDATE", true], ["PUBLIC", "INSERT", false]]
        }]);
        for (options, expected) in [
            (json!({"privs": "select,update", "objs": "t", "roles": "reader"}), vec![]),
            (
                json!({"privs": "SELECT,INSERT", "objs": "t", "roles": "reader"}),
                vec!["GRANT INSERT ON TABLE public.t TO \"reader\""],
            ),
            (json!({"privs": "ALL", "objs": "t", "roles": "PUBLIC"}), vec!["GRANT SELECT, UPDATE ON TABLE public.t TO PUBLIC"]),
            (
                json!({"privs": "SELECT", "objs": "t", "roles": "reader", "grant_option": true}),
                vec!["GRANT SELECT ON TABLE public.t TO \"reader\" WITH GRANT OPTION"],
            ),
            (
                json!({"privs": "UPDATE", "objs": "t", "roles": "reader", "grant_option": false}),
                vec!["REVOKE GRANT OPTION FOR UPDATE ON TABLE public.t FROM \"reader\""],
            ),
            (
                json!({"privs": "ALL", "objs": "t", "roles": "reader", "state": "absent"}),
                vec!["REVOKE SELECT, UPDATE ON TABLE public.t FROM \"reader\""],
            ),
        ] {
            assert_eq!(planned(options.clone(), &table), expected, "{options}");
        }
        let group = json!([{"rolname": "reader", "given": "g", "name": "g", "every": ["MEMBER"], "rights": []}]);
        let options = json!({"type": "group", "objs": "g", "roles": "reader", "admin_option": true});
        assert_eq!(planned(options, &group), ["GRANT g TO \"reader\" WITH ADMIN OPTION"]);
        let later = json!([{"rolname": "reader", "given": "TABLES of x", "name": "FOR ROLE x IN SCHEMA \"s\"|TABLES", "every": [], "rights": []}]);
        let options = json!({"type": "default_privs", "objs": "TABLES", "privs": "SELECT", "roles": "reader", "schema": "s"});
        assert_eq!(
            planned(options, &later),
            ["ALTER DEFAULT PRIVILEGES FOR ROLE x IN SCHEMA \"s\" GRANT SELECT ON TABLES TO \"reader\""]
        );
    }

    #[test]
    fn what_cannot_be_is_refused() {
        for (options, expected) in [
            (json!({"privs": "NONSENSE", "objs": "t", "roles": "r"}), "Invalid privileges specified: NONSENSE"),
            (json!({"objs": "t", "roles": "r"}), "\"privs\" is required"),
            (json!({"privs": "SELECT", "roles": "r"}), "\"objs\" is required"),
            (json!({"privs": "CREATE", "type": "schema", "schema": "s", "objs": "t", "roles": "r"}), "not allowed"),
            (json!({"privs": "EXECUTE", "type": "function", "objs": "f", "roles": "r"}), "Illegal function signature"),
            (json!({"privs": "USAGE", "type": "default_privs", "objs": "THINGS", "roles": "r"}), "is not one of"),
            (json!({"privs": "SELECT", "objs": "t", "roles": "nobody"}), "Role 'nobody' does not exist"),
        ] {
            let mut options = options;
            options["login_db"] = json!("d");
            let args = Args::parse(options.as_object().unwrap()).unwrap();
            let mut host = MemoryHost::default();
            host.answer(&["psql", "*"], 0, "[]");
            let failure = PostgresqlPrivs::read(&args, &host).unwrap_err();
            assert!(failure.message.contains(expected), "{options}: {}", failure.message);
        }
    }
}
