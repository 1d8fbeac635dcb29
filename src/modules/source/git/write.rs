//! Cloning, fetching, checking out.

use std::path::Path;

use serde_json::json;

use super::ask::Target;
use super::line::{GIT, public};
use super::{Args, Options, State, archive, submodules};
use crate::commands::words::expand_path;
use crate::files::paths::missing_above;
use crate::host::{Effect, Host, Inspect, Thing};
use crate::outcome::Failure;
use crate::resource::{Step, Written};

pub(super) fn write(args: &Args, step: &Step<'_, State>, host: &mut dyn Host) -> Result<Written, Failure> {
    let (now, want, options) = (step.now, step.want, &args.options);
    let mut written = Written::quiet();
    let mut target = want.target.clone();
    let effects = effects(want, options, host.inspect())?;
    let manages = options.update || !now.exists;
    if !now.exists {
        let is_shallow = clone(options, want, &effects, host)?;
        if options.depth.is_some() && !is_shallow {
            written.warnings.push(
                "`depth` has no effect: only HEAD, branches, tags and versions that `refspec` fetches can be without history"
                    .into(),
            );
        }
    } else if manages {
        update(options, now, want, &effects, host)?;
    }
    if manages && host.acts() {
        target = settled(args, want, host)?;
        if options.verify_commit {
            verify(options, &want.dest, &target, host)?;
        }
    }
    if manages && !options.bare {
        let is_elsewhere = !now.exists || now.commit.as_deref() != target.commit();
        let is_there = !now.exists && !matches!(target, Target::Other(_));
        if is_elsewhere && !is_there {
            check_out(options, &want.dest, &target, host)?;
        }
        let is_touched = is_elsewhere || !now.modified.is_empty() || !now.submodules.is_empty();
        if options.recursive && is_touched {
            submodules::update(options, &want.dest, &effects, host)?;
        }
    }
    archive::write(&State { target, ..want.clone() }, options, host)?;
    Ok(written)
}

/// What the clone is like afterwards, for hosts that only pretend.
fn effects(want: &State, options: &Options, host: &dyn Inspect) -> Result<Vec<Effect>, Failure> {
    let (uid, gid) = host.whoami();
    let directory = |path: &Path| Effect::Directory(path.to_owned(), 0o755, uid, gid);
    let mut effects: Vec<Effect> = missing_above(&want.dest, host)?.iter().map(|path| directory(path)).collect();
    if !want.exists {
        effects.push(directory(&want.dest));
        effects.push(directory(&options.own_files(&want.dest)));
    }
    let git_dir = want.git_dir.as_ref().map(|path| path.display().to_string());
    let thing = json!({"commit": want.commit, "remote": want.remote, "git_dir": git_dir, "version": options.version});
    effects.push(Effect::Thing(want.id.clone(), Thing::There(thing.to_string())));
    Ok(effects)
}

/// Makes the clone; whether it has as much history as was asked for.
fn clone(options: &Options, want: &State, effects: &[Effect], host: &mut dyn Host) -> Result<bool, Failure> {
    let mut words = vec!["clone".to_owned()];
    if options.bare {
        words.push("--bare".into());
    } else {
        words.extend(["--origin".to_owned(), options.remote.clone()]);
    }
    let name = match &want.target {
        Target::Branch(name, _) | Target::Tag(name, _) if !options.bare => Some(name),
        _ => None,
    };
    words.extend(name.iter().flat_map(|name| ["--branch".to_owned(), (*name).clone()]));
    let can_be_shallow = !matches!(want.target, Target::Other(_)) || options.refspec.is_some();
    if let Some(depth) = options.depth.filter(|_| can_be_shallow) {
        words.extend(["--depth".to_owned(), depth.to_string()]);
    }
    if options.single_branch {
        words.push("--single-branch".into());
    }
    if let Some(path) = &options.reference {
        words.extend(["--reference".to_owned(), expand_path(path, host.inspect()).display().to_string()]);
    }
    words.extend(want.git_dir.as_ref().map(|path| format!("--separate-git-dir={}", path.display())));
    words.extend(["--".to_owned(), public(&options.repo), want.dest.display().to_string()]);
    let line = options.speaking(None, words, host.inspect())?;
    options.act(line, effects, host)?;
    if options.bare && options.remote != "origin" {
        let line = options.looking(Some(&want.dest), ["remote", "rename", "origin", &options.remote], host.inspect());
        options.act(line, &[], host)?;
    }
    if let Some(refspec) = &options.refspec {
        let mut words = vec!["fetch".to_owned()];
        words.extend(options.depth.iter().flat_map(|depth| ["--depth".to_owned(), depth.to_string()]));
        words.extend([options.remote.clone(), refspec.clone()]);
        let line = options.speaking(Some(&want.dest), words, host.inspect())?;
        options.act(line, &[], host)?;
    }
    Ok(can_be_shallow)
}

/// Brings a clone's settings and what it knows up to date.
fn update(options: &Options, now: &State, want: &State, effects: &[Effect], host: &mut dyn Host) -> Result<(), Failure> {
    let dest = &want.dest;
    let mut act = |words: &[&str]| {
        let line = options.looking(Some(dest), words.iter().copied(), host.inspect());
        options.act(line, effects, host).map(|_| ())
    };
    if now.git_dir != want.git_dir
        && let Some(path) = &want.git_dir
    {
        act(&["init", "--quiet", &format!("--separate-git-dir={}", path.display())])?;
    }
    if now.remote != want.remote {
        let verb = if now.remote.is_some() { "set-url" } else { "add" };
        act(&["remote", verb, &options.remote, &public(&options.repo)])?;
    }
    if !now.modified.is_empty() {
        act(&["reset", "--hard", "HEAD", "--"])?;
    }
    if now.commit != want.commit || now.remote != want.remote || !now.refs.is_empty() {
        let line = options.speaking(Some(dest), fetch(options, want), host.inspect())?;
        options.act(line, effects, host)?;
    }
    Ok(())
}

/// What is fetched into a clone that is there.
fn fetch(options: &Options, want: &State) -> Vec<String> {
    let mut words = vec!["fetch".to_owned()];
    let remote = &options.remote;
    let mut specs: Vec<String> = match &want.target {
        Target::Branch(name, _) if options.bare => vec![format!("+refs/heads/{name}:refs/heads/{name}")],
        // A shallow clone knows one branch only: what is wanted is named.
        Target::Branch(name, _) => vec![format!("+refs/heads/{name}:refs/remotes/{remote}/{name}")],
        Target::Tag(name, _) => vec![format!("+refs/tags/{name}:refs/tags/{name}")],
        Target::Head(_) if !options.bare => vec!["HEAD".into()],
        _ => Vec::new(),
    };
    match options.depth {
        Some(depth) if !specs.is_empty() => words.extend(["--depth".to_owned(), depth.to_string()]),
        _ if options.bare => specs = ["+refs/heads/*:refs/heads/*", "+refs/tags/*:refs/tags/*"].map(str::to_owned).to_vec(),
        _ => {
            words.push("--tags".into());
            specs.insert(0, format!("+refs/heads/*:refs/remotes/{remote}/*"));
        }
    }
    // Tags that were moved are moved here too, as checking out would show another commit than the repository's.
    words.push("--force".into());
    words.push(remote.clone());
    words.extend(specs);
    words.extend(options.refspec.clone());
    words
}

/// The version as it was really fetched: the repository may have moved on since it was asked.
fn settled(args: &Args, want: &State, host: &mut dyn Host) -> Result<Target, Failure> {
    let (options, dest) = (&args.options, &want.dest);
    let commit = |name: &str, host: &dyn Inspect| {
        let name = format!("{name}^{{commit}}");
        let line = options.looking(Some(dest), ["rev-parse", "--verify", "--quiet", &name], host);
        let output = GIT.query(&line, host)?.filter(|output| output.rc == 0);
        Ok::<_, Failure>(output.map(|output| output.text().trim().to_owned()))
    };
    let settle = |asked_as: String, place: &str, asked: &str| {
        let found = commit(place, host.inspect())?.unwrap_or_else(|| asked.to_owned());
        if let Some(known) = args.asked.borrow_mut().as_mut() {
            known.remote.insert(asked_as, found.clone());
        }
        Ok::<_, Failure>(found)
    };
    Ok(match &want.target {
        Target::Branch(name, asked) => {
            let place =
                if options.bare { format!("refs/heads/{name}") } else { format!("refs/remotes/{}/{name}", options.remote) };
            Target::Branch(name.clone(), settle(format!("refs/heads/{name}"), &place, asked)?)
        }
        Target::Tag(name, asked) => {
            let place = format!("refs/tags/{name}");
            Target::Tag(name.clone(), settle(format!("{place}^{{}}"), &place, asked)?)
        }
        Target::Head(asked) if !want.exists => Target::Head(settle("HEAD".into(), "HEAD", asked)?),
        Target::Other(_) => {
            let found = commit(&options.version, host.inspect())?;
            let is_shallow = host.stat(&options.own_files(dest).join("shallow"))?.is_some();
            if found.is_none() && is_shallow {
                let words = ["fetch", "--unshallow", "--tags", &options.remote];
                let line = options.speaking(Some(dest), words, host.inspect())?;
                options.act(line, &[], host)?;
                return commit(&options.version, host.inspect()).map(Target::Other);
            }
            Target::Other(found)
        }
        other => other.clone(),
    })
}

/// Makes the version the one that is checked out; changes of files are lost.
fn check_out(options: &Options, dest: &Path, target: &Target, host: &mut dyn Host) -> Result<(), Failure> {
    let place;
    let tag;
    let words: &[&str] = match target {
        Target::Kept => return Ok(()),
        Target::Head(commit) => &[commit],
        Target::Branch(name, _) => {
            place = format!("refs/remotes/{}/{name}", options.remote);
            &["-B", name, &place]
        }
        Target::Tag(name, _) => {
            tag = format!("refs/tags/{name}");
            &[&tag]
        }
        Target::Other(_) => &[&options.version],
    };
    let words = ["checkout", "--force"].iter().chain(words).chain(&["--"]).copied();
    let line = options.looking(Some(dest), words, host.inspect());
    options.act(line, &[], host).map(|_| ()).map_err(|failure| {
        let message = format!("Failed to checkout {}: {}", options.version, failure.message);
        Failure { message, ..failure }
    })
}

/// An error unless the version is signed by somebody who is trusted.
fn verify(options: &Options, dest: &Path, target: &Target, host: &mut dyn Host) -> Result<(), Failure> {
    let tag = match target {
        Target::Tag(name, _) => {
            let line = options.looking(Some(dest), ["cat-file", "-t", &format!("refs/tags/{name}")], host.inspect());
            options.answer(&line, host.inspect())?.filter(|kind| kind.trim() == "tag").map(|_| name)
        }
        _ => None,
    };
    let version = target.commit().unwrap_or(&options.version);
    let words = match tag {
        Some(name) => ["verify-tag", "--raw", name],
        None => ["verify-commit", "--raw", version],
    };
    let line = options.looking(Some(dest), words, host.inspect());
    let output = options.act(line, &[], host).map_err(|failure| {
        let message = format!("Failed to verify GPG signature of commit/tag \"{}\": {}", options.version, failure.message);
        Failure { message, ..failure }
    })?;
    let said = output.error_text();
    let is_trusted = |key: &str| options.gpg_allowlist.iter().any(|allowed| allowed.eq_ignore_ascii_case(key));
    let signed = said.lines().filter_map(|line| line.strip_prefix("[GNUPG:] VALIDSIG "));
    if options.gpg_allowlist.is_empty() || signed.flat_map(str::split_whitespace).any(is_trusted) {
        return Ok(());
    }
    Err(Failure::new(format!("The gpg_allowlist does not include the public key of the signature of \"{}\"", options.version)))
}
