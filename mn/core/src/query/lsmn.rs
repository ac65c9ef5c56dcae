//! `lsmn`, and xCAT's `lsxcatd`: what the management node is, and how it stands.

use serde::Serialize;
use serde_json::json;

use crate::command::Lsmn;
use crate::model::Model;
use crate::table::schema::AGENT;
use crate::talk::{Context, Line};

/// What the daemon knows of itself that is in no table.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Daemon {
    /// Its version.
    pub version: String,
    /// Its folder.
    pub dir: String,
    /// Where service nodes and operators reach it.
    pub listening: String,
    /// How its service nodes stand now; none of an earlier state, of which that is not known.
    pub links: Option<Links>,
}

/// How service nodes stand.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Links {
    /// Those that are linked to it.
    pub connected: usize,
    /// Those that hold the newest slice.
    pub current: usize,
}

/// What keeps the tables.
const ENGINE: &str = "sled";

/// xCAT's word for tables that the daemon itself keeps in files. Its scripts take every word but this
/// for a database server, which they go on to look for: `SQLite` is what is true in their words.
const EMBEDDED: &str = "SQLite";

/// Shows what was asked for.
pub fn show(model: &Model, daemon: &Daemon, args: Lsmn, context: &Context, out: &mut dyn FnMut(Line)) {
    let agents = model.tables().rows(AGENT);
    let connected = agents.filter(|(_, row)| row.cell("connected").is_some()).count();
    let (sns, nodes, groups) = (model.service_nodes().len(), model.node_count(), model.group_names().count());
    if context.view.json {
        out(Line::Record(json!({
            "name": context.server,
            "version": daemon.version,
            "nodetype": "management node",
            "dbengine": ENGINE,
            "dir": daemon.dir,
            "listening": daemon.listening,
            "revision": model.revision().value(),
            "nodes": nodes,
            "groups": groups,
            "service_nodes": sns,
            "service_nodes_connected": daemon.links.map(|links| links.connected),
            "service_nodes_current": daemon.links.map(|links| links.current),
            "agents_connected": connected,
        })));
        return;
    }
    let mut say = |text: String| out(Line::Out(text));
    if !args.is_for_something() {
        say(format!("management node  {}", context.server));
        say(format!("version          {}", daemon.version));
        say(format!("folder           {} ({ENGINE})", daemon.dir));
        say(format!("listening        {}", daemon.listening));
        say(format!("revision         {}", model.revision()));
        say(format!("nodes            {nodes} in {groups} groups, {connected} with their agent connected"));
        let links = daemon.links.map(|Links { connected, current }| {
            format!(", {connected} connected, {current} with the newest slice")
        });
        say(format!("service nodes    {sns}{}", links.unwrap_or_default()));
        return;
    }
    if args.version {
        say(format!("Version {} (Drover)", daemon.version));
    }
    if args.kind {
        say("This is a Management Node".to_owned());
    }
    if args.database {
        say(format!("dbengine={}", if args.xcats { EMBEDDED } else { ENGINE }));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use common::wire::operator::View;

    fn run(args: Lsmn, json: bool) -> String {
        let model = crate::fixture::model(&format!("{}\n agent n1 connected=sn1", crate::fixture::CLUSTER));
        let daemon = Daemon {
            version: "1.2.3".to_owned(),
            dir: "/var/lib/x".to_owned(),
            listening: "0.0.0.0:7700".to_owned(),
            links: Some(Links { connected: 2, current: 1 }),
        };
        let context = Context { server: "mn1".to_owned(), view: View { json, ..View::default() } };
        let mut said = Vec::new();
        show(&model, &daemon, args, &context, &mut |line| {
            said.push(match line {
                Line::Out(text) | Line::Err(text) => text,
                Line::Record(value) => value.to_string(),
            });
        });
        said.join("\n")
    }

    #[test]
    fn xcats_options_give_xcats_lines() {
        let all = Lsmn { version: true, kind: true, database: true, xcats: true };
        assert_eq!(run(all, false), "Version 1.2.3 (Drover)\nThis is a Management Node\ndbengine=SQLite");
        assert_eq!(run(Lsmn { database: true, ..Lsmn::default() }, false), "dbengine=sled");
        assert_eq!(run(Lsmn { kind: true, ..Lsmn::default() }, false), "This is a Management Node");
    }

    #[test]
    fn without_options_it_says_how_things_stand() {
        insta::assert_snapshot!(run(Lsmn::default(), false), @"
        management node  mn1
        version          1.2.3
        folder           /var/lib/x (sled)
        listening        0.0.0.0:7700
        revision         1
        nodes            6 in 2 groups, 1 with their agent connected
        service nodes    2, 2 connected, 1 with the newest slice
        ");
        assert!(run(Lsmn::default(), true).contains("\"agents_connected\":1"));
    }
}
