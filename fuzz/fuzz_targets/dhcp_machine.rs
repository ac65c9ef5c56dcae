//! Any datagrams in any order; an answer never leaves from an address that is not ours.
#![no_main]

use std::sync::{Arc, LazyLock};

use libfuzzer_sys::fuzz_target;
use sn_proto::dhcp::lease::Table;
use sn_proto::dhcp::machine::{Action, Address, Event, Machine, Packet, Ports};
use sn_proto::dhcp::view::View;

static VIEW: LazyLock<Arc<View>> =
    LazyLock::new(|| Arc::new(View::build(&fuzz::slice()).expect("the fixture is whole")));

fuzz_target!(|packets: Vec<(u32, bool, &[u8])>| {
    let mut machine = Machine::new(Ports { server: 67, client: 68 }, Table::default());
    let mut actions = Vec::new();
    let net = "10.0.0.250/24".parse().expect("a network");
    machine.handle(0, Event::View(Arc::clone(&VIEW)), &mut actions);
    let address = Address { interface: "eth0".to_owned(), index: 2, net };
    machine.handle(0, Event::Addresses(vec![address]), &mut actions);
    let mut now = 0;
    for (later, broadcast, bytes) in packets {
        now += u64::from(later);
        let to = if broadcast { [255; 4].into() } else { fuzz::SERVER };
        for bytes in [bytes, &fuzz::dhcp_request(bytes)] {
            machine.handle(now, Event::Packet(Packet { bytes, to, interface: 2 }), &mut actions);
        }
    }
    for action in actions {
        if let Action::Send(datagram) = action {
            assert_eq!(datagram.source, fuzz::SERVER);
        }
    }
});
