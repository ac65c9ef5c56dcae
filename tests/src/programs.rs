//! Our own programs: found beside this one, or built.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::Result;

/// The names of the three programs, which are their crates' names too.
const NAMES: [&str; 3] = ["mn", "sn", "node-agent"];

/// Where the programs are.
#[derive(Clone, Debug)]
pub struct Programs {
    folder: PathBuf,
}

impl Programs {
    /// The programs of the same build as this one; built now, where cargo runs us.
    ///
    /// # Errors
    /// When they are not there and cannot be built.
    pub fn find() -> Result<Self> {
        Self::find_some(&NAMES)
    }

    /// The same, where not all of them are needed.
    ///
    /// # Errors
    /// When one that is named is not there.
    pub fn find_some(names: &[&str]) -> Result<Self> {
        let here = std::env::current_exe()?;
        let folder = here.ancestors().skip(1).find(|dir| dir.file_name().is_some_and(|name| name != "deps"));
        let folder = folder.ok_or("this program lies in no folder")?.to_owned();
        let programs = Self { folder };
        if names.iter().any(|name| !programs.path(name).is_file()) {
            let names = names.join(", ");
            return Err(format!("not all of {names} are built; try: cargo build --release").into());
        }
        Ok(programs)
    }

    /// Builds them in the profile of this program, if cargo started it.
    ///
    /// # Errors
    /// When the build fails.
    pub fn build() -> Result<()> {
        Self::build_some(&NAMES)
    }

    /// Builds some of them.
    ///
    /// # Errors
    /// When the build fails.
    pub fn build_some(names: &[&str]) -> Result<()> {
        let Some(cargo) = std::env::var_os("CARGO") else { return Ok(()) };
        let here = std::env::current_exe()?;
        let release = here.ancestors().any(|dir| dir.file_name().is_some_and(|name| name == "release"));
        let mut command = Command::new(cargo);
        command.arg("build").args(names.iter().flat_map(|name| ["-p", name]));
        command.current_dir(Path::new(env!("CARGO_MANIFEST_DIR")));
        // What cargo tells the program that it runs would have build scripts run again (ring's looks
        // at it), and with them half of what links to them be built anew, this time and the next.
        for (name, _) in std::env::vars_os().filter(|(name, _)| is_of_run_program(name)) {
            command.env_remove(name);
        }
        if release {
            command.arg("--release");
        }
        let status = command.status()?;
        if status.success() {
            Ok(())
        } else {
            Err(format!("the build of {} failed", names.join(", ")).into())
        }
    }

    /// The path of a program.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }
}

/// Whether cargo sets a variable for the program that it runs, and not for itself.
fn is_of_run_program(name: &OsStr) -> bool {
    let name = name.as_encoded_bytes();
    name.starts_with(b"CARGO_PKG_") || name.starts_with(b"CARGO_MANIFEST_") || name == b"OUT_DIR"
}
