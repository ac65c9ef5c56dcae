//! The harness holds what the other tests stand on.

use std::time::Duration;

use tests::client::dhcp::{self, Firmware};
use tests::net::{Plan, rack};
use tests::process::Run;
use tests::sandbox;

fn plans(names: &[&str]) -> Vec<Plan> {
    let plan = |(last, name): (u8, &&str)| Plan {
        name: (*name).to_owned(),
        mac: None,
        addresses: vec![([10, 9, 0, last].into(), 24)],
    };
    (1..).zip(names).map(plan).collect()
}

#[test]
fn hosts_reach_each_other_and_nobody_else() {
    sandbox::test("harness::hosts_reach_each_other_and_nobody_else", || {
        let hosts = rack("rack", &plans(&["a", "b"]))?;
        let ping = |to: &str| Run::new("busybox").args(["ping", "-c", "1", "-W", "1", to]).on(&hosts[0]);
        assert_eq!(ping("10.9.0.2")?.status, 0);
        assert_ne!(ping("192.0.2.1")?.status, 0, "there is no way out");
        Ok(())
    });
}

#[test]
fn a_network_without_a_server_offers_nothing() {
    sandbox::test("harness::a_network_without_a_server_offers_nothing", || {
        let hosts = rack("rack", &plans(&["a"]))?;
        let mac = "02:00:00:00:00:09".parse()?;
        assert_eq!(dhcp::offers(&hosts[0], mac, &Firmware::default(), Duration::from_millis(100))?, []);
        Ok(())
    });
}
