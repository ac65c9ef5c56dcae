//! `mkdef -u` and `chdef -u`: what this host says of itself and of the files in which xCAT keeps
//! package lists and installation templates. The planner chooses among them.

use std::path::Path;

use clap::ArgMatches;
use mn_core::command::Derivation;

use super::intake::{Intake, REPLAYED};

/// Where they are: the site's own, and those that xCAT ships.
const FOLDERS: [&str; 2] = ["/install/custom", "/opt/xcat/share/xcat"];

/// How many files are looked at; xCAT ships some five hundred.
const MOST: usize = 20_000;

/// The information, when `-u` asks for it.
pub(super) fn wanted(matches: &ArgMatches, intake: &Intake) -> Option<Derivation> {
    matches.get_flag("derive").then(|| {
        if intake.is_replay() {
            let any = || REPLAYED.to_owned();
            return Derivation { osvers: any(), osarch: any(), files: any() };
        }
        let release = std::fs::read_to_string("/etc/os-release").unwrap_or_default();
        let mut files = Vec::new();
        for folder in FOLDERS {
            for method in ["install", "netboot"] {
                gather(&Path::new(folder).join(method), 2, &mut files);
            }
        }
        let osarch = osarch(std::env::consts::ARCH).to_owned();
        Derivation { osvers: osvers(&release), osarch, files: files.join("\n") }
    })
}

/// The files below a folder, some folders deep. What cannot be read holds none.
fn gather(folder: &Path, depth: usize, files: &mut Vec<String>) {
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        if files.len() >= MOST {
            return;
        }
        let path = entry.path();
        if path.is_dir() {
            if depth > 1 {
                gather(&path, depth - 1, files);
            }
        } else {
            files.extend(path.to_str().map(str::to_owned));
        }
    }
}

/// The system as `osvers` names it: `rhels9.4`, `alma9.4`, `ubuntu24.04`.
fn osvers(release: &str) -> String {
    let field = |name: &str| {
        let line = release.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix('='));
        line.unwrap_or_default().trim_matches('"').to_owned()
    };
    let name = match field("ID").as_str() {
        "rhel" => "rhels".to_owned(),
        "almalinux" => "alma".to_owned(),
        "opensuse-leap" => "leap".to_owned(),
        other => other.to_owned(),
    };
    format!("{name}{}", field("VERSION_ID"))
}

/// The architecture as `osarch` names it.
fn osarch(arch: &str) -> &str {
    match arch {
        "powerpc64" if cfg!(target_endian = "little") => "ppc64le",
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_system_is_named_as_xcat_names_it() {
        assert_eq!(osvers("NAME=\"AlmaLinux\"\nID=\"almalinux\"\nVERSION_ID=\"9.4\"\n"), "alma9.4");
        assert_eq!(osvers("ID=rhel\nVERSION_ID=\"8.10\"\n"), "rhels8.10");
        assert_eq!(osvers(""), "");
    }
}
