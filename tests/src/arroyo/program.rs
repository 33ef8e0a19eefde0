//! What a conformance program needs to run on Arroyo: files to read and write, and a sink for a bare `SELECT`.

use std::path::Path;

/// The program as Arroyo runs it: its `single_file` sources read `input`, its sinks write files of `folder`.
#[must_use]
pub fn adapt(sql: &str, input: &Path, folder: &Path) -> String {
    let mut adapted = String::new();
    for (index, statement) in statements(sql).iter().enumerate() {
        let out = folder.join(format!("{index}.out")).display().to_string();
        let first = statement.split_whitespace().next().unwrap_or_default().to_uppercase();
        if matches!(first.as_str(), "SELECT" | "WITH") {
            adapted.push_str(&format!(
                "CREATE TABLE bare_{index} WITH (connector = 'single_file', path = '{out}', type = 'sink', format = 'json');\n\
                 INSERT INTO bare_{index} {statement};\n"
            ));
            continue;
        }
        let statement = if statement.contains("connector = 'single_file'") && statement.contains("type = 'source'") {
            // Without it Arroyo's test connector waits for its own harness after each line.
            let source = "type = 'source', wait_for_control = 'false'";
            with_path(statement, &input.display().to_string()).replace("type = 'source'", source)
        } else if statement.contains("connector = 'single_file'") {
            with_path(statement, &out)
        } else {
            statement.clone()
        };
        adapted.push_str(&statement);
        adapted.push_str(";\n");
    }
    adapted
}

/// Replaces the value of the option `path`.
fn with_path(statement: &str, path: &str) -> String {
    const OPTION: &str = "path = '";
    let Some((before, rest)) = statement.split_once(OPTION) else { return statement.to_owned() };
    let Some((_, after)) = rest.split_once('\'') else { return statement.to_owned() };
    format!("{before}{OPTION}{path}'{after}")
}

/// The statements of a program, without comment lines and the `;` between them.
#[must_use]
pub fn statements(sql: &str) -> Vec<String> {
    let mut statements = vec![String::new()];
    let mut quote = None;
    for line in sql.lines().filter(|line| !line.trim_start().starts_with("--")) {
        for c in line.chars() {
            match (quote, c) {
                (None, ';') => {
                    statements.push(String::new());
                    continue;
                }
                (None, '\'' | '"') => quote = Some(c),
                (Some(q), c) if q == c => quote = None,
                _ => {}
            }
            if let Some(last) = statements.last_mut() {
                last.push(c);
            }
        }
        if let Some(last) = statements.last_mut() {
            last.push('\n');
        }
    }
    statements.retain(|statement| !statement.trim().is_empty());
    statements.iter().map(|statement| statement.trim().to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_semicolon_in_quotes_ends_no_statement() {
        assert_eq!(statements("-- x;\nSELECT ';', \"a;b\";\nSELECT 2"), ["SELECT ';', \"a;b\"", "SELECT 2"]);
    }

    #[test]
    fn sources_read_the_input_and_every_result_is_written() {
        let sql = "CREATE TABLE t (a INT) WITH (connector = 'single_file', path = 'x', type = 'source', format = 'json');\nSELECT a FROM t;";
        let adapted = adapt(sql, Path::new("/in"), Path::new("/out"));
        assert!(adapted.contains("path = '/in', type = 'source', wait_for_control = 'false'"), "{adapted}");
        assert!(adapted.contains("path = '/out/1.out', type = 'sink'"), "{adapted}");
        assert!(adapted.contains("INSERT INTO bare_1 SELECT a FROM t;"), "{adapted}");
    }
}
