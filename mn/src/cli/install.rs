//! `mn install-applets DIR`: puts the command names, their man pages and their completions into
//! folders.

mod registry;

use std::fs;
use std::io;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use clap::Command;

use super::complete::{Shell, script};
use crate::applet::APPLETS;
use crate::applet::page::Page;

/// Commands whose names a shell or the system has already: they are called as `mn diff`, and their
/// pages as `mn-diff`, so that nobody's `diff` is another program than yesterday. Who wants the
/// names all the same says `--all`.
const TAKEN: &[&str] = &["diff", "export", "history", "import"];

/// Why the names could not be put there.
#[derive(Debug, thiserror::Error)]
pub(super) enum InstallError {
    /// The folder or a file in it cannot be written.
    #[error("cannot write {path}")]
    Write {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// Something that is not ours has the name.
    #[error("{path} is there already, and it is no link: move it away")]
    Taken {
        /// Which.
        path: PathBuf,
    },
}

/// Where things go.
#[derive(Clone, Debug)]
pub(super) struct Folders {
    /// The names.
    pub(super) bin: PathBuf,
    /// The man pages (section 1).
    pub(super) man: PathBuf,
    /// The completions for bash.
    pub(super) completions: PathBuf,
    /// The completions for fish.
    pub(super) fish: PathBuf,
    /// The completions for zsh.
    pub(super) zsh: PathBuf,
}

impl Folders {
    /// The names in `bin`, the rest beside it under `share` where it belongs.
    pub(super) fn beside(bin: PathBuf, man: Option<PathBuf>) -> Self {
        let share = match bin.parent() {
            Some(parent) if parent != Path::new("") => parent.join("share"),
            _ => Path::new("..").join("share"),
        };
        let man = man.unwrap_or_else(|| share.join("man/man1"));
        let completions = share.join("bash-completion/completions");
        let (fish, zsh) = (share.join("fish/vendor_completions.d"), share.join("zsh/site-functions"));
        Self { bin, man, completions, fish, zsh }
    }
}

/// The commands that are not installed unless `--all` is said, as they are called.
pub(super) fn left_out() -> String {
    TAKEN.iter().map(|name| format!("mn {name}")).collect::<Vec<_>>().join(", ")
}

/// Makes a link with each applet's name to `program`, and the pages and completions; gives the
/// names. Names that others have are left out, unless it is to be `all`.
///
/// # Errors
/// When something cannot be written, or a name is taken by something else.
pub(super) fn install(
    program: &Path,
    manage: &Command,
    folders: &Folders,
    all: bool,
) -> Result<Vec<&'static str>, InstallError> {
    for folder in [&folders.bin, &folders.man, &folders.completions, &folders.fish, &folders.zsh] {
        fs::create_dir_all(folder).map_err(|source| InstallError::Write { path: folder.clone(), source })?;
    }
    let mut names = Vec::with_capacity(APPLETS.len());
    for applet in APPLETS {
        let page = Page::of(applet.name, applet.usage_status);
        if TAKEN.contains(&applet.name) {
            let name = format!("mn-{}", applet.name);
            write_man(&page, &name, &applet.definition().name(name.clone()), folders)?;
            if !all {
                continue;
            }
        }
        link(program, &folders.bin.join(applet.name))?;
        describe(applet.definition(), applet.name, &page, program, folders)?;
        names.push(applet.name);
    }
    link(program, &folders.bin.join("mn"))?;
    describe(manage.clone(), "mn", &Page::of("mn", 2), program, folders)?;
    for page in registry::pages() {
        write_page(&page, folders)?;
    }
    Ok(names)
}

/// Makes or renews a link. `mn` may lie in the folder itself: then there is nothing to do.
fn link(program: &Path, path: &Path) -> Result<(), InstallError> {
    let failed = |source| InstallError::Write { path: path.to_owned(), source };
    match fs::symlink_metadata(path) {
        Ok(found) if found.is_symlink() => fs::remove_file(path).map_err(failed)?,
        Ok(_) if fs::canonicalize(path).ok() == fs::canonicalize(program).ok() => return Ok(()),
        Ok(_) => return Err(InstallError::Taken { path: path.to_owned() }),
        Err(_) => {}
    }
    symlink(program, path).map_err(failed)
}

fn describe(
    command: Command,
    name: &'static str,
    page: &Page,
    program: &Path,
    folders: &Folders,
) -> Result<(), InstallError> {
    write_man(page, name, &command, folders)?;
    let program = program.to_string_lossy();
    for (shell, folder, file) in [
        (Shell::Bash, &folders.completions, name.to_owned()),
        (Shell::Fish, &folders.fish, format!("{name}.fish")),
        (Shell::Zsh, &folders.zsh, format!("_{name}")),
    ] {
        let path = folder.join(file);
        fs::write(&path, script(shell, name, &program))
            .map_err(|source| InstallError::Write { path, source })?;
    }
    Ok(())
}

fn write_man(page: &Page, name: &str, command: &Command, folders: &Folders) -> Result<(), InstallError> {
    let path = folders.man.join(format!("{name}.1"));
    let written = page.man(name, command).and_then(|text| fs::write(&path, text));
    written.map_err(|source| InstallError::Write { path, source })
}

/// A page of another section goes beside the folder of section 1, where that is one.
fn write_page(page: &registry::Page, folders: &Folders) -> Result<(), InstallError> {
    let folder = match folders.man.file_name() {
        Some(name) if name == "man1" => folders.man.with_file_name(format!("man{}", page.section)),
        _ => folders.man.clone(),
    };
    let path = folder.join(format!("{}.{}", page.name, page.section));
    fs::create_dir_all(&folder)
        .and_then(|()| fs::write(&path, &page.text))
        .map_err(|source| InstallError::Write { path, source })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn man_renders_every_page_without_a_warning() {
        let folder = tempfile::tempdir().unwrap();
        let mut paths = Vec::new();
        let mut write = |name: &str, page: String| {
            let path = folder.path().join(format!("{name}.1"));
            fs::write(&path, page).unwrap();
            paths.push(path);
        };
        for applet in APPLETS {
            let page = Page::of(applet.name, applet.usage_status);
            write(applet.name, page.man(applet.name, &applet.definition()).unwrap());
        }
        write("mn", Page::of("mn", 2).man("mn", &super::super::manage::command()).unwrap());
        for path in paths {
            // What is not installed cannot complain; the checks' machine has one of them.
            for words in
                [&["groff", "-man", "-Tutf8", "-ww"][..], &["mandoc", "-T", "lint", "-W", "warning"][..]]
            {
                let (program, words) = words.split_first().unwrap();
                match std::process::Command::new(program).args(words).arg(&path).output() {
                    Ok(ended) => {
                        let said = String::from_utf8_lossy(&ended.stderr).into_owned();
                        assert!(ended.status.success() && said.is_empty(), "{}: {said}", path.display());
                        if *program == "groff" {
                            let text = String::from_utf8_lossy(&ended.stdout).into_owned();
                            assert!(text.contains("EXIT STATUS") || text.contains("E\u{8}EX"), "{text}");
                        }
                    }
                    Err(error) => assert_eq!(error.kind(), io::ErrorKind::NotFound),
                }
            }
        }
    }

    #[test]
    fn every_command_gets_a_name_a_page_and_completions_and_again_is_the_same() {
        let folder = tempfile::tempdir().unwrap();
        let program = folder.path().join("mn-program");
        fs::write(&program, "").unwrap();
        let folders = Folders::beside(folder.path().join("bin"), None);
        for _ in 0..2 {
            install(&program, &Command::new("mn"), &folders, false).unwrap();
        }
        assert_eq!(fs::read_link(folders.bin.join("lsdef")).unwrap(), program);
        let page = fs::read_to_string(folder.path().join("share/man/man1/snmove.1")).unwrap();
        assert!(page.contains("Move nodes to another service node"), "{page}");
        assert!(folder.path().join("share/bash-completion/completions/chdef").exists());
        assert!(folders.fish.join("chdef.fish").exists() && folders.zsh.join("_chdef").exists());
        assert!(folder.path().join("share/man/man5/xcatdb.5").exists());
        // The system's own diff stays what it is.
        assert!(!folders.bin.join("diff").exists() && !folders.man.join("diff.1").exists());
        let page = fs::read_to_string(folders.man.join("mn-diff.1")).unwrap();
        assert!(page.contains("mn diff"), "{page}");
    }

    #[test]
    fn a_file_with_the_name_of_a_command_is_not_overwritten() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("bin")).unwrap();
        fs::write(folder.path().join("bin/nodels"), "theirs").unwrap();
        let folders = Folders::beside(folder.path().join("bin"), None);
        let error = install(Path::new("/nonexistent/mn"), &Command::new("mn"), &folders, false).unwrap_err();
        assert!(matches!(error, InstallError::Taken { .. }), "{error}");
        assert_eq!(fs::read_to_string(folder.path().join("bin/nodels")).unwrap(), "theirs");
    }
}
