//! One request in, one answer out.

use std::net::Ipv4Addr;

use common::id::Digest;

use super::path::{self, PathError};
use super::range::{self, Wanted};
use super::view::{Client, Served, View};

/// Where a client reads the generation of the slice that it is served from.
pub const GENERATION_PATH: &str = "drover/generation";

/// What a request says, as far as it matters.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// `GET`, `HEAD` or another.
    pub method: &'a str,
    /// The path of the target, with or without a query.
    pub target: &'a str,
    /// Who asks.
    pub client: Ipv4Addr,
    /// The value of `Range`.
    pub range: Option<&'a str>,
    /// The value of `If-Range`.
    pub if_range: Option<&'a str>,
    /// The value of `If-None-Match`.
    pub if_none_match: Option<&'a str>,
}

/// An answer. `Content-Length` is among the headers wherever a body or its absence says it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The status code.
    pub status: u16,
    /// The header fields.
    pub headers: Vec<(&'static str, String)>,
    /// The body of the answer to a `GET`; a `HEAD` gets the headers alone.
    pub body: Body,
}

/// The body of an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Body {
    /// None.
    Empty,
    /// This text.
    Text(String),
    /// Part of a file's content. Where the content is not here, the answer is [`not_here_yet`].
    Content {
        /// Of the whole file.
        hash: Digest,
        /// The length of the whole file, in bytes.
        size: u64,
        /// The first byte to send.
        first: u64,
        /// How many bytes to send.
        length: u64,
    },
}

/// The answer to a request.
pub fn answer(view: &View, request: &Request<'_>) -> Answer {
    stamped(view, decide(view, request))
}

/// The answer where a file is known but its content has not arrived: it is being fetched.
pub fn not_here_yet(view: &View) -> Answer {
    let mut answer = refusal(503, "this file is still being fetched from the management node");
    answer.headers.push(("retry-after", "2".to_owned()));
    stamped(view, answer)
}

fn stamped(view: &View, mut answer: Answer) -> Answer {
    if let Some(generation) = view.generation() {
        answer.headers.push(("drover-generation", generation.to_string()));
    }
    answer
}

fn decide(view: &View, request: &Request<'_>) -> Answer {
    let client = view.client(request.client);
    if matches!(client, Client::Foreign) {
        return refusal(403, "your address is on no network that this service node serves");
    }
    if !matches!(request.method, "GET" | "HEAD") {
        let mut answer = refusal(405, "only GET and HEAD are served");
        answer.headers.push(("allow", "GET, HEAD".to_owned()));
        return answer;
    }
    let path = match path::served(request.target) {
        Ok(path) => path,
        Err(PathError::Encoding) => return refusal(400, "the path's percent-encoding is damaged"),
        Err(PathError::TooLong) => return refusal(414, "the path is too long"),
        Err(PathError::Outside(_)) => return not_found(),
    };
    if path.as_str() == GENERATION_PATH {
        return match view.generation() {
            Some(generation) => text(request, format!("{generation}\n")),
            None => not_found(),
        };
    }
    // A generated file wins over a static one of the same name: it is the one that follows nodeset.
    if let Some(script) = view.boot_file(path.as_str(), client) {
        return text(request, script);
    }
    match view.file(path.as_str()) {
        Some(served) => file(request, path.as_str(), served),
        None => not_found(),
    }
}

fn not_found() -> Answer {
    refusal(404, "there is no such file here for you")
}

fn refusal(status: u16, why: &str) -> Answer {
    let body = format!("{why}\n");
    let headers = vec![
        ("content-type", "text/plain; charset=utf-8".to_owned()),
        ("content-length", body.len().to_string()),
    ];
    Answer { status, headers, body: Body::Text(body) }
}

/// A generated text. It may change with the next command, and it may hold a token.
fn text(request: &Request<'_>, body: String) -> Answer {
    let tag = tag_of(&Digest::of(body.as_bytes()));
    let mut headers = vec![("cache-control", "no-store".to_owned()), ("etag", tag.clone())];
    if has_already(request, &tag) {
        return Answer { status: 304, headers, body: Body::Empty };
    }
    headers.push(("content-type", "text/plain; charset=utf-8".to_owned()));
    headers.push(("content-length", body.len().to_string()));
    Answer { status: 200, headers, body: Body::Text(body) }
}

fn file(request: &Request<'_>, path: &str, Served { hash, size }: Served) -> Answer {
    let tag = tag_of(&hash);
    let mut headers = vec![("accept-ranges", "bytes".to_owned()), ("etag", tag.clone())];
    if has_already(request, &tag) {
        return Answer { status: 304, headers, body: Body::Empty };
    }
    // Ranges are defined for GET alone (RFC 9110 §14.2).
    let field = request.range.filter(|_| request.method == "GET");
    let field = field.filter(|_| request.if_range.is_none_or(|held| range::if_range_holds(held, &tag)));
    let (status, first, length) = match field.map_or(Wanted::Whole, |field| range::wanted(field, size)) {
        Wanted::Whole => (200, 0, size),
        Wanted::Part { first, last } => {
            headers.push(("content-range", format!("bytes {first}-{last}/{size}")));
            (206, first, last - first + 1)
        }
        Wanted::Unsatisfiable => {
            let mut answer = refusal(416, "the file is shorter than that");
            answer.headers.push(("content-range", format!("bytes */{size}")));
            return answer;
        }
    };
    headers.push(("content-type", content_type(path).to_owned()));
    headers.push(("content-length", length.to_string()));
    Answer { status, headers, body: Body::Content { hash, size, first, length } }
}

fn has_already(request: &Request<'_>, tag: &str) -> bool {
    request.if_none_match.is_some_and(|field| range::none_match_names(field, tag))
}

fn tag_of(hash: &Digest) -> String {
    format!("\"{hash}\"")
}

/// UEFI HTTP boot tells a program from a disk image by this (UEFI 2.10 §24.7.2).
fn content_type(path: &str) -> &'static str {
    match path.rsplit_once('.').map(|(_, ending)| ending) {
        Some("efi") => "application/efi",
        Some("iso") => "application/vnd.efi-iso",
        Some("img") => "application/vnd.efi-img",
        _ => "application/octet-stream",
    }
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
