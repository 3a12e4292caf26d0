//! Licence expressions of SPDX: what they name, and whether a list of licences satisfies them.

/// An expression; older ones write `/` for `OR`.
#[derive(Debug, PartialEq)]
pub(super) enum Expression {
    /// One licence, with its exception where it has one: `Apache-2.0 WITH LLVM-exception`.
    Licence(String),
    Any(Vec<Expression>),
    All(Vec<Expression>),
}

impl Expression {
    /// `None` for what is no expression.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let spaced = text.replace('(', " ( ").replace(')', " ) ").replace('/', " OR ");
        let mut words = spaced.split_whitespace().peekable();
        let expression = any(&mut words)?;
        words.next().is_none().then_some(expression)
    }

    /// Whether the licences that are `allowed` are enough.
    pub(super) fn is_satisfied(&self, allowed: &dyn Fn(&str) -> bool) -> bool {
        match self {
            Self::Licence(name) => allowed(name),
            Self::Any(parts) => parts.iter().any(|part| part.is_satisfied(allowed)),
            Self::All(parts) => parts.iter().all(|part| part.is_satisfied(allowed)),
        }
    }

    /// Every licence that it names.
    pub(super) fn licences(&self) -> Vec<&str> {
        match self {
            Self::Licence(name) => vec![name],
            Self::Any(parts) | Self::All(parts) => parts.iter().flat_map(Self::licences).collect(),
        }
    }
}

type Words<'text> = std::iter::Peekable<std::str::SplitWhitespace<'text>>;

/// `AND` binds stronger than `OR`.
fn any(words: &mut Words<'_>) -> Option<Expression> {
    let mut parts = vec![all(words)?];
    while words.next_if_eq(&"OR").is_some() {
        parts.push(all(words)?);
    }
    if parts.len() == 1 { parts.pop() } else { Some(Expression::Any(parts)) }
}

fn all(words: &mut Words<'_>) -> Option<Expression> {
    let mut parts = vec![term(words)?];
    while words.next_if_eq(&"AND").is_some() {
        parts.push(term(words)?);
    }
    if parts.len() == 1 { parts.pop() } else { Some(Expression::All(parts)) }
}

fn term(words: &mut Words<'_>) -> Option<Expression> {
    if words.next_if_eq(&"(").is_some() {
        let inner = any(words)?;
        return words.next_if_eq(&")").map(|_| inner);
    }
    let name = |word: &&str| !["OR", "AND", "WITH", "(", ")"].contains(word);
    let licence = words.next_if(name)?;
    if words.next_if_eq(&"WITH").is_none() {
        return Some(Expression::Licence(licence.to_owned()));
    }
    let exception = words.next_if(name)?;
    Some(Expression::Licence(format!("{licence} WITH {exception}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn expressions_are_satisfied_as_spdx_says() {
        let allowed = |name: &str| ["MIT", "Apache-2.0", "Zlib"].contains(&name);
        let cases = [
            ("MIT", true),
            ("GPL-3.0", false),
            ("GPL-3.0 OR MIT", true),
            ("GPL-3.0/MIT", true),
            ("MIT AND GPL-3.0", false),
            ("MIT AND Zlib", true),
            // AND first: MIT OR (GPL-3.0 AND Zlib), and (GPL-3.0 AND Zlib) OR MIT.
            ("MIT OR GPL-3.0 AND Zlib", true),
            ("GPL-3.0 AND Zlib OR MIT", true),
            ("(MIT OR GPL-3.0) AND Zlib", true),
            ("(MIT OR Zlib) AND GPL-3.0", false),
            ("Apache-2.0 WITH LLVM-exception", false),
            ("Apache-2.0 WITH LLVM-exception OR Apache-2.0", true),
        ];
        for (text, expected) in cases {
            let expression = Expression::parse(text).unwrap();
            assert_eq!(expression.is_satisfied(&allowed), expected, "{text}");
        }
    }

    #[test]
    fn what_is_no_expression_is_refused() {
        for text in ["", "OR", "MIT OR", "MIT Zlib", "(MIT", "MIT)", "MIT WITH", "MIT AND OR Zlib", "()"] {
            assert_eq!(Expression::parse(text), None, "{text}");
        }
    }

    #[test]
    fn every_name_is_listed() {
        let expression = Expression::parse("(A OR B) AND C WITH D/E").unwrap();
        assert_eq!(expression.licences(), ["A", "B", "C WITH D", "E"]);
    }
}
