//! Generated boot files: which path names one, and its text.
//!
//! The same files are served by TFTP ([`crate::tftp`]) and HTTP ([`crate::http`]), under xCAT's
//! paths. Nothing is written to a disk: `nodeset` changes the
//! slice, and the next request gets the new text.
//!
//! It does not decide who may have a file: that is the service's, which knows the client's
//! address. It renders a join secret only when it is given one; TFTP never gives one.
//!
//! **Invariants**: the first comment line of every file is the node's state ([`state_of`] reads it
//! back); a node that is offline has no file at all.

use std::fmt::Write as _;
use std::net::Ipv4Addr;

use common::id::MacAddr;
use common::slice::{Boot, FilePath, Node, Site};

/// For whom a boot file is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// iPXE on a BIOS.
    Ipxe,
    /// iPXE on UEFI.
    IpxeUefi,
    /// PXELINUX.
    Pxelinux,
    /// GRUB 2.
    Grub2,
    /// Petitboot.
    Petitboot,
}

/// How a boot file's path names its node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Key {
    /// By the node's name.
    Name(String),
    /// By the hardware address of an interface.
    Mac(MacAddr),
    /// By an address of the node.
    Ip(Ipv4Addr),
}

/// Which boot file a path names; none when it names another file.
///
/// The path is one of the TFTP tree, or of the whole served tree with `tftpboot/` in front; a `/`
/// at the front is the same path.
pub fn file_name(path: &str) -> Option<(Format, Key)> {
    let path = path.trim_start_matches('/');
    let path = path.strip_prefix("tftpboot/").unwrap_or(path);
    let by_name = |name: &str| (!name.is_empty() && !name.contains('/')).then(|| Key::Name(name.to_owned()));
    if let Some(name) = path.strip_prefix("xcat/xnba/nodes/") {
        return match name.strip_suffix(".uefi") {
            Some(name) => Some((Format::IpxeUefi, by_name(name)?)),
            None => Some((Format::Ipxe, by_name(name)?)),
        };
    }
    if let Some(name) = path.strip_prefix("petitboot/") {
        return Some((Format::Petitboot, by_name(name)?));
    }
    if let Some(rest) = path.strip_prefix("pxelinux.cfg/") {
        return Some((Format::Pxelinux, by_address(rest)?));
    }
    if let Some(rest) = path.strip_prefix("boot/grub2/grub.cfg-") {
        return Some((Format::Grub2, by_address(rest)?));
    }
    None
}

/// The path of a node's boot file in the TFTP tree, for iPXE.
pub fn ipxe_path(node: &str, format: Format) -> String {
    let suffix = if format == Format::IpxeUefi { ".uefi" } else { "" };
    format!("xcat/xnba/nodes/{node}{suffix}")
}

/// `01-` and the hardware address with hyphens, or the address as eight hexadecimal digits.
///
/// PXELINUX goes on to shorter and shorter prefixes of the address: those are misses.
fn by_address(text: &str) -> Option<Key> {
    if let Some(mac) = text.strip_prefix("01-") {
        return mac.parse().ok().map(Key::Mac);
    }
    let digits = text.len() == 8 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    digits.then(|| u32::from_str_radix(text, 16).ok().map(|bits| Key::Ip(bits.into()))).flatten()
}

/// The base of URLs at the boot HTTP server at `server`: `http://10.0.0.1` or `http://10.0.0.1:8080`.
pub fn http_base(server: Ipv4Addr, site: &Site) -> String {
    match site.http_port {
        80 => format!("http://{server}"),
        port => format!("http://{server}:{port}"),
    }
}

/// The text of a node's boot file; none while it is offline.
///
/// `token` is the text of a join token, for the node's own eyes.
pub fn render(node: &Node, site: &Site, format: Format, token: Option<&str>) -> Option<String> {
    let state = state(&node.boot)?;
    let kernel = Kernel::of(node, site, token);
    Some(match format {
        Format::Ipxe | Format::IpxeUefi => ipxe(state, kernel.as_ref(), format),
        Format::Pxelinux => pxelinux(state, kernel.as_ref()),
        Format::Grub2 => grub2(state, kernel.as_ref()),
        Format::Petitboot => petitboot(state, kernel.as_ref()),
    })
}

/// The state that a boot file was written for, out of its first comment line.
pub fn state_of(text: &str) -> Option<&str> {
    text.lines().find(|line| !line.starts_with("#!"))?.strip_prefix('#').map(str::trim)
}

/// The state in words; none for a node that is offline.
fn state(boot: &Boot) -> Option<&str> {
    match boot {
        Boot::Offline => None,
        Boot::Disk => Some("boot"),
        // A state is one line; what comes after a line break would be commands.
        Boot::Kernel { state, .. } => Some(state.lines().next().unwrap_or_default()),
    }
}

/// What a kernel's boot file says, whatever its format.
struct Kernel<'a> {
    base: String,
    server: Ipv4Addr,
    mac: Option<String>,
    kernel: &'a FilePath,
    initrd: Option<&'a FilePath>,
    arguments: String,
}

impl<'a> Kernel<'a> {
    fn of(node: &'a Node, site: &Site, token: Option<&str>) -> Option<Self> {
        let Boot::Kernel { kernel, initrd, cmdline, .. } = &node.boot else { return None };
        // One line: a line break in an attribute must not become a command of the boot loader.
        let mut arguments = cmdline.split_whitespace().collect::<Vec<_>>().join(" ");
        if let Some(token) = token {
            let space = if arguments.is_empty() { "" } else { " " };
            let _ = write!(arguments, "{space}drover.token={token}");
        }
        Some(Self {
            base: http_base(node.servers.next_server, site),
            server: node.servers.next_server,
            mac: node
                .primary()
                .filter(|interface| interface.mac != MacAddr::NONE)
                .map(|interface| interface.mac.to_string().replace(':', "-")),
            kernel,
            initrd: initrd.as_ref(),
            arguments,
        })
    }

    fn url(&self, path: &FilePath) -> String {
        format!("{}/{}", self.base, percent_encoded(path.as_str()))
    }

    /// The path for a loader that fetches by TFTP; what is outside that tree has only a URL.
    fn tftp(&self, path: &FilePath) -> String {
        match path.as_str().strip_prefix("tftpboot/") {
            Some(path) => format!("/{path}"),
            None => self.url(path),
        }
    }

    /// `BOOTIF=…` of the node's first interface, for loaders that do not add it.
    fn bootif(&self) -> String {
        self.mac.as_ref().map(|mac| format!(" BOOTIF=01-{mac}")).unwrap_or_default()
    }
}

/// When loading fails, the node starts anew: after a move the answer to its next DHCP request
/// names the new owner, which a loop in the script would never learn.
fn ipxe(state: &str, kernel: Option<&Kernel<'_>>, format: Format) -> String {
    let mut text = format!("#!ipxe\n#{state}\n");
    let Some(kernel) = kernel else {
        if format == Format::Ipxe {
            // Many a BIOS does not go on to its disk after a network boot that ends.
            text.push_str("sanboot --no-describe --drive 0x80 ||\n");
        }
        text.push_str("exit\n");
        return text;
    };
    let initrd = if kernel.initrd.is_some() { " initrd=initrd" } else { "" };
    // `netX` is the interface that was opened last, the one it boots from.
    let _ = writeln!(
        text,
        "kernel --name kernel {}{initrd} {} BOOTIF=01-${{netX/mac:hexhyp}} || goto failed",
        kernel.url(kernel.kernel),
        kernel.arguments
    );
    if let Some(initrd) = kernel.initrd {
        let _ = writeln!(text, "initrd --name initrd {} || goto failed", kernel.url(initrd));
    }
    text.push_str("boot || goto failed\n:failed\n");
    text.push_str("echo drover: the kernel could not be loaded; starting again in 10 seconds\n");
    text.push_str("sleep 10\nreboot\n");
    text
}

fn pxelinux(state: &str, kernel: Option<&Kernel<'_>>) -> String {
    let mut text = format!("#{state}\nDEFAULT drover\nLABEL drover\n");
    let Some(kernel) = kernel else {
        text.push_str("  LOCALBOOT 0\n");
        return text;
    };
    let _ = writeln!(text, "  KERNEL {}", kernel.tftp(kernel.kernel));
    if let Some(initrd) = kernel.initrd {
        let _ = writeln!(text, "  INITRD {}", kernel.tftp(initrd));
    }
    // IPAPPEND 2 adds BOOTIF of the interface it boots from.
    let _ = writeln!(text, "  APPEND {}\n  IPAPPEND 2", kernel.arguments);
    text
}

/// By TFTP: the signed GRUB of the distributions has no HTTP module.
fn grub2(state: &str, kernel: Option<&Kernel<'_>>) -> String {
    let mut text = format!("#{state}\n");
    let Some(kernel) = kernel else {
        text.push_str("exit\n");
        return text;
    };
    let path = |path: &FilePath| match path.as_str().strip_prefix("tftpboot/") {
        Some(path) => format!("(tftp,{})/{path}", kernel.server),
        None => format!("(http,{})/{path}", kernel.base.trim_start_matches("http://")),
    };
    let arguments: Vec<String> = kernel.arguments.split_whitespace().map(grub_word).collect();
    let _ = writeln!(text, "set default=0\nset timeout=1\nmenuentry {} {{", grub_word(state));
    let _ = writeln!(
        text,
        "  linux {} {}{}",
        grub_word(&path(kernel.kernel)),
        arguments.join(" "),
        kernel.bootif()
    );
    if let Some(initrd) = kernel.initrd {
        let _ = writeln!(text, "  initrd {}", grub_word(&path(initrd)));
    }
    text.push_str("}\n");
    text
}

fn petitboot(state: &str, kernel: Option<&Kernel<'_>>) -> String {
    let mut text = format!("#{state}\n");
    let Some(kernel) = kernel else { return text };
    let _ = writeln!(text, "default drover\nlabel drover\n  kernel {}", kernel.url(kernel.kernel));
    if let Some(initrd) = kernel.initrd {
        let _ = writeln!(text, "  initrd {}", kernel.url(initrd));
    }
    let _ = writeln!(text, "  append {}{}", kernel.arguments, kernel.bootif());
    text
}

/// A word for GRUB's shell, quoted where a character means something to it.
fn grub_word(word: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_.,:=/@%+-".contains(&byte);
    if !word.is_empty() && word.bytes().all(plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', r"'\''"))
}

/// RFC 3986 §2.1, `/` kept.
fn percent_encoded(path: &str) -> String {
    let mut text = String::with_capacity(path.len());
    for byte in path.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~/+:@".contains(&byte) {
            text.push(char::from(byte));
        } else {
            let _ = write!(text, "%{byte:02X}");
        }
    }
    text
}

#[cfg(test)]
mod tests;
