use super::*;
use crate::fixture::{self, CLUSTER};

fn explained(text: &str, args: &Explain, json: bool) -> (u8, String) {
    let model = fixture::model(&format!("{CLUSTER}\n{text}"));
    let mut context = Context::default();
    context.view.json = json;
    let mut shown = String::new();
    let mut setters = |table: TableId, key: &RowKey, column: &str| {
        (column != "mac").then(|| Setter {
            revision: 7,
            at: 1,
            author: "root".to_owned(),
            command: format!("chdef {key} {table}.{column}"),
        })
    };
    let mut out = |line| match line {
        Line::Out(line) | Line::Err(line) => shown.push_str(&format!("{line}\n")),
        Line::Record(record) => shown.push_str(&format!("{record}\n")),
    };
    let status = answer(&model, args, &context, (&mut setters, &|_| "then".to_owned()), &mut out);
    (status, shown)
}

fn args(kind: &str, objects: &str, attributes: &str) -> Explain {
    Explain {
        kind: kind.to_owned(),
        objects: crate::command::Range::new(objects),
        attributes: crate::model::split(attributes).map(str::to_owned).collect(),
        zone: String::new(),
    }
}

const MORE: &str = "nodelist n17 groups=compute,all\nhosts compute ip=|\\D+(\\d+)|10.0.0.($1)|\n\
    mac n17 mac=52:54:00:00:00:17\nnoderes all servicenode=sn1\nnoderes compute netboot=pxe\n\
    postscripts xcatdefaults postscripts=syslog\npostscripts compute postscripts=gpu\n\
    site nameservers value=10.0.0.53";

#[test]
fn a_secret_is_explained_and_not_shown() {
    let text =
        "ipmi compute username=admin password=geheim\nnodelist n17 groups=compute\nnodehm n17 mgt=ipmi";
    for json in [false, true] {
        let (status, text) = explained(text, &args("", "n17", "bmcpassword,bmcusername"), json);
        assert_eq!(status, 0);
        assert!(text.contains("<secret>") && text.contains("group compute"), "{text}");
        assert!(text.contains("admin") && !text.contains("geheim"), "{text}");
    }
}

#[test]
fn each_value_has_its_source_and_who_set_it() {
    let (status, text) =
        explained(MORE, &args("", "n17", "ip,mac,netboot,postscripts,nameservers,nicips"), false);
    assert_eq!(status, 0);
    insta::assert_snapshot!(text, @r"
    n17 (node)
      ip=10.0.0.17
        from  group compute: hosts.ip of compute
        text  |\D+(\d+)|10.0.0.($1)|  ($1=17)
        set   revision 7, then, root: chdef compute hosts.ip
      mac=52:54:00:00:00:17
        from  its own row: mac.mac of n17
        set   before the history that is kept
      netboot=pxe
        from  group compute: noderes.netboot of compute
        set   revision 7, then, root: chdef compute noderes.netboot
      postscripts=syslog,gpu
        from  row xcatdefaults, for every node: postscripts.postscripts of xcatdefaults
        text  syslog
        set   revision 7, then, root: chdef xcatdefaults postscripts.postscripts
        from  group compute: postscripts.postscripts of compute
        text  gpu
        set   revision 7, then, root: chdef compute postscripts.postscripts
      nameservers=10.0.0.53
        from  the site's nameservers: site.value of nameservers
        set   revision 7, then, root: chdef nameservers site.value
      nicips=
        from  nothing sets it
    ");
}

#[test]
fn records_say_the_same() {
    let (_, text) = explained(MORE, &args("", "n17", "ip"), true);
    insta::assert_snapshot!(text, @r#"{"attribute":"ip","object":"n17","sources":[{"at":1,"author":"root","column":"ip","command":"chdef compute hosts.ip","from":"group compute","groups":["17"],"key":"compute","revision":7,"stored":"|\\D+(\\d+)|10.0.0.($1)|","table":"hosts","time":"then"}],"type":"node","value":"10.0.0.17"}"#);
}

#[test]
fn groups_and_sites_are_explained_too() {
    insta::assert_snapshot!(explained(MORE, &args("group", "compute", "ip,members"), false).1, @r"
    compute (group)
      ip=|\D+(\d+)|10.0.0.($1)|
        from  its own row: hosts.ip of compute
        set   revision 7, then, root: chdef compute hosts.ip
      members=n1,n17,n2,n3,n4
        from  the lists of groups of its members
    ");
    insta::assert_snapshot!(explained(MORE, &args("site", "clustersite", "nameservers"), false).1, @r"
    clustersite (site)
      nameservers=10.0.0.53
        from  its own row: site.value of nameservers
        set   revision 7, then, root: chdef nameservers site.value
    ");
}

#[test]
fn what_is_unknown_is_answered_with_what_is_near() {
    for (kind, object, attribute, words) in [
        ("", "n17x", "ip", "n17"),
        ("", "n17", "netbot", "netboot"),
        ("group", "compte", "ip", "compute"),
        ("grup", "compute", "ip", "group"),
    ] {
        let (status, text) = explained(MORE, &args(kind, object, attribute), false);
        assert!(status == 1 && text.contains(words), "{text}");
    }
}

#[test]
fn what_is_inherited_of_several_rows_names_its_group() {
    let text = format!("{MORE}\nswitch compute/s1/|\\D+(\\d+)|($1)| vlan=7");
    let (_, shown) = explained(&text, &args("node", "n17", "switch,switchport"), false);
    assert!(shown.contains("switch=s1") && shown.contains("switchport=17"), "{shown}");
    assert_eq!(shown.matches("group compute").count(), 2, "{shown}");
}
