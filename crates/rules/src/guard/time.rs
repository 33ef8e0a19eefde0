//! `to_timestamp(text, format)` fails for a text that does not fit: on the embedded engine for that row, on Arroyo for the job. Where
//! the format has a regular form, the text is put into the order of ISO 8601 and tried, which is NULL for what does not fit.

use std::fmt::Write as _;

use sqlparser::{
    ast::{CastKind, Expr, Function, FunctionArg, FunctionArgExpr, FunctionArguments, Ident, Value},
    keywords::Keyword,
    tokenizer::Token,
};

use super::{BEGINS_CAST, ENDS_CAST, Found, Guarded, code::Code};

/// The function that reads a time by a format.
const TO_TIMESTAMP: &str = "to_timestamp";
/// Short names of months, as `%b` has them, in the case that the text is brought to.
const MONTHS: [&str; 12] = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];

/// Words that make more of an operand than a name.
const OPERATORS: [Keyword; 9] = [
    Keyword::CASE,
    Keyword::SELECT,
    Keyword::AND,
    Keyword::OR,
    Keyword::NOT,
    Keyword::IN,
    Keyword::IS,
    Keyword::BETWEEN,
    Keyword::LIKE,
];

/// How a text of a format is read.
#[derive(Debug, PartialEq, Eq)]
struct Form {
    /// A regular expression that a text of the format fits as a whole.
    pattern: String,
    /// Its groups in the order of ISO 8601.
    iso: String,
    /// Whether the month is a name.
    named_month: bool,
}

/// The form of a format of chrono; `None` where it has other parts than these, or one of them twice, or no whole date.
fn form(format: &str) -> Option<Form> {
    let format =
        format.replace("%T", "%H:%M:%S").replace("%F", "%Y-%m-%d").replace("%R", "%H:%M").replace("%D", "%m/%d/%y");
    let mut pattern = "^".to_owned();
    let mut groups: Vec<char> = Vec::new();
    let mut characters = format.chars();
    while let Some(character) = characters.next() {
        if character != '%' {
            // With a backslash these two are the ends of a word.
            if character.is_ascii_punctuation() && !matches!(character, '<' | '>') {
                pattern.push('\\');
            } else if !character.is_ascii() || character.is_ascii_control() {
                return None;
            }
            pattern.push(character);
            continue;
        }
        let part = characters.next()?;
        pattern.push_str(match part {
            'Y' => "(\\d{4})",
            'm' | 'd' | 'H' | 'M' | 'S' => "(\\d{1,2})",
            'b' => "([A-Za-z]{3})",
            'z' => "([+-]\\d{2}:?\\d{2})",
            _ => return None,
        });
        if groups.contains(&part) {
            return None;
        }
        groups.push(part);
    }
    pattern.push('$');
    let group = |part: char| Some(format!("\\{}", groups.iter().position(|known| *known == part)? + 1));
    let month = match (group('m'), group('b')) {
        (Some(month), None) | (None, Some(month)) => month,
        _ => return None,
    };
    let mut iso = format!("{}-{month}-{} ", group('Y')?, group('d')?);
    for (index, part) in ['H', 'M', 'S'].into_iter().enumerate() {
        let separator = if index == 0 { "" } else { ":" };
        let _ = write!(iso, "{separator}{}", group(part).unwrap_or_else(|| "00".to_owned()));
    }
    iso.push_str(&group('z').unwrap_or_default());
    Some(Form { pattern, iso, named_month: groups.contains(&'b') })
}

/// Whether a call is compiled to a form that gives NULL.
pub(crate) fn is_guarded(function: &Function) -> bool {
    let FunctionArguments::List(list) = &function.args else { return false };
    let [
        FunctionArg::Unnamed(FunctionArgExpr::Expr(text)),
        FunctionArg::Unnamed(FunctionArgExpr::Expr(Expr::Value(format))),
    ] = list.args.as_slice()
    else {
        return false;
    };
    let Value::SingleQuotedString(format) = &format.value else { return false };
    is_to_timestamp(function) && form(format).is_some() && is_plain(text)
}

fn is_to_timestamp(function: &Function) -> bool {
    function.name.to_string().eq_ignore_ascii_case(TO_TIMESTAMP)
}

/// Whether an expression can stand twice: it has nothing that is guarded itself.
fn is_plain(text: &Expr) -> bool {
    match text {
        Expr::Identifier(_) | Expr::CompoundIdentifier(_) | Expr::Value(_) => true,
        Expr::Nested(inner) => is_plain(inner),
        Expr::BinaryOp { left, op, right } => {
            use sqlparser::ast::BinaryOperator::{Arrow, LongArrow, StringConcat};
            matches!(op, Arrow | LongArrow | StringConcat) && is_plain(left) && is_plain(right)
        }
        _ => false,
    }
}

impl Code<'_> {
    /// `to_timestamp(text, 'format')`.
    pub(super) fn to_timestamp(&self, at: usize, found: &mut Found) {
        let Some(close) = self.closing(at + 1) else { return };
        let Some(Token::SingleQuotedString(format)) = close.checked_sub(1).and_then(|last| self.token(last)) else {
            return;
        };
        let Some(comma) = close.checked_sub(2).filter(|comma| self.is(*comma, &Token::Comma)) else { return };
        let text: Vec<&Token> = (at + 2..comma).filter_map(|nth| self.token(nth)).collect();
        let plain = text.iter().all(|token| match token {
            Token::Word(word) => word.quote_style.is_some() || !OPERATORS.contains(&word.keyword),
            Token::SingleQuotedString(_) | Token::Period | Token::Arrow | Token::LongArrow | Token::StringConcat => {
                true
            }
            Token::LParen | Token::RParen => true,
            _ => false,
        });
        // A name before a bracket is a call, and a text alone is a constant.
        let call = (at + 2..comma)
            .any(|nth| matches!(self.token(nth), Some(Token::Word(_))) && self.is(nth + 1, &Token::LParen));
        let constant = text.len() == 1 && self.is_literal(at + 2);
        let Some(form) = form(format).filter(|_| plain && !call && !constant && !self.is_unnamed_column(at, close))
        else {
            return;
        };
        let places = (self.start(at), self.start(close - 1), self.end(close - 1), self.end(close));
        let (Some(start), Some(format_start), Some(format_end), Some(end)) = places else { return };
        let copy = text.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ");
        let Form { pattern, iso, named_month } = form;
        let months = if named_month { "replace(".repeat(MONTHS.len()) + "lower(" } else { String::new() };
        let begin =
            format!("TRY_CAST(CASE WHEN regexp_like({copy}, '{pattern}') THEN regexp_replace({months}regexp_replace");
        // A lone digit is a day, a month or an hour that is written without its zero.
        let mut behind = String::new();
        if named_month {
            behind.push(')');
            for (index, month) in MONTHS.iter().enumerate() {
                let _ = write!(behind, ", '{month}', '{:02}')", index + 1);
            }
        }
        behind.push_str(", '\\b(\\d)\\b', '0\\1', 'g') END AS TIMESTAMP)");
        found.guard(start, Guarded::Time(format.clone()));
        found.edit(BEGINS_CAST, at, start, TO_TIMESTAMP.len(), &begin);
        let written = format_end.1.saturating_sub(format_start.1);
        found.edit(ENDS_CAST, at, format_start, written, &format!("'{pattern}', '{iso}'"));
        found.edit(ENDS_CAST, at, end, 0, &behind);
    }
}

/// The text that a guard of this kind tries, where this is one; or that a call with a format reads.
pub(super) fn unguarded(expr: &mut Expr) {
    let text = match expr {
        Expr::Function(function) if is_guarded(function) => first_argument(function),
        Expr::Cast { kind: CastKind::TryCast, expr: tried, .. } => match tried.as_ref() {
            Expr::Case { operand: None, conditions, else_result: None, .. } => match conditions.as_slice() {
                [only] => match &only.condition {
                    Expr::Function(function) if function.name.to_string() == "regexp_like" => first_argument(function),
                    _ => None,
                },
                _ => None,
            },
            _ => None,
        },
        _ => None,
    };
    if let Some(text) = text {
        *expr = Expr::CompoundIdentifier(vec![Ident::new(TO_TIMESTAMP), Ident::with_quote('"', text)]);
    }
}

fn first_argument(function: &Function) -> Option<String> {
    let FunctionArguments::List(list) = &function.args else { return None };
    list.args.first().map(ToString::to_string)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_format_has_a_form_where_its_parts_make_a_date() {
        let form = |format: &str| form(format).map(|form| (form.pattern, form.iso));
        assert_eq!(
            form("%d/%b/%Y:%H:%M:%S %z"),
            Some((
                "^(\\d{1,2})\\/([A-Za-z]{3})\\/(\\d{4})\\:(\\d{1,2})\\:(\\d{1,2})\\:(\\d{1,2}) ([+-]\\d{2}:?\\d{2})$"
                    .to_owned(),
                "\\3-\\2-\\1 \\4:\\5:\\6\\7".to_owned()
            ))
        );
        assert_eq!(form("%d.%m.%Y").unwrap().1, "\\3-\\2-\\1 00:00:00");
        assert_eq!(form("<%Y-%m-%d>").unwrap().0, "^<(\\d{4})\\-(\\d{1,2})\\-(\\d{1,2})>$");
        for none in ["%H:%M", "%Y-%m", "%Y-%m-%d %Y", "%Y-%m-%b-%d", "%s", "%Y-%m-%dT%H:%M:%S%.f", "%", "%Y年%m月%d日"]
        {
            assert_eq!(form(none), None, "{none}");
        }
    }
}
