//! The functions of the language inside templates' brackets.

use super::expression::{ExpressionError, Value, bounded};
use super::sprintf::sprintf;

/// Whether there is a function of this name that takes so many arguments.
pub(super) fn exists(name: &str, arguments: usize) -> bool {
    match name {
        "a2idx" | "a2zidx" | "mknum" | "int" | "abs" | "lc" | "uc" | "length" => arguments == 1,
        "skip" => arguments == 2,
        "substr" => matches!(arguments, 2 | 3),
        "ipadd" => (5..=7).contains(&arguments),
        "dim2idx" | "sprintf" => arguments > 0,
        _ => false,
    }
}

pub(super) fn call(name: &str, arguments: &[Value]) -> Result<Value, ExpressionError> {
    let number = |at: usize| arguments.get(at).map_or(0, Value::number);
    let text = |at: usize| arguments.get(at).map(|value| value.clone().into_text()).unwrap_or_default();
    Ok(match name {
        "a2idx" => Value::Number(letter(&text(0)) + 1),
        "a2zidx" => Value::Number(letter(&text(0))),
        "mknum" => Value::Number(text(0).bytes().map(i64::from).sum()),
        "int" => Value::Number(number(0)),
        "abs" => Value::Number(number(0).wrapping_abs()),
        "lc" => bounded(text(0).to_lowercase())?,
        "uc" => bounded(text(0).to_uppercase())?,
        "length" => Value::Number(count(text(0).chars().count())),
        "substr" => substr(&text(0), number(1), arguments.get(2).map(Value::number)),
        "dim2idx" => Value::Number(dim2idx(arguments)),
        "skip" => Value::Number(skip(number(0), &text(1))),
        "ipadd" => ipadd(&[0, 1, 2, 3, 4, 5, 6].map(number))?,
        "sprintf" => bounded(sprintf(&text(0), arguments.get(1..).unwrap_or_default())?)?,
        _ => return Err(ExpressionError::Function(name.to_owned())),
    })
}

fn count(value: usize) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

/// How far the first letter is from `a`.
fn letter(text: &str) -> i64 {
    text.chars().next().map_or(0, |c| i64::from(u32::from(c.to_ascii_lowercase()))) - i64::from(b'a')
}

/// `dim2idx(v1, n2, v2, n3, v3 ...)`: the place, from 1, of a thing in row v1, rack v2 of n2, ....
fn dim2idx(arguments: &[Value]) -> i64 {
    let place = arguments.iter().enumerate().fold(0_i64, |place, (at, value)| {
        if at % 2 == 0 {
            place.wrapping_add(value.number()).wrapping_sub(1)
        } else {
            place.wrapping_mul(value.number())
        }
    });
    place.wrapping_add(1)
}

/// `skip(i, 's[:c],...')`: the place among those that are left when c are missing from s on; -1 for
/// one that is missing.
fn skip(index: i64, holes: &str) -> i64 {
    let mut left = index;
    for hole in holes.split(',') {
        let (start, size) = hole.split_once(':').unwrap_or((hole, "1"));
        let start = Value::Text(start.to_owned()).number();
        let size = Value::Text(size.to_owned()).number();
        if index < start {
            break;
        }
        if index < start.saturating_add(size) {
            return -1;
        }
        left = left.wrapping_sub(size);
    }
    left
}

/// `ipadd(a, b, c, d, n, first, last)`: the address n after a.b.c.d, where the `first` and `last`
/// addresses of each 256 are left out.
fn ipadd([a, b, c, d, add, first, last]: &[i64; 7]) -> Result<Value, ExpressionError> {
    let used = 256_i64.wrapping_sub(*first).wrapping_sub(*last);
    if used == 0 {
        return Err(ExpressionError::DivisionByZero);
    }
    let place = d.wrapping_sub(*first).max(0).wrapping_add(*add);
    let c = c.wrapping_add(place.wrapping_div(used));
    let d = place.wrapping_rem(used).wrapping_add(*first);
    Ok(Value::Text(format!("{a}.{b}.{c}.{d}")))
}

/// `substr(text, from, length)`; from the end where a number is negative.
fn substr(text: &str, from: i64, length: Option<i64>) -> Value {
    let chars: Vec<char> = text.chars().collect();
    let size = count(chars.len());
    let start = if from < 0 { size.saturating_add(from) } else { from }.clamp(0, size);
    let end = match length {
        None => size,
        Some(length) if length < 0 => size.saturating_add(length),
        Some(length) => start.saturating_add(length),
    };
    let wanted = end.clamp(start, size) - start;
    let (start, wanted) = (usize::try_from(start).unwrap_or(0), usize::try_from(wanted).unwrap_or(0));
    Value::Text(chars.into_iter().skip(start).take(wanted).collect())
}
