//! Statements of `dhcpd.conf`: words, and a semicolon or a block of statements.

/// How deep blocks may be in each other. A real file has a subnet in a shared network, a pool in
/// that, and a condition or two.
const DEEPEST: usize = 32;

/// One statement.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Statement {
    /// The line that it begins on.
    pub line: usize,
    /// Its words, quotes and commas gone.
    pub words: Vec<String>,
    /// Its block.
    pub block: Vec<Self>,
}

impl Statement {
    /// A word; empty where there is none.
    pub(super) fn word(&self, at: usize) -> &str {
        self.words.get(at).map_or("", String::as_str)
    }

    /// The words from one on, as a list.
    pub(super) fn list(&self, from: usize) -> String {
        self.words.get(from..).unwrap_or_default().join(",")
    }
}

/// What is wrong with a file: a line and a text.
pub(super) type Wrong = (usize, &'static str);

/// Reads a file. What is wrong with it is told, and the rest is read.
pub(super) fn parse(text: &str) -> (Vec<Statement>, Vec<Wrong>) {
    let mut wrong = Vec::new();
    // The statements of each open block, the outermost first, and the one being read.
    let mut open: Vec<(Statement, Vec<Statement>)> = Vec::new();
    let mut done: Vec<Statement> = Vec::new();
    let mut current = Statement::default();
    let mut too_deep = 0_usize;
    for (line, token) in Tokens::new(text) {
        if too_deep > 0 {
            match token {
                Token::Open => too_deep += 1,
                Token::Close => too_deep -= 1,
                _ => {}
            }
            continue;
        }
        if current.words.is_empty() {
            current.line = line;
        }
        match token {
            Token::Word(word) => current.words.push(word),
            Token::End => push(&mut done, &mut current),
            Token::Open if open.len() == DEEPEST => {
                wrong.push((line, "blocks are nested too deep, and the inner ones are not read"));
                current = Statement::default();
                too_deep = 1;
            }
            Token::Open => open.push((std::mem::take(&mut current), std::mem::take(&mut done))),
            Token::Close => {
                push(&mut done, &mut current);
                match open.pop() {
                    Some((statement, outer)) => {
                        let block = std::mem::replace(&mut done, outer);
                        done.push(Statement { block, ..statement });
                    }
                    None => wrong.push((line, "a block ends that never began")),
                }
            }
            Token::OpenQuote => wrong.push((line, "a quote is never closed")),
        }
    }
    push(&mut done, &mut current);
    while let Some((statement, outer)) = open.pop() {
        wrong.push((statement.line, "the block never ends"));
        let block = std::mem::replace(&mut done, outer);
        done.push(Statement { block, ..statement });
    }
    (done, wrong)
}

/// The files that a file includes, as it names them.
pub fn includes(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut is_next = false;
    for (_, token) in Tokens::new(text) {
        match token {
            Token::Word(word) if is_next => {
                found.push(word);
                is_next = false;
            }
            Token::Word(word) => is_next = word == "include",
            _ => is_next = false,
        }
    }
    found
}

fn push(done: &mut Vec<Statement>, current: &mut Statement) {
    let statement = std::mem::take(current);
    if !statement.words.is_empty() {
        done.push(statement);
    }
}

enum Token {
    Word(String),
    End,
    Open,
    Close,
    OpenQuote,
}

struct Tokens<'a> {
    rest: &'a str,
    line: usize,
}

impl<'a> Tokens<'a> {
    const fn new(text: &'a str) -> Self {
        Self { rest: text, line: 1 }
    }

    /// Takes so many bytes, and counts their lines.
    fn take(&mut self, bytes: usize) -> &'a str {
        let (taken, rest) = self.rest.split_at_checked(bytes).unwrap_or((self.rest, ""));
        self.rest = rest;
        self.line += taken.bytes().filter(|b| *b == b'\n').count();
        taken
    }

    fn blanks(&mut self) {
        loop {
            let blank = self.rest.find(|c: char| !c.is_whitespace() && c != ',').unwrap_or(self.rest.len());
            self.take(blank);
            if !self.rest.starts_with('#') {
                return;
            }
            let comment = self.rest.find('\n').unwrap_or(self.rest.len());
            self.take(comment);
        }
    }

    fn quoted(&mut self) -> Token {
        self.take(1);
        let mut text = String::new();
        let mut is_escaped = false;
        for (at, c) in self.rest.char_indices() {
            match c {
                _ if is_escaped => {
                    text.push(c);
                    is_escaped = false;
                }
                '\\' => is_escaped = true,
                '"' => {
                    self.take(at + 1);
                    return Token::Word(text);
                }
                _ => text.push(c),
            }
        }
        self.take(self.rest.len());
        Token::OpenQuote
    }
}

impl Iterator for Tokens<'_> {
    type Item = (usize, Token);

    fn next(&mut self) -> Option<Self::Item> {
        self.blanks();
        let line = self.line;
        let token = match self.rest.chars().next()? {
            '"' => self.quoted(),
            ';' => (self.take(1), Token::End).1,
            '{' => (self.take(1), Token::Open).1,
            '}' => (self.take(1), Token::Close).1,
            _ => {
                let ends = |c: char| c.is_whitespace() || ";{},\"#".contains(c);
                let length = self.rest.find(ends).unwrap_or(self.rest.len());
                Token::Word(self.take(length).to_owned())
            }
        };
        Some((line, token))
    }
}
