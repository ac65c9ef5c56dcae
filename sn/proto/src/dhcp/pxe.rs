//! Which boot file a program gets (RFC 4578, UEFI 2.10 §24).
//!
//! The first answer to firmware does not depend on what the node boots: it always loads iPXE (or
//! PXELINUX, or GRUB), and the script or configuration that this fetches then says kernel or disk.
//! So a `nodeset` between two steps of one boot takes effect, and UEFI firmware, which waits a
//! minute for a second server when an offer names no file, goes on to its disk at once.
//! A node that is offline gets no answer at all while it boots; that is decided in `node`.

use common::slice::Netboot;

use super::wire::{Program, Reply, Request};
use crate::boot::{self, Format};

/// What is needed to write a boot file's name.
pub(crate) struct Target<'a> {
    pub(crate) node: &'a str,
    pub(crate) netboot: Netboot,
    /// The start of URLs at its next server.
    pub(crate) base: &'a str,
    /// The next server, as text.
    pub(crate) next_server: &'a str,
}

/// Processor and firmware, as far as boot files differ (IANA "Processor Architecture Types").
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Arch {
    Bios,
    /// UEFI on x86. 6 and 15 are the 32-bit kinds, which servers do not have but claim now and then.
    EfiX86,
    EfiArm64,
    Other,
}

impl Arch {
    const fn of(code: Option<u16>) -> Self {
        match code {
            None | Some(0) => Self::Bios,
            Some(6 | 7 | 9 | 15 | 16) => Self::EfiX86,
            Some(11 | 19) => Self::EfiArm64,
            Some(_) => Self::Other,
        }
    }

    const fn is_efi(self) -> bool {
        matches!(self, Self::EfiX86 | Self::EfiArm64)
    }
}

/// Writes the boot part of an answer: the file's name, the class, and what iPXE wants to know.
pub(crate) fn put(reply: &mut Reply, request: &Request, target: &Target<'_>) {
    let wants = |code| request.wanted.is_some_and(|wanted| wanted.has(code));
    match request.program {
        // A class that is not the client's own kind makes it drop the offer.
        Program::Pxe => drop(reply.put(60, b"PXEClient")),
        Program::HttpBoot => drop(reply.put(60, b"HTTPClient")),
        // 175.176 = 1: do not wait three seconds for a ProxyDHCP server.
        Program::Ipxe => drop(reply.put(175, &[176, 1, 1])),
        Program::System => {}
    }
    if target.netboot == Netboot::Petitboot && (wants(209) || wants(210)) {
        reply.put(209, format!("{}/tftpboot/petitboot/{}", target.base, target.node).as_bytes());
    }
    let Some(file) = file(request, target) else { return };
    let in_header = reply.set_file(&file);
    if !in_header || wants(67) {
        reply.put(67, file.as_bytes());
    }
    if wants(66) {
        reply.put(66, target.next_server.as_bytes());
    }
}

fn file(request: &Request, target: &Target<'_>) -> Option<String> {
    let arch = Arch::of(request.arch);
    match (request.program, target.netboot) {
        (Program::System, _) => None,
        (Program::HttpBoot, _) => http(arch).map(|file| format!("{}/tftpboot/{file}", target.base)),
        (Program::Ipxe | Program::Pxe, Netboot::Pxe) if arch == Arch::Bios => Some("pxelinux.0".to_owned()),
        (Program::Ipxe | Program::Pxe, Netboot::Grub2) => Some(format!("boot/grub2/grub2-{}", target.node)),
        (Program::Ipxe, _) => {
            let format = if arch.is_efi() { Format::IpxeUefi } else { Format::Ipxe };
            Some(format!("{}/tftpboot/{}", target.base, boot::ipxe_path(target.node, format)))
        }
        (Program::Pxe, _) => tftp(arch).map(str::to_owned),
    }
}

/// iPXE for UEFI's HTTP boot. Its own drivers work where the firmware's network stack is busy.
const fn http(arch: Arch) -> Option<&'static str> {
    match arch {
        Arch::EfiX86 => Some("ipxe.efi"),
        Arch::EfiArm64 => Some("arm64-efi/ipxe.efi"),
        Arch::Bios | Arch::Other => None,
    }
}

/// iPXE that drives the network card through the firmware that has just used it.
const fn tftp(arch: Arch) -> Option<&'static str> {
    match arch {
        Arch::Bios => Some("undionly.kpxe"),
        Arch::EfiX86 => Some("snponly.efi"),
        Arch::EfiArm64 => Some("arm64-efi/snponly.efi"),
        Arch::Other => None,
    }
}
