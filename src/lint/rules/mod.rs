//! The table of all rules.

mod commands;
mod options;
mod reading;
mod templates;

macro_rules! rules {
    ($($name:ident),* $(,)?) => {
        $(mod $name;)*
        /// Rules with a file of their own.
        const OWN: &[&Rule] = &[$(&$name::RULE),*];
    };
}

use super::rule::Rule;

rules!(
    bad_option,
    bad_variable_name,
    bridged_module,
    command_instead_of_module,
    command_instead_of_shell,
    deprecated,
    ignore_errors,
    literal_compare,
    loop_instead_of_with,
    loop_over_text,
    loop_var_shadowing,
    missing_file,
    missing_option,
    misspelled_tag,
    no_changed_when,
    no_jinja_when,
    package_latest,
    partial_become,
    plain_text_secret,
    risky_file_permissions,
    risky_octal,
    run_once,
    template_syntax,
    undefined_variable,
    unknown_handler,
    unknown_option,
    unknown_tag,
    unknown_template_name,
    unnamed_task,
    unsupported_module,
    unsupported_option,
    unused_handler,
    unused_variable,
);

/// All rules, sorted by name.
pub fn all() -> impl Iterator<Item = &'static Rule> {
    static ALL: std::sync::OnceLock<Vec<&'static Rule>> = std::sync::OnceLock::new();
    ALL.get_or_init(|| {
        let mut all: Vec<&'static Rule> = OWN.iter().copied().chain(reading::RULES.iter().copied()).collect();
        all.sort_by_key(|rule| rule.name);
        all
    })
    .iter()
    .copied()
}

/// The rule of this name.
pub fn find(name: &str) -> Option<&'static Rule> {
    all().find(|rule| rule.name == name)
}

#[cfg(test)]
mod tests;
