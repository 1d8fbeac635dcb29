//! Filters that encrypt and decrypt as Ansible Vault does.

use std::sync::Arc;

use super::{Filter, filter, flag, optional, string};
use crate::template::error::{Fault, TemplateError, TemplateErrorKind, fail};
use crate::template::eval::Interpreter;
use crate::template::val::{Args, Res, Val};
use crate::vault::{Key, SealOptions, Secret, Vault, is_sealed, seal};

pub(super) const FILTERS: &[Filter] = &[filter("vault", vault), filter("unvault", unvault)];

/// The id that ansible-core's filter writes where none is given.
const FILTER_ID: &str = "filter_default";

fn secret(it: &Interpreter<'_>, args: &mut Args) -> Res<Arc<str>> {
    match args.required("secret")? {
        Val::Str(text) => {
            it.runtime.shared.settings.vault.redactor().learn(&text);
            Ok(text)
        }
        other => Err(fail(format!("the vault's password is text, not a `{}`", other.type_name()))),
    }
}

fn vault(it: &Interpreter<'_>, input: Val, args: &mut Args) -> Res {
    let Val::Str(content) = &input else {
        return Err(fail(format!("only text can be encrypted, not a `{}`", input.type_name())));
    };
    let secret = secret(it, args)?;
    let salt = optional(it.runtime, args, "salt")?;
    let id = string(it.runtime, args, "vault_id", FILTER_ID)?;
    let wraps = flag(it.runtime, args, "wrap_object", false)?;
    args.named("vaultid");
    let options = SealOptions { id: Some(&id), salt: salt.as_deref().map(str::as_bytes) };
    let sealed = seal(content.as_bytes(), secret.as_bytes(), &options);
    // Wrapped: the content, which YAML filters write as `!vault`.
    Ok(if wraps { Val::Str(it.runtime.shared.settings.vault.keep(content, &sealed)) } else { Val::str(sealed) })
}

/// What is not encrypted stays as it is.
fn unvault(it: &Interpreter<'_>, input: Val, args: &mut Args) -> Res {
    let text = it.runtime.string(&input)?;
    let secret = secret(it, args)?;
    let id = string(it.runtime, args, "vault_id", FILTER_ID)?;
    args.named("vaultid");
    if !is_sealed(text.as_bytes()) {
        return Ok(input);
    }
    let shared = &it.runtime.shared.settings.vault;
    let mut keys = Vault::new(Arc::clone(shared.redactor()));
    keys.add(Key { id: id.to_string(), password: Secret::of_bytes(secret.as_bytes()) });
    let opened = keys.text(&text).map_err(|error| fail(format!("this text cannot be decrypted: {error}")))?;
    Ok(Val::Str(opened))
}

/// An encrypted value cannot be opened.
pub(in crate::template) fn closed(error: &crate::vault::VaultError) -> Fault {
    TemplateError::new(TemplateErrorKind::Failed, format!("this value cannot be decrypted: {error}")).hint(error.hint()).into()
}
