//! Definitions in and out: `export`, `apply` and `import` by their names on PATH, and what is there
//! when one of them is killed.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tests::cluster::Cluster;
use tests::{Result, sandbox};

/// How many nodes an import that is killed would make: enough that it takes a while.
const NODES: usize = 3000;

/// A management node, and a folder for the files of a test.
fn management_node() -> Result<(Cluster, PathBuf)> {
    let mut cluster = Cluster::lay(0, 0)?;
    cluster.start_mn()?;
    let folder = cluster.mn_dir().with_extension("files");
    fs::create_dir_all(&folder)?;
    Ok((cluster, folder))
}

/// Tables as `dumpxCATdb` writes them.
fn dump(folder: &Path) -> Result<()> {
    let mut tables = ["#node,groups\n", "#node,ip\n", "#node,mac\n"].map(str::to_owned);
    for n in 1..=NODES {
        let [nodes, hosts, macs] = &mut tables;
        writeln!(nodes, "\"n{n}\",\"all,compute\"")?;
        writeln!(hosts, "\"n{n}\",\"10.77.{}.{}\"", n / 200, n % 200 + 1)?;
        writeln!(macs, "\"n{n}\",\"52:54:00:77:{:02x}:{:02x}\"", n >> 8, n & 255)?;
    }
    for (name, text) in ["nodelist", "hosts", "mac"].iter().zip(&tables) {
        fs::write(folder.join(format!("{name}.csv")), text)?;
    }
    Ok(())
}

/// How many of the imported nodes there are: none or all, with all of their tables.
fn imported(cluster: &Cluster) -> Result<bool> {
    let counts = ["nodelist", "hosts", "mac"].map(|table| {
        let rows = cluster.ok(&format!("tabdump {table}"))?;
        Ok::<_, tests::Error>(rows.lines().filter(|line| line.starts_with("\"n")).count())
    });
    let mut counts = counts.into_iter().collect::<Result<Vec<_>>>()?;
    counts.dedup();
    match counts.as_slice() {
        [0] => Ok(false),
        [NODES] => Ok(true),
        other => Err(format!("half an import: {other:?}").into()),
    }
}

#[test]
fn what_is_exported_is_applied_elsewhere_and_exports_the_same() {
    sandbox::test("exchange::what_is_exported_is_applied_elsewhere_and_exports_the_same", || {
        let (cluster, folder) = management_node()?;
        let first = folder.join("first").display().to_string();
        cluster.ok("mkdef n[1-3] groups=all,compute mgt=ipmi")?;
        cluster.ok("chdef n[1-2] bmcpassword=hidden")?;
        cluster.ok("chdef n2 usercomment=a|b=c")?;
        cluster.ok("nodech n1 switch.switch=sw1 switch.port=3")?;
        let run = |line: &str| {
            let ended = cluster.shell(&cluster.mn, line)?;
            assert_eq!(ended.status, 0, "{line}: {ended:?}");
            Ok::<_, tests::Error>(ended.out)
        };
        run(&format!("env export > {first}"))?;
        let text = fs::read_to_string(&first)?;
        assert!(!text.contains("hidden") && text.contains("    bmcpassword=<secret>\n"), "{text}");
        assert_eq!(run(&format!("apply {first} | cut -d, -f1,2"))?, "0 created, 0 changed\n");
        run("rmdef n3; chdef n1 groups=all")?;
        let dry = run(&format!("apply --dry-run {first}"))?;
        assert!(
            dry.contains("n1: groups: all -> all,compute\n") && dry.contains("1 created, 1 changed"),
            "{dry}"
        );
        run(&format!("apply - < {first}"))?;
        assert_eq!(run("env export")?, text);
        assert!(run("lsdef n2 -i bmcpassword -c")?.contains("hidden"), "a secret that is not told stays");
        Ok(())
    });
}

#[test]
fn an_import_whose_daemon_is_killed_is_whole_or_not_there() {
    sandbox::test("exchange::an_import_whose_daemon_is_killed_is_whole_or_not_there", || {
        let (mut cluster, folder) = management_node()?;
        dump(&folder)?;
        let line = format!("import xcat {}", folder.display());
        // Ever later in its life, until one is through.
        for round in 0..40_u64 {
            let status = cluster.kill_during(&line, Duration::from_millis(20 * (round + 1)))?.status;
            let is_there = imported(&cluster)?;
            assert!(is_there || status != 0, "what was answered as done is there");
            if is_there {
                return Ok(());
            }
        }
        cluster.ok(&line)?;
        assert!(imported(&cluster)?);
        Ok(())
    });
}

#[test]
fn an_import_whose_client_is_killed_is_whole_or_not_there() {
    sandbox::test("exchange::an_import_whose_client_is_killed_is_whole_or_not_there", || {
        let (cluster, folder) = management_node()?;
        dump(&folder)?;
        for round in 0..20 {
            let delay = 0.005 * f64::from(round + 1);
            let line = format!("timeout -s KILL {delay} import xcat {}", folder.display());
            cluster.shell(&cluster.mn, &line)?;
            imported(&cluster)?;
        }
        let ended = cluster.command(&format!("import xcat {}", folder.display()))?;
        assert_eq!(ended.status, 0, "{ended:?}");
        assert!(imported(&cluster)?);
        Ok(())
    });
}
