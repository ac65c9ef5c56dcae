//! `-u`: what follows from an image's `profile`, `provmethod`, `osvers` and `osarch`.
//!
//! Files are looked for in the order in which xCAT looks, the site's own (`custom`) before those
//! that were shipped, but among the names that the operator's host sent along: a plan opens none.

use std::collections::BTreeSet;

use super::Verb;
use crate::command::Derivation;
use crate::model::Model;
use crate::object::{self, cell};
use crate::table::{attribute, schema};

/// Where xCAT's own files are.
const SHIPPED: &str = "/opt/xcat/share/xcat";

/// How many releases before its own one a file may be for (`rhels9.4` takes those of 9.3, 9.2 …).
const RELEASES: u32 = 100;

type Pairs = Vec<(String, String)>;

/// Fills in the attributes of an image.
///
/// # Errors
/// When too little is said, or it does not fit together.
pub(super) fn complete(
    model: &Model,
    verb: Verb,
    derivation: &Derivation,
    name: &str,
    attributes: &mut Pairs,
) -> Result<(), String> {
    if verb == Verb::Change {
        take_held(model, name, attributes);
    }
    let (Some(profile), Some(method)) = (get(attributes, "profile"), get(attributes, "provmethod")) else {
        return Err("The profile and provmethod are all need to be specified.".to_owned());
    };
    if !["install", "netboot", "statelite"].iter().any(|known| method.contains(known)) {
        return Err(format!("The provmethod: {method} is incorrect."));
    }
    put_missing(attributes, "osvers", &derivation.osvers);
    put_missing(attributes, "osarch", &derivation.osarch);
    let (Some(osvers), Some(mut arch)) = (get(attributes, "osvers"), get(attributes, "osarch")) else {
        return Err(
            "The osvers and osarch of the image must be specified: this host's are not known.".to_owned()
        );
    };
    if osvers.to_ascii_lowercase().starts_with("ubuntu") && arch.starts_with("ppc64le") {
        "ppc64el".clone_into(&mut arch);
        put(attributes, "osarch", &arch);
    }
    let is_windows = ["win", "imagex", "hyperv"].iter().any(|known| osvers.starts_with(known));
    fixed(attributes, "imagetype", if is_windows { "windows" } else { "linux" })?;
    fixed(attributes, "osname", if is_windows { "Windows" } else { "Linux" })?;
    put(attributes, "osdistroname", &format!("{osvers}-{arch}"));
    if !is_windows {
        let install = cell(model, schema::SITE, "installdir", "value").unwrap_or("/install").to_owned();
        let files = derivation.files.lines().collect();
        Image { files, verb, install, profile, method, osvers, arch }.fill(attributes);
    }
    Ok(())
}

/// What the image says already stands where nothing else is given.
fn take_held(model: &Model, name: &str, attributes: &mut Pairs) {
    let Some(kind) = attribute::object_type("osimage") else { return };
    for attribute in ["imagetype", "provmethod", "profile", "osname", "osvers", "osarch"] {
        if let Some(value) = object::value(model, kind, name, attribute) {
            put_missing(attributes, attribute, &value);
        }
    }
}

/// An attribute that follows: what is given must agree.
fn fixed(attributes: &mut Pairs, name: &str, value: &str) -> Result<(), String> {
    match get(attributes, name) {
        Some(given) if !given.to_ascii_lowercase().starts_with(&value.to_ascii_lowercase()) => {
            Err(format!("The input {name}:{given} not match {value}."))
        }
        Some(_) => Ok(()),
        None => {
            put(attributes, name, value);
            Ok(())
        }
    }
}

/// A Linux image whose files are looked for.
struct Image<'a> {
    files: BTreeSet<&'a str>,
    verb: Verb,
    install: String,
    profile: String,
    method: String,
    osvers: String,
    arch: String,
}

impl Image<'_> {
    fn fill(&self, attributes: &mut Pairs) {
        let Self { verb, install, profile, osvers, arch, .. } = self;
        let synclist = self.find_in(&format!("{install}/custom/netboot/{}", self.platform()), "synclist");
        let is_new = |attributes: &Pairs, name: &str| get(attributes, name).is_none();
        if is_new(attributes, "synclists") || *verb == Verb::Change {
            synclist.into_iter().for_each(|found| put(attributes, "synclists", &found));
        }
        if self.method == "install" {
            ["exlist", "postinstall", "rootimgdir"].iter().for_each(|name| put(attributes, name, ""));
            if is_new(attributes, "template") || *verb == Verb::Change {
                self.find("tmpl").into_iter().for_each(|found| put(attributes, "template", &found));
            }
        } else {
            put(attributes, "template", "");
            self.put_found(attributes, "exlist", "exlist");
            self.put_found(attributes, "postinstall", "postinstall");
            put_missing(attributes, "rootimgdir", &format!("{install}/netboot/{osvers}/{arch}/{profile}"));
        }
        self.put_found(attributes, "pkglist", "pkglist");
        self.put_found(attributes, "otherpkglist", "otherpkgs.pkglist");
        put_missing(attributes, "otherpkgdir", &format!("{install}/post/otherpkgs/{osvers}/{arch}"));
        put_missing(attributes, "pkgdir", &format!("{install}/{osvers}/{arch}"));
    }

    fn put_found(&self, attributes: &mut Pairs, name: &str, extension: &str) {
        if get(attributes, name).is_none() {
            self.find(extension).into_iter().for_each(|found| put(attributes, name, &found));
        }
    }

    /// The best file of a kind: the site's own, then a shipped one.
    fn find(&self, extension: &str) -> Option<String> {
        let folder = if self.method == "install" { "install" } else { "netboot" };
        let roots = [format!("{}/custom/{folder}", self.install), format!("{SHIPPED}/{folder}")];
        roots.iter().find_map(|root| {
            let folder = self.distribution(root)?;
            self.find_in(&folder, extension)
        })
    }

    /// The folder of the distribution: the longest start of `osvers` that has one.
    fn distribution(&self, root: &str) -> Option<String> {
        let ends = self.osvers.char_indices().map(|(at, c)| at + c.len_utf8()).rev();
        ends.filter_map(|end| self.osvers.get(..end)).map(|name| format!("{root}/{name}")).find(|folder| {
            let mut files = self.files.iter();
            files.any(|file| file.strip_prefix(folder.as_str()).is_some_and(|rest| rest.starts_with('/')))
        })
    }

    fn find_in(&self, folder: &str, extension: &str) -> Option<String> {
        let Self { profile, arch, osvers, .. } = self;
        let generic = generic(osvers);
        let mut middles = vec![format!("{osvers}.{arch}"), osvers.clone()];
        middles.extend([format!("{generic}.{arch}"), generic]);
        for release in releases(osvers) {
            middles.extend([format!("{release}.{arch}"), release]);
        }
        middles.push(arch.clone());
        let mut names: Vec<String> =
            middles.iter().map(|middle| format!("{folder}/{profile}.{middle}.{extension}")).collect();
        names.push(format!("{folder}/{profile}.{extension}"));
        names.into_iter().find(|name| self.files.contains(name.as_str()))
    }

    /// The folder of synclists, which xCAT names otherwise.
    fn platform(&self) -> &str {
        let names = ["rh", "centos", "alma", "rocky", "fedora", "sles", "SL", "ubuntu", "debian"];
        names.into_iter().find(|name| self.osvers.contains(name)).unwrap_or_default()
    }
}

/// `rhel9` of `rhels9.4`; else the version without what follows its first dot.
fn generic(osvers: &str) -> String {
    let base = osvers.split('.').next().unwrap_or_default();
    match base.strip_prefix("rhels") {
        Some(number) => format!("rhel{number}"),
        None => base.to_owned(),
    }
}

/// The release and those before it, nearest first, and the version without them.
fn releases(osvers: &str) -> Vec<String> {
    let base = osvers.split('-').next().unwrap_or_default();
    let mut parts: Vec<&str> = base.split('.').collect();
    let mut found = Vec::new();
    while parts.len() > 1
        && let Some(last) = parts.last().and_then(|last| last.parse::<u32>().ok())
    {
        parts.pop();
        let lowest = last.saturating_sub(RELEASES);
        found.extend((lowest..=last).rev().map(|release| format!("{}.{release}", parts.join("."))));
    }
    found.push(parts.join("."));
    found
}

fn get(attributes: &Pairs, name: &str) -> Option<String> {
    let found = attributes.iter().find(|(known, _)| known == name).map(|(_, value)| value);
    found.filter(|value| !value.is_empty()).cloned()
}

fn put(attributes: &mut Pairs, name: &str, value: &str) {
    match attributes.iter_mut().find(|(known, _)| known == name) {
        Some((_, held)) => value.clone_into(held),
        None => attributes.push((name.to_owned(), value.to_owned())),
    }
}

fn put_missing(attributes: &mut Pairs, name: &str, value: &str) {
    if get(attributes, name).is_none() {
        put(attributes, name, value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_of_an_older_release_is_taken_before_one_of_none() {
        assert_eq!(releases("rhels9.2"), ["rhels9.2", "rhels9.1", "rhels9.0", "rhels9"]);
        assert_eq!(releases("alma9"), ["alma9"]);
        assert_eq!(releases("ubuntu4294967295.1").len(), 3);
        assert_eq!(releases("x.4294967295").len(), 102);
        assert_eq!((generic("rhels9.2").as_str(), generic("sles15.5").as_str()), ("rhel9", "sles15"));
    }
}
