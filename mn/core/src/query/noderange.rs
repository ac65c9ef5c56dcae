//! `noderange` and xCAT's `gennr`: what a noderange means, and nothing else.

use serde_json::json;

use crate::command::{Form, Noderange};
use crate::model::Model;
use crate::noderange::fold;
use crate::talk::{Context, Line, warning};
use crate::target::range;

/// Answers; gives the exit status.
pub(super) fn answer(model: &Model, args: &Noderange, context: &Context, out: &mut dyn FnMut(Line)) -> u8 {
    let found = if args.no_verify {
        range::spelt(model, &args.nodes)
    } else {
        range::nodes(model, &args.nodes).map(|found| range::Names {
            names: found.nodes.iter().map(ToString::to_string).collect(),
            warnings: found.warnings,
        })
    };
    let found = match found {
        Ok(found) => found,
        Err(refusal) => {
            out(Line::Err(refusal.render("Error")));
            return 1;
        }
    };
    found.warnings.iter().for_each(|text| out(Line::Err(warning(context, text))));
    let names = found.names;
    match (args.form, context.view.json) {
        (Form::Lines, false) => names.into_iter().for_each(|name| out(Line::Out(name))),
        (Form::Lines, true) => names.iter().for_each(|name| out(Line::Record(json!({"node": name})))),
        (Form::Folded, false) => out(Line::Out(fold(names.iter().map(String::as_str)))),
        (Form::Folded, true) => {
            out(Line::Record(json!({"noderange": fold(names.iter().map(String::as_str))})));
        }
        (Form::Count, false) => out(Line::Out(names.len().to_string())),
        (Form::Count, true) => out(Line::Record(json!({"count": names.len()}))),
    }
    0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::Range;
    use common::wire::operator::View;

    fn run(text: &str, no_verify: bool, form: Form, json: bool) -> String {
        let model = crate::fixture::model(
            "nodelist n1 groups=all\n nodelist n2 groups=all\n nodelist n10 groups=all",
        );
        let args = Noderange { nodes: Range::new(text), no_verify, form };
        let context = Context { server: "mn".to_owned(), view: View { json, ..View::default() } };
        let mut said = Vec::new();
        let status = answer(&model, &args, &context, &mut |line| {
            said.push(match line {
                Line::Out(text) | Line::Err(text) => text,
                Line::Record(value) => value.to_string(),
            });
        });
        format!("{}= {status}", said.join("\n"))
    }

    #[test]
    fn names_are_shown_in_each_form() {
        assert_eq!(run("all", false, Form::Lines, false), "n1\nn10\nn2= 0");
        assert_eq!(run("all", false, Form::Folded, false), "n[1-2,10]= 0");
        assert_eq!(run("all", false, Form::Count, false), "3= 0");
        assert_eq!(run("all,-n10", false, Form::Lines, true), "{\"node\":\"n1\"}\n{\"node\":\"n2\"}= 0");
        assert_eq!(run("all", false, Form::Count, true), "{\"count\":3}= 0");
    }

    #[test]
    fn names_must_exist_unless_that_does_not_matter() {
        assert!(
            run("n1,x", false, Form::Lines, false)
                .starts_with("Error: Invalid nodes and/or groups in noderange: x")
        );
        assert_eq!(run("x[1-2],/n1,a b", true, Form::Lines, false), "/n1\na b\nx1\nx2= 0");
    }
}
