//! The configuration of ISC's `dhcpd`: reservations become nodes, subnets networks.
//!
//! A `host` is the node of its `option host-name`, else of its own name; several of one node are its
//! interfaces. What a group, a shared network or the whole file sets is inherited as `dhcpd` does,
//! wherever in its block it stands. Boot files are chosen here by the node's `netboot`, which is
//! guessed from `filename`; expressions, classes and lease times are told and not taken.

mod parse;
mod take;

pub use self::parse::includes;
use self::take::Taker;
use crate::exchange::incoming::Reading;
use crate::model::Model;

/// Reads the first file and what it includes of the others.
pub(crate) fn read(model: &Model, files: &[(String, String)]) -> Reading {
    let mut taker = Taker::new(model, files);
    if let Some((name, _)) = files.first() {
        taker.file(name);
    }
    taker.finish()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exchange::format::shown;
    use crate::fixture;
    use proptest::prelude::*;

    #[test]
    fn hosts_and_subnets_are_taken_with_what_they_inherit() {
        let main = r#"
authoritative;  # of all
default-lease-time 600;
option domain-name "cluster.test";
option domain-name-servers 10.0.0.1, 10.0.0.2;
omapi-port 7911;
shared-network rack1 {
  subnet 10.0.0.0 netmask 255.255.255.0 {
    range 10.0.0.200 10.0.0.250;
    option routers 10.0.0.254;
    next-server 10.0.0.1;
    pool { allow members of "pxe"; range dynamic-bootp 10.0.0.100 10.0.0.110; }
  }
}
class "pxe" { match if substring(option vendor-class-identifier, 0, 9) = "PXEClient"; }
group {
  host n1 { hardware ethernet 52:54:00:AA:00:01; fixed-address 10.0.0.11; }
  host n1-eth1 { option host-name "n1"; hardware ethernet 52:54:00:aa:00:11; fixed-address 10.0.0.12; }
  filename "undionly.kpxe"; next-server 10.0.0.3;
}
include "more.conf";
include "gone.conf";
host n3 { hardware infiniband 00:11; fixed-address n3.cluster.test; }
subnet6 fd00::/64 { }
"#;
        let more = "host n2 { fixed-address 10.0.0.13, 10.1.0.13; hardware ethernet 52:54:00:aa:00:02 }\nhost n4 { hardware ethernet 52:54:00:aa:00:04; deny booting; }\ninclude \"dhcpd.conf\";";
        let files = [("dhcpd.conf".to_owned(), main.to_owned()), ("more.conf".to_owned(), more.to_owned())];
        insta::assert_snapshot!(shown(&read(&fixture::model(""), &files)), @r"
        dhcpd.conf:8 network 10_0_0_0-255_255_255_0: net=10.0.0.0 mask=255.255.255.0 gateway=10.0.0.254 nameservers=10.0.0.1,10.0.0.2 domain=cluster.test tftpserver=10.0.0.1 dynamicrange=10.0.0.200-10.0.0.250,10.0.0.100-10.0.0.110
        dhcpd.conf:17 node n1: ip=10.0.0.11 mac=52:54:00:aa:00:01|52:54:00:aa:00:11!n1-eth1 netboot=xnba otherinterfaces=n1-eth1:10.0.0.12 tftpserver=10.0.0.3
        more.conf:1 node n2: ip=10.0.0.13 mac=52:54:00:aa:00:02
        more.conf:2 node n4: mac=52:54:00:aa:00:04
        dhcpd.conf:23 node n3: 
        not more.conf:1: n2: 10.1.0.13: its address is 10.0.0.13; dhcpd chose by the network, give the others to nics
        not more.conf:3: include dhcpd.conf: it includes itself
        not dhcpd.conf:22: include gone.conf: the file could not be read
        not dhcpd.conf:23: n3: hardware infiniband 00:11: only Ethernet is served
        not dhcpd.conf:23: n3: n3.cluster.test: a name in the place of an address is not looked up
        not dhcpd.conf:12: allow members: it means nothing here (1 times)
        not dhcpd.conf:2: authoritative: it means nothing here (1 times)
        not dhcpd.conf:15: class: it means nothing here (1 times)
        not dhcpd.conf:3: default-lease-time: it means nothing here (1 times)
        not more.conf:2: deny booting: it means nothing here (1 times)
        not dhcpd.conf:6: omapi-port: it means nothing here (1 times)
        not dhcpd.conf:24: subnet6: it means nothing here (1 times)
        ");
    }

    #[test]
    fn a_network_that_is_here_keeps_its_name() {
        let model = fixture::model("networks 10.0.0.0/255.255.255.0 netname=mgt");
        let text = "subnet 10.0.0.0 netmask 255.255.255.0 { option routers 10.0.0.254; }";
        let reading = read(&model, &[("f".to_owned(), text.to_owned())]);
        assert_eq!(reading.incoming[0].subject.to_string(), "mgt");
    }

    #[test]
    fn deep_nesting_and_includes_of_each_other_end() {
        let deep = "group {".repeat(100_000);
        assert!(!read(&fixture::model(""), &[("f".to_owned(), deep)]).faults.is_empty());
        let text = "include \"f\"; include \"g\"; include \"g\";".to_owned();
        let files = [("f".to_owned(), text.clone()), ("g".to_owned(), text)];
        assert!(read(&fixture::model(""), &files).incoming.is_empty());
    }

    proptest! {
        #[test]
        fn reading_never_panics(text in "(host|subnet|group|range|option|hardware ethernet|fixed-address|include|\"|[a-z0-9.:]{1,5}|[{};,# \n\\\\]){0,80}") {
            let _ = read(&fixture::model(""), &[("f".to_owned(), text)]);
        }
    }
}
