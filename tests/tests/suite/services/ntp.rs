//! NTP: the time, as chronyd and small clients read it.

use tests::client::lookup;
use tests::sandbox;

use super::{SN1, booted_rack};

/// From 1900 to 1970.
const UNIX_EPOCH: u64 = 2_208_988_800;

#[test]
fn clients_of_every_kind_read_the_time() {
    sandbox::test("services::ntp::clients_of_every_kind_read_the_time", || {
        let cluster = booted_rack(1)?;
        let host = &cluster.nodes[0].host;
        for version in [3, 4] {
            let wrong = lookup::clock_by_version(host, SN1, version)?;
            assert!(wrong.abs() < 0.1, "version {version}: {wrong} s");
        }
        let seconds = lookup::seconds_since_1900(host, SN1)?.ok_or("no answer to SNTP")?;
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH)?.as_secs();
        assert!((now + UNIX_EPOCH).abs_diff(seconds.into()) <= 1, "{seconds}");
        Ok(())
    });
}

#[test]
fn a_foreigner_is_not_told_the_time() {
    sandbox::test("services::ntp::a_foreigner_is_not_told_the_time", || {
        let cluster = booted_rack(1)?;
        let foreigner = cluster.foreigner()?;
        assert_eq!(lookup::seconds_since_1900(&foreigner.host, SN1)?, None);
        assert!(lookup::seconds_since_1900(&cluster.nodes[0].host, SN1)?.is_some());
        Ok(())
    });
}
