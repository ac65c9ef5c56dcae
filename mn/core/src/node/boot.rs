//! What is wanted of a node's next boot, and which files there are for it.

use common::id::{Digest, NodeName};
use common::slice::FilePath;

use super::text;
use crate::model::Model;
use crate::table::{TableId, schema as table};

/// The rescue system's files, as xCAT names them; `ARCH` stands for the node's.
const SHELL_KERNEL: &str = "tftpboot/xcat/genesis.kernel.ARCH";
const SHELL_INITRD: &str = "tftpboot/xcat/genesis.fs.ARCH.gz";

/// The files that an image may boot from, below its folders, best first.
const KERNELS: &[&str] = &["kernel", "vmlinuz", "linux"];
const INITRDS: &[&str] =
    &["initrd-stateless.gz", "initrd-statelite.gz", "initrd.img", "initrd", "initrd.gz", "initrd.lz"];

/// What is wanted of a node's next boot: `boot`, `offline`, `shell`, `netboot …`, `install …`.
pub fn state_of(model: &Model, node: &NodeName) -> Option<String> {
    text(model, table::CHAIN, node, "currstate")
}

/// The image that a node is provisioned with (`nodetype.provmethod`).
pub fn image_of(model: &Model, node: &NodeName) -> Option<String> {
    let name = text(model, table::NODETYPE, node, "provmethod")?;
    model.tables().row(table::OSIMAGE, &name).is_some().then_some(name)
}

pub(crate) fn image_cell(model: &Model, table: TableId, image: &str, column: &str) -> Option<String> {
    let row = model.tables().row(table, image)?;
    row.cell(column).filter(|text| !text.is_empty()).map(str::to_owned)
}

pub(crate) fn file_hash(model: &Model, path: &str) -> Option<Digest> {
    model.tables().row(table::FILE, path)?.cell("hash")?.parse().ok()
}

fn path_if_there(model: &Model, path: &str) -> Option<FilePath> {
    let path: FilePath = path.parse().ok()?;
    model.tables().row(table::FILE, path.as_str()).map(|_| path)
}

/// The folders of an image in the served tree, best first.
pub(crate) fn folders(model: &Model, image: &str) -> Vec<String> {
    let root = image_cell(model, table::LINUXIMAGE, image, "rootimgdir");
    let own = format!("tftpboot/xcat/osimage/{image}");
    let strip = |dir: String| dir.trim_matches('/').to_owned();
    [Some(own), root.map(strip)].into_iter().flatten().collect()
}

/// What an image boots; none where its kernel is not in the served tree.
pub fn bootable(model: &Model, image: &str) -> Option<Bootable> {
    let target = image_cell(model, table::LINUXIMAGE, image, "boottarget");
    let target = target.and_then(|name| {
        let table = TableId::named("boottarget").ok()?;
        model.tables().row(table, &name).cloned()
    });
    let of_target = |column| target.as_ref().and_then(|row| path_if_there(model, row.cell(column)?));
    let folders = folders(model, image);
    let among = |names: &[&str]| {
        let mut paths = folders.iter().flat_map(|dir| names.iter().map(move |name| format!("{dir}/{name}")));
        paths.find_map(|path| path_if_there(model, &path))
    };
    let kernel = of_target("kernel").or_else(|| among(KERNELS))?;
    let initrd = of_target("initrd").or_else(|| among(INITRDS));
    let arguments = [
        target.as_ref().and_then(|row| row.cell("kcmdline")).map(str::to_owned),
        image_cell(model, table::LINUXIMAGE, image, "addkcmdline"),
    ];
    let cmdline: Vec<String> = arguments.into_iter().flatten().collect();
    Some(Bootable { kernel, initrd, cmdline: cmdline.join(" ") })
}

/// The rescue system for a node's architecture; none where it is not in the served tree.
pub fn shell_files(model: &Model, node: &NodeName) -> Option<(FilePath, Option<FilePath>)> {
    let arch = text(model, table::NODETYPE, node, "arch").unwrap_or_else(|| "x86_64".to_owned());
    let kernel = path_if_there(model, &SHELL_KERNEL.replace("ARCH", &arch))?;
    Some((kernel, path_if_there(model, &SHELL_INITRD.replace("ARCH", &arch))))
}

/// What an image boots.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bootable {
    /// The kernel.
    pub kernel: FilePath,
    /// The RAM disk.
    pub initrd: Option<FilePath>,
    /// The image's own kernel arguments.
    pub cmdline: String,
}
