//! One connection: requests in, answers out, by `hyper`.

use std::convert::Infallible;
use std::fs::File;
use std::io;
use std::net::Ipv4Addr;
use std::time::Duration;

use common::id::Digest;
use common::report::chain;
use hyper::body::Incoming;
use hyper::header::{self, HeaderMap, HeaderName, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use sn_proto::http::answer::not_here_yet;
use sn_proto::http::{self as proto, Answer, Body, View};
use tokio::net::TcpStream;
use tracing::{debug, warn};

use super::QUIET;
use super::body::Payload;
use crate::content;
use crate::service::Host;

/// The longest header of a request, in bytes; a longer one is answered with 431.
const MAX_HEADER: usize = 16 * 1024;
/// The most fields of a header.
const MAX_FIELDS: usize = 64;
/// How long a client may take nothing of an answer before it is given up (`TCP_USER_TIMEOUT`).
const STALLED: Duration = Duration::from_secs(60);

/// Serves a connection until either side ends it.
pub(super) async fn run(stream: TcpStream, client: Ipv4Addr, host: Host<View>) {
    let socket = socket2::SockRef::from(&stream);
    // Without these the connection works as well, only less well.
    let _ = socket.set_tcp_nodelay(true);
    let _ = socket.set_tcp_user_timeout(Some(STALLED));
    let service = service_fn(|request| {
        let host = host.clone();
        async move { Ok::<_, Infallible>(respond(&host, client, &request).await) }
    });
    let served = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(QUIET)
        .max_buf_size(MAX_HEADER)
        .max_headers(MAX_FIELDS)
        .serve_connection(TokioIo::new(stream), service)
        .await;
    if let Err(error) = served {
        debug!(ip = %client, error = chain(&error), "http connection ended");
    }
}

async fn respond(host: &Host<View>, client: Ipv4Addr, request: &Request<Incoming>) -> Response<Payload> {
    let headers = request.headers();
    let view = host.view();
    let mut answer = proto::answer(
        &view,
        &proto::Request {
            method: request.method().as_str(),
            target: request.uri().path(),
            client,
            range: text(headers, &header::RANGE),
            if_range: text(headers, &header::IF_RANGE),
            if_none_match: text(headers, &header::IF_NONE_MATCH),
        },
    );
    let mut payload = Payload::Empty;
    match std::mem::replace(&mut answer.body, Body::Empty) {
        Body::Empty => {}
        Body::Text(text) => payload = Payload::text(text),
        Body::Content { hash, size, first, length } => match open(host, hash, size).await {
            Ok(Some(file)) => payload = Payload::content(file, first, length),
            Ok(None) => (answer, payload) = absent(&view),
            Err(error) => {
                warn!(%hash, %error, "http could not open content");
                (answer, payload) = absent(&view);
            }
        },
    }
    if request.method() == Method::HEAD {
        payload = Payload::Empty;
    }
    debug!(ip = %client, path = request.uri().path(), status = answer.status, "http answered");
    response(answer, payload)
}

fn absent(view: &View) -> (Answer, Payload) {
    let mut answer = not_here_yet(view);
    let payload = match std::mem::replace(&mut answer.body, Body::Empty) {
        Body::Text(text) => Payload::text(text),
        Body::Empty | Body::Content { .. } => Payload::Empty,
    };
    (answer, payload)
}

fn text<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

/// The content, where it is here and as long as the slice says.
async fn open(host: &Host<View>, hash: Digest, size: u64) -> io::Result<Option<File>> {
    let path = content::path(&host.config.dir, &hash);
    let opened = tokio::task::spawn_blocking(move || match File::open(path) {
        Ok(file) => file.metadata().map(|found| Some((found.len(), file))),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    });
    match opened.await?? {
        Some((length, _)) if length != size => {
            let text = format!("it has {length} bytes, not {size}: remove it, so that it is fetched again");
            Err(io::Error::new(io::ErrorKind::InvalidData, text))
        }
        found => Ok(found.map(|(_, file)| file)),
    }
}

fn response(answer: Answer, payload: Payload) -> Response<Payload> {
    let mut response = Response::new(payload);
    // The core says no status and no field that HTTP does not know.
    *response.status_mut() = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    for (name, value) in answer.headers {
        if let Ok(value) = HeaderValue::from_str(&value) {
            response.headers_mut().append(HeaderName::from_static(name), value);
        }
    }
    response
}
