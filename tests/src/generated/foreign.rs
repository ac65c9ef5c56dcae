//! Files of other systems: ISC's DHCP server, `/etc/hosts`, `/etc/ethers`, Warewulf.

use std::fmt::Write as _;

use super::site::word;
use crate::chance::Chance;

fn ip(chance: &mut Chance) -> String {
    match chance.below(20) {
        0 => "10.1.0.256".to_owned(),
        1 => "fd00::7".to_owned(),
        _ => format!("10.{}.{}.{}", 1 + chance.below(2), chance.below(4), 1 + chance.below(250)),
    }
}

fn mac(chance: &mut Chance) -> String {
    match chance.below(20) {
        0 => "52-54-00-00-00-07".to_owned(),
        1 => "5254.0000.0007".to_owned(),
        2 => "52:54:0".to_owned(),
        _ => format!("52:54:00:{:02x}:{:02x}:{:x}", chance.below(9), chance.below(256), chance.below(256)),
    }
}

/// A configuration of dhcpd.
pub(super) fn isc(chance: &mut Chance) -> String {
    let mut text = "option domain-name \"cluster.test\";\ndefault-lease-time 600;\n".to_owned();
    block(&mut text, chance, 3);
    text
}

fn block(text: &mut String, chance: &mut Chance, depth: u64) {
    for _ in 0..=chance.below(4) {
        // Writing into memory does not fail.
        let _ = match chance.below(9) {
            0..=2 => writeln!(
                text,
                "host {} {{ hardware ethernet {}; fixed-address {}; }}",
                word(chance),
                mac(chance),
                ip(chance)
            ),
            3 => writeln!(text, "option routers {}, {};", ip(chance), ip(chance)),
            4 => writeln!(text, "next-server {}; filename \"a;b\\\"c\"; # }} no end", ip(chance)),
            5 => writeln!(
                text,
                "if option arch = 00:07 {{ filename \"ipxe.efi\"; }} else {{ filename \"x\"; }}"
            ),
            6 => writeln!(text, "include \"{}\";", chance.of(&["/etc/dhcp/more", "itself", ""])),
            7 => writeln!(text, "host {} {{ hardware ethernet {}; }}", word(chance), mac(chance)),
            _ if depth == 0 => writeln!(text, "authoritative;"),
            _ => {
                let head = match chance.below(4) {
                    0 => "group".to_owned(),
                    1 => "shared-network lan".to_owned(),
                    2 => "pool".to_owned(),
                    _ => format!(
                        "subnet 10.{}.0.0 netmask 255.255.0.0 {{ range {} {}; }} group",
                        1 + chance.below(2),
                        ip(chance),
                        ip(chance)
                    ),
                };
                let _ = writeln!(text, "{head} {{");
                block(text, chance, depth - 1);
                writeln!(text, "}}")
            }
        };
    }
}

/// A hosts file.
pub(super) fn hosts(chance: &mut Chance) -> String {
    let mut text = "127.0.0.1 localhost\n::1 localhost ip6-localhost\n".to_owned();
    for _ in 0..=chance.below(30) {
        let (node, more) = (word(chance), chance.of(&["", " # a remark", "\tother", " n1 n2 n3"]));
        let _ = writeln!(text, "{}\t{node}.cluster.test {node}{more}", ip(chance));
    }
    text
}

/// An ethers file.
pub(super) fn ethers(chance: &mut Chance) -> String {
    let mut text = "# hardware addresses\n".to_owned();
    for _ in 0..=chance.below(12) {
        let _ = writeln!(text, "{} {}", mac(chance), word(chance));
    }
    text
}

/// Warewulf's nodes and profiles.
pub(super) fn warewulf(chance: &mut Chance) -> String {
    let mut text = "nodeprofiles:\n  default:\n    comment: all of them\n    kernel:\n      args: [quiet, crashkernel=no]\n".to_owned();
    if chance.one_in(40) {
        // Aliases of aliases: small to write, large to read.
        text.push_str("  a0: &a0 {tags: {x: y}}\n");
        for level in 1..=chance.below(30) {
            let _ = writeln!(text, "  a{level}: &a{level} {{p: *a{0}, q: *a{0}, r: *a{0}}}", level - 1);
        }
    }
    text.push_str("nodes:\n");
    for _ in 0..=chance.below(8) {
        let _ = writeln!(
            text,
            "  {}:\n    profiles: [{}]",
            word(chance),
            chance.of(&["default", "", "default, ~default, nosuch"])
        );
        let _ = writeln!(text, "    image name: {}", chance.of(&["debian", "~", "UNDEF", "\"\"", "[a, b]"]));
        let _ = writeln!(
            text,
            "    network devices:\n      default:\n        device: eth0\n        hwaddr: {}\n        ipaddr: {}\n        netmask: {}",
            mac(chance),
            ip(chance),
            chance.of(&["255.255.0.0", "24", "", "255.0.255.0"])
        );
        if chance.one_in(3) {
            let _ = writeln!(
                text,
                "    ipmi:\n      ipaddr: {}\n      username: admin\n      password: {{}}",
                ip(chance)
            );
        }
    }
    text
}
