//! Operators on other machines: a workstation in a network namespace of its own, with nothing but a
//! token; and those who would like to be one.

use std::fs;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;

use common::wire::join::JoinAnswer;
use common::wire::operator::{Request, View};
use common::wire::{ALPN_MEMBER, MN_PORT, Opening, PROTOCOL, Renew, frame};
use mn_core::command::{Asked, Nodels, Query, Sent};
use runtime::link::identity::{Identity, Role};
use tests::attack::quic::{self, Card, Heard};
use tests::cluster::{Cluster, MN_IP};
use tests::net::Host;
use tests::process::Ended;
use tests::{Result, sandbox, wait};

/// A cluster's management node with three nodes, and a machine elsewhere.
struct Bench {
    cluster: Cluster,
    workstation: Host,
}

impl Bench {
    fn lay(service_nodes: u8) -> Result<Self> {
        let mut cluster = Cluster::lay(1, service_nodes)?;
        if service_nodes > 0 {
            cluster.start_all()?;
        } else {
            cluster.start_mn()?;
        }
        cluster.ok("mkdef n1-n3 groups=all")?;
        let workstation = cluster.guest("ws", None, Some(Ipv4Addr::new(10, 77, 9, 8)))?.host;
        Ok(Self { cluster, workstation })
    }

    fn home(&self) -> PathBuf {
        self.cluster.work.join("home")
    }

    /// A command line on the workstation, where there is no management node.
    fn there(&self, line: &str) -> Result<Ended> {
        let home = self.home();
        let line = format!("unset DROVER_DIR; export DROVER_HOME={}; {line}", home.display());
        self.cluster.shell(&self.workstation, &line)
    }

    fn token(&self, name: &str) -> Result<String> {
        Ok(self.cluster.mn_program(&["token", "create", "--operator", name])?.ok()?.trim().to_owned())
    }

    fn login(&self, name: &str) -> Result<()> {
        let token = self.token(name)?;
        self.there(&format!("echo {token} | mn login -"))?.ok().map(drop)
    }

    /// Waits until the audit log has a line with all of these words.
    fn audited(&self, words: &[&str]) -> Result<()> {
        let has = || {
            let dump = self.cluster.ok("tabdump auditlog").ok()?;
            dump.lines().any(|line| words.iter().all(|word| line.contains(word))).then_some(())
        };
        wait::until(format!("{words:?} in the audit log"), wait::LONG, has)
    }
}

#[test]
fn a_workstation_gives_the_commands_that_the_policy_allows() {
    sandbox::test("operators::a_workstation_gives_the_commands_that_the_policy_allows", || {
        let bench = Bench::lay(0)?;
        let ended = bench.there("mn login")?;
        assert!(ended.status == 1 && ended.err.contains("standard input"), "{ended:?}");
        let token = bench.token("kim")?;
        fs::write(bench.cluster.work.join("token"), format!("{token}\n"))?;
        bench.there("mn login token")?.ok()?;
        let mode = |path: PathBuf| fs::metadata(path).map(|file| file.permissions().mode() & 0o777);
        assert_eq!((mode(bench.home())?, mode(bench.home().join("identity"))?), (0o700, 0o600));
        let again = bench.there(&format!("DROVER_TOKEN={token} DROVER_HOME=other mn login"))?;
        assert!(again.status == 1 && again.err.contains("used already"), "{again:?}");
        bench.audited(&["\"kim\"", "\"10.77.9.8\"", "\"login\"", "Allowed"])?;
        bench.audited(&["\"operator kim\"", "\"10.77.9.8\"", "\"connect\"", "Denied", "used already"])?;

        // A name is no right.
        let refused = bench.there("nodels n1")?;
        assert!(refused.err.starts_with("Error: Permission denied for request\n"), "{refused:?}");
        bench
            .cluster
            .ok("mkdef -t policy 6 name=kim commands=nodels,chdef,lsdef noderange=n1-n2 rule=allow")?;
        assert_eq!(bench.there("nodels n1-n2")?.ok()?, "n1\nn2\n");
        assert_eq!(bench.there("nodels n3")?.status, 1);
        // Files and standard input are those of the workstation.
        fs::write(bench.cluster.work.join("list"), "n2\n")?;
        assert_eq!(bench.there("nodels ^list")?.ok()?, "n2\n");
        bench.there("printf 'n1:\\n objtype=node\\n ip=10.77.1.9\\n' | chdef -z")?.ok()?;
        assert!(bench.there("lsdef n1 -i ip </dev/null")?.ok()?.contains("ip=10.77.1.9"));
        assert_eq!(bench.there("printf 'n3:\\n objtype=node\\n ip=10.77.1.9\\n' | chdef -z")?.status, 1);
        // The machine counts, as its address and as what the definitions call it.
        bench.cluster.ok("chdef -t policy 6 host=elsewhere")?;
        assert_eq!(bench.there("nodels n1")?.status, 1);
        bench.cluster.ok("chdef -t policy 6 host=10.77.9.8")?;
        bench.there("nodels n1 --mn 10.77.0.1")?.ok()?;
        bench.there("DROVER_MN=10.77.0.1:7700 nodels n1")?.ok()?;
        let both = "DROVER_DIR=/nowhere DROVER_MN=10.77.0.1:7700 nodels n1";
        let ended = bench.there(both)?;
        assert!(ended.status == 1 && ended.err.contains("two management nodes"), "{ended:?}");
        bench.there(&format!("{both} --mn 10.77.0.1"))?.ok()?;
        bench.audited(&["\"kim\"", "\"10.77.9.8\"", "\"nodels\"", "Allowed"])?;
        bench.audited(&["\"kim\"", "\"10.77.9.8\"", "\"nodels\"", "Denied"])?;
        // A long answer and a long command.
        bench.cluster.ok("chdef -t policy 6 noderange=")?;
        bench.cluster.ok("mkdef c[0001-0300] groups=all,many")?;
        assert_eq!(bench.there("nodels many")?.ok()?.lines().count(), 300);
        let stanza = |n| format!("c{n:04}:\n objtype=node\n usercomment={}\n", "7".repeat(6000));
        let stanzas: String = (1..=300).map(stanza).collect();
        fs::write(bench.cluster.work.join("stanzas"), stanzas)?;
        let said = bench.there("chdef -z < stanzas")?.ok()?;
        assert!(said.contains("300 object definitions"), "{said}");
        Ok(())
    });
}

/// What is the operator's is nobody else's to read.
fn is_private(folder: &std::path::Path) -> Result<()> {
    assert_eq!(fs::metadata(folder)?.permissions().mode() & 0o777, 0o700);
    for entry in fs::read_dir(folder)? {
        assert_eq!(entry?.metadata()?.permissions().mode() & 0o777, 0o600);
    }
    Ok(())
}

#[test]
fn a_fresh_account_needs_a_token_and_nothing_else() {
    sandbox::test("operators::a_fresh_account_needs_a_token_and_nothing_else", || {
        let bench = Bench::lay(0)?;
        let home = bench.home();
        fs::create_dir_all(&home)?;
        // Nothing of Drover's in the environment, and no folder of a daemon on the machine.
        let there = |line: &str| {
            let clean = "env -i PATH=\"$PATH\" HOME=\"$PWD/home\" sh -c";
            bench.cluster.shell(&bench.workstation, &format!("{clean} 'cd; {line}'"))
        };
        let lost = there("nodels n1")?;
        assert!(lost.status != 0 && lost.err.contains("mn login"), "it says how to begin: {lost:?}");
        let token = bench.token("kim")?;
        let said = there(&format!("echo {token} | mn login -"))?.ok()?;
        assert!(said.contains("operator kim") && said.contains("home/.config/drover"), "{said}");
        is_private(&home.join(".config/drover"))?;
        // What rows say of who, from where, which command, with which words, on which nodes.
        let policy = |line: &str| bench.cluster.ok(&format!("mkdef -t policy {line}"));
        assert_eq!(there("nodels n1")?.status, 1, "no row, no right");
        policy("5.1 name=kim commands=lsdef,nodels,noderange,tabdump,explain rule=allow")?;
        policy("5.2 name=kim commands=chdef noderange=n1-n2 rule=allow")?;
        policy("5.3 name=kim commands=apply,mkdef,dumpxCATdb rule=allow host=10.77.9.8")?;
        policy("5.0 name=kim commands=tabdump parameters=passwd rule=deny")?;
        policy("5.4 name=kim commands=complete rule=allow")?;
        // A tab knows the names of the management node far away.
        let offered =
            || there("mn complete bash 1 -- lsdef n").ok().filter(|said| said.out == "n1\nn2\nn3\n");
        wait::until("names at a tab, which asks for a moment alone", wait::LONG, offered)?;
        for (line, status) in [
            ("nodels all", 0),
            ("noderange /n[12]", 0),
            ("lsdef n1 -i groups", 0),
            ("explain n1 groups", 0),
            ("tabdump nodelist", 0),
            ("tabdump passwd", 1),
            ("chdef n1,n2 usercomment=kim", 0),
            ("chdef n1,n3 usercomment=kim", 1),
            ("chdef -t group all usercomment=kim", 1),
            ("rmdef n1", 1),
            ("nodeset n1 boot", 1),
            ("chtab key=domain site.value=evil", 1),
            ("mkdef -t policy 1 name=kim rule=allow", 1),
            ("mn token create --operator eve", 1),
            ("mn operator list", 1),
        ] {
            let said = there(line)?;
            assert_eq!(said.status, status, "{line}: {said:?}");
            let denied = said.err.contains("Permission denied for request");
            assert_eq!(denied, status != 0, "{line}: {said:?}");
        }
        assert_eq!(bench.cluster.ok("nodels n3 nodelist.comments")?.trim(), "n3:");
        // Files are the operator's own, on his machine.
        there("printf \"n7:\\n objtype=node\\n groups=all\\n\" > new; apply new")?.ok()?;
        assert_eq!(there("nodels n7")?.ok()?, "n7\n");
        there("mkdir dump; dumpxCATdb -p dump")?.ok()?;
        assert!(fs::read_to_string(home.join("dump/nodelist.csv"))?.contains("\"n7\""));
        there("nodels all > names; nodels ^names | diff - names")?.ok()?;
        bench.cluster.ok("chdef -t policy 5.3 host=10.77.0.1")?;
        assert_eq!(there("apply new")?.status, 1, "not from this machine any more");
        bench.audited(&["\"kim\"", "\"10.77.9.8\"", "rmdef", "Denied"])
    });
}

#[test]
fn who_is_let_go_is_cut_off_at_once() {
    sandbox::test("operators::who_is_let_go_is_cut_off_at_once", || {
        let bench = Bench::lay(0)?;
        bench.login("kim")?;
        bench.cluster.ok("mkdef -t policy 6 name=kim rule=allow")?;
        bench.there("nodels n1")?.ok()?;
        let listed = bench.cluster.mn_program(&["operator", "list"])?.ok()?;
        assert!(listed.starts_with("kim: since 20"), "{listed}");
        // A link that stands, with a stream that says nothing.
        let card = Card::stolen(&bench.home())?;
        let connected = "operator connected";
        let said = || fs::read_to_string(bench.cluster.work.join("mn.log")).unwrap_or_default();
        let before = said().matches(connected).count();
        let to = SocketAddrV4::new(MN_IP, MN_PORT);
        let heard = std::thread::scope(|scope| {
            let holding = scope.spawn(|| {
                quic::call(&bench.workstation, to, Some(&card), ALPN_MEMBER, b"\0")
                    .map_err(|error| error.to_string())
            });
            let is_up = || (said().matches(connected).count() > before).then_some(());
            wait::until("the link", wait::LONG, is_up)?;
            let said = bench.cluster.mn_program(&["operator", "rm", "kim"])?.ok()?;
            assert!(said.contains("no operator any more") && said.contains("rmdef -t policy 6"), "{said}");
            holding.join().map_err(|_| "the caller panicked")?.map_err(Into::into)
        });
        let heard: Result<Heard> = heard;
        assert!(matches!(heard?, Heard::Refused(why) if why.contains("no member any more")));
        let ended = bench.there("nodels n1")?;
        assert!(
            ended.status == 1 && ended.err.contains("refused you") && ended.err.contains("try"),
            "{ended:?}"
        );
        bench.audited(&["operator kim", "no member any more", "Denied"])?;
        assert_eq!(bench.cluster.mn_program(&["operator", "rm", "kim"])?.status, 1);
        // Once more under the same name, with a new token.
        bench.login("kim")?;
        bench.there("nodels n1")?.ok().map(drop)
    });
}

/// A command, as an operator's program sends it.
fn command() -> Result<Vec<u8>> {
    let asked = Asked::Query(Query::Nodels(Nodels::default()));
    let request = Request {
        protocol: PROTOCOL,
        words: vec!["nodels".to_owned()],
        command: postcard::to_stdvec(&Sent::V1(asked))?,
        view: View::default(),
        parts: 0,
    };
    Ok(frame::encode(&Opening::Command(request))?)
}

#[test]
fn no_other_certificate_gives_a_command() {
    sandbox::test("operators::no_other_certificate_gives_a_command", || {
        let bench = Bench::lay(1)?;
        // Everybody who has a name may list nodes, so that only the door keeps them out.
        bench.cluster.ok("mkdef -t policy 6 commands=nodels rule=allow")?;
        let to = SocketAddrV4::new(MN_IP, MN_PORT);
        let call = |card: &Card| quic::call(&bench.workstation, to, Some(card), ALPN_MEMBER, &command()?);
        let foreign = Card::foreign(&bench.cluster.work.join("elsewhere"), &Role::Operator("kim".parse()?))?;
        assert!(matches!(call(&foreign)?, Heard::Refused(_)));
        bench.audited(&["\"10.77.9.8\"", "foreign authority", "Denied"])?;
        let sn = Card::stolen(&bench.cluster.service_nodes[0].dir)?;
        assert!(matches!(call(&sn)?, Heard::Refused(why) if why.contains("give no commands")));
        bench.audited(&["service node sn1", "give no commands", "Denied"])?;
        // An operator does nothing but that.
        bench.login("kim")?;
        let kim = Card::stolen(&bench.home())?;
        assert!(matches!(call(&kim)?, Heard::Answered(_)));
        let control = frame::encode(&Opening::Control)?;
        let heard = quic::call(&bench.workstation, to, Some(&kim), ALPN_MEMBER, &control)?;
        assert!(matches!(heard, Heard::Refused(why) if why.contains("and nothing else")));
        bench.audited(&["\"kim\"", "nothing else"])
    });
}

#[test]
fn a_certificate_is_renewed_for_its_own_key_alone() {
    sandbox::test("operators::a_certificate_is_renewed_for_its_own_key_alone", || {
        let bench = Bench::lay(0)?;
        bench.login("kim")?;
        let identity = Identity::load(&bench.home())?;
        let card = Card::stolen(&bench.home())?;
        let days = identity.not_after().saturating_sub(runtime::clock::unix_seconds()) / 86_400;
        assert!((12..=14).contains(&days), "{days}");
        let to = SocketAddrV4::new(MN_IP, MN_PORT);
        let ask = |public_key| -> Result<JoinAnswer> {
            let wish = frame::encode(&Opening::Renew(Renew { public_key }))?;
            match quic::call(&bench.workstation, to, Some(&card), ALPN_MEMBER, &wish)? {
                Heard::Answered(bytes) => Ok(frame::decode(bytes.get(4..).ok_or("too short")?)?),
                other => Err(format!("{other:?}").into()),
            }
        };
        let JoinAnswer::Welcome { chain, .. } = ask(identity.public_key().ok_or("no key")?)? else {
            return Err("it was not renewed".into());
        };
        assert_eq!(identity.renewed(chain)?.role(), identity.role());
        assert!(matches!(ask(vec![0; 91])?, JoinAnswer::Refused(_)));
        Ok(())
    });
}
