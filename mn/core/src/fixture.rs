//! Models for tests, from a few lines of text: `TABLE KEY COLUMN=VALUE …`, a key of several columns
//! with `/` between. A
//! later line about a row adds to it; a row of which nothing is set is left out.

use std::collections::BTreeMap;

use common::id::Revision;

use crate::model::Model;
use crate::table::{Row, RowKey, TableId, Tables};

/// The model of these lines; lines that are empty or begin with `#` say nothing.
pub(crate) fn model(text: &str) -> Model {
    let mut rows: BTreeMap<(TableId, RowKey), Row> = BTreeMap::new();
    for line in text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#')) {
        let mut words = line.split_whitespace();
        let table = TableId::named(words.next().unwrap()).unwrap();
        let key = RowKey::of(words.next().unwrap().split('/'));
        let row = rows.entry((table, key.clone())).or_default();
        for (column, part) in table.table().key.iter().zip(key.parts()) {
            row.put(column, part);
        }
        for (column, value) in words.map(|word| word.split_once('=').unwrap()) {
            assert!(table.table().column(column).is_some(), "{table} has no column {column}");
            row.put(column, value);
        }
    }
    let mut tables = Tables::new();
    for ((table, key), row) in rows {
        let says_something = row.cells().any(|(column, _)| !table.table().key.contains(&column));
        if says_something {
            tables.load(table, key, row);
        }
    }
    Model::new(tables, Revision::new(1))
}

/// A small cluster: `sn1` and `sn2` on 10.0.0.0/24, `n1` to `n3` owned by `sn1`, `n4` by `sn2`.
pub(crate) const CLUSTER: &str = "
    site domain value=cluster.test
    site master value=10.0.0.1
    networks 10.0.0.0/255.255.255.0 netname=rack gateway=<xcatmaster>
    nodelist sn1 groups=service
    nodelist sn2 groups=service
    hosts sn1 ip=10.0.0.11 otherinterfaces=sn1e:10.0.0.21
    hosts sn2 ip=10.0.0.12 otherinterfaces=sn2e:10.0.0.22
    servicenode service nameserver=1 dhcpserver=1 tftpserver=1 nfsserver=1 ntpserver=1
    nodelist n1 groups=compute
    nodelist n2 groups=compute
    nodelist n3 groups=compute
    nodelist n4 groups=compute
    hosts n1 ip=10.0.0.101
    hosts n2 ip=10.0.0.102
    hosts n3 ip=10.0.0.103
    hosts n4 ip=10.0.0.104
    mac n1 mac=52:54:00:00:00:01
    mac n2 mac=52:54:00:00:00:02
    mac n3 mac=52:54:00:00:00:03
    mac n4 mac=52:54:00:00:00:04
    noderes n1 servicenode=sn1,sn2
    noderes n2 servicenode=sn1,sn2
    noderes n3 servicenode=sn1,sn2
    noderes n4 servicenode=sn2,sn1
";
