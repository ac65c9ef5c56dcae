//! The little language inside the brackets of a template: whole numbers, texts, the numbers of the
//! node's name, and a few functions. There are no loops, no names to set and no effects, so an
//! expression takes at most as many steps as it has characters.
//!
//! It reads as Perl does, where xCAT's tables use it: texts become numbers by their leading digits,
//! division cuts towards zero, a bare word is a text, arithmetic wraps at 64 bits.

/// How deep brackets and operators may be nested; the parser calls itself once for each.
const DEEPEST: usize = 48;

/// The longest text an expression makes, in bytes.
pub(super) const LONGEST: usize = super::LONGEST;

/// Why an expression has no value.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ExpressionError {
    /// It is not of the language.
    #[error("{0:?} does not belong there")]
    Unexpected(String),
    /// It stops too early.
    #[error("it ends too early")]
    Unfinished,
    /// It calls what is no function, or with the wrong number of arguments.
    #[error(
        "there is no function {0} with so many arguments; there are a2idx, a2zidx, dim2idx, ipadd, mknum, skip, \
         sprintf, int, abs, lc, uc, length and substr"
    )]
    Function(String),
    /// It divides by zero.
    #[error("it divides by zero")]
    DivisionByZero,
    /// It is nested too deep, or makes too long a text.
    #[error("it is too deep or too long")]
    TooMuch,
}

use ExpressionError::{DivisionByZero, Function, TooMuch, Unexpected, Unfinished};

/// An expression that was read.
#[derive(Debug)]
pub(super) struct Expression(Node);

impl Expression {
    /// Reads one.
    pub(super) fn read(code: &str) -> Result<Self, ExpressionError> {
        if code.len() > LONGEST {
            return Err(TooMuch);
        }
        let mut parser = Parser { rest: code, depth: 0 };
        let tree = parser.choice()?;
        match parser.peek() {
            "" => Ok(Self(tree)),
            _ => Err(parser.unexpected()),
        }
    }

    /// Its value; `group` gives the text of `$1`, `$2` ....
    pub(super) fn value<'g>(
        &self,
        group: &dyn Fn(usize) -> Option<&'g str>,
    ) -> Result<String, ExpressionError> {
        let value = self.0.value(group)?.into_text();
        if value.len() > LONGEST { Err(TooMuch) } else { Ok(value) }
    }
}

/// A number or a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Value {
    Number(i64),
    Text(String),
}

impl Value {
    /// The number that a text starts with; 0 where it starts with none.
    pub(super) fn number(&self) -> i64 {
        let text = match self {
            Self::Number(number) => return *number,
            Self::Text(text) => text.trim_start(),
        };
        let (negative, digits) = match text.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, text.strip_prefix('+').unwrap_or(text)),
        };
        let number = digits.bytes().map_while(|b| b.is_ascii_digit().then(|| i64::from(b - b'0')));
        let number = number.fold(0_i64, |sum, digit| sum.wrapping_mul(10).wrapping_add(digit));
        if negative { number.wrapping_neg() } else { number }
    }

    pub(super) fn into_text(self) -> String {
        match self {
            Self::Number(number) => number.to_string(),
            Self::Text(text) => text,
        }
    }

    fn is_true(&self) -> bool {
        !matches!(self, Self::Number(0))
            && !matches!(self, Self::Text(text) if text.is_empty() || text == "0")
    }

    fn truth(is: bool) -> Self {
        if is { Self::Number(1) } else { Self::Text(String::new()) }
    }
}

#[derive(Debug)]
enum Node {
    Value(Value),
    Group(usize),
    Pair(&'static str, Box<Self>, Box<Self>),
    Minus(Box<Self>),
    Not(Box<Self>),
    Choice(Box<Self>, Box<Self>, Box<Self>),
    Call(String, Vec<Self>),
    /// Texts and groups in double quotes, one after the other.
    Joined(Vec<Self>),
}

impl Node {
    fn value<'g>(&self, group: &dyn Fn(usize) -> Option<&'g str>) -> Result<Value, ExpressionError> {
        Ok(match self {
            Self::Value(value) => value.clone(),
            Self::Group(number) => Value::Text(group(*number).unwrap_or_default().to_owned()),
            Self::Minus(of) => Value::Number(of.value(group)?.number().wrapping_neg()),
            Self::Not(of) => Value::truth(!of.value(group)?.is_true()),
            Self::Choice(which, yes, no) => {
                if which.value(group)?.is_true() {
                    yes.value(group)?
                } else {
                    no.value(group)?
                }
            }
            Self::Pair("&&", left, right) => {
                let left = left.value(group)?;
                if left.is_true() { right.value(group)? } else { left }
            }
            Self::Pair("||", left, right) => {
                let left = left.value(group)?;
                if left.is_true() { left } else { right.value(group)? }
            }
            Self::Pair(operator, left, right) => operate(operator, left.value(group)?, right.value(group)?)?,
            Self::Call(name, arguments) => {
                let arguments = arguments.iter().map(|a| a.value(group)).collect::<Result<Vec<_>, _>>()?;
                super::function::call(name, &arguments)?
            }
            Self::Joined(parts) => {
                let mut text = String::new();
                for part in parts {
                    text.push_str(&part.value(group)?.into_text());
                }
                bounded(text)?
            }
        })
    }
}

pub(super) fn bounded(text: String) -> Result<Value, ExpressionError> {
    if text.len() > LONGEST { Err(TooMuch) } else { Ok(Value::Text(text)) }
}

fn operate(operator: &str, left: Value, right: Value) -> Result<Value, ExpressionError> {
    if operator == "." {
        return bounded(left.into_text() + &right.into_text());
    }
    if let "eq" | "ne" | "lt" | "gt" | "le" | "ge" = operator {
        let order = left.into_text().cmp(&right.into_text());
        return Ok(Value::truth(match operator {
            "eq" => order.is_eq(),
            "ne" => order.is_ne(),
            "lt" => order.is_lt(),
            "gt" => order.is_gt(),
            "le" => order.is_le(),
            _ => order.is_ge(),
        }));
    }
    let (a, b) = (left.number(), right.number());
    Ok(match operator {
        "+" => Value::Number(a.wrapping_add(b)),
        "-" => Value::Number(a.wrapping_sub(b)),
        "*" => Value::Number(a.wrapping_mul(b)),
        "/" | "%" if b == 0 => return Err(DivisionByZero),
        "/" => Value::Number(a.wrapping_div(b)),
        "%" => Value::Number(a.wrapping_rem(b)),
        // A whole power of less than one is a fraction, which a whole number cuts to 0 (or 1).
        "**" => Value::Number(match u32::try_from(b) {
            Ok(b) => a.wrapping_pow(b),
            Err(_) => i64::from(a == 1),
        }),
        "==" => Value::truth(a == b),
        "!=" => Value::truth(a != b),
        "<" => Value::truth(a < b),
        ">" => Value::truth(a > b),
        "<=" => Value::truth(a <= b),
        _ => Value::truth(a >= b),
    })
}

/// Operators of two sides, loosest first; those of one line bind equally and to the left.
const LEVELS: &[&[&str]] = &[
    &["||"],
    &["&&"],
    &["==", "!=", "eq", "ne"],
    &["<=", ">=", "<", ">", "lt", "gt", "le", "ge"],
    &["+", "-", "."],
    &["*", "/", "%"],
];

struct Parser<'a> {
    rest: &'a str,
    depth: usize,
}

impl<'a> Parser<'a> {
    /// `A ? B : C`
    fn choice(&mut self) -> Result<Node, ExpressionError> {
        self.depth += 1;
        if self.depth > DEEPEST {
            return Err(TooMuch);
        }
        let which = self.level(LEVELS)?;
        let node = if self.take("?") {
            let yes = self.choice()?;
            self.expect(":")?;
            Node::Choice(Box::new(which), Box::new(yes), Box::new(self.choice()?))
        } else {
            which
        };
        self.depth -= 1;
        Ok(node)
    }

    fn level(&mut self, levels: &[&[&'static str]]) -> Result<Node, ExpressionError> {
        let Some((operators, tighter)) = levels.split_first() else { return self.sign() };
        let mut left = self.level(tighter)?;
        // A long chain makes a tree as deep as the chain, and dropping it would need as much stack.
        let mut chain = 0;
        while let Some(operator) = operators.iter().find(|operator| self.take(operator)) {
            chain += 1;
            if chain > DEEPEST {
                return Err(TooMuch);
            }
            left = Node::Pair(operator, Box::new(left), Box::new(self.level(tighter)?));
        }
        Ok(left)
    }

    fn sign(&mut self) -> Result<Node, ExpressionError> {
        self.depth += 1;
        if self.depth > DEEPEST {
            return Err(TooMuch);
        }
        let node = if self.take("-") {
            Node::Minus(Box::new(self.sign()?))
        } else if self.take("+") {
            self.sign()?
        } else if self.take("!") {
            Node::Not(Box::new(self.sign()?))
        } else {
            self.power()?
        };
        self.depth -= 1;
        Ok(node)
    }

    /// `A ** B` binds to the right, and tighter than a sign before it.
    fn power(&mut self) -> Result<Node, ExpressionError> {
        let base = self.atom()?;
        if self.take("**") {
            return Ok(Node::Pair("**", Box::new(base), Box::new(self.sign()?)));
        }
        Ok(base)
    }

    fn atom(&mut self) -> Result<Node, ExpressionError> {
        let rest = self.peek();
        match rest.bytes().next().ok_or(Unfinished)? {
            b'(' => {
                self.expect("(")?;
                let inner = self.choice()?;
                self.expect(")")?;
                Ok(inner)
            }
            b'$' => {
                self.expect("$")?;
                group(self.word(|b| b.is_ascii_digit())).ok_or_else(|| self.unexpected())
            }
            b'\'' | b'"' => self.quoted(),
            b'0'..=b'9' => Ok(Node::Value(Value::Text(self.decimal().to_owned()))),
            b'a'..=b'z' | b'A'..=b'Z' | b'_' => {
                let name = self.word(|b| b.is_ascii_alphanumeric() || b == b'_').to_owned();
                if !self.take("(") {
                    return Ok(Node::Value(Value::Text(name)));
                }
                self.call(name)
            }
            _ => Err(self.unexpected()),
        }
    }

    fn call(&mut self, name: String) -> Result<Node, ExpressionError> {
        let mut arguments = Vec::new();
        while !self.take(")") {
            if !arguments.is_empty() {
                self.expect(",")?;
            }
            arguments.push(self.choice()?);
        }
        if !super::function::exists(&name, arguments.len()) {
            return Err(Function(name));
        }
        Ok(Node::Call(name, arguments))
    }

    /// A number, with its fraction where it has one (which whole numbers then leave out).
    fn decimal(&mut self) -> &'a str {
        let whole = self.rest;
        let digits = self.word(|b| b.is_ascii_digit()).len();
        let fraction =
            self.rest.strip_prefix('.').filter(|rest| rest.starts_with(|c: char| c.is_ascii_digit()));
        let Some(fraction) = fraction else { return whole.get(..digits).unwrap_or_default() };
        self.rest = fraction;
        let more = self.word(|b| b.is_ascii_digit()).len();
        whole.get(..digits + 1 + more).unwrap_or_default()
    }

    /// `'text'`, or `"text"` in which `$1` is a group.
    fn quoted(&mut self) -> Result<Node, ExpressionError> {
        let quote = self.rest.chars().next().ok_or(Unfinished)?;
        let mut parts = Vec::new();
        let mut text = String::new();
        let mut rest = self.rest.chars();
        rest.next();
        loop {
            match rest.next().ok_or(Unfinished)? {
                end if end == quote => break,
                '\\' => text.push(rest.next().ok_or(Unfinished)?),
                '$' if quote == '"' => {
                    let after = rest.as_str();
                    let digits = after.bytes().take_while(u8::is_ascii_digit).count();
                    let name = after.get(..digits).unwrap_or_default();
                    let Some(group) = group(name) else { return Err(Unexpected("$".to_owned())) };
                    parts.push(Node::Value(Value::Text(std::mem::take(&mut text))));
                    parts.push(group);
                    rest = after.get(digits..).unwrap_or_default().chars();
                }
                other => text.push(other),
            }
        }
        self.rest = rest.as_str();
        parts.push(Node::Value(Value::Text(text)));
        Ok(Node::Joined(parts))
    }

    fn peek(&mut self) -> &'a str {
        self.rest = self.rest.trim_start();
        self.rest
    }

    fn word(&mut self, belongs: impl Fn(u8) -> bool) -> &'a str {
        let length = self.rest.bytes().take_while(|b| belongs(*b)).count();
        // Only ASCII belongs to words, so this is a boundary.
        let (word, rest) = self.rest.split_at_checked(length).unwrap_or(("", self.rest));
        self.rest = rest;
        word
    }

    /// Takes an operator where it stands next. One of letters must end there; `*` is not the
    /// beginning of `**`.
    fn take(&mut self, operator: &str) -> bool {
        let Some(rest) = self.peek().strip_prefix(operator) else { return false };
        let goes_on = |c: char| c.is_ascii_alphanumeric() || c == '_';
        if operator.starts_with(|c: char| c.is_ascii_alphabetic()) && rest.starts_with(goes_on)
            || operator == "*" && rest.starts_with('*')
        {
            return false;
        }
        self.rest = rest;
        true
    }

    fn expect(&mut self, what: &str) -> Result<(), ExpressionError> {
        if self.take(what) { Ok(()) } else { Err(self.unexpected()) }
    }

    fn unexpected(&mut self) -> ExpressionError {
        match self.peek() {
            "" => Unfinished,
            rest => Unexpected(rest.chars().take(20).collect()),
        }
    }
}

/// The group of a number of at most two digits.
fn group(digits: &str) -> Option<Node> {
    let number = digits.parse().ok().filter(|number| (1..100).contains(number))?;
    Some(Node::Group(number))
}
