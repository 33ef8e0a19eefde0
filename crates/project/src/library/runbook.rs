//! Sections of a runbook: from a heading `## NAME` to the next.

/// What a runbook says of one rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Section {
    /// Its heading: the rule's name.
    pub name: String,
    /// What stands below the heading.
    pub text: String,
}

/// What a page says below a heading.
pub(super) fn section(page: &str, name: &str) -> Option<String> {
    let mut lines = page.lines().skip_while(|line| !is_heading(line, name)).skip(1).peekable();
    lines.peek()?;
    let text: Vec<&str> = lines.take_while(|line| !line.starts_with("## ")).collect();
    Some(text.join("\n").trim().to_owned())
}

fn is_heading(line: &str, name: &str) -> bool {
    line.strip_prefix("## ").is_some_and(|heading| heading.trim() == name)
}

/// A page with a section at its end; as it is where it has one of that name. Without a page, a new one.
#[must_use]
pub fn with_section(page: Option<&str>, section: &Section) -> String {
    let page = page.unwrap_or(
        "# Runbooks\n\nWhat to do when a rule alerts. Each rule's header names its section, and the alert carries the link.\n",
    );
    if page.lines().any(|line| is_heading(line, &section.name)) {
        return page.to_owned();
    }
    format!("{}\n\n## {}\n{}\n", page.trim_end(), section.name, section.text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_section_goes_to_the_next_heading() {
        let page = "# Page\n\n## one\nfirst\n1. a\n\n## two\nsecond\n";
        assert_eq!(section(page, "one").unwrap(), "first\n1. a");
        assert_eq!(section(page, "two").unwrap(), "second");
        assert_eq!(section(page, "on"), None);
    }

    #[test]
    fn a_section_is_added_once() {
        let section = Section { name: "one".to_owned(), text: "first".to_owned() };
        let page = with_section(None, &section);
        assert!(page.starts_with("# Runbooks\n") && page.ends_with("\n\n## one\nfirst\n"), "{page}");
        assert_eq!(with_section(Some(&page), &section), page);
        assert_eq!(with_section(Some("# Mine\n"), &section), "# Mine\n\n## one\nfirst\n");
    }
}
