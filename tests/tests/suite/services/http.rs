//! HTTP: boot scripts and kernels, as curl fetches them.

use std::fs;

use tests::client::transfer::{self, Answer};
use tests::cluster::Node;
use tests::net::Host;
use tests::stage::kernel;
use tests::{Result, sandbox};

use super::{SN1, booted_rack};

const KERNEL: &str = "tftpboot/xcat/osimage/demo/vmlinuz";

fn ask(host: &Host, path: &str, words: &[&str]) -> Result<Answer> {
    transfer::http(host, &format!("http://{SN1}/{path}"), words)
}

fn code(node: &Node, path: &str, words: &[&str]) -> Result<u16> {
    Ok(ask(&node.host, path, words)?.code)
}

#[test]
fn a_boot_script_is_for_its_own_node() {
    sandbox::test("services::http::a_boot_script_is_for_its_own_node", || {
        let cluster = booted_rack(2)?;
        let [node, other] = [&cluster.nodes[0], &cluster.nodes[1]];
        let script = node.script(SN1)?;
        assert_eq!(script.kernel, Some(format!("http://{SN1}/{KERNEL}")));
        assert!(script.text.starts_with("#!ipxe\n") && script.token.is_some(), "{}", script.text);
        assert_eq!(code(other, "tftpboot/xcat/xnba/nodes/n001", &[])?, 404);
        assert_ne!(other.script(SN1)?.token, script.token);
        Ok(())
    });
}

#[test]
fn firmware_in_a_dynamic_range_reads_a_script_without_the_secret() {
    sandbox::test("services::http::firmware_in_a_dynamic_range_reads_a_script_without_the_secret", || {
        let cluster = booted_rack(1)?;
        let guest = cluster.guest("firmware", None, Some([10, 77, 200, 7].into()))?;
        let script = ask(&guest.host, "tftpboot/xcat/xnba/nodes/n001", &[])?;
        assert_eq!(script.code, 200);
        assert!(script.body.contains(KERNEL) && !script.body.contains("drover.token="), "{}", script.body);
        Ok(())
    });
}

#[test]
fn a_kernel_comes_whole_in_parts_and_resumed() {
    sandbox::test("services::http::a_kernel_comes_whole_in_parts_and_resumed", || {
        let cluster = booted_rack(1)?;
        let node = &cluster.nodes[0];
        let (url, want) = (format!("http://{SN1}/{KERNEL}"), kernel());
        let fetch = |words: &[&str], name: &str| -> Result<Vec<u8>> {
            let to = node.root.with_file_name(name);
            transfer::http_file(&node.host, &url, words, &to)?;
            Ok(fs::read(to)?)
        };
        assert!(fetch(&[], "whole")? == want);
        let (size, last) = (want.len(), want.len() - 1);
        for (range, part) in [("0-0", 0..1), ("1000-1999", 1000..2000), ("-500", size - 500..size)] {
            assert!(fetch(&["-r", range], "part")? == want[part], "{range}");
        }
        fs::write(node.root.with_file_name("resumed"), &want[..123_457])?;
        assert!(fetch(&["-C", "-"], "resumed")? == want);
        let part = ask(&node.host, KERNEL, &["-r", "1000-1999", "-o", "/dev/null", "-D", "-"])?;
        assert_eq!((part.code, part.header("content-range")), (206, &*format!("bytes 1000-1999/{size}")));
        let beyond = ask(&node.host, KERNEL, &["-r", &format!("{}-", last + 1)])?;
        assert_eq!((beyond.code, beyond.header("content-range")), (416, &*format!("bytes */{size}")));
        Ok(())
    });
}

#[test]
fn a_head_has_the_length_and_no_body() {
    sandbox::test("services::http::a_head_has_the_length_and_no_body", || {
        let cluster = booted_rack(1)?;
        let node = &cluster.nodes[0];
        let head = ask(&node.host, KERNEL, &["-I"])?;
        assert_eq!((head.code, head.body.trim()), (200, ""));
        assert_eq!(head.header("content-length"), kernel().len().to_string());
        assert_eq!(head.header("accept-ranges"), "bytes");
        Ok(())
    });
}

#[test]
fn what_a_client_has_already_is_not_sent_again() {
    sandbox::test("services::http::what_a_client_has_already_is_not_sent_again", || {
        let cluster = booted_rack(1)?;
        let node = &cluster.nodes[0];
        let tag = ask(&node.host, KERNEL, &["-I"])?.header("etag").to_owned();
        assert_eq!(code(node, KERNEL, &["-H", &format!("If-None-Match: {tag}")])?, 304);
        let script = "tftpboot/xcat/xnba/nodes/n001";
        let has = format!("If-None-Match: {}", ask(&node.host, script, &[])?.header("etag"));
        assert_eq!(code(node, script, &["-H", &has])?, 304);
        cluster.ok("nodeset n001 boot")?;
        assert_eq!(code(node, script, &["-H", &has])?, 200, "the script is another now");
        Ok(())
    });
}

#[test]
fn who_asks_for_too_much_is_refused() {
    sandbox::test("services::http::who_asks_for_too_much_is_refused", || {
        let cluster = booted_rack(1)?;
        let node = &cluster.nodes[0];
        fs::write(cluster.service_nodes[0].dir.join("secret"), "a secret")?;
        for (path, words, want) in [
            ("tftpboot/nothing", &[][..], 404),
            ("", &[], 404),
            ("tftpboot/", &[], 404),
            ("../secret", &["--path-as-is"], 404),
            ("tftpboot/%2e%2e/%2e%2e/secret", &["--path-as-is"], 404),
            ("tftpboot/%zz", &[], 400),
            (KERNEL, &["-X", "DELETE"], 405),
            (KERNEL, &["-T", "/dev/null"], 405),
        ] {
            assert_eq!(code(node, path, words)?, want, "{path} {words:?}");
        }
        let foreigner = cluster.foreigner()?;
        assert_eq!(ask(&foreigner.host, KERNEL, &[])?.code, 403);
        Ok(())
    });
}
