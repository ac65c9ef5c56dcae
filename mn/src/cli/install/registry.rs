//! Man pages out of the registry: `xcatdb(5)` for names, tables and columns, and
//! `drover-attributes(7)` for what the definition commands call them.
//!
//! xCAT has a page for each table and each type; pages called `hosts(5)` or `passwd(5)` would hide
//! the system's own.

use std::fmt::Write as _;

use mn_core::table::attribute::{self, Attribute, ObjectType};
use mn_core::table::schema::{TABLES, Table};
use mn_core::table::value;

/// A page: its section and name, and its text.
pub(super) struct Page {
    /// The section, which is the end of its folder's and its file's name.
    pub(super) section: char,
    /// The name.
    pub(super) name: &'static str,
    /// The text in roff.
    pub(super) text: String,
}

/// All of them.
pub(super) fn pages() -> [Page; 2] {
    [
        Page { section: '5', name: "xcatdb", text: tables() },
        Page { section: '7', name: "drover-attributes", text: attributes() },
    ]
}

fn tables() -> String {
    let mut page = Roff::new("XCATDB", '5', "xcatdb", "names, tables and columns of the management node");
    page.section("NAMES OF OBJECTS");
    page.text("Nodes: letters, digits, - and _; no dots, and better no capital letters, which the name service does not tell apart.");
    page.text("Groups: what a noderange reads as one name: no commas, brackets, @, or ranges such as a1-a3.");
    page.text("Networks and images: letters, digits, and - _ . : /.");
    page.text("Others: anything without blanks. The site is the one object clustersite.");
    page.section("VALUES");
    page.text("Every column is text. Nodes inherit what their row does not say from the rows of their groups, in the order of their groups. A value such as |node(\\d+)|10.0.0.($1+0)| is evaluated for each node. A row whose column disable is set (to anything but 0 or no) is passed over.");
    page.section("TABLES");
    page.text("Those marked with a star are Drover's own; no dump for xCAT holds them.");
    TABLES.iter().for_each(|table| page.table(table));
    page.see_also("tabdump(1), chtab(1), nodels(1), drover-attributes(7)");
    page.0
}

fn attributes() -> String {
    let mut page = Roff::new(
        "DROVER-ATTRIBUTES",
        '7',
        "drover-attributes",
        "attributes of nodes, groups, networks and the rest",
    );
    page.section("DESCRIPTION");
    page.text("mkdef and chdef set attributes, lsdef shows them; lsdef -h -t TYPE shows what is here. In brackets: where an attribute is kept, what it holds, and what counts where it is not set.");
    attribute::object_types().for_each(|kind| page.object(kind));
    page.see_also("mkdef(1), chdef(1), lsdef(1), rmdef(1), xcatdb(5)");
    page.0
}

/// A page as it grows.
struct Roff(String);

impl Roff {
    fn new(title: &str, section: char, name: &str, about: &str) -> Self {
        let (version, name) = (env!("CARGO_PKG_VERSION"), escaped(name));
        Self(format!(
            ".TH {title} {section} \"\" \"Drover {version}\"\n.SH NAME\n{name} \\- {}\n",
            escaped(about)
        ))
    }

    fn section(&mut self, title: &str) {
        // Writing to a string does not fail, here and below.
        let _ = writeln!(self.0, ".SH {}", escaped(title));
    }

    fn text(&mut self, text: &str) {
        let _ = writeln!(self.0, ".P\n{}", escaped(text));
    }

    fn item(&mut self, name: &str, text: &str) {
        let _ = writeln!(self.0, ".TP\n.B {}\n{}", escaped(name), escaped(text));
    }

    fn see_also(&mut self, pages: &str) {
        self.section("SEE ALSO");
        self.text(pages);
    }

    fn table(&mut self, table: &Table) {
        let star = if table.own { " *" } else { "" };
        let _ = writeln!(self.0, ".SS {}", escaped(&format!("{}{star}", table.name)));
        self.text(&format!("{}. Key: {}.", table.doc, table.key.join(", ")));
        for column in &table.columns {
            self.item(column.name, &with(column.doc, &[value::of(table.id(), column.name).explained()]));
        }
    }

    fn object(&mut self, kind: &ObjectType) {
        self.section(&kind.name.to_uppercase());
        self.text(&format!("Named by {}.", kind.key));
        let mut all: Vec<&Attribute> = kind.attributes.iter().collect();
        all.sort_by_key(|attribute| attribute.name);
        for attribute in all.into_iter().filter(|_| kind.name != "site") {
            let value = value::of(attribute.table, attribute.column).explained();
            self.item(attribute.name, &with(attribute.doc, &[place(attribute), value]));
        }
        for setting in value::settings().filter(|_| kind.name == "site") {
            self.item(setting.key, &with(setting.doc, &[setting.value.explained()]));
        }
    }
}

/// Where an attribute is kept, and when.
fn place(attribute: &Attribute) -> String {
    let condition = attribute
        .condition
        .as_ref()
        .map(|condition| format!(" if {}={}", condition.attribute, condition.values.join("|")));
    format!("{}.{}{}", attribute.table, attribute.column, condition.unwrap_or_default())
}

/// A text with remarks in brackets.
fn with(doc: &str, remarks: &[String]) -> String {
    let remarks: Vec<&str> = remarks.iter().map(String::as_str).filter(|text| !text.is_empty()).collect();
    if remarks.is_empty() { doc.to_owned() } else { format!("{doc} ({})", remarks.join("; ")) }
}

/// Text that roff shows as it is: a line must not start with its control characters.
fn escaped(text: &str) -> String {
    let text = text.replace('\\', "\\e").replace('-', "\\-");
    if text.starts_with(['.', '\'']) { format!("\\&{text}") } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_table_and_type_is_in_the_pages_and_nothing_is_taken_for_roff() {
        let [tables, attributes] = pages();
        assert!(TABLES.iter().all(|table| tables.text.contains(&format!(".SS {}", table.name))));
        assert!(attributes.text.contains(".SH NETWORK\n") && attributes.text.contains(".B dhcplease\n"));
        let known = [".TH", ".SH", ".SS", ".P", ".TP", ".B"];
        for line in
            tables.text.lines().chain(attributes.text.lines()).filter(|line| line.starts_with(['.', '\'']))
        {
            assert!(known.contains(&line.split(' ').next().unwrap()), "{line}");
        }
    }
}
