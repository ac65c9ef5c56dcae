use proptest::prelude::*;

use super::*;

fn host(name: &str, last: u8) -> Entry {
    Entry::Host(Host { name: name.to_owned(), aliases: Vec::new(), addresses: vec![[10, 0, 0, last].into()] })
}

fn slice(hosts: &[(u8, u8)]) -> Slice {
    let mut slice = Slice::new();
    for (name, last) in hosts {
        slice.put(host(&format!("h{name}"), *last)).unwrap();
    }
    slice
}

#[test]
fn version_1_bytes_of_an_entry_are_kept_for_ever() {
    let bytes = entry::encode(&host("mn", 1)).unwrap();
    assert_eq!(bytes[..], [0, 4, 2, b'm', b'n', 0, 1, 0, 10, 0, 0, 1]);
    assert_eq!(entry::decode(&Key::Host("mn".to_owned()), &bytes), Ok(host("mn", 1)));
}

#[test]
fn an_entry_under_a_foreign_key_is_refused() {
    let bytes = entry::encode(&host("mn", 1)).unwrap();
    let key = Key::Host("other".to_owned());
    let got = Slice::new().put_encoded(Encoded { key: key.clone(), bytes: bytes.into() });
    assert_eq!(got, Err(EntryError::ForeignKey { key }));
}

#[test]
fn a_path_cannot_leave_the_tree() {
    for bad in ["", "/", "..", "a/../b", "a/./b", "a\\b", "a\nb"] {
        assert!(bad.parse::<FilePath>().is_err(), "{bad:?}");
    }
    assert_eq!("//tftpboot//x".parse::<FilePath>().unwrap().as_str(), "tftpboot/x");
}

proptest! {
    #[test]
    fn sets_join_to_the_set_of_all(members in prop::collection::vec((any::<[u8; 32]>(), any::<bool>()), 0..20)) {
        let [mut one, mut other, mut all] = [Sum::default(); 3];
        for (member, is_one) in members {
            let member = Digest::from_bytes(member);
            if is_one { one.add(&member) } else { other.add(&member) }
            all.add(&member);
        }
        one.join(&other);
        prop_assert_eq!(one.digest(), all.digest());
    }

    #[test]
    fn the_digest_knows_the_contents_and_not_the_road(edits in prop::collection::vec((0u8..9, any::<Option<u8>>()), 0..40)) {
        let mut edited = Slice::new();
        for (name, address) in &edits {
            match address {
                Some(last) => edited.put(host(&format!("h{name}"), *last)).unwrap(),
                None => { edited.remove(&Key::Host(format!("h{name}"))); }
            }
        }
        let mut fresh = Slice::new();
        edited.entries().for_each(|entry| fresh.put(entry.clone()).unwrap());
        prop_assert_eq!(edited.digest(), fresh.digest());
    }

    #[test]
    fn a_delta_leads_from_any_slice_to_any_other(
        old in prop::collection::vec((0u8..9, any::<u8>()), 0..12),
        new in prop::collection::vec((0u8..9, any::<u8>()), 0..12),
    ) {
        let (mut old, new) = (slice(&old), slice(&new));
        old.apply(old.delta_to(&new)).unwrap();
        prop_assert_eq!(&old, &new);
        prop_assert!(old.delta_to(&new).is_empty());
    }

    #[test]
    fn bytes_from_anywhere_never_panic(bytes: Vec<u8>) {
        let key = Key::Site;
        let _ = Slice::new().put_encoded(Encoded { key, bytes: bytes.into() });
    }
}
