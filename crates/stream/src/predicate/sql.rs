//! A condition as SQL, of the tree and not of its text: names and signs are what they were read as, whatever SQL calls by the same
//! name.

use weir_anomaly::Timestamp;

use super::{Comparison, Expression, Predicate};

impl Predicate {
    /// The condition as SQL; `column` writes the column of an index.
    ///
    /// ```
    /// use weir_stream::{FieldType, Predicate};
    /// let columns = [("order", FieldType::Integer)];
    /// let ignore = Predicate::parse("order = 1 OR order IS NULL", &columns).unwrap();
    /// let sql = ignore.to_sql(&|index| format!("\"{}\"", columns[index].0));
    /// assert_eq!(sql, "((\"order\" = 1) OR (\"order\" IS NULL))");
    /// ```
    #[must_use]
    pub fn to_sql(&self, column: &impl Fn(usize) -> String) -> String {
        self.root.condition(column)
    }
}

impl Expression {
    /// Where SQL expects a condition: NULL alone has no type.
    fn condition(&self, column: &impl Fn(usize) -> String) -> String {
        match self {
            Self::Null => "CAST(NULL AS BOOLEAN)".to_owned(),
            other => other.sql(column),
        }
    }

    fn sql(&self, column: &impl Fn(usize) -> String) -> String {
        match self {
            Self::Column(index) => column(*index),
            Self::Null => "NULL".to_owned(),
            Self::Boolean(value) => value.to_string(),
            Self::Number(value) => format!("CAST('{value:?}' AS DOUBLE)"),
            // The least integer is none behind a minus.
            Self::Integer(value) if *value < 0 => format!("CAST('{value}' AS BIGINT)"),
            Self::Integer(value) => value.to_string(),
            Self::Text(text) => quoted(text),
            Self::Time(nanos) => format!("CAST('{}' AS TIMESTAMP)", Timestamp::from_nanos(*nanos)),
            Self::Compare(left, comparison, right) => {
                format!("({} {} {})", left.sql(column), comparison.sign(), right.sql(column))
            }
            Self::Like(left, pattern) => format!("({} LIKE {})", left.sql(column), quoted(pattern)),
            Self::In(left, list) => {
                let list: Vec<String> = list.iter().map(|item| item.sql(column)).collect();
                format!("({} IN ({}))", left.sql(column), list.join(", "))
            }
            Self::IsNull(inner) => format!("({} IS NULL)", inner.sql(column)),
            Self::Not(inner) => format!("(NOT {})", inner.condition(column)),
            Self::And(left, right) => format!("({} AND {})", left.condition(column), right.condition(column)),
            Self::Or(left, right) => format!("({} OR {})", left.condition(column), right.condition(column)),
        }
    }
}

impl Comparison {
    const fn sign(self) -> &'static str {
        match self {
            Self::Equal => "=",
            Self::NotEqual => "<>",
            Self::Less => "<",
            Self::LessOrEqual => "<=",
            Self::Greater => ">",
            Self::GreaterOrEqual => ">=",
        }
    }
}

fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}
