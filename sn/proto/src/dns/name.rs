//! Domain names as they stand in a message: labels with their length in front, and a zero
//! (RFC 1035 §3.1).

/// The longest name, in bytes with all lengths and the final zero (RFC 1035 §2.3.4).
pub(super) const MAX_NAME: usize = 255;

/// The longest label.
const MAX_LABEL: u8 = 63;

/// A name out of a question, in lower case, so that it can be looked up. Lives on the stack: one
/// is made for every packet.
#[derive(Clone, Debug)]
pub(super) struct Name {
    bytes: [u8; MAX_NAME],
    len: usize,
}

impl Name {
    /// Reads the name at the start of `bytes`. None for one that is cut off, too long or
    /// compressed: before the first question there is nothing that a pointer could mean.
    pub(super) fn read(bytes: &[u8]) -> Option<Self> {
        let mut len = 0;
        loop {
            let label = *bytes.get(len)?;
            if label > MAX_LABEL {
                return None;
            }
            len += 1 + usize::from(label);
            if len > MAX_NAME {
                return None;
            }
            if label == 0 {
                break;
            }
        }
        let mut name = Self { bytes: [0; MAX_NAME], len };
        let from = bytes.get(..len)?;
        // Lengths are at most 63, below every letter, so they survive the change of case.
        name.bytes.iter_mut().zip(from).for_each(|(to, from)| *to = from.to_ascii_lowercase());
        Some(name)
    }

    /// The name, to look it up.
    pub(super) fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..self.len).unwrap_or_default()
    }
}

/// A name and each of its parents, the longest first, without the root.
pub(super) fn ancestors(name: &[u8]) -> impl Iterator<Item = &[u8]> {
    std::iter::successors(Some(name), |name| parent(name)).take_while(|name| name.len() > 1)
}

fn parent(name: &[u8]) -> Option<&[u8]> {
    let label = usize::from(*name.first()?);
    name.get(1 + label..)
}

/// The four numbers of a whole `d.c.b.a.in-addr.arpa`, as the address `a.b.c.d`.
pub(super) fn reversed_address(name: &[u8]) -> Option<std::net::Ipv4Addr> {
    let mut octets = [0; 4];
    let mut rest = name;
    for octet in octets.iter_mut().rev() {
        let digits = rest.get(1..1 + usize::from(*rest.first()?))?;
        *octet = std::str::from_utf8(digits).ok()?.parse().ok()?;
        rest = parent(rest)?;
    }
    (rest == b"\x07in-addr\x04arpa\0").then(|| octets.into())
}

/// A text as a name in wire form, with its case kept.
///
/// # Errors
/// What is wrong with it, for a person.
pub(super) fn from_text(text: &str) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::with_capacity(text.len() + 2);
    for label in text.strip_suffix('.').unwrap_or(text).split('.') {
        let len = u8::try_from(label.len()).ok().filter(|len| (1..=MAX_LABEL).contains(len));
        let Some(len) = len else {
            return Err(format!("{text:?} is not a DNS name: a part between dots has 1 to 63 characters"));
        };
        bytes.push(len);
        bytes.extend_from_slice(label.as_bytes());
    }
    bytes.push(0);
    if bytes.len() > MAX_NAME {
        return Err(format!("{text:?} is not a DNS name: it has more than 253 characters"));
    }
    Ok(bytes)
}

#[cfg(test)]
mod unit {
    use super::*;

    #[test]
    fn text_becomes_labels_and_is_found_whatever_its_case() {
        let wire = from_text("N1.Cluster.").unwrap();
        assert_eq!(wire, b"\x02N1\x07Cluster\0");
        assert_eq!(Name::read(&wire).unwrap().as_bytes(), b"\x02n1\x07cluster\0");
        for bad in ["", "a..b", ".a", &"x".repeat(64), &"abc.".repeat(64)] {
            assert!(from_text(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn pointers_and_cut_names_are_not_names() {
        for bad in [&b""[..], b"\x02n", b"\xc0\x0c", b"\x01a", &[1; 300]] {
            assert!(Name::read(bad).is_none(), "{bad:?}");
        }
    }

    #[test]
    fn a_reverse_name_is_read_back() {
        let wire = from_text("4.3.2.10.in-addr.arpa").unwrap();
        assert_eq!(reversed_address(&wire), Some([10, 2, 3, 4].into()));
        for other in ["3.2.10.in-addr.arpa", "256.3.2.10.in-addr.arpa", "5.4.3.2.10.in-addr.arpa", "a.b"] {
            assert_eq!(reversed_address(&from_text(other).unwrap()), None, "{other}");
        }
    }

    #[test]
    fn ancestors_end_before_the_root() {
        let wire = from_text("a.b.c").unwrap();
        let got: Vec<&[u8]> = ancestors(&wire).collect();
        assert_eq!(got, [&b"\x01a\x01b\x01c\0"[..], b"\x01b\x01c\0", b"\x01c\0"]);
    }
}
