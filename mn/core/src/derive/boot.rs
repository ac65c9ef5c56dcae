//! What a node's next boot gets.
//!
//! `nodeset` writes one word (`chain.currstate`); kernel, RAM disk and arguments are derived from
//! the node's image here, so nothing is written for each node.

use common::id::{ImageName, NodeName};
use common::slice::Boot;

use crate::model::Model;
use crate::node::{bootable, image_of, shell_files, state_of, text};
use crate::table::schema as table;

/// What a node's next boot gets. A node of which nothing was ever asked boots its own disk, and so
/// does one whose files are gone: never an installation that nobody ordered.
pub(super) fn derive(model: &Model, node: &NodeName) -> Boot {
    let state = state_of(model, node).unwrap_or_default();
    match state.split(' ').next().unwrap_or_default() {
        "offline" => Boot::Offline,
        "shell" => shell(model, node, state.clone()).unwrap_or(Boot::Disk),
        "netboot" | "statelite" | "install" => image(model, node, state.clone()).unwrap_or(Boot::Disk),
        _ => Boot::Disk,
    }
}

fn image(model: &Model, node: &NodeName, state: String) -> Option<Boot> {
    let name = image_of(model, node)?;
    let bootable = bootable(model, &name)?;
    let cmdline = with_node_arguments(model, node, bootable.cmdline);
    let image: ImageName = name.parse().ok()?;
    Some(Boot::Kernel {
        state,
        image: Some(image),
        kernel: bootable.kernel,
        initrd: bootable.initrd,
        cmdline,
    })
}

fn shell(model: &Model, node: &NodeName, state: String) -> Option<Boot> {
    let (kernel, initrd) = shell_files(model, node)?;
    let cmdline = with_node_arguments(model, node, "destiny=shell".to_owned());
    Some(Boot::Kernel { state, image: None, kernel, initrd, cmdline })
}

fn with_node_arguments(model: &Model, node: &NodeName, mut cmdline: String) -> String {
    for column in ["kcmdline", "addkcmdline"] {
        if let Some(own) = text(model, table::BOOTPARAMS, node, column) {
            if !cmdline.is_empty() {
                cmdline.push(' ');
            }
            cmdline.push_str(&own);
        }
    }
    cmdline
}
