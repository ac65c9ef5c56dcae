//! What an owned node is answered (RFC 2131 §4.3).
//!
//! The reservation is the lease: every decision follows from the message and the view alone, so a
//! service node that took the node over a moment ago decides as the old one did.

use super::machine::{Answer, Place, Silence};
use super::pxe;
use super::view::Reservation;
use super::wire::{MessageType, Reply, Request};

pub(super) fn decide(
    request: &Request,
    place: &Place<'_>,
    reservation: &Reservation,
) -> Result<Answer, Silence> {
    // Its operating system may still renew: only what would boot it is kept silent.
    if reservation.node.offline && request.program.boots() {
        return Err(Silence::Offline);
    }
    match request.kind {
        MessageType::Discover => Ok(answer(MessageType::Offer, request, place, reservation)),
        MessageType::Request => {
            if request.server.is_some() && !place.chosen {
                return Err(Silence::OtherServer);
            }
            // SELECTING and INIT-REBOOT name the address in an option, RENEWING and REBINDING in
            // the header. We own the node, so what it asks for beside its reservation is wrong.
            let asked = request.requested.unwrap_or(request.ciaddr);
            if asked == reservation.ip {
                Ok(answer(MessageType::Ack, request, place, reservation))
            } else {
                Ok(Answer::refusal(request, place))
            }
        }
        MessageType::Inform => Ok(answer(MessageType::Ack, request, place, reservation)),
        _ => Err(Silence::Heard),
    }
}

fn answer(kind: MessageType, request: &Request, place: &Place<'_>, reservation: &Reservation) -> Answer {
    let node = &reservation.node;
    let mut reply = Reply::new(request, kind, place.server);
    reply.set_next_server(node.next_server);
    // A client that only asks for information gets no address and no lease time (§4.3.5).
    if request.kind != MessageType::Inform {
        reply.set_yours(reservation.ip);
        reservation.options.put_times(&mut reply);
    }
    if kind == MessageType::Ack {
        reply.set_client(request.ciaddr);
    }
    // Before the rest: without these firmware does not boot, and answers to it are short of room.
    pxe::put(
        &mut reply,
        request,
        &pxe::Target {
            node: node.name.as_str(),
            netboot: node.netboot,
            base: &node.base,
            next_server: &node.next_server_text,
        },
    );
    reservation.options.put_rest(&mut reply, request.wanted.as_ref());
    Answer { kind, ip: reservation.ip, reply }
}
