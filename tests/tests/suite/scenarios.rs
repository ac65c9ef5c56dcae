//! The transcripts under `tests/scenarios/`, played on real clusters.

use std::path::Path;

use tests::{sandbox, scenario};

/// Plays a scenario with these numbers of compute nodes and service nodes.
fn play(name: &str, nodes: u16, service_nodes: u8) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios");
    let test = format!("scenarios::{name}");
    sandbox::test(&test, || scenario::check(&folder, name, nodes, service_nodes));
}

#[test]
fn first_cluster() {
    play("first_cluster", 2, 2);
}

#[test]
fn move_a_rack_and_back() {
    play("move_a_rack_and_back", 3, 2);
}

#[test]
fn a_dead_service_node() {
    play("a_dead_service_node", 2, 2);
}

#[test]
fn refused_moves() {
    play("refused_moves", 3, 3);
}

#[test]
fn next_boot() {
    play("next_boot", 1, 1);
}
