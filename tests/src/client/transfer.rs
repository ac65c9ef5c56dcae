//! Files and log lines, as a node moves them: curl, tftp and logger.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::path::Path;
use std::time::Duration;

use crate::Result;
use crate::net::Host;
use crate::process::Run;

/// What an HTTP server answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The status code.
    pub code: u16,
    /// The body, as text.
    pub body: String,
    headers: BTreeMap<String, String>,
}

impl Answer {
    /// A header field, by its name in lower case.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", String::as_str)
    }
}

/// Gets a URL, with more words for curl where wanted.
///
/// # Errors
/// When there is no HTTP answer.
pub fn http(host: &Host, url: &str, words: &[&str]) -> Result<Answer> {
    let run =
        Run::new("curl").args(["-sS", "-i", "-m", "20", "-w", "\n%{http_code}"]).args(words.iter().copied());
    let text = run.arg(url).on(host)?.ok()?;
    let (text, code) = text.rsplit_once('\n').ok_or("curl printed no status code")?;
    let (head, body) = text.split_once("\r\n\r\n").unwrap_or((text, ""));
    let field = |line: &str| {
        line.split_once(':').map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
    };
    let headers = head.lines().filter_map(field).collect();
    Ok(Answer { code: code.trim().parse()?, body: body.to_owned(), headers })
}

/// Downloads a URL into a file.
///
/// # Errors
/// When the answer is no success.
pub fn http_file(host: &Host, url: &str, words: &[&str], to: &Path) -> Result<()> {
    let run = Run::new("curl").args(["-sS", "-f", "-m", "60", "-o"]).arg(to).args(words.iter().copied());
    run.arg(url).on(host)?.ok().map(drop)
}

/// How long a transfer in blocks of 512 bytes may take, each of which waits for the one before it: of
/// a file of 32 MiB they are 65,536, and on a busy machine each waits for the processor, too.
const LOCKSTEP: Duration = Duration::from_secs(240);

/// Fetches a file with tftp-hpa's client.
///
/// # Errors
/// When the transfer fails: that client exits with 0 all the same, and says why on its output.
pub fn tftp(host: &Host, server: Ipv4Addr, path: &str, to: &Path) -> Result<()> {
    let run = Run::new("tftp").arg(server.to_string()).args(["-m", "binary", "-c", "get", path]).arg(to);
    let ended = run.limit(LOCKSTEP).on(host)?;
    let said = format!("{}{}", ended.out, ended.err);
    if ended.status == 0 && !said.contains("Error") && !said.contains("timed out") {
        return Ok(());
    }
    Err(format!("tftp {path} from {server}: {}", said.trim()).into())
}

/// Offers a file to a server with tftp-hpa's client.
///
/// # Errors
/// When the server takes none: what the client says.
pub fn tftp_put(host: &Host, server: Ipv4Addr, file: &Path, path: &str) -> Result<()> {
    let run =
        Run::new("tftp").arg(server.to_string()).args(["-m", "binary", "-c", "put"]).arg(file).arg(path);
    let ended = run.on(host)?;
    let said = format!("{}{}", ended.out, ended.err);
    if said.contains("Error") || said.contains("timed out") {
        return Err(format!("tftp put {path} to {server}: {}", said.trim()).into());
    }
    Ok(())
}

/// Fetches a file with atftp, with options such as `blksize 1428`; what it traced.
///
/// # Errors
/// When the transfer fails.
pub fn atftp(host: &Host, server: Ipv4Addr, options: &[&str], path: &str, to: &Path) -> Result<String> {
    let options = options.iter().flat_map(|option| ["--option", option]);
    let run = Run::new("atftp")
        .arg("--trace")
        .args(options)
        .args(["--get", "--remote-file", path, "--local-file"])
        .arg(to);
    let ended = run.arg(server.to_string()).on(host)?;
    let said = format!("{}{}", ended.out, ended.err);
    if ended.status == 0 && !said.contains("received ERROR") {
        return Ok(said);
    }
    let end = said.lines().last().unwrap_or_default();
    Err(format!("atftp {path} from {server}: {end}").into())
}

/// How a log line travels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    /// UDP.
    Udp,
    /// TCP.
    Tcp,
}

/// Sends one log line.
///
/// # Errors
/// When logger says that it could not.
pub fn log(host: &Host, server: Ipv4Addr, transport: Transport, line: &str) -> Result<()> {
    log_as(host, server, transport, &[], line)
}

/// Sends one log line, with more words for logger, such as `--octet-count`.
///
/// # Errors
/// When logger says that it could not.
pub fn log_as(host: &Host, server: Ipv4Addr, transport: Transport, words: &[&str], line: &str) -> Result<()> {
    logger(server, transport).args(words.iter().copied()).args(["--", line]).on(host)?.ok().map(drop)
}

/// Sends many log lines over one TCP connection, or as one datagram each.
///
/// # Errors
/// When logger says that it could not.
pub fn log_all(host: &Host, server: Ipv4Addr, transport: Transport, lines: &[String]) -> Result<()> {
    logger(server, transport).input(lines.join("\n") + "\n").on(host)?.ok().map(drop)
}

fn logger(server: Ipv4Addr, transport: Transport) -> Run {
    let how = if transport == Transport::Udp { "-d" } else { "-T" };
    Run::new("logger").args(["-n"]).arg(server.to_string()).args(["-P", "514", how, "-t", "rehearsal"])
}
