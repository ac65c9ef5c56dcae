//! `sprintf` of templates: `%d %i %u %s %c %x %X %o %b %%` with flags, width and precision.

use super::expression::{ExpressionError, Value};

/// The widest field.
const WIDEST: usize = 256;

/// How one value is written.
#[derive(Clone, Copy, Debug, Default)]
struct Field {
    left: bool,
    zeros: bool,
    plus: bool,
    width: usize,
    precision: Option<usize>,
}

pub(super) fn sprintf(format: &str, arguments: &[Value]) -> Result<String, ExpressionError> {
    let mut text = String::new();
    let mut arguments = arguments.iter();
    let mut rest = format.chars();
    while let Some(c) = rest.next() {
        if c != '%' {
            text.push(c);
            continue;
        }
        let (field, kind) = field(&mut rest)?;
        if kind == '%' {
            text.push('%');
            continue;
        }
        let value = arguments.next().cloned().unwrap_or(Value::Text(String::new()));
        text.push_str(&field.write(kind, value)?);
        if text.len() > super::LONGEST {
            return Err(ExpressionError::TooMuch);
        }
    }
    Ok(text)
}

/// Reads what stands behind a `%`, to its letter.
fn field(rest: &mut std::str::Chars<'_>) -> Result<(Field, char), ExpressionError> {
    let mut field = Field::default();
    let mut next = || rest.next().ok_or(ExpressionError::Unfinished);
    let mut c = next()?;
    loop {
        match c {
            '-' => field.left = true,
            '0' => field.zeros = true,
            '+' => field.plus = true,
            _ => break,
        }
        c = next()?;
    }
    let mut number = |mut c: char| {
        let mut number = 0_usize;
        while let Some(digit) = c.to_digit(10) {
            number = (number * 10 + digit as usize).min(WIDEST);
            c = next()?;
        }
        Ok((number, c))
    };
    (field.width, c) = number(c)?;
    if c == '.' {
        // A leading zero changes nothing, and makes the closure read on.
        let (precision, after) = number('0')?;
        (field.precision, c) = (Some(precision), after);
    }
    Ok((field, c))
}

impl Field {
    fn write(self, kind: char, value: Value) -> Result<String, ExpressionError> {
        let number = value.number();
        let body = match kind {
            'd' | 'i' => {
                let sign = if number < 0 {
                    "-"
                } else if self.plus {
                    "+"
                } else {
                    ""
                };
                return Ok(self.pad(sign, self.digits(number.unsigned_abs().to_string()), true));
            }
            'u' => self.digits(number.cast_unsigned().to_string()),
            'x' => self.digits(format!("{number:x}")),
            'X' => self.digits(format!("{number:X}")),
            'o' => self.digits(format!("{number:o}")),
            'b' => self.digits(format!("{number:b}")),
            's' => {
                let text = value.into_text();
                let text = text.chars().take(self.precision.unwrap_or(usize::MAX)).collect();
                return Ok(self.pad("", text, false));
            }
            'c' => {
                let c = u32::try_from(number).ok().and_then(char::from_u32).unwrap_or('?');
                return Ok(self.pad("", c.to_string(), false));
            }
            other => return Err(ExpressionError::Unexpected(format!("%{other}"))),
        };
        Ok(self.pad("", body, true))
    }

    /// At least as many digits as the precision says.
    fn digits(self, digits: String) -> String {
        let missing = self.precision.unwrap_or(0).saturating_sub(digits.len());
        "0".repeat(missing) + &digits
    }

    fn pad(self, sign: &str, body: String, number: bool) -> String {
        let missing = self.width.saturating_sub(sign.len() + body.chars().count());
        if self.left {
            [sign, &body, &" ".repeat(missing)].concat()
        } else if self.zeros && !(number && self.precision.is_some()) {
            [sign, &"0".repeat(missing), &body].concat()
        } else {
            [&" ".repeat(missing), sign, &body].concat()
        }
    }
}
