//! Profiles over profiles: what Warewulf merges for a node.
//!
//! Profiles of profiles come before them, `~name` takes one out again, each counts once; of one value
//! the later wins, the node's own last, and lists are appended.

use std::collections::{BTreeMap, BTreeSet};

use super::yaml::Yaml;

/// How deep profiles may name profiles.
const DEEPEST: usize = 32;

/// All profiles.
#[derive(Debug)]
pub(super) struct Profiles<'a> {
    named: BTreeMap<&'a str, &'a Yaml>,
}

/// The profiles of one node in the order in which they are merged.
#[derive(Debug, Default)]
pub(super) struct Chain<'a> {
    /// Their names.
    pub names: Vec<&'a str>,
    /// Names of profiles that there are not.
    pub missing: Vec<&'a str>,
    profiles: Vec<&'a Yaml>,
}

impl<'a> Profiles<'a> {
    pub(super) fn new(tree: Option<&'a Yaml>) -> Self {
        let entries = tree.into_iter().flat_map(Yaml::entries);
        Self { named: entries.map(|(name, profile)| (name.as_str(), profile)).collect() }
    }

    /// The profiles of a node.
    pub(super) fn of(&self, node: &'a Yaml) -> Chain<'a> {
        let mut names = Vec::new();
        self.expand(node, &mut BTreeSet::new(), &mut names, 0);
        let negated: BTreeSet<&str> = names.iter().filter_map(|name| name.strip_prefix('~')).collect();
        let mut chain = Chain::default();
        for name in names.iter().filter(|name| !name.starts_with('~') && !negated.contains(*name)) {
            match self.named.get(name) {
                Some(profile) => {
                    chain.names.push(name);
                    chain.profiles.push(profile);
                }
                None => chain.missing.push(name),
            }
        }
        chain
    }

    fn expand(&self, of: &'a Yaml, seen: &mut BTreeSet<&'a str>, names: &mut Vec<&'a str>, depth: usize) {
        for name in of.get("profiles").map(Yaml::texts).unwrap_or_default() {
            if name.starts_with('~') {
                names.push(name);
            } else if depth < DEEPEST && seen.insert(name) {
                if let Some(profile) = self.named.get(name).copied() {
                    self.expand(profile, seen, names, depth + 1);
                }
                names.push(name);
            }
        }
    }
}

impl<'a> Chain<'a> {
    /// Profiles and node, the later ones win.
    fn layers(&self, node: &'a Yaml) -> impl Iterator<Item = &'a Yaml> {
        self.profiles.clone().into_iter().chain([node])
    }

    /// The arguments of the kernel, each once, `~` taking out.
    pub(super) fn arguments(&self, node: &'a Yaml) -> Vec<&'a str> {
        let mut found: Vec<&str> = Vec::new();
        for args in self.layers(node).filter_map(|layer| layer.get("kernel")?.get("args")) {
            for word in args.texts() {
                match word.strip_prefix('~') {
                    Some(taken) => found.retain(|known| *known != taken),
                    None if !found.contains(&word) => found.push(word),
                    None => {}
                }
            }
        }
        found
    }

    /// The network devices with their settings.
    pub(super) fn devices(&self, node: &'a Yaml) -> BTreeMap<&'a str, BTreeMap<&'a str, &'a str>> {
        let mut found: BTreeMap<&str, BTreeMap<&str, &str>> = BTreeMap::new();
        for devices in self.layers(node).filter_map(|layer| layer.get("network devices")) {
            for (name, device) in devices.entries() {
                let settings = device.entries().iter().map(|(key, value)| (key.as_str(), value.text()));
                let held = found.entry(name).or_default();
                held.extend(settings.filter(|(key, value)| !value.is_empty() || matches!(*key, "tags")));
            }
        }
        found
    }

    /// The device that is named as the primary one.
    pub(super) fn primary(&self, node: &'a Yaml) -> Option<&'a str> {
        let named = self.layers(node).filter_map(|layer| layer.get("primary network").map(Yaml::text));
        named.filter(|name| !name.is_empty()).last()
    }
}
