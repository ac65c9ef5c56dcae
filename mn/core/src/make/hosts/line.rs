//! One line of a hosts file.

use std::net::IpAddr;

/// A line that the file shall have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The address.
    pub ip: IpAddr,
    /// The name without the domain, by which an older line is found.
    pub name: String,
    /// The name with the domain.
    pub long: String,
    /// The text, without the end of the line.
    pub text: String,
}

/// In which order the names stand.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Style {
    /// The name with the domain goes before the one without.
    pub long_first: bool,
    /// Other names go before both.
    pub others_first: bool,
    /// Other names without a dot are written with the domain too.
    pub add_domain: bool,
}

/// The line of a name and its others.
///
/// # Errors
/// When what is left of the name without the domain still has a dot in it; the text is for the
/// operator.
pub(super) fn entry(
    style: Style,
    ip: IpAddr,
    node: &str,
    domain: &str,
    others: &str,
) -> Result<Entry, String> {
    let with_domain = format!("{node}.{domain}");
    let mut long = None;
    let (mut names, mut added) = (Vec::new(), Vec::new());
    let others = others.trim_matches([',', ' ', '\t']);
    for other in others.split([',', ' ', '\t']) {
        // Where a name went to another place its blank stays, as in xCAT's lines.
        if other == node || other == with_domain {
            long = Some(with_domain.clone());
            names.push("");
        } else if other.contains('.') && long.is_none() {
            long = Some(other.to_owned());
            names.push("");
        } else {
            if style.add_domain && !other.contains('.') && !other.is_empty() {
                added.push(format!("{other}.{domain}"));
            }
            names.push(other);
        }
    }
    let short = without_domain(node, domain);
    let long = match short {
        Some(_) => node.to_owned(),
        None => long.unwrap_or(with_domain),
    };
    let short = short.unwrap_or(node);
    if short.contains('.') {
        return Err(format!(
            "Invalid short node name '{short}'. The short node name may not contain a dot. The short node \
             name is considered to be anything preceeding the network domain name in the fully qualified \
             node name '{long}'."
        ));
    }
    let others = added.iter().rev().map(String::as_str).chain(names).collect::<Vec<_>>().join(" ");
    // xCAT's lines end in a blank where there are no other names. They stay as they are, so that
    // its file and ours are the same and nothing is rewritten for a blank.
    let text = match (style.long_first, style.others_first) {
        (true, _) => format!("{ip} {long} {short} {others}"),
        (false, true) => format!("{ip} {others} {long} {short}"),
        (false, false) => format!("{ip} {short} {long} {others}"),
    };
    Ok(Entry { ip, name: short.to_owned(), long, text })
}

/// What stands before the domain, where the name ends in it.
fn without_domain<'a>(node: &'a str, domain: &str) -> Option<&'a str> {
    let at = node.len().checked_sub(domain.len() + 1)?;
    let (short, rest) = node.split_at_checked(at)?;
    rest.strip_prefix('.').filter(|rest| rest.eq_ignore_ascii_case(domain)).map(|_| short)
}
