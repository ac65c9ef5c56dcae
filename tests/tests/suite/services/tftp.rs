//! TFTP: tftp-hpa, atftp and curl read; nobody writes, and nobody leaves the tree.

use std::fs;
use std::path::Path;

use tests::Result;
use tests::client::transfer;
use tests::cluster::{Cluster, Node};
use tests::process::Run;
use tests::stage::bytes;
use tests::{sandbox, wait};

use super::{SN1, booted_rack};

/// As many blocks of 512 bytes as make their 16-bit numbers begin again.
const LARGE: usize = 32 << 20;

const SCRIPT: &str = "xcat/xnba/nodes/n001";

/// A rack of one node, with a large file in the tree.
fn rack_with_a_large_file() -> Result<Cluster> {
    let cluster = booted_rack(1)?;
    cluster.put("tftpboot/large", &bytes(LARGE))?;
    let head = || transfer::http(&cluster.nodes[0].host, &format!("http://{SN1}/tftpboot/large"), &["-I"]);
    wait::until("the large file", wait::LONG, || head().is_ok_and(|head| head.code == 200).then_some(()))?;
    Ok(cluster)
}

fn is_whole(file: &Path) -> Result<bool> {
    Ok(fs::read(file)? == bytes(LARGE))
}

#[test]
fn tftp_hpa_reads_a_boot_file_and_a_large_file() {
    sandbox::test("services::tftp::tftp_hpa_reads_a_boot_file_and_a_large_file", || {
        let cluster = rack_with_a_large_file()?;
        let node = &cluster.nodes[0];
        let to = node.root.with_file_name("file");
        transfer::tftp(&node.host, SN1, SCRIPT, &to)?;
        assert!(fs::read_to_string(&to)?.starts_with("#!ipxe\n#netboot debian12"));
        transfer::tftp(&node.host, SN1, "large", &to)?;
        assert!(is_whole(&to)?);
        Ok(())
    });
}

#[test]
fn atftp_reads_with_large_blocks_and_windows() {
    sandbox::test("services::tftp::atftp_reads_with_large_blocks_and_windows", || {
        let cluster = rack_with_a_large_file()?;
        let node = &cluster.nodes[0];
        let to = node.root.with_file_name("file");
        transfer::atftp(&node.host, SN1, &[], SCRIPT, &to)?;
        assert!(fs::read_to_string(&to)?.starts_with("#!ipxe\n#netboot debian12"));
        for (options, accepted) in [
            (["blksize 1428", "tsize 0"], ["blksize: 1428", "tsize: 33554432"]),
            (["blksize 1428", "windowsize 16"], ["blksize: 1428", "windowsize: 16"]),
        ] {
            let trace = transfer::atftp(&node.host, SN1, &options, "large", &to)?;
            let reply = trace.lines().find(|line| line.starts_with("received OACK")).unwrap_or_default();
            assert!(accepted.iter().all(|option| reply.contains(option)), "{reply}");
            assert!(is_whole(&to)?, "{options:?}");
        }
        Ok(())
    });
}

/// curl refuses a server that does not answer the options it asked for.
#[test]
fn curl_reads_with_the_block_size_that_it_asks_for() {
    sandbox::test("services::tftp::curl_reads_with_the_block_size_that_it_asks_for", || {
        let cluster = rack_with_a_large_file()?;
        let node = &cluster.nodes[0];
        let to = node.root.with_file_name("file");
        for size in ["8", "1468", "65464"] {
            let path = if size == "8" { SCRIPT } else { "large" };
            let url = format!("tftp://{SN1}/{path}");
            transfer::http_file(&node.host, &url, &["--tftp-blksize", size], &to)?;
            assert!(size == "8" || is_whole(&to)?, "{size}");
        }
        Ok(())
    });
}

#[test]
fn a_boot_file_is_for_its_own_node() {
    sandbox::test("services::tftp::a_boot_file_is_for_its_own_node", || {
        let cluster = booted_rack(2)?;
        let [node, other] = [&cluster.nodes[0], &cluster.nodes[1]];
        assert_eq!(refusal(node, SCRIPT)?, None);
        assert!(refusal(other, SCRIPT)?.is_some_and(|said| said.contains("file not found")));
        let to = node.root.with_file_name("file");
        transfer::tftp(&node.host, SN1, SCRIPT, &to)?;
        assert!(!fs::read_to_string(&to)?.contains("drover.token="), "a secret by TFTP");
        Ok(())
    });
}

/// What the client says when a file is refused.
fn refusal(node: &Node, path: &str) -> Result<Option<String>> {
    let to = node.root.with_file_name("refused");
    Ok(transfer::tftp(&node.host, SN1, path, &to).err().map(|error| error.to_string()))
}

#[test]
fn what_is_not_served_is_an_error_at_once() {
    sandbox::test("services::tftp::what_is_not_served_is_an_error_at_once", || {
        let cluster = booted_rack(1)?;
        let node = &cluster.nodes[0];
        let outside = cluster.service_nodes[0].dir.join("secret");
        fs::write(&outside, "a secret")?;
        let absolute = outside.to_string_lossy().into_owned();
        let dots = "../".repeat(12) + absolute.trim_start_matches('/');
        for path in ["nothing", "xcat/xnba/nodes/n009", "..", "../secret", &absolute, &dots, "/etc/hostname"]
        {
            let said = refusal(node, path)?.ok_or_else(|| format!("{path} was served"))?;
            assert!(said.contains("file not found"), "{path}: {said}");
        }
        let to = node.root.with_file_name("file");
        let by_atftp = transfer::atftp(&node.host, SN1, &[], &dots, &to);
        assert!(by_atftp.is_err(), "atftp read it");
        let url = format!("tftp://{SN1}//{dots}");
        assert!(transfer::http_file(&node.host, &url, &["--path-as-is"], &to).is_err(), "curl read it");
        Ok(())
    });
}

#[test]
fn nothing_can_be_written() {
    sandbox::test("services::tftp::nothing_can_be_written", || {
        let cluster = booted_rack(1)?;
        let node = &cluster.nodes[0];
        let file = node.root.with_file_name("mine");
        fs::write(&file, "mine")?;
        for path in ["mine", "xcat/osimage/demo/vmlinuz"] {
            let said = transfer::tftp_put(&node.host, SN1, &file, path).err().map(|error| error.to_string());
            assert!(said.is_some_and(|said| said.contains("this server takes no files")), "{path}");
        }
        assert!(refusal(node, "mine")?.is_some());
        let atftp = Run::new("atftp").args(["--put", "--remote-file", "mine", "--local-file"]).arg(&file);
        assert_ne!(atftp.arg(SN1.to_string()).on(&node.host)?.status, 0);
        Ok(())
    });
}
