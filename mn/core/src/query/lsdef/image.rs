//! `lsdef --osimage`: what a node's image says, after what the node says.

use crate::model::Model;
use crate::object::{self, Shown};
use crate::table::attribute;
use crate::talk::{Context, Line, error, warning};

/// What is odd about a node's image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Said {
    /// The exit status tells.
    Error(String),
    /// Somebody should look.
    Warning(String),
}

impl Said {
    /// In xCAT's frame.
    pub(super) fn line(self, context: &Context) -> Line {
        match self {
            Self::Error(text) => Line::Err(error(context, &text)),
            Self::Warning(text) => Line::Err(warning(context, &text)),
        }
    }
}

/// The attributes of the image that a node is provisioned with; none where it names none.
pub(super) fn attributes(model: &Model, name: &str) -> (Option<Vec<Shown<'static>>>, Option<Said>) {
    let (Some(node), Some(image)) = (attribute::object_type("node"), attribute::object_type("osimage"))
    else {
        return (None, None);
    };
    let held = |attribute: &str| object::value(model, node, name, attribute).unwrap_or_default();
    let method = held("provmethod");
    let image_name = match method.as_str() {
        // The method alone: the image is called as copycds and genimage call theirs.
        "install" | "netboot" | "statelite" | "" => {
            let parts = [held("os"), held("arch"), method, held("profile")];
            if parts.iter().any(String::is_empty) {
                let text = format!(
                    "Missing attributes for node {name}, check the node attributes 'os', 'arch','profile' and 'provmethod'."
                );
                return (None, Some(Said::Error(text)));
            }
            parts.join("-")
        }
        _ => method,
    };
    let own = object::own(model, image, &image_name);
    let said = own
        .is_empty()
        .then(|| Said::Warning(format!("{name}: could not find information for osimage {image_name}")));
    let mut shown: Vec<Shown<'static>> = own
        .into_iter()
        .map(|(name, value)| Shown { name: name.into(), value: value.into(), place: None })
        .collect();
    if said.is_none() {
        // Its type stands among its attributes, as in xCAT.
        shown.push(Shown { name: "objtype".into(), value: "osimage".into(), place: None });
    }
    shown.sort_by(|a, b| a.name.cmp(&b.name));
    (Some(shown), said)
}
