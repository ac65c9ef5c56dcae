use crate::command::{Assignment, Given, How, Prune, RestoreDb, Tabch, TabchAction, Tabprune, Tabrestore};
use common::id::Revision;
use insta::assert_snapshot;
use proptest::prelude::*;

use super::*;
use crate::change::rebased;
use crate::change::tests::shown;
use crate::command::{Command, Query, Tabdump};
use crate::csv::{self, Sheet};
use crate::fixture::{self, CLUSTER};
use crate::table::schema::{HOSTS, NODEHM, OWNERSHIP};
use crate::table::{Row, RowKey};
use crate::{plan, query};

/// A model that commands are tried on.
struct Desk {
    model: Model,
    context: Context,
}

impl Desk {
    fn new(text: &str) -> Self {
        let context = Context { server: "mn".to_owned(), ..Context::default() };
        Self { model: fixture::model(text), context }
    }

    /// Carries a command out; gives what was said.
    fn run(&mut self, command: &Command) -> String {
        let outcome = plan(&self.model, command, &self.context);
        if let Some(change) = &outcome.change {
            let next = self.model.revision().next();
            self.model.apply(change.edits(), next);
        }
        shown(outcome.lines, outcome.status)
    }

    fn restore(&mut self, name: &str, text: &str, how: How) -> String {
        let file = given(name, text);
        self.run(&Command::Tabrestore(Tabrestore { mode: Mode::default(), file, how }))
    }

    fn chtab(&mut self, line: &str) -> String {
        let mut words = line.split(' ');
        let keys = words.next().unwrap().split(',').filter(|pair| !pair.is_empty());
        let keys = keys.map(|pair| pair.split_once('=').unwrap());
        let keys = keys.map(|(column, value)| (column.to_owned(), value.to_owned())).collect();
        let action = match line.contains(" -d") {
            true => TabchAction::Delete(words.filter(|word| *word != "-d").map(str::to_owned).collect()),
            false => TabchAction::Set(words.map(assignment).collect()),
        };
        self.run(&Command::Tabch(Tabch { mode: Mode::default(), keys, action }))
    }

    fn dump(&self, name: &str) -> String {
        let query = Query::Tabdump(Tabdump { table: Some(name.to_owned()), ..Tabdump::default() });
        let mut lines = Vec::new();
        let status = query::answer(&self.model, &query, &self.context, &mut |line| lines.push(line));
        shown(lines, status)
    }

    fn sheet(&self, name: &str) -> Sheet {
        csv::read(TableId::named(name).unwrap(), self.dump(name).as_bytes()).unwrap()
    }
}

fn given(name: &str, text: &str) -> Given {
    let content = TableId::named(name).map_or(Ok(None), |table| csv::read(table, text.as_bytes()).map(Some));
    Given { table: name.to_owned(), content }
}

fn assignment(word: &str) -> Assignment {
    let (place, value) = word.split_once('=').unwrap();
    let (place, append) = place.strip_suffix('+').map_or((place, false), |place| (place, true));
    let (table, column) = place.split_once('.').unwrap_or((place, ""));
    Assignment { table: table.into(), column: column.into(), value: value.into(), append }
}

#[test]
fn a_restore_replaces_every_row_and_says_nothing() {
    let mut desk = Desk::new("nodehm n1 mgt=ipmi power=ipmi\nnodehm n2 mgt=ipmi");
    assert_eq!(desk.restore("nodehm", "#node,mgt\n\"n1\",\"bmc\"\nn3,\"a\"\"b\"\n", How::Replace), "");
    assert_snapshot!(desk.dump("nodehm"), @r#"
    #node,power,mgt,cons,termserver,termport,conserver,serialport,serialspeed,serialflow,getmac,cmdmapping,consoleondemand,consoleenabled,comments,disable
    "n1",,"bmc",,,,,,,,,,,,,
    "n3",,"a""b",,,,,,,,,,,,,
    "#);
}

#[test]
fn adding_sets_the_columns_of_the_file_and_keeps_the_rest() {
    let mut desk = Desk::new("nodehm n1 mgt=ipmi power=ipmi\nnodehm n2 mgt=ipmi");
    assert_eq!(desk.restore("nodehm", "#mgt,node\nbmc,n1\n,n2\nx,n3\n", How::Add), "");
    let cell = |node: &str, column| desk.model.tables().row(NODEHM, node)?.cell(column).map(str::to_owned);
    assert_eq!((cell("n1", "mgt").as_deref(), cell("n1", "power").as_deref()), (Some("bmc"), Some("ipmi")));
    assert_eq!((cell("n2", "mgt"), cell("n3", "mgt").as_deref()), (None, Some("x")));
}

#[test]
fn what_cannot_be_restored_leaves_every_row() {
    let mut desk = Desk::new("site a value=1\nsite b value=2");
    let before = desk.dump("site");
    assert_snapshot!(desk.restore("nosuch", "#key\n", How::Replace), @"
    ! Error: [mn]: Unable to open nosuch
    = 4
    ");
    assert_snapshot!(desk.restore("site", "key,value\nc,3\n", How::Replace), @"
    ! Error: [mn]: Data missing header line starting with #
    = 1
    ");
    assert_snapshot!(desk.restore("site", "#key,valu\nc,3\n", How::Replace), @"
    ! Error: [mn]: The header line indicates that column 'valu' should exist, which is not defined in the schema for 'site'
    = 1
    ");
    assert_snapshot!(desk.restore("site", "#key,value\nc,3,4\nd,\"5\n", How::Replace), @r#"
    ! Error: [mn]: Too many fields on line 0: c,3,4 | 4
    ! Error: [mn]: CSV unmatched " in record on line 2, character 2: d,"5
    = 4
    "#);
    assert_snapshot!(desk.restore("site", "#key,value\nc,3\nd,4\nc,5\n", How::Replace), @r#"
    ! Error: [mn]: DB error UNIQUE constraint failed: site.key with line 2: "c","5",,
    = 4
    "#);
    assert_snapshot!(desk.restore("member", "#kind,name\nsn,x\n", How::Replace), @"
    ! Error: [mn]: Table member is Drover's own: it says what has happened and is not changed by hand. restorexCATdb --full restores it with all others.
    = 1
    ");
    assert_eq!(desk.dump("site"), before);
}

#[test]
fn what_the_model_leaves_out_is_a_warning_and_what_would_be_answered_wrongly_is_refused() {
    let mut desk = Desk::new(CLUSTER);
    assert_snapshot!(desk.restore("hosts", "#node,ip\nn1,10.0.0.300\nn2,10.0.0.102\n", How::Add), @"
    ! Warning: [mn]: n1: ip=10.0.0.300 is not an address
      try      ip=10.0.1.17
    ");
    assert_eq!(desk.model.tables().row(HOSTS, "n1").unwrap().cell("ip"), Some("10.0.0.300"));
    assert_snapshot!(desk.restore("hosts", "#node,ip\nn1,10.0.0.102\n", How::Add), @"
    ! Error: [mn]: n1: 10.0.0.102 is an address of n2 already
      try      give n1 another address
    ! Error: [mn]: Nothing is changed: a table command changes everything or nothing.
    = 1
    ");
    // Scripts restore one table after the other, in the order of their names.
    assert_snapshot!(desk.restore("noderes", "#node,servicenode\nn1,sn9\n", How::Replace), @"
    ! Warning: [mn]: n1: servicenode=sn9: sn9 is not a service node
      because  there is no node sn9
      try      mn token create sn9 --define
    ");
}

#[test]
fn a_dry_run_shows_every_cell() {
    let desk = Desk::new("site a value=1\nsite b value=2");
    let mode = Mode { dry_run: true, ..Mode::default() };
    let file = given("site", "#key,value\nb,3\nc,4\n");
    let command = Command::Tabrestore(Tabrestore { mode, file, how: How::Replace });
    let outcome = plan(&desk.model, &command, &desk.context);
    assert!(outcome.change.is_none());
    assert_snapshot!(shown(outcome.lines, outcome.status), @"
    a: site.value: 1 -> (unset)
    b: site.value: 2 -> 3
    c: site.value: (unset) -> 4
    Dry run: 3 values would change; nothing is changed.
    ");
}

#[test]
fn an_edit_changes_what_was_edited_and_nothing_that_others_changed() {
    let mut desk = Desk::new("nodehm n1 mgt=a\nnodehm n2 mgt=a\nnodehm n3 mgt=a\nnodehm n4 mgt=a");
    let dump = desk.sheet("nodehm");
    let text = desk.dump("nodehm");
    assert_eq!(desk.chtab("node=n2 nodehm.mgt=other"), "");
    assert_eq!(desk.chtab("node=n4 nodehm.mgt=other"), "");
    assert_eq!(desk.chtab("node=n3 -d nodehm"), "");
    // n1 is edited and n3 untouched.
    let mine = text.replace("\"n1\",,\"a\"", "\"n1\",,\"mine\"");
    assert_eq!(desk.restore("nodehm", &mine, How::Edit(dump.clone())), "");
    let mgt = |desk: &Desk, node: &str| desk.model.tables().row(NODEHM, node)?.cell("mgt").map(str::to_owned);
    assert_eq!(
        (mgt(&desk, "n1").as_deref(), mgt(&desk, "n2").as_deref(), mgt(&desk, "n3")),
        (Some("mine"), Some("other"), None)
    );
    // n2 was changed and n3 removed by others; n4 is to go, and was changed.
    let edited = "#node,mgt\nn1,mine\nn2,mine\nn3,mine\n";
    assert_snapshot!(desk.restore("nodehm", edited, How::Edit(dump.clone())), @"
    ! Error: [mn]: Row n4 was changed by somebody else meanwhile:
      n4: mgt: a -> other
    ! Error: [mn]: Row n2 was changed by somebody else meanwhile:
      n2: mgt: a -> other
    ! Error: [mn]: Row n3 was removed by somebody else meanwhile:
      n3: mgt: a -> (unset)
    = 1
    ");
    // What is edited again on top of what has become of it is taken.
    let mine = csv::read(NODEHM, edited.as_bytes()).unwrap();
    let rows = rebased(&dump, &mine, &desk.sheet("nodehm")).unwrap();
    let names: Vec<_> = rows.iter().map(|row| (row.cell("node"), row.cell("mgt"))).collect();
    assert_eq!(names, [(Some("n1"), Some("mine")), (Some("n2"), Some("mine")), (Some("n3"), Some("mine"))]);
}

#[test]
fn chtab_sets_columns_of_the_rows_that_are_meant() {
    let mut desk = Desk::new("nodehm n1 mgt=ipmi\nnodehm n2 mgt=ipmi\npostscripts n1 postscripts=a,b");
    assert_eq!(desk.chtab("mgt=ipmi nodehm.power=ipmi"), "");
    assert_eq!(desk.chtab("node=n9 nodehm.mgt=x nodetype.arch=x86_64"), "");
    assert_eq!(desk.chtab("node=n1 postscripts.postscripts+=b,c"), "");
    assert_eq!(desk.chtab("node=n2 nodehm.mgt=NULL"), "");
    assert_eq!(desk.chtab(" passwd.key=system passwd.username=root passwd.password=x"), "");
    assert_snapshot!(desk.dump("postscripts") + &desk.dump("passwd"), @r##"
    #node,postscripts,postbootscripts,comments,disable
    "n1","a,b,c",,,
    #key,username,password,cryptmethod,authdomain,comments,disable
    "system","root","x",,,,
    "##);
    let row =
        |table: &str, node: &str| desk.model.tables().row(TableId::named(table).unwrap(), node).cloned();
    assert_eq!(row("nodehm", "n2"), Some(Row::new().with("node", "n2").with("power", "ipmi")));
    assert_eq!(row("nodetype", "n9"), Some(Row::new().with("node", "n9").with("arch", "x86_64")));
    assert_eq!(desk.chtab("node=n1 -d nodehm postscripts"), "");
    assert_eq!(desk.chtab("node=n1 -d nodehm"), "", "what is not there needs no removing");
    assert!(desk.model.tables().row(NODEHM, "n1").is_none());
}

#[test]
fn chtab_says_what_it_does_not_know_and_changes_nothing_then() {
    let mut desk = Desk::new("passwd system/root password=x\npasswd system/admin password=y");
    assert_snapshot!(desk.chtab("node=n1 nodehm.mgt=a nosuch.x=y"), @"
    Table nosuch does not exist.
    = 1
    ");
    assert_eq!(desk.model.tables().count(NODEHM), 0);
    assert_snapshot!(desk.chtab("node=n1 nodehm.mgtt=a"), @"
    ! Error: [mn]: nodehm.mgtt not a valid table.column description
      try      mgt
    = 1
    ");
    assert_snapshot!(desk.chtab("nod=n1 nodehm.mgt=a"), @r#"
    ! Error: [mn]: No column "nod" in table "nodehm"
      try      node
    = 1
    "#);
    assert_snapshot!(desk.chtab("key=system passwd.username=root"), @"
    ! Error: [mn]: DB error UNIQUE constraint failed: passwd.key, passwd.username
    = 4
    ");
    assert_snapshot!(desk.chtab("mgt=x nodehm.power=ipmi"), @"
    ! Error: [mn]: DB error a row needs a key, and none is given: nodehm.node
    = 4
    ");
    assert_snapshot!(desk.chtab("name=sn1 -d member"), @"
    ! Error: [mn]: Table member is Drover's own: it says what has happened and is not changed by hand. restorexCATdb --full restores it with all others.
    = 1
    ");
}

#[test]
fn tabprune_counts_by_the_numbers_of_the_rows() {
    let log = "eventlog 9 eventtime=2026-01-09 component=a\neventlog 10 eventtime=2026-01-10 component=b\n\
               eventlog 12 eventtime=2026-01-12 component=c";
    let prune = |which: Prune, verbose| {
        let mut desk = Desk::new(log);
        let (mode, table) = (Mode::default(), "eventlog".to_owned());
        let said = desk.run(&Command::Tabprune(Tabprune { mode, table, which, verbose }));
        let left: Vec<String> =
            desk.sheet("eventlog").records.iter().map(|r| r.row.cell("recid").unwrap().to_owned()).collect();
        format!("{said}{}", left.join(" "))
    };
    assert_snapshot!(prune(Prune::Below(10), false), @"
    tabprune of eventlog complete.
    10 12
    ");
    assert_snapshot!(prune(Prune::Oldest(2), false), @"
    tabprune of eventlog complete.
    12
    ");
    assert_snapshot!(prune(Prune::Percent(50), true), @r#"
    #recid,eventtime,eventtype,monitor,monnode,node,application,component,id,severity,message,rawdata,comments,disable
    "9","2026-01-09",,,,,,"a",,,,,,
    "10","2026-01-10",,,,,,"b",,,,,,
    12
    "#);
    assert_snapshot!(prune(Prune::Before("2026-01-10 00:00:00".into()), false), @"
    tabprune of eventlog complete.
    12
    ");
    assert_snapshot!(prune(Prune::All, false), @"tabprune of eventlog complete.");
}

/// A full dump, as `dumpxCATdb --full` writes it.
fn full(model: &Model) -> Vec<Given> {
    let tables = crate::table::schema::TABLES.iter();
    tables
        .map(|table| {
            let mut text = csv::header(table) + "\n";
            for (_, row) in model.tables().rows(table.id()) {
                text.push_str(&csv::write_plain(table, row));
                text.push('\n');
            }
            given(table.name, &text)
        })
        .collect()
}

fn restored(desk: &mut Desk, files: Vec<Given>) -> String {
    desk.run(&Command::RestoreDb(RestoreDb { files, all: true, full: true, ..RestoreDb::default() }))
}

#[test]
fn a_full_dump_restores_everything_but_the_list_of_files() {
    let own = "ownership n1 epoch=3 from=sn2\nmember node/n1 key=abc\njointoken node/n2 secret=s made=1\n\
               snaddress sn1/eth0/10.0.0.11/24 network=rack\nfile a/b hash=x\neventlog 7 component=a\nagent n1 owner=sn1";
    let there = Desk::new(&format!("{CLUSTER}\n{own}"));
    let mut here = Desk::new("site domain value=elsewhere\nnodelist other groups=all\nfile c hash=y");
    assert_snapshot!(restored(&mut here, full(&there.model)), @"Restore of Database Complete.");
    for table in crate::table::schema::TABLES.iter().filter(|table| table.name != "file") {
        assert_eq!(here.dump(table.name), there.dump(table.name));
    }
    assert!(here.dump("file").contains("\"c\""));
}

#[test]
fn a_restore_never_takes_an_epoch_back() {
    let old =
        Desk::new(&format!("{CLUSTER}\nownership n1 epoch=3\nownership n2 epoch=3\nownership n3 epoch=9"));
    let mut now = Desk::new(&format!(
        "{CLUSTER}\nnoderes n1 servicenode=sn2,sn1\nnoderes n4 servicenode=sn1\nownership n1 epoch=4\nownership n2 epoch=5\nownership n4 epoch=2"
    ));
    restored(&mut now, full(&old.model));
    let epoch = |node: &str| now.model.tables().row(OWNERSHIP, node).and_then(|row| row.cell("epoch"));
    // n1 goes back to its old owner, n4 too, whose row the dump does not have.
    assert_eq!(
        (epoch("n1"), epoch("n2"), epoch("n3"), epoch("n4")),
        (Some("5"), Some("5"), Some("9"), Some("3"))
    );
}

#[test]
fn one_wrong_file_of_a_folder_restores_nothing() {
    let mut desk = Desk::new(CLUSTER);
    let before = desk.dump("site");
    let files =
        vec![given("site", "#key,value\na,b\n"), given("nodehm", "#node,mgt\nn1,\"x\n"), given("odd", "")];
    assert_snapshot!(restored(&mut desk, files), @r#"
    ! Error: [mn]: nodehm.csv: CSV unmatched " in record on line 1, character 3: n1,"x
    ! Warning: [mn]: odd.csv is left out: there is no table odd here
    ! Error: [mn]: Nothing is restored: all tables are restored or none.
    = 1
    "#);
    assert_eq!(desk.dump("site"), before);
}

#[test]
fn a_restore_skips_what_xcat_skips() {
    let mut desk = Desk::new(&format!("{CLUSTER}\nsite skiptables value=hosts,passwd"));
    let hosts = desk.dump("hosts");
    let files = ["auditlog", "hosts", "isnm_perf", "member", "nodehm"].map(|name| given(name, "#disable\n"));
    let command = RestoreDb { files: files.into(), verbose: true, ..RestoreDb::default() };
    assert_snapshot!(desk.run(&Command::RestoreDb(command)), @"
    Skipping auditlog.csv

    Skipping hosts

    Skipping isnm_perf.csv

    Skipping member.csv

    Restoring nodehm.csv.
    Restore of Database Complete.
    ");
    assert_eq!(desk.dump("hosts"), hosts);
}

#[test]
fn a_move_under_way_is_not_restored_over() {
    let mut desk = Desk::new(&format!(
        "{CLUSTER}\nmove 1 state=prepared source=sn1 target=sn2\nmovenode 1/n1 state=prepared epoch=1"
    ));
    let files = full(&Desk::new(CLUSTER).model);
    assert!(restored(&mut desk, files).contains("A move of nodes is under way"));
}

proptest! {
    #[test]
    fn what_was_dumped_is_restored(rows in proptest::collection::btree_map("[a-c\u{e9}\" ,\n]{1,4}", any::<String>(), 0..6)) {
        let mut desk = Desk::new("");
        let table = TableId::named("passwd").unwrap();
        let mut draft = Draft::new(&desk.model);
        for (key, value) in &rows {
            let key = RowKey::of([key.as_str(), ""]);
            draft.put_row(table, &key, Row::new().with("password", value));
        }
        desk.model.apply(draft.finish().edits(), Revision::new(2));
        let dump = desk.dump("passwd");
        let mut other = Desk::new("passwd x/y password=z");
        let said = other.restore("passwd", &dump, How::Replace);
        prop_assert_eq!(said, "");
        prop_assert_eq!(other.dump("passwd"), dump);
    }
}

#[test]
fn a_row_of_which_nothing_is_set_is_not_made() {
    let mut desk = Desk::new("site a value=1");
    assert_eq!(desk.chtab("key=b site.value="), "");
    assert_eq!(desk.chtab("key=c site.value=NULL"), "");
    assert_eq!(desk.chtab("key=a site.value="), "");
    assert_eq!(desk.dump("site"), "#key,value,comments,disable\n\"a\",,,\n");
}

#[test]
fn a_value_that_nobody_can_mean_is_kept_and_said() {
    let mut desk = Desk::new("nodelist n1 groups=all");
    assert_snapshot!(desk.chtab("key=dhcplease site.value=long"), @"
    ! Warning: [mn]: clustersite: dhcplease=long cannot be used
      because  it is a number
    ");
    assert_snapshot!(desk.restore("nodelist", "#node,groups,hidden\nn1,all,5\n", How::Replace), @"
    ! Warning: [mn]: n1: hidden=5 cannot be used
      because  it is 0 or 1
    ");
    assert_eq!(desk.model.site("dhcplease"), Some("long"));
}
