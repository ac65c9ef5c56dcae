//! The transcripts under `tests/scenarios/`, played on real clusters.

use std::path::{Path, PathBuf};

use tests::{sandbox, scenario};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios")
}

#[test]
fn first_cluster() {
    sandbox::test("scenarios::first_cluster", || scenario::check(&folder(), "first_cluster", 2, 2));
}
