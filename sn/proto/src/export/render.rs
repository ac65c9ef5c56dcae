//! The plan in the words of a server: NFS-Ganesha's configuration, `exportfs`'s arguments.
//!
//! One syntax error in Ganesha's exports file takes all exports away when it is read again,
//! so nothing is written that needed quoting: paths of the slice are
//! checked by [`super::plan`], the folder of the state by [`Folder::new`].

use std::fmt::Write as _;
use std::net::Ipv4Addr;

use super::plan::{Plan, Planned, is_plain};

/// The first line of a main configuration that is ours to rewrite.
pub const MARK: &str = "# Written by Drover. Remove this line to keep your own changes.";

/// A folder whose name may stand in a server's configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Folder(String);

/// Why a folder may not.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no NFS server can be told of the folder {0:?}: use letters, digits and / . _ - + @ ~ alone")]
pub struct FolderError(String);

impl Folder {
    /// Checks a folder, given as an absolute path without a `/` at the end.
    ///
    /// # Errors
    /// When it is not absolute or holds a character that would need quoting.
    pub fn new(path: &str) -> Result<Self, FolderError> {
        if path.starts_with('/') && !path.ends_with('/') && is_plain(path) {
            Ok(Self(path.to_owned()))
        } else {
            Err(FolderError(path.to_owned()))
        }
    }
}

/// How long Ganesha takes the attributes that it has read for the folder's own. It does not see what
/// Drover puts into the tree before that; its default is a minute, in which nodes would go on to
/// read a file that was replaced. Reading them again from the local disk costs next to nothing.
const ATTRIBUTE_SECONDS: u32 = 1;

/// Ganesha's `exports.conf`: one block an export, below the folder `tree`.
///
/// Access is none but for the clients of the slice. Root stays root: nodes boot from these trees.
pub fn ganesha_exports(plan: &Plan, tree: &Folder) -> String {
    let mut text = String::from("# The exports of this service node's slice. Drover rewrites this file.\n");
    for Planned { id, pseudo, path, writable, clients } in &plan.exports {
        let access = if *writable { "RW" } else { "RO" };
        let clients: Vec<String> = clients.iter().map(ToString::to_string).collect();
        let clients = clients.join(", ");
        // Writing into memory does not fail.
        let _ = write!(
            text,
            "EXPORT {{\n  Export_Id = {id};\n  Path = \"{tree}/{path}\";\n  Pseudo = \"{pseudo}\";\n  \
             Access_Type = None;\n  Squash = No_Root_Squash;\n  SecType = sys;\n  \
             Attr_Expiration_Time = {ATTRIBUTE_SECONDS};\n  FSAL {{ Name = VFS; }}\n",
            tree = tree.0,
        );
        if !clients.is_empty() {
            let _ = writeln!(text, "  CLIENT {{ Clients = {clients}; Access_Type = {access}; }}");
        }
        text.push_str("}\n");
    }
    text
}

/// Which versions of NFS are served.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Versions {
    /// NFSv4 alone: one port, nothing else needed.
    Four,
    /// NFSv3 too. Ganesha does not start so without an rpcbind.
    ThreeAndFour,
}

/// Ganesha's main configuration, complete: `ganesha.nfsd -f THIS -L LOG -p PID` serves.
pub fn ganesha_main(bind: Ipv4Addr, versions: Versions, exports: &Folder) -> String {
    let exports = &exports.0;
    let (protocols, more) = match versions {
        Versions::Four => ("4", "  # NFSv3 is left out: no rpcbind ran when this was written.\n"),
        Versions::ThreeAndFour => ("3, 4", "  MNT_Port = 20048;\n  mount_path_pseudo = true;\n"),
    };
    format!(
        r#"{MARK}
# Start the server with
#   ganesha.nfsd -f {exports}/ganesha.conf -L {exports}/ganesha.log -p {exports}/ganesha.pid
# Drover rewrites exports.conf when the slice changes, and sends the server a SIGHUP.
NFS_CORE_PARAM {{
  Protocols = {protocols};
{more}  Bind_addr = {bind};
  NFS_Port = 2049;
  Enable_NLM = false;
  Enable_RQUOTA = false;
  Enable_UDP = false;
}}
NFS_KRB5 {{ Active_krb5 = false; }}
NFSV4 {{
  # No grace period: nodes are served at once after a restart.
  Graceless = true;
  Lease_Lifetime = 10;
  Minor_Versions = 0, 1, 2;
  Only_Numeric_Owners = true;
}}
EXPORT_DEFAULTS {{ Access_Type = None; SecType = sys; }}
%include "{exports}/exports.conf"
"#
    )
}

/// One export to one client of the kernel's server.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct KernelExport {
    /// `client:path`, the last argument.
    pub what: String,
    /// The argument of `-o`.
    pub options: String,
}

/// What the kernel's server shall export.
///
/// It has no pseudo paths: clients mount the folder itself. `fsid` gives handles that are the same
/// after a restart.
pub fn kernel_exports(plan: &Plan, tree: &Folder) -> Vec<KernelExport> {
    let exports = plan.exports.iter().flat_map(|export| {
        export.clients.iter().map(|client| KernelExport {
            what: format!("{client}:{}/{}", tree.0, export.path),
            options: format!(
                "{access},no_root_squash,no_subtree_check,sec=sys,fsid={id}",
                access = if export.writable { "rw" } else { "ro" },
                id = export.id,
            ),
        })
    });
    exports.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan() -> Plan {
        let export = |id, pseudo: &str, path: &str, writable, clients: &[&str]| Planned {
            id,
            pseudo: pseudo.to_owned(),
            path: path.parse().unwrap(),
            writable,
            clients: clients.iter().map(|net| net.parse().unwrap()).collect(),
        };
        let exports = vec![
            export(7, "/install", "install", false, &["10.0.0.0/24", "10.1.0.0/16"]),
            export(8, "/state", "state", true, &["10.0.0.0/24"]),
            export(9, "/nobody", "nobody", false, &[]),
        ];
        Plan { exports, ..Plan::default() }
    }

    #[test]
    fn ganesha_is_told_of_the_clients_alone() {
        let text = ganesha_exports(&plan(), &Folder::new("/var/lib/drover/sn/tree").unwrap());
        insta::assert_snapshot!(text);
    }

    #[test]
    fn the_main_configuration_is_complete() {
        let folder = Folder::new("/var/lib/drover/sn/nfs").unwrap();
        let text = ganesha_main([10, 0, 0, 11].into(), Versions::ThreeAndFour, &folder);
        insta::assert_snapshot!(text);
        let text = ganesha_main([10, 0, 0, 11].into(), Versions::Four, &folder);
        assert!(text.contains("  Protocols = 4;\n") && !text.contains("MNT_Port"), "{text}");
    }

    #[test]
    fn the_kernel_is_told_of_each_client() {
        let exports = kernel_exports(&plan(), &Folder::new("/d/tree").unwrap());
        let lines: Vec<String> =
            exports.iter().map(|one| format!("-o {} {}", one.options, one.what)).collect();
        insta::assert_snapshot!(lines.join("\n"), @r"
        -o ro,no_root_squash,no_subtree_check,sec=sys,fsid=7 10.0.0.0/24:/d/tree/install
        -o ro,no_root_squash,no_subtree_check,sec=sys,fsid=7 10.1.0.0/16:/d/tree/install
        -o rw,no_root_squash,no_subtree_check,sec=sys,fsid=8 10.0.0.0/24:/d/tree/state
        ");
    }

    #[test]
    fn a_folder_that_needs_quoting_is_refused() {
        for path in ["var", "/a b", "/a\"b", "/a/", "/a;b", "/a:b", "/a\nb"] {
            assert!(Folder::new(path).is_err(), "{path:?}");
        }
    }
}
