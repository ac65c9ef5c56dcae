//! Files and log lines, as a node moves them: curl, tftp and logger.

use std::net::Ipv4Addr;
use std::path::Path;

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
}

/// Gets a URL, with more words for curl where wanted.
///
/// # Errors
/// When there is no HTTP answer.
pub fn http(host: &Host, url: &str, words: &[&str]) -> Result<Answer> {
    let run = Run::new("curl").args(["-sS", "-m", "20", "-w", "\n%{http_code}"]).args(words.iter().copied());
    let text = run.arg(url).on(host)?.ok()?;
    let (body, code) = text.rsplit_once('\n').ok_or("curl printed no status code")?;
    Ok(Answer { code: code.trim().parse()?, body: body.to_owned() })
}

/// Downloads a URL into a file.
///
/// # Errors
/// When the answer is no success.
pub fn http_file(host: &Host, url: &str, words: &[&str], to: &Path) -> Result<()> {
    let run = Run::new("curl").args(["-sS", "-f", "-m", "60", "-o"]).arg(to).args(words.iter().copied());
    run.arg(url).on(host)?.ok().map(drop)
}

/// Fetches a file with tftp-hpa's client.
///
/// # Errors
/// When the transfer fails: that client exits with 0 all the same, and says why on its output.
pub fn tftp(host: &Host, server: Ipv4Addr, path: &str, to: &Path) -> Result<()> {
    let run = Run::new("tftp").arg(server.to_string()).args(["-m", "binary", "-c", "get", path]).arg(to);
    let ended = run.on(host)?;
    let said = format!("{}{}", ended.out, ended.err);
    if ended.status == 0 && !said.contains("Error") && !said.contains("timed out") {
        return Ok(());
    }
    Err(format!("tftp {path} from {server}: {}", said.trim()).into())
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
    let how = if transport == Transport::Udp { "-d" } else { "-T" };
    let run =
        Run::new("logger").args(["-n"]).arg(server.to_string()).args(["-P", "514", how, "-t", "rehearsal"]);
    run.args(["--", line]).on(host)?.ok().map(drop)
}
