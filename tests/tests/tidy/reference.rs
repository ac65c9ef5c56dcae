//! Pages that are written from the code, and must say what it says.

use std::fmt::Write as _;
use std::fs;
use std::process::Command;

use mn_core::table::attribute::{self, Attribute, ObjectType};
use mn_core::table::schema::TABLES;
use mn_core::table::value;
use tests::programs::Programs;

use super::root;

/// Set to have the pages written in the place of compared.
const UPDATE: &str = "DROVER_UPDATE_REFERENCE";

#[test]
fn the_page_of_attributes_is_the_registry() {
    agree("docs/reference/attributes.md", &attributes());
}

#[test]
fn the_page_of_tables_is_the_registry() {
    agree("docs/reference/tables.md", &tables());
}

#[test]
fn the_page_of_commands_is_what_they_say_of_themselves() {
    agree("docs/reference/commands.md", &commands());
}

/// Compares a page, or writes it.
fn agree(path: &str, text: &str) {
    let file = root().join(path);
    if std::env::var_os(UPDATE).is_some() {
        return fs::write(&file, text).expect("the page can be written");
    }
    let page = fs::read_to_string(&file).unwrap_or_default();
    assert!(page == text, "{path} is not what the code says; {UPDATE}=1 writes it anew");
}

fn attributes() -> String {
    let mut text = String::from(
        "# Attributes\n\n\
         Written from the registry (`mn/core/src/table/attributes.txt`); `lsdef -h -t TYPE` shows the same.\n\n\
         `mkdef` and `chdef` set them, `lsdef` shows them.\n\
         A change of an attribute makes Drover look again at what the last column names; where it is empty, the value is kept and shown, and nothing follows from it yet.\n",
    );
    let kinds: Vec<&ObjectType> = attribute::object_types().collect();
    let links: Vec<String> = kinds.iter().map(|kind| format!("[{0}](#{0})", kind.name)).collect();
    let _ = writeln!(text, "\n{}", links.join(" · "));
    for kind in kinds {
        let _ = writeln!(text, "\n## {}\n\nNamed by `{}`.\n", kind.name, kind.key);
        text.push_str(
            "| attribute | column | what it means | value | looked at again |\n|---|---|---|---|---|\n",
        );
        let mut all: Vec<&Attribute> = kind.attributes.iter().collect();
        all.sort_by_key(|attribute| attribute.name);
        all.iter().for_each(|attribute| text.push_str(&attribute_row(attribute)));
        if kind.name == "site" {
            text.push_str(&settings());
        }
    }
    text
}

fn settings() -> String {
    let mut text = String::from(
        "\nThe one object is `clustersite`; its attributes are the settings, of which these are known. Others are kept.\n\n\
         | setting | what it means | value |\n|---|---|---|\n",
    );
    for setting in value::settings() {
        let _ = writeln!(
            text,
            "| `{}` | {} | {} |",
            setting.key,
            cell(setting.doc),
            cell(&setting.value.explained())
        );
    }
    text
}

fn attribute_row(attribute: &Attribute) -> String {
    let Attribute { name, table, column, doc, .. } = attribute;
    let condition = attribute.condition.as_ref().map(|condition| {
        let values: Vec<String> = condition.values.iter().map(|value| format!("`{value}`")).collect();
        format!(" where `{}` is {}", condition.attribute, values.join(" or "))
    });
    let touched: Vec<String> =
        attribute.touches().iter().map(|touch| format!("{touch:?}").to_lowercase()).collect();
    let (condition, touched) = (condition.unwrap_or_default(), touched.join(", "));
    let value = cell(&value::of(*table, column).explained());
    format!("| `{name}` | `{table}.{column}`{condition} | {} | {value} | {touched} |\n", cell(doc))
}

fn tables() -> String {
    let mut text = String::from(
        "# Tables\n\n\
         Written from the registry (`mn/core/src/table/tables.txt`); `tabdump NAME` shows the rows.\n\n\
         Names, keys and columns are xCAT's; those marked *own* are Drover's and no dump for xCAT should hold them.\n\
         The columns `comments` and `disable`, which every table of xCAT has, are left out here.\n",
    );
    for table in TABLES.iter() {
        let own = if table.own { " *own*" } else { "" };
        let _ = writeln!(text, "\n## {}\n\n{}{own}\n", table.name, sentence(table.doc));
        text.push_str("| column | what it holds | value |\n|---|---|---|\n");
        for column in table.columns.iter().filter(|column| !matches!(column.name, "comments" | "disable")) {
            let key = if table.key.contains(&column.name) { " (key)" } else { "" };
            let value = cell(&value::of(table.id(), column.name).explained());
            let _ = writeln!(text, "| `{}`{key} | {} | {value} |", column.name, cell(column.doc));
        }
    }
    text
}

fn sentence(doc: &str) -> String {
    let mut letters = doc.chars();
    let first = letters.next().map(|first| first.to_uppercase().collect::<String>()).unwrap_or_default();
    format!("{first}{}.", letters.as_str())
}

/// Text in a table: a bar would end the column.
fn cell(doc: &str) -> String {
    doc.replace('|', "\\|").replace('<', "&lt;")
}

/// The sub-commands of the three programs, apart from the commands of operators.
const OWN: [(&str, &[&str]); 10] = [
    ("mn", &["init"]),
    ("mn", &["serve"]),
    ("mn", &["token", "create"]),
    ("mn", &["check-config"]),
    ("mn", &["install-applets"]),
    ("sn", &["join"]),
    ("sn", &["serve"]),
    ("sn", &["check-config"]),
    ("node-agent", &["join"]),
    ("node-agent", &["serve"]),
];

fn commands() -> String {
    let programs = Programs::find().expect("mn, sn and node-agent are built");
    let mut text = String::from(
        "# Commands\n\n\
         Written from what the programs say with `--help`; their man pages say the same.\n\n\
         The commands of operators are names of `mn` (`mn install-applets` puts them on PATH), or `mn NAME …`.\n",
    );
    let all = help(&programs, "mn", &[]);
    // The list is at the end, and may be broken over lines.
    let (_, names) = all.split_once("also as `mn NAME …`: ").expect("mn --help lists the commands");
    for name in names.split([',', ' ', '\n']).filter(|name| !name.is_empty()) {
        section(&mut text, name, &help(&programs, "mn", &[name]));
    }
    for (program, words) in OWN {
        section(&mut text, &format!("{program} {}", words.join(" ")), &help(&programs, program, words));
    }
    text
}

fn section(text: &mut String, name: &str, help: &str) {
    let lines: Vec<&str> = help.trim_end().lines().map(str::trim_end).collect();
    let _ = writeln!(text, "\n## {name}\n\n```text\n{}\n```", lines.join("\n"));
}

fn help(programs: &Programs, program: &str, words: &[&str]) -> String {
    let mut command = Command::new(programs.path(program));
    // Neither the terminal nor what is set here is to be seen in it.
    let set = std::env::vars_os().map(|(name, _)| name);
    let ours = set.filter(|name| name == "COLUMNS" || name.to_string_lossy().starts_with("DROVER_"));
    for name in ours {
        command.env_remove(name);
    }
    let output = command.args(words).arg("--help").output().expect("it runs");
    // Its status is xCAT's, which is 1 for `tabedit`.
    assert!(output.stderr.is_empty(), "{program} {words:?} --help complains");
    String::from_utf8(output.stdout).expect("help is UTF-8")
}
