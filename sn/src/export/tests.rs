use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use common::id::Digest;
use common::slice::{Entry, Key, Slice};
use sn_proto::export::Plan;
use sn_proto::export::render::KernelExport;

use super::*;
use crate::config::NfsBackend;
use crate::{content, testing};

async fn apply_to(dir: &Path, slice: &Slice) -> Applied {
    let config = Config { nfs: NfsBackend::None, ..Config::new(dir.to_owned()) };
    apply::apply(&config, Arc::new(Plan::build(slice).unwrap())).await.unwrap()
}

fn exported(dir: &Path) -> Slice {
    let mut slice = testing::slice();
    testing::put_export(&mut slice, "/install", "install", false);
    testing::put_export(&mut slice, "/state", "state", true);
    testing::put_file(&mut slice, dir, "install/a/kernel", b"kernel");
    testing::put_file(&mut slice, dir, "state/config", b"default");
    testing::put_file(&mut slice, dir, "tftpboot/other", b"other");
    slice
}

fn text(dir: &Path, path: &str) -> Option<String> {
    fs::read_to_string(dir.join(path)).ok()
}

#[tokio::test]
async fn the_tree_shows_the_exported_files_and_ganesha_is_told() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    assert_eq!(apply_to(dir, &exported(dir)).await.missing, 0);
    assert_eq!(text(dir, "tree/install/a/kernel").as_deref(), Some("kernel"));
    assert_eq!(text(dir, "tree/state/config").as_deref(), Some("default"));
    assert!(!dir.join("tree/tftpboot").exists());
    let inode = |path: &Path| fs::metadata(path).unwrap().ino();
    let kernel = content::path(dir, &Digest::of(b"kernel"));
    assert_eq!(inode(&dir.join("tree/install/a/kernel")), inode(&kernel), "it takes no room");
    let config = content::path(dir, &Digest::of(b"default"));
    assert_ne!(inode(&dir.join("tree/state/config")), inode(&config), "clients may write it");
    assert!(text(dir, "nfs/exports.conf").unwrap().contains("Pseudo = \"/install\";"));
    let main = text(dir, "nfs/ganesha.conf").unwrap();
    assert!(main.contains(&format!("%include \"{}/nfs/exports.conf\"", dir.display())));
}

#[tokio::test]
async fn scripts_may_be_run_and_data_may_not() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let mut slice = exported(dir);
    let run = |slice: &mut Slice, path: &str, executable: bool| {
        let path: common::slice::FilePath = path.parse().unwrap();
        let Some(Entry::File(file)) = slice.entry(&Key::File(path)).cloned() else { panic!() };
        slice.put(Entry::File(common::slice::File { executable, ..file })).unwrap();
    };
    let mode = |path: &str| fs::metadata(dir.join(path)).unwrap().mode() & 0o777;
    testing::put_file(&mut slice, dir, "install/post.sh", b"#!/bin/sh");
    run(&mut slice, "install/post.sh", true);
    apply_to(dir, &slice).await;
    assert_eq!((mode("tree/install/post.sh"), mode("tree/install/a/kernel")), (0o555, 0o444));
    assert_eq!(mode("tree/state/config"), 0o644);

    // A change of the mode alone leaves what clients wrote.
    fs::write(dir.join("tree/state/config"), "mine").unwrap();
    run(&mut slice, "state/config", true);
    run(&mut slice, "install/post.sh", false);
    apply_to(dir, &slice).await;
    assert_eq!((mode("tree/install/post.sh"), mode("tree/state/config")), (0o444, 0o755));
    assert_eq!(text(dir, "tree/state/config").as_deref(), Some("mine"));
}

#[tokio::test]
async fn what_is_gone_from_the_slice_goes_and_what_clients_wrote_stays() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let mut slice = exported(dir);
    apply_to(dir, &slice).await;
    fs::write(dir.join("tree/state/config"), "mine").unwrap();
    fs::write(dir.join("tree/state/new"), "mine too").unwrap();
    apply_to(dir, &slice).await;
    assert_eq!(text(dir, "tree/state/config").as_deref(), Some("mine"), "not served over");

    testing::put_file(&mut slice, dir, "state/config", b"new default");
    slice.remove(&Key::File("install/a/kernel".parse().unwrap()));
    apply_to(dir, &slice).await;
    assert_eq!(text(dir, "tree/state/config").as_deref(), Some("new default"));
    assert!(dir.join("tree/install").exists() && !dir.join("tree/install/a").exists());

    slice.remove(&Key::Export("/install".to_owned()));
    slice.remove(&Key::Export("/state".to_owned()));
    apply_to(dir, &slice).await;
    assert!(!dir.join("tree/state/config").exists());
    assert_eq!(text(dir, "tree/state/new").as_deref(), Some("mine too"));
    assert!(!text(dir, "nfs/exports.conf").unwrap().contains("EXPORT"));
}

#[tokio::test]
async fn content_that_comes_later_is_placed_later() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let slice = exported(dir);
    let kernel = content::path(dir, &Digest::of(b"kernel"));
    fs::remove_file(&kernel).unwrap();
    assert_eq!(apply_to(dir, &slice).await.missing, 1);
    fs::write(&kernel, b"kernel").unwrap();
    assert_eq!(apply_to(dir, &slice).await.missing, 0);
    assert_eq!(text(dir, "tree/install/a/kernel").as_deref(), Some("kernel"));
}

#[tokio::test]
async fn no_link_leads_out_of_the_tree() {
    let (dir, outside) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let dir = dir.path();
    let slice = exported(dir);
    fs::create_dir(dir.join("tree")).unwrap();
    std::os::unix::fs::symlink(outside.path(), dir.join("tree/install")).unwrap();
    let config = Config { nfs: NfsBackend::None, ..Config::new(dir.to_owned()) };
    let refused = apply::apply(&config, Arc::new(Plan::build(&slice).unwrap())).await.unwrap_err();
    assert!(refused.to_string().contains("is no folder"), "{refused}");
    assert_eq!(fs::read_dir(outside.path()).unwrap().count(), 0);
}

#[tokio::test]
async fn an_administrator_s_own_main_configuration_is_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    apply_to(dir, &exported(dir)).await;
    fs::write(dir.join("nfs/ganesha.conf"), "mine").unwrap();
    apply_to(dir, &exported(dir)).await;
    assert_eq!(text(dir, "nfs/ganesha.conf").as_deref(), Some("mine"));
}

#[test]
fn a_process_that_is_not_ganesha_is_never_signalled() {
    let dir = tempfile::tempdir().unwrap();
    let pid_file = dir.path().join("pid");
    fs::write(&pid_file, format!("{}\n", std::process::id())).unwrap();
    let backend = NfsBackend::Ganesha { pid_file: pid_file.clone() };
    let refused = Server::find(&backend, dir.path()).unwrap_err().to_string();
    assert!(refused.contains("does not run") && refused.contains("ganesha.nfsd -f"), "{refused}");
}

/// An `exportfs` that writes down how it is called, and refuses what it is told to unexport.
fn recording_exportfs(dir: &Path) -> std::path::PathBuf {
    use std::os::unix::fs::PermissionsExt as _;
    let (program, calls) = (dir.join("exportfs"), dir.join("calls"));
    let script = format!("#!/bin/sh\necho \"$@\" >> {}\n[ \"$1\" != -u ]\n", calls.display());
    fs::write(&program, script).unwrap();
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
    program
}

#[tokio::test]
async fn the_kernel_is_told_what_came_and_what_went() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let (program, list) = (recording_exportfs(dir), dir.join("kernel"));
    let export = |what: &str| KernelExport { what: what.to_owned(), options: "ro,fsid=1".to_owned() };
    let (old, new) = (export("10.0.0.0/24:/d/old"), export("10.0.0.0/24:/d/new"));
    server::tell_kernel(&program, &list, std::slice::from_ref(&old)).await.unwrap();
    // Refused, as after a restart of the machine: it is gone, and that is what is wanted.
    server::tell_kernel(&program, &list, std::slice::from_ref(&new)).await.unwrap();
    let calls = text(dir, "calls").unwrap();
    let want =
        ["-o ro,fsid=1 10.0.0.0/24:/d/old", "-o ro,fsid=1 10.0.0.0/24:/d/new", "-u 10.0.0.0/24:/d/old"];
    assert_eq!(calls.lines().collect::<Vec<_>>(), want);
    assert_eq!(text(dir, "kernel").unwrap(), "10.0.0.0/24:/d/new\n");
}
