//! The commands that write and read columns of nodes, by their names on PATH: what they print, on
//! which stream, and how they end.

use tests::cluster::Cluster;
use tests::{Result, sandbox};

/// A management node with four nodes.
fn management_node() -> Result<Cluster> {
    let mut cluster = Cluster::lay(0, 0)?;
    cluster.start_mn()?;
    cluster.ok("nodeadd n[1-4] groups=all,compute")?;
    Ok(cluster)
}

/// Types each line; says which end otherwise than they should: status, standard output, and what
/// standard error begins with.
fn each(cluster: &Cluster, lines: &[(&str, i32, &str, &str)]) -> Result<()> {
    let mut wrong = String::new();
    for (line, status, out, err) in lines {
        let ended = cluster.shell(&cluster.mn, line)?;
        let is_said = if err.is_empty() { ended.err.is_empty() } else { ended.err.starts_with(err) };
        if (ended.status, ended.out.trim_end()) != (*status, *out) || !is_said {
            wrong.push_str(&format!("{line}\n  wanted {status}, {out:?}, {err:?}\n  got {ended:?}\n"));
        }
    }
    if wrong.is_empty() { Ok(()) } else { Err(wrong.into()) }
}

#[test]
fn columns_are_written_and_read_as_in_xcat() {
    sandbox::test("nodes::columns_are_written_and_read_as_in_xcat", || {
        let cluster = management_node()?;
        each(
            &cluster,
            &[
                ("nodels n1-n4", 0, "n1\nn2\nn3\nn4", ""),
                ("nodech n1,n2 groups,=rack1 nodehm.mgt=ipmi", 0, "", ""),
                ("nodels rack1 groups", 0, "n1: rack1,all,compute\nn2: rack1,all,compute", ""),
                ("nodech n2 groups^=rack1", 0, "", ""),
                ("nodels all mgt==ipmi", 0, "n1\nn2", ""),
                ("nodels n1 mgt groups", 0, "n1: mgt: ipmi\nn1: groups: rack1,all,compute", ""),
                ("nodegrpch compute nodehm.mgt=bmc", 0, "", ""),
                ("nodels n1 mgt -b", 0, "n1: bmc (inherited from group compute)", ""),
                ("nodech n1 nodehm.mgt=", 0, "", ""),
                ("nodels n1-n2 mgt", 0, "n1: \nn2: bmc", ""),
                ("tabgrep n1", 0, "nodehm\nnodelist", ""),
                ("nodech -d n1 nodehm", 0, "", ""),
                ("nodels n1 mgt", 0, "n1: bmc", ""),
                ("noderm n3-n4", 0, "", ""),
                ("noderange compute -a", 0, "n[1-2]", ""),
                ("gennr x[1-2],compute", 0, "n1\nn2\nx1\nx2", ""),
                ("XCAT_NODE_PREFIX=n noderange 1-2 --count", 0, "2", ""),
            ],
        )
    });
}

#[test]
fn what_is_wrong_ends_as_in_xcat_and_changes_nothing() {
    sandbox::test("nodes::what_is_wrong_ends_as_in_xcat_and_changes_nothing", || {
        let cluster = management_node()?;
        let before = cluster.ok("tabdump nodelist")?;
        each(
            &cluster,
            &[
                ("nodech n1,n9 groups=x", 1, "", "Error: Invalid nodes and/or groups in noderange: n9\n"),
                ("noderm n1,n9", 1, "", "Error: Invalid nodes and/or groups in noderange: n9\n"),
                ("updatenode n9 -F", 1, "", "Error: Invalid nodes and/or groups in noderange: n9\n"),
                ("updatenode n1 -fF", 1, "", "Choose either -f to sync the service nodes"),
                ("nodeset n1 foo", 1, "", "Error: ["),
                ("nodeset n1 osimage", 1, "", "n1: ["),
                ("chtab node=n1 hosts.ip=", 0, "", ""),
                ("tabgrep -h | grep -c Usage", 0, "1", ""),
                ("nodech n1 groups-=x | cat", 0, "", "Error: ["),
                ("nodech n1 nosuch.x=1 groups=x", 1, "", "Error: ["),
                ("nodech -d n1 nodelist.groups", 1, "", "Error: ["),
                ("nodegrpch compute groups=x", 1, "", "Error: ["),
                ("nodeadd n9 nodehm.mgt=ipmi", 1, "", "Error: ["),
                ("noderm all --max-nodes 3", 1, "", "Error: the noderange means 4 nodes, more than the 3"),
                ("DROVER_MAX_NODES=3 nodech all groups=x", 1, "", "Error: the noderange means 4 nodes"),
                ("nodech n1 groups=x --dry-run | head -1", 0, "n1: groups: all,compute -> x", ""),
            ],
        )?;
        for line in [
            "nodech",
            "nodech n1",
            "nodeadd",
            "nodegrpch",
            "noderm",
            "tabgrep",
            "gennr",
            "nodestat",
            "lsxcatd",
        ] {
            let ended = cluster.shell(&cluster.mn, line)?;
            let is_usage = ended.out.contains(&format!("Usage: {}", line.split(' ').next().unwrap_or(line)));
            assert!(ended.status == 1 && is_usage, "{line}: {ended:?}");
        }
        assert_eq!(cluster.ok("tabdump nodelist")?, before);
        Ok(())
    });
}

#[test]
fn nodes_are_asked_and_what_they_say_is_kept() {
    sandbox::test("nodes::nodes_are_asked_and_what_they_say_is_kept", || {
        let cluster = management_node()?;
        // Nothing listens on the one, which says so; there is no way to the other.
        cluster.ok("nodech n1 hosts.ip=127.0.0.7")?;
        cluster.ok("nodech n2 hosts.ip=203.0.113.9")?;
        each(
            &cluster,
            &[
                ("nodestat n1,n2 -u", 0, "n1: ping\nn2: noping", ""),
                ("nodels n1,n2 nodelist.status", 0, "n1: ping\nn2: noping", ""),
                ("nodestat n1 --known", 0, "n1: noping", ""),
                ("nodestat n9", 1, "", "Error: Invalid nodes and/or groups in noderange: n9\n"),
                ("lsxcatd -t", 0, "This is a Management Node", ""),
                ("lsxcatd -d", 0, "dbengine=SQLite", ""),
            ],
        )?;
        assert!(cluster.ok("lsxcatd -v")?.starts_with("Version "));
        assert!(cluster.ok("lsmn")?.contains("nodes            5 in 3 groups"), "{}", cluster.ok("lsmn")?);
        Ok(())
    });
}
