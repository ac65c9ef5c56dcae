use dhcproto::v4::{Decodable as _, Decoder, Message};
use proptest::prelude::*;

use super::*;

/// A request with these options, as raw bytes.
fn raw(options: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0; 236];
    bytes[..3].copy_from_slice(&[1, 1, 6]);
    bytes[28..34].copy_from_slice(&[0x52, 0x54, 0, 0, 0, 1]);
    bytes.extend_from_slice(&MAGIC);
    bytes.extend_from_slice(options);
    bytes
}

fn decode(options: &[u8]) -> Request {
    Request::decode(&raw(options)).unwrap()
}

#[test]
fn a_long_hardware_address_is_refused() {
    for hlen in [0, 5, 17, 255] {
        let mut bytes = raw(&[53, 1, 1, 255]);
        bytes[2] = hlen;
        assert_eq!(Request::decode(&bytes), Err(WireError::Hardware));
    }
}

#[test]
fn what_is_not_a_request_is_refused() {
    let mut answer = raw(&[53, 1, 1]);
    answer[0] = 2;
    assert_eq!(Request::decode(&answer), Err(WireError::NotARequest));
    let mut bootp = raw(&[53, 1, 1]);
    bootp[236] = 0;
    assert_eq!(Request::decode(&bootp), Err(WireError::Cookie));
    assert_eq!(Request::decode(&raw(&[])), Err(WireError::Kind));
    assert_eq!(Request::decode(&raw(&[53, 1, 2])), Err(WireError::Kind));
    assert_eq!(Request::decode(&raw(&[])[..239]), Err(WireError::Short));
}

#[test]
fn a_host_name_that_is_no_text_hides_no_other_option() {
    let request = decode(&[12, 2, 0xff, 0xfe, 53, 1, 3, 50, 4, 10, 0, 0, 9, 255]);
    assert_eq!((request.kind, request.requested), (MessageType::Request, Some([10, 0, 0, 9].into())));
}

#[test]
fn options_go_on_in_the_file_field() {
    let mut bytes = raw(&[53, 1, 1, 52, 1, 1, 255]);
    bytes[108..114].copy_from_slice(&[50, 4, 10, 0, 0, 7]);
    assert_eq!(Request::decode(&bytes).unwrap().requested, Some([10, 0, 0, 7].into()));
}

#[test]
fn ipxe_is_known_in_all_its_spellings_and_before_the_firmware() {
    let class = b"\x3c\x09PXEClient";
    for user in [&b"\x4d\x04iPXE"[..], b"\x4d\x05\x04iPXE", b"\xaf\x03\xb1\x01\x01"] {
        let options = [&[53, 1, 1], &class[..], user].concat();
        assert_eq!(decode(&options).program, Program::Ipxe, "{user:?}");
    }
    assert_eq!(decode(&[&[53, 1, 1], &class[..]].concat()).program, Program::Pxe);
    assert_eq!(decode(&[53, 1, 1]).program, Program::System);
}

#[test]
fn a_relay_may_name_the_network_by_another_address() {
    let request = decode(&[53, 1, 1, 82, 9, 1, 1, 7, 5, 4, 10, 9, 0, 0]);
    assert_eq!(request.link(), Some([10, 9, 0, 0].into()));
    assert_eq!(decode(&[53, 1, 1, 82, 4, 5, 9, 1, 2]).link(), None);
}

#[test]
fn what_does_not_fit_is_left_out_and_what_is_sent_back_always_fits() {
    let mut options = vec![53, 1, 1, 61, 100];
    options.extend([7; 100]);
    options.extend([82, 100]);
    options.extend([8; 100]);
    let request = decode(&options);
    assert_eq!(request.limit, 548);
    let mut reply = Reply::new(&request, MessageType::Offer, [10, 0, 0, 1].into());
    assert!(reply.put(60, &[1; 50]));
    assert!(!reply.put(67, &[2; 250]));
    assert!(reply.put(12, b"n1"));
    let bytes = reply.finish(&request);
    assert!(bytes.len() <= 548, "{}", bytes.len());
    let back = DhcpOptionIterator::new(&bytes[240..]).map(|option| u8::from(option.code()));
    assert_eq!(back.collect::<Vec<_>>(), [53, 54, 60, 12, 61, 82]);
}

/// The answer as `dhcproto` would build it: the header field by field, the options in its order.
fn built_by_dhcproto(request: &Request, options: Vec<DhcpOption>) -> Message {
    use dhcproto::v4::{Flags, Opcode};
    let none = Ipv4Addr::UNSPECIFIED;
    let xid = u32::from_be_bytes(request.xid);
    let mut message = Message::new_with_id(xid, none, none, none, request.giaddr, &request.mac.bytes());
    message.set_opcode(Opcode::BootReply).set_flags(Flags::from(request.flags));
    options.into_iter().for_each(|option| drop(message.opts_mut().insert(option)));
    message
}

proptest! {
    #[test]
    fn bytes_from_anywhere_never_panic(bytes: Vec<u8>) {
        let _ = Request::decode(&bytes);
    }

    #[test]
    fn options_from_anywhere_never_panic(mut options in prop::collection::vec(any::<u8>(), 0..400), flip: u8) {
        options.splice(0..0, [53, 1, 1 + flip % 8, 52, 1, flip % 4]);
        if let Ok(request) = Request::decode(&raw(&options)) {
            let _ = request.link();
            let limit = request.limit;
            let reply = Reply::new(&request, MessageType::Ack, Ipv4Addr::LOCALHOST);
            prop_assert!(reply.finish(&request).len() <= limit.max(240 + 3 + 6 + 257 * 2 + 1));
        }
    }

    #[test]
    fn both_roads_to_an_answer_say_the_same(
        xid: [u8; 4], flags: u16, relay: [u8; 4], name in "[a-z]{1,60}", lease: u32,
        servers in prop::collection::vec(any::<u32>(), 1..8),
    ) {
        let mut bytes = raw(&[53, 1, 1, 61, 7, 1, 0x52, 0x54, 0, 0, 0, 1]);
        bytes[4..8].copy_from_slice(&xid);
        bytes[10..12].copy_from_slice(&flags.to_be_bytes());
        bytes[24..28].copy_from_slice(&relay);
        let request = Request::decode(&bytes).unwrap();
        let servers: Vec<Ipv4Addr> = servers.into_iter().map(Ipv4Addr::from).collect();
        let own = [
            DhcpOption::AddressLeaseTime(lease),
            DhcpOption::DomainNameServer(servers),
            DhcpOption::Hostname(name),
        ];
        let mut reply = Reply::new(&request, MessageType::Offer, Ipv4Addr::LOCALHOST);
        own.iter().for_each(|option| assert!(reply.put_encoded(&encode(option).unwrap())));
        let bytes = reply.finish(&request);
        let mut all = own.to_vec();
        all.push(DhcpOption::MessageType(MessageType::Offer));
        all.push(DhcpOption::ServerIdentifier(Ipv4Addr::LOCALHOST));
        all.push(DhcpOption::ClientIdentifier(request.client_id.clone().unwrap()));
        let got = Message::decode(&mut Decoder::new(&bytes)).unwrap();
        let want = built_by_dhcproto(&request, all);
        prop_assert_eq!(got.opts(), want.opts());
        let mut encoded = Vec::new();
        want.encode(&mut Encoder::new(&mut encoded)).unwrap();
        prop_assert_eq!(&bytes[..240], &encoded[..240]);
    }
}
