//! What is carried over and what is left out: the module's own options and those of `rsync_opts` together.

use super::Args;
use super::rules::Rules;
use crate::args::Arg as _;
use crate::files::mode::Mode;
use crate::outcome::Failure;

/// All of it, decided.
#[derive(Debug, Clone)]
#[expect(clippy::struct_excessive_bools, reason = "each is a switch of rsync")]
pub struct Options {
    /// Directories are entered.
    pub recursive: bool,
    /// Of a directory that is not entered, its entries are taken.
    pub directories: bool,
    /// Symbolic links are made.
    pub links: bool,
    /// What symbolic links point to is taken in their place.
    pub copy_links: bool,
    /// Modes are carried over.
    pub modes: bool,
    /// Modification times are carried over.
    pub times: bool,
    /// Those of directories are not.
    pub omit_directory_times: bool,
    /// Owners are carried over.
    pub owner: bool,
    /// Groups are carried over.
    pub group: bool,
    /// By number, even where a name is known.
    pub numeric: bool,
    /// What is not at the source is removed.
    pub delete: bool,
    /// Also what is left out.
    pub delete_excluded: bool,
    /// Only what is there is made like its source.
    pub existing: bool,
    /// What is there stays as it is.
    pub ignore_existing: bool,
    /// What is newer stays as it is.
    pub update: bool,
    /// Missing directories above the destination are made.
    pub make_parents: bool,
    /// What is left out.
    pub rules: Rules,
    /// Modes of files and of directories instead of those of the source.
    pub chmod: Vec<(bool, bool, Mode)>,
    /// Owner and group instead of those of the source.
    pub chown: (Option<String>, Option<String>),
}

impl Options {
    /// Puts them together; an option of rsync that cannot be honoured is a failure that names it.
    pub fn of(args: &Args) -> Result<Self, Failure> {
        let archive = args.archive;
        let mut options = Self {
            recursive: args.recursive.unwrap_or(archive),
            directories: args.dirs,
            links: args.links.unwrap_or(archive),
            copy_links: args.copy_links,
            modes: args.perms.unwrap_or(archive),
            times: args.times.unwrap_or(archive),
            omit_directory_times: false,
            owner: args.owner.unwrap_or(archive),
            group: args.group.unwrap_or(archive),
            numeric: false,
            delete: args.delete,
            delete_excluded: false,
            existing: args.existing_only,
            ignore_existing: false,
            update: false,
            make_parents: false,
            rules: Rules::default(),
            chmod: Vec::new(),
            chown: (None, None),
        };
        let mut rest = args.rsync_opts.iter().map(String::as_str);
        while let Some(word) = rest.next() {
            options.take(word, &mut rest)?;
        }
        if options.delete && !options.recursive && !options.directories {
            return Err(Failure::new("`delete` needs `recursive` or `dirs`"));
        }
        Ok(options)
    }

    fn take<'a>(&mut self, word: &'a str, rest: &mut impl Iterator<Item = &'a str>) -> Result<(), Failure> {
        let (name, value) = word.split_once('=').map_or((word, None), |(name, value)| (name, Some(value)));
        let mut value =
            || value.or_else(|| rest.next()).ok_or_else(|| Failure::new(format!("`rsync_opts`: `{name}` needs a value")));
        match name {
            "--exclude" | "--include" => {
                let pattern = value()?;
                self.rules
                    .add(pattern, name == "--include")
                    .map_err(|problem| Failure::new(format!("`rsync_opts`: {problem}")))?;
            }
            "--chmod" => self.chmod.extend(modes(value()?)?),
            "--chown" => {
                let names = value()?;
                let (owner, group) = names.split_once(':').unwrap_or((names, ""));
                let given = |name: &str| (!name.is_empty()).then(|| name.to_owned());
                (self.chown, self.owner, self.group) = ((given(owner), given(group)), !owner.is_empty(), !group.is_empty());
            }
            // How it is sent and reported, which is stead's own affair.
            "--verbose" | "--quiet" | "--human-readable" | "--stats" | "--progress" | "--itemize-changes" | "--compress"
            | "--partial" | "--inplace" | "--whole-file" | "--checksum" | "--delay-updates" | "--info" | "--bwlimit"
            | "--timeout" | "--no-motd" | "--compress-level" | "--protect-args" | "--no-compress" | "--no-whole-file"
            | "--out-format" => {}
            "--recursive" | "--links" | "--copy-links" | "--perms" | "--times" | "--owner" | "--group" | "--dirs"
            | "--existing" | "--ignore-existing" | "--update" | "--omit-dir-times" | "--numeric-ids" | "--mkpath"
            | "--delete" | "--delete-after" | "--delete-before" | "--delete-during" | "--delete-delay" | "--delete-excluded" => {
                self.switch(&name[2..], true);
            }
            "--no-recursive" | "--no-links" | "--no-perms" | "--no-times" | "--no-owner" | "--no-group" | "--no-dirs" => {
                self.switch(&name[5..], false);
            }
            "--no-r" | "--no-l" | "--no-p" | "--no-t" | "--no-o" | "--no-g" | "--no-d" => {
                self.switch(long(name.as_bytes()[5]).unwrap_or_default(), false);
            }
            "--archive" => self.archive(),
            short if short.len() > 1 && short.starts_with('-') && !short.starts_with("--") => {
                for letter in short.bytes().skip(1) {
                    match letter {
                        b'a' => self.archive(),
                        b'v' | b'q' | b'h' | b'i' | b'z' | b'P' | b'W' | b'c' | b's' => {}
                        letter => match long(letter) {
                            Some(name) => self.switch(name, true),
                            None => return Err(unknown(word)),
                        },
                    }
                }
            }
            _ => return Err(unknown(word)),
        }
        Ok(())
    }

    fn archive(&mut self) {
        for name in ["recursive", "links", "perms", "times", "owner", "group"] {
            self.switch(name, true);
        }
    }

    fn switch(&mut self, name: &str, on: bool) {
        let place = match name {
            "recursive" => &mut self.recursive,
            "links" => &mut self.links,
            "copy-links" => &mut self.copy_links,
            "perms" => &mut self.modes,
            "times" => &mut self.times,
            "owner" => &mut self.owner,
            "group" => &mut self.group,
            "dirs" => &mut self.directories,
            "existing" => &mut self.existing,
            "ignore-existing" => &mut self.ignore_existing,
            "update" => &mut self.update,
            "omit-dir-times" => &mut self.omit_directory_times,
            "numeric-ids" => &mut self.numeric,
            "mkpath" => &mut self.make_parents,
            "delete-excluded" => {
                self.delete_excluded = on;
                &mut self.delete
            }
            _ => &mut self.delete,
        };
        *place = on;
    }
}

/// The long name of a letter.
fn long(letter: u8) -> Option<&'static str> {
    Some(match letter {
        b'r' => "recursive",
        b'l' => "links",
        b'L' => "copy-links",
        b'p' => "perms",
        b't' => "times",
        b'o' => "owner",
        b'g' => "group",
        b'd' => "dirs",
        b'u' => "update",
        b'O' => "omit-dir-times",
        _ => return None,
    })
}

fn unknown(word: &str) -> Failure {
    Failure::new(format!(
        "`rsync_opts`: `{word}` cannot be honoured; stead copies by itself and knows the options for what is copied and left out"
    ))
}

/// `--chmod=D755,F644,u+w`: whether for files, whether for directories, and the mode.
fn modes(text: &str) -> Result<Vec<(bool, bool, Mode)>, Failure> {
    let one = |part: &str| {
        let (files, directories, mode) = match part.as_bytes().first() {
            Some(b'D') => (false, true, &part[1..]),
            Some(b'F') => (true, false, &part[1..]),
            _ => (true, true, part),
        };
        Mode::parse(&mode.into())
            .map(|mode| (files, directories, mode))
            .map_err(|problem| Failure::new(format!("`rsync_opts`: --chmod: {problem}")))
    };
    text.split(',').filter(|part| !part.is_empty()).map(one).collect()
}
