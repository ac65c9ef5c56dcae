//! Words to typed questions, without a daemon.

use std::path::PathBuf;

use mn_core::command::{Asked, Command as Change, ListEdit, Operation, Query};

use super::*;

/// Parses a line as its applet does; what is asked for, or the error.
#[track_caller]
fn parse(line: &str, stdin: &'static str) -> Result<Asked, String> {
    let words: Vec<&str> = line.split(' ').collect();
    let applet = find(words[0]).unwrap();
    let matches = applet.definition().try_get_matches_from(&words).map_err(|error| error.to_string())?;
    let mut intake = Intake::with(stdin, PathBuf::new());
    intake.guard(max_nodes(&matches));
    match (applet.ask)(&matches, &mut intake) {
        Ok(Parsed::Ask(asked)) => Ok(*asked),
        Ok(Parsed::Show(text) | Parsed::End(text, _)) => Err(text),
        Ok(Parsed::Run(_)) => Err("goes on by itself".to_owned()),
        Err(usage) => Err(usage.to_string()),
    }
}

#[track_caller]
fn asked(line: &str) -> Asked {
    parse(line, "").unwrap()
}

#[test]
fn definitions_of_clap_are_sound_and_their_names_are_the_applets() {
    for applet in APPLETS {
        let command = applet.definition();
        assert_eq!(command.get_name(), applet.name);
        command.debug_assert();
    }
    assert!(APPLETS.windows(2).all(|pair| pair[0].name < pair[1].name), "sorted, each once");
}

#[test]
fn what_says_nothing_is_left_to_the_answer() {
    // The last word is empty, as of a script's variable.
    for line in ["lsdef n1 -i ", "lsdef n1 -i ,"] {
        let Asked::Query(Query::Lsdef(args)) = asked(line) else { panic!() };
        assert_eq!(args.attributes, None, "{line}");
    }
    let compressed = parse("lsdef -c -i ", "").unwrap_err();
    assert!(compressed.contains("The flags '-c' and '-i' must be used together."), "{compressed}");
    let Asked::Query(Query::Gettab(args)) = asked("gettab nosuch networks.net") else { panic!() };
    assert_eq!(args.keys, [("nosuch".to_owned(), String::new())]);
}

#[test]
fn every_command_that_takes_a_noderange_can_be_guarded() {
    for applet in APPLETS {
        let mut command = applet.definition();
        let takes_range = command.render_usage().to_string().to_uppercase().contains("NODERANGE");
        let is_guarded = command.get_arguments().any(|arg| arg.get_id() == "max-nodes");
        assert!(is_guarded || !takes_range, "{}", applet.name);
    }
    let Asked::Change(Change::Noderm(args)) = asked("noderm rack1 --max-nodes 40") else { panic!() };
    assert_eq!((args.nodes.text.as_str(), args.nodes.max_nodes), ("rack1", Some(40)));
    let Asked::Query(Query::Nodels(args)) = asked("nodels rack1") else { panic!() };
    assert_eq!(args.nodes.unwrap().max_nodes, None);
}

#[test]
fn options_stand_anywhere_and_short_ones_bundle() {
    let Asked::Change(Change::Chdef(args)) = asked("chdef groups=a,b -pV -t node n1-n3 arch=aarch64") else {
        panic!()
    };
    assert_eq!(args.types, ["node"]);
    assert_eq!(args.objects.unwrap().text, "n1-n3");
    assert_eq!(args.attributes, [("groups".into(), "a,b".into()), ("arch".into(), "aarch64".into())]);
    assert_eq!((args.list, args.verbose), (ListEdit::Add, true));
}

#[test]
fn a_value_may_hold_an_equals_sign_or_nothing() {
    let Asked::Change(Change::Mkdef(args)) = asked("mkdef n1 addkcmdline=a=1,b=2 mgt=") else { panic!() };
    assert_eq!(args.attributes, [("addkcmdline".into(), "a=1,b=2".into()), ("mgt".into(), String::new())]);
}

#[test]
fn a_selection_is_a_noderange_and_not_an_attribute() {
    for range in ["mgt==ipmi", "nodehm.mgt=~ip.*", "all@mgt!=ipmi", "rack1,-mgt==x"] {
        let Asked::Query(Query::Lsdef(args)) = asked(&format!("lsdef {range} -i ip,mac")) else { panic!() };
        assert_eq!(args.objects.unwrap().text, range);
        assert_eq!(args.attributes.unwrap(), ["ip", "mac"]);
    }
}

#[test]
fn beside_an_object_what_looks_like_a_selection_is_a_value() {
    for line in ["chdef n1 usercomment==x", "chdef usercomment==x -o n1"] {
        let Asked::Change(Change::Chdef(args)) = asked(line) else { panic!() };
        assert_eq!(args.attributes, [("usercomment".into(), "=x".into())], "{line}");
        assert_eq!(args.objects.unwrap().text, "n1", "{line}");
    }
}

#[test]
fn a_value_may_look_like_an_option() {
    let Asked::Query(Query::Lsdef(args)) = asked("lsdef -t -l") else { panic!() };
    assert_eq!((args.types, args.long), (vec!["-l".to_owned()], false));
}

#[test]
fn templates_are_listed_unless_they_are_named() {
    for (line, long) in
        [("lsdef --template", false), ("lsdef --template x", true), ("lsdef --template -i mgt", true)]
    {
        let Asked::Query(Query::Lsdef(args)) = asked(line) else { panic!() };
        assert!(args.template.is_some() && args.long == long, "{line}");
    }
}

#[test]
fn a_stanza_is_read_whole_from_standard_input() {
    let Asked::Change(Change::Mkdef(args)) = parse("mkdef -fz", "n1:\n  objtype=node\n").unwrap() else {
        panic!()
    };
    assert_eq!((args.stanza.as_deref(), args.force), (Some("n1:\n  objtype=node\n"), true));
}

#[test]
fn wrong_usage_is_said_in_xcats_words() {
    for (line, said) in [
        ("lsdef n1 n2", "noderange can not contain spaces."),
        ("lsdef -l -s", "The flags '-l' and '-s' cannot be used together."),
        ("lsdef -c", "The flags '-c' and '-i' must be used together."),
        ("lsdef -z --osimage", "The flags '-z' and '--osimage' cannot be used together."),
        ("lsdef -u", "Option '-u' can not work with lsdef."),
        ("mkdef n1 -C", "Option '-C' can not be used with mkdef."),
        ("mkdef -t node", "No object names were provided."),
        ("mkdef -z n1", "Cannot use '-z' with '-o' or a noderange."),
        ("mkdef -zu", "Option '-u' only work for objtype 'osimage'."),
        ("chdef n1 -n a.b", "The new object name 'a.b' is not valid."),
        ("mkdef n1 -i groups", "The '-i' option is only valid for the lsdef command."),
        ("chdef -t osimage i1 -up", "Cannot use '-u' with '-p' or '-m'."),
        ("lsdef -ht nosuch", "\nType 'nosuch' is not a valid xCAT object type."),
        ("mkdef -zt node", "Cannot combine '-t' and '-a', '-z', or '-x' options."),
        ("chdef -f n1", "The '-f' option is not valid for the chdef command."),
        ("chdef n1 -n n2 -p", "Cannot combine '-n' and '-d','-p','-m','-z','-w' options."),
        ("chdef n1 -p nicips.eth0=1", "chdef does not support to change the nic related attributes"),
        ("chdef -t node,group x a=b", "Cannot combine multiple types with 'att=val' pairs"),
        ("rmdef -t node -d", "Invalid flag specified, see rmdef manpage for details."),
        ("rmdef -a", "You must use the '-f' option when using the '-a' option."),
        ("lsdef n1 groups=all", "'groups=…' sets an attribute"),
        ("mkdef -p n1", "The '-p' and '-m' options are not valid for the mkdef command."),
        ("chdef -pm n1", "cannot be used together"),
        ("tabdump a b", "only one table"),
        ("nodeset n1", "Invalid argument: ''"),
        ("nodeset n1 boot shell", "Invalid argument: 'boot shell'"),
        ("nodeset n1 boot -a", "'-a' could only be used with 'stat' subcommand."),
        ("snmove", "A node range or the source service node must be specified."),
        ("snmove n1 n2 -d sn2", "Too many paramters."),
        ("snmove n1 -i -P all", "-P and -i flags cannot be specified at the same time."),
        ("snmove n1 -l", "The '-l' option is not supported for Linux nodes."),
        ("updatenode", "The noderange should be the first argument."),
        (
            "updatenode n1 -F -f",
            "Choose either -f to sync the service nodes, or -F  to sync the nodes not both.",
        ),
        ("updatenode n1 -k -S", "If you use the -k flag, you cannot specify the -S,-P,-f or -F flags."),
        (
            "updatenode n1 -f -P",
            "If you specify the -f flag you must not specify either the -S or -k or -P or -F flags",
        ),
        ("updatenode n1 -k -l x", "-l option is not allowed with -k option."),
        ("updatenode n1 -f -l x", "-l option is not allowed with -f options."),
        ("updatenode n1 -c", "If you specify the -c flag you must specify the -S flag"),
        ("updatenode n1 -r /x -P", "-r|--node-rcp option is valid when option -f or -F is specified"),
        (
            "updatenode n1 -g",
            "This option is only valid if site table precreatemypostscripts attribute is 1 or YES",
        ),
        ("updatenode n1 -k", "-k is not for the agents here"),
        ("nodech n1", "say what is to be done with n1"),
        ("nodeadd", "say which"),
        ("noderm n1 n2", "in one noderange"),
        ("noderange n1 n2", "one noderange"),
        ("tabgrep", "say which node"),
    ] {
        let error = parse(line, "").unwrap_err();
        assert!(error.contains(said), "{line}: {error}");
    }
}

#[test]
fn long_options_may_be_cut_short() {
    assert_eq!(asked("nodels --with n1 groups"), asked("nodels n1 groups -H"));
    assert_eq!(asked("makehosts --longname --other n1"), asked("makehosts -l -o n1"));
    assert_eq!(asked("lsdef --stan n1"), asked("lsdef -z n1"));
}

#[test]
fn one_object_is_renamed_at_a_time() {
    assert!(parse("chdef n1,n2 -n n3", "").unwrap_err().contains("can only work on one object."));
    for several in ["n[1-2]", "n1-n3", "n1+1", "-o n1:n2", "-t group a,b"] {
        let said = parse(&format!("chdef {several} -n n9"), "").unwrap_err();
        assert!(said.contains("can only work on one object."), "{several}: {said}");
    }
    for one in ["n1", "n1,n1", "n[3]", "n1,", "a-b", "-t group n[1-2]", "-t network 10_0_0_0-255_0_0_0"] {
        assert!(parse(&format!("chdef {one} -n n3"), "").is_ok(), "{one}");
    }
}

#[test]
fn wrong_usage_is_said_where_xcat_says_it() {
    for (line, frame) in [
        ("nodech n1", Frame::Own),
        ("noderm", Frame::Own),
        ("tabdump a b", Frame::Own),
        ("tabdump -dn 3 auditlog", Frame::Server),
        ("nodeset n1 boot -a", Frame::Server),
        ("makedhcp -qn", Frame::Server),
        ("makedns -d", Frame::Server),
        ("updatenode n1 -Ff", Frame::Bare),
        ("updatenode n1 -g", Frame::Server),
        ("updatenode n1 -c", Frame::Said),
        ("snmove", Frame::Said),
        ("snmove n1 -l", Frame::Server),
    ] {
        let words: Vec<&str> = line.split(' ').collect();
        let applet = find(words[0]).unwrap();
        let matches = applet.definition().try_get_matches_from(&words).unwrap();
        match (applet.ask)(&matches, &mut Intake::with("", PathBuf::new())) {
            Err(usage) => assert_eq!(usage.frame, frame, "{line}"),
            Ok(_) => panic!("{line}"),
        }
    }
}

#[test]
fn the_usage_of_xcats_commands_begins_as_theirs() {
    for usage in [
        "chtab keycolname=keyvalue[,keycolname=keyvalue...] tablename.colname=newvalue [tablename.colname=newvalue...]",
        "dumpxCATdb -h",
        "gettab [-H|--with-fieldname] key=value,...  table.attribute ...",
        "lsxcatd [-v|--version]",
        "makedhcp -n",
        "makehosts <noderange> [-d] [-n] [-l] [-a] [-o] [-m]",
        "nodeadd <noderange> groups=<groupnames> [table.column=value] [...]",
        "nodech <noderange> table.column=value [...]",
        "nodegrpch <group1,group2,...> [table.column=value] [...]",
        "nodels [noderange] [-b|--blame] [-H|--with-fieldname] [table.attribute | shortname] [-S][...]",
        "noderm noderange",
        "nodestat [noderange] [-m|--usemon] [-p|powerstat] [-f|--usefping] [-u|--updatedb]",
        "tabdump [-d] [table]",
        "tabedit <tablename>",
        "tabgrep nodename",
        "tabprune <tablename> [-V] -a",
        "tabrestore <tablename>.csv",
    ] {
        let applet = find(usage.split(' ').next().unwrap()).unwrap();
        assert!(applet.usage().starts_with(&format!("Usage: {usage}\n")), "{}", applet.usage());
    }
}

#[test]
fn asking_ends_as_in_xcat() {
    let ended = |line: &str| {
        let words: Vec<&str> = line.split(' ').collect();
        let applet = find(words[0]).unwrap();
        let matches = applet.definition().try_get_matches_from(&words).unwrap();
        match (applet.ask)(&matches, &mut Intake::with("", PathBuf::new())) {
            Ok(Parsed::End(text, status)) => (text.contains("Usage: "), status),
            _ => panic!("{line}"),
        }
    };
    for line in ["tabgrep -h", "tabedit -h", "gettab", "chtab", "tabch -d key=x"] {
        assert_eq!(ended(line), (line != "tabch -d key=x", 1), "{line}");
    }
    assert!(find("makenetworks").unwrap().version().starts_with("makenetworks - Version "));
    let Asked::Query(Query::Lsmn(args)) = asked("lsxcatd -d") else { panic!() };
    assert!(args.xcats && args.database && !args.version);
}

#[test]
fn snmove_has_both_of_xcats_forms() {
    let Asked::Operate(Operation::Snmove(args)) =
        asked("snmove -s sn1 -S sn1n --dest sn2 --destn sn2n --dry-run")
    else {
        panic!()
    };
    assert_eq!((args.source.as_deref(), args.destn.as_deref()), (Some("sn1"), Some("sn2n")));
    assert!(args.mode.dry_run && args.nodes.is_none());
    let Asked::Operate(Operation::Snmove(args)) = asked("snmove rack1 -d sn2 -P syslog,setupntp") else {
        panic!()
    };
    assert_eq!(args.nodes.unwrap().text, "rack1");
    assert_eq!(args.postscripts.as_deref(), Some("syslog,setupntp"));
}

#[test]
fn updatenode_without_an_action_does_everything() {
    let run = |line: &str| match asked(line) {
        Asked::Operate(Operation::Updatenode(args)) => (args.nodes.text, args.scripts, args.sync),
        other => panic!("{other:?}"),
    };
    let list = |items: &[&str]| Some(items.iter().map(|item| (*item).to_owned()).collect::<Vec<_>>());
    assert_eq!(run("updatenode n1"), ("n1".into(), list(&[]), true));
    assert_eq!(run("updatenode n1 -F"), ("n1".into(), None, true));
    assert_eq!(run("updatenode n1 -P a,b"), ("n1".into(), list(&["a", "b"]), false));
    assert_eq!(run("updatenode n1 -P"), ("n1".into(), list(&[]), false));
    assert_eq!(run("updatenode -P n1"), ("n1".into(), list(&[]), false));
    assert_eq!(run("updatenode n1 a,b"), ("n1".into(), list(&["a", "b"]), false));
    assert_eq!(run("updatenode n1 -S --fanout=8"), ("n1".into(), list(&["ospkgs", "otherpkgs"]), false));
    assert_eq!(run("updatenode n1 -SF -P a"), ("n1".into(), list(&["ospkgs", "otherpkgs", "a"]), true));
    assert_eq!(run("updatenode n1 -S -P"), ("n1".into(), list(&[]), false));
}

#[test]
fn the_meaning_of_attributes_needs_no_daemon() {
    let text = parse("lsdef -h -t network -i mask", "").unwrap_err();
    assert!(
        text.contains("mask:\t\t")
            && text.contains("(networks.mask; an address)")
            && !text.contains("gateway"),
        "{text}"
    );
    let text = parse("lsdef -h -t node -i bmc", "").unwrap_err();
    assert!(text.contains("ipmi.bmc if mgt=ipmi, openbmc.bmc if mgt=openbmc"), "{text}");
    assert!(parse("lsdef -h", "").unwrap_err().contains("Usage: lsdef"));
}

proptest::proptest! {
    #[test]
    fn no_words_panic(words in proptest::collection::vec("[a-z=!~,^@ /-]{0,12}", 0..6)) {
        for applet in APPLETS {
            let words = std::iter::once(applet.name.to_owned()).chain(words.iter().cloned());
            if let Ok(matches) = applet.definition().try_get_matches_from(words) {
                let _ = (applet.ask)(&matches, &mut Intake::with("", PathBuf::new()));
            }
        }
    }
}
