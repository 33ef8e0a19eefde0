//! PartiQL statements: the one way in which DynamoDB takes many *conditional* writes in one call. `BatchWriteItem` knows no
//! conditions and `TransactWriteItems` costs twice; `BatchExecuteStatement` takes 25 statements, runs each on its own and
//! answers each on its own. An `INSERT` whose key is taken fails with `DuplicateItem`.

use weir_anomaly::store::{Attr, Item, attr};

use crate::ports::Update;

/// A statement and its parameters. Values travel as parameters only: nothing of a record is ever part of a statement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Statement {
    pub(super) text: String,
    pub(super) parameters: Vec<Attr>,
}

/// Writes an item unless its id is taken.
pub(super) fn insert(table: &str, item: &Item) -> Statement {
    let fields: Vec<String> = item.iter().map(|(name, _)| format!("'{name}':?")).collect();
    Statement {
        text: format!("INSERT INTO \"{table}\" VALUE {{{}}}", fields.join(",")),
        parameters: item.iter().map(|(_, value)| value.clone()).collect(),
    }
}

/// Changes an item that is as expected.
pub(super) fn update(table: &str, update: &Update) -> Statement {
    let mut text = format!("UPDATE \"{table}\"");
    let mut parameters = Vec::new();
    for (name, value) in &update.set {
        text.push_str(&format!(" SET \"{name}\"=?"));
        parameters.push(value.clone());
    }
    for (name, amount) in &update.add {
        text.push_str(&format!(" SET \"{name}\"=\"{name}\"+?"));
        parameters.push(Attr::int(*amount));
    }
    for name in &update.remove {
        text.push_str(&format!(" REMOVE \"{name}\""));
    }
    text.push_str(&format!(" WHERE \"{}\"=?", attr::ID));
    parameters.push(update.id.as_str().into());
    for (name, value) in &update.expect {
        text.push_str(&format!(" AND \"{name}\"=?"));
        parameters.push(value.clone());
    }
    Statement { text, parameters }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_parameters() {
        let item = Item::new("x'y").with("key", "k\"; DROP").with("n", Attr::int(3));
        let statement = insert("weir-anomalies", &item);
        assert_eq!(statement.text, "INSERT INTO \"weir-anomalies\" VALUE {'id':?,'key':?,'n':?}");
        assert_eq!(statement.parameters, ["x'y".into(), "k\"; DROP".into(), Attr::int(3)]);
    }

    #[test]
    fn an_update_expects_what_it_is_told() {
        let change = Update {
            id: "a".to_owned(),
            expect: vec![("state", "due".into())],
            set: vec![("state", "open".into())],
            add: vec![("times_seen", 2)],
            remove: vec!["rule"],
        };
        let statement = update("t", &change);
        assert_eq!(
            statement.text,
            "UPDATE \"t\" SET \"state\"=? SET \"times_seen\"=\"times_seen\"+? REMOVE \"rule\" WHERE \"id\"=? AND \"state\"=?"
        );
        assert_eq!(statement.parameters, ["open".into(), Attr::int(2), "a".into(), "due".into()]);
    }
}
