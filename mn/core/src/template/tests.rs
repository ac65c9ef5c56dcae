//! The cases that were observed on xCAT, and that nothing stored can make a template fail or hang.

use proptest::prelude::*;

use super::*;

fn evaluate<'g>(code: &str, group: &dyn Fn(usize) -> Option<&'g str>) -> Result<String, ExpressionError> {
    Expression::read(code)?.value(group)
}

/// (node, stored value, what it is; empty for not set)
const CASES: &[(&str, &str, &str)] = &[
    ("node5", r"|node(\d+)|10.0.0.($1+0)|", "10.0.0.5"),
    ("node05", r"|node(\d+)|10.0.0.($1+0)|", "10.0.0.5"),
    ("node005", r"|node(\d+)|10.0.0.($1)|", "10.0.0.005"),
    ("node5", r"|node(\d+)|10.0.0.$1|", "10.0.0.$1"),
    ("node300", r"|node(\d+)|10.0.($1/256).($1%256)|", "10.0.1.44"),
    ("node300", r"|node(\d+)|10.0.(($1-1)/16+1).(($1-1)%16+1)|", "10.0.19.12"),
    ("node5", r"|xyz(\d+)|10.0.0.($1+0)|", "node5"),
    ("anode5b", r"|node(\d+)|10.0.0.($1+0)|", "a10.0.0.b"),
    ("cn1.dom", r"|cn(\d+)|10.0.0.($1+0)|", "10.0.0.1dom.dom"),
    ("rack2node17", r"|\D+(\d+)\D+(\d+)|10.($1+0).0.($2+0)|", "10.2.0.17"),
    ("rack2node17", r"|10.($1+0).0.($2+0)|", "10.2.0.17"),
    ("node05", r"|10.0.0.($1+0)|", "10.0.0.5"),
    ("node0", r"|10.0.0.($1+0)|", "10.0.0.0"),
    ("f3n12", r"|f($1)u(($2-1)/2)|", "f3u5"),
    ("node5", "/node/10.0.0./", "10.0.0.5"),
    ("node5", r"/\z/-bmc/", "node5-bmc"),
    ("node5", "/$/-bmc/", "node5-bmc"),
    ("node5", "/x/y/", "node5"),
    ("node5", r"/node(\d+)/10.0.0.$1/", "10.0.0.$1"),
    ("node5", "/node5//", ""),
    ("node5", "/install/", "/install/"),
    ("node5", "/tftpboot/xcat/", "node5"),
    ("node5", "/a/b/c/", "/a/b/c/"),
    ("node5", "|node|bmc|", "bmc5"),
    ("S5", "|S|E|", "E5"),
    ("node5", "|S|E|", "node5"),
    ("node5", "|(.*)|($1)-bmc|", "node5-bmc"),
    ("node5", "|^.*$||", ""),
    ("node5", "||", ""),
    ("node5", "|x|", "x"),
    ("node5", "|", "|"),
    ("node5", r"|node(\d+)|x|y|", "x|y"),
    ("node5", r#"|node(\d+)|(sprintf("%03d",$1))|"#, "005"),
    ("node10", r"|node(\d+)|(ipadd(10,0,0,250,$1,0,0))|", "10.0.1.4"),
    ("nodeb", "|node(.)|(a2idx($1))|", "2"),
    ("nodeb", "|node(.)|(a2zidx($1))|", "1"),
    ("r2c3n4", r"|r(\d+)c(\d+)n(\d+)|10.0.0.(dim2idx($1,8,$2,16,$3))|", "10.0.0.164"),
    ("node10", r"|node(\d+)|10.0.0.(skip($1,'3:2,6'))|", "10.0.0.7"),
    ("node5", r"|node(\d+)|10.0.0.($1-10)|", "10.0.0.-5"),
    ("node5", r"|node(\d+)|10.0.0.($1/0)|", "10.0.0."),
    ("node5", r"|node(\d+)|10.0.0.($1 > 3 ? 1 : 2)|", "10.0.0.1"),
    ("node5", r"|node(\d+)|($1)-(($1+1))|", "5-6"),
    ("node5", r"|node(\d+)|a(b|", "a(b"),
    ("node5", r#"|node(\d+)|(system("id"))|"#, ""),
    ("NODE5", r"|node(\d+)|10.0.0.($1+0)|", "NODE5"),
    ("NODE5", r"|(?i)node(\d+)|10.0.0.($1+0)|", "10.0.0.5"),
    ("node-5", r"|node(-\d+)|10.0.0.($1+10)|", "10.0.0.5"),
    ("node5", "plain", "plain"),
    ("node5", "(1+2)", "(1+2)"),
    ("node5", "a|b", "a|b"),
];

#[test]
fn every_observed_case_has_the_observed_value() {
    for (node, stored, want) in CASES {
        assert_eq!(value(stored, node), *want, "{stored} for {node}");
    }
}

#[test]
fn the_language_computes_as_the_tables_expect() {
    let cases = [
        ("2+3*4", "14"),
        ("(2+3)*4", "20"),
        ("2**3**2", "512"),
        ("-2**2", "-4"),
        ("-7/2", "-3"),
        ("-7%2", "-1"),
        ("1 . 2 + 3", "15"),
        ("'a'.'b'", "ab"),
        (r#""a$1-$2""#, "a7-x"),
        ("$1 == 7 && $2 eq 'x' ? 'yes' : 'no'", "yes"),
        ("!0", "1"),
        ("0 ? 1/0 : 2", "2"),
        ("9223372036854775807+1", "-9223372036854775808"),
        ("sprintf('%5s|%-3d|%x|%%|%+d|%.2s|%03d', 'ab', 5, 255, 3, 'xyz', -5)", "   ab|5  |ff|%|+3|xy|-05"),
        ("sprintf('%.3d', 5)", "005"),
        ("substr('abcdef', -3, 2)", "de"),
        ("lc('AB').uc('c').length('xyz')", "abC3"),
        ("skip(4,'3:2')", "-1"),
        ("ipadd(10,10,10,10,246,0,0)", "10.10.11.0"),
        ("ipadd(10,0,0,1,254,1,1)", "10.0.1.1"),
        ("dim2idx(2, 10, 3, 8, 4, 8, 5)", "797"),
        ("mknum('ab')", "195"),
    ];
    let group = |number| [None, Some("7"), Some("x")].get(number).copied().flatten();
    for (code, want) in cases {
        assert_eq!(evaluate(code, &group).as_deref(), Ok(want), "{code}");
    }
}

#[test]
fn a_value_that_cannot_be_understood_is_refused_when_it_is_written() {
    let say = |stored| check(stored).unwrap_err().to_string();
    assert_eq!(say(r"|node(\d+|x|"), r#"the pattern "node(\\d+" cannot be read: unclosed group"#);
    assert_eq!(say("|n(.)|($1+)|"), "the expression \"($1+)\" cannot be read");
    assert!(check("|n(.)|(system('id'))|").is_err() && check("/[/x/").is_err());
    assert!(CASES.iter().filter(|case| check(case.1).is_err()).all(|case| case.1.contains("system")));
}

#[test]
fn nesting_and_growth_end_in_an_empty_value() {
    let deep = format!("|n(.)|{}1{}|", "(".repeat(1000), ")".repeat(1000));
    assert_eq!(value(&deep, "n1"), "");
    let long = format!("|n(.)|({}1)|", "1+".repeat(1500));
    assert_eq!(value(&long, "n1"), "");
    let wide = format!("|n(.)|({})|", "sprintf('%256s','').".repeat(40).trim_end_matches('.'));
    assert_eq!(value(&wide, "n1"), "");
    assert_eq!(value(&format!("|{}|", "x".repeat(5000)), "n1"), "");
}

proptest! {
    #[test]
    fn nothing_stored_panics(stored in r"[|/][|/()$0-9a-z+*.\[\]\\-]{0,40}[|/]", node in "[a-z0-9.-]{0,12}") {
        let found = value(&stored, &node);
        prop_assert!(found.len() <= LONGEST);
        let _ = check(&stored);
    }

    #[test]
    fn no_expression_panics(code in "\\PC{0,60}") {
        let _ = evaluate(&code, &|_| Some("12"));
    }

    #[test]
    fn expressions_of_the_language_are_bounded(
        code in prop::collection::vec(
            prop::sample::select(vec![
                "(", ")", "$1", "1", "+", "-", "**", "/", "%", "?", ":", "'a'", "\"$1\"", ".", ",", "!", "<", "eq",
                "sprintf(", "substr(", "ipadd(", "dim2idx(", "skip(", "99999999999", "'%099d'",
            ]),
            0..60,
        )
    ) {
        let code = code.concat();
        if let Ok(found) = evaluate(&code, &|_| Some("12")) {
            prop_assert!(found.len() <= LONGEST);
        }
    }
}
