//! docs/tutorial.md, followed word by word: every command is run, every change made, every output compared.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test may stop at a surprise")]

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

/// A block between three backticks: its tag, its lines, and the number of the first in the page.
struct Block {
    tag: String,
    text: String,
    line: usize,
}

fn blocks(page: &str) -> Vec<Block> {
    let mut blocks = Vec::new();
    let mut open: Option<Block> = None;
    for (index, line) in page.lines().enumerate() {
        match (&mut open, line.strip_prefix("```")) {
            (None, Some(tag)) => open = Some(Block { tag: tag.to_owned(), text: String::new(), line: index + 2 }),
            (Some(_), Some(_)) => blocks.extend(open.take()),
            (Some(block), None) => block.text += &format!("{line}\n"),
            (None, None) => {}
        }
    }
    blocks
}

/// What a reader has: the rules and the pages in a repository of their own, and `weir` on the path.
struct Reader {
    folder: tempfile::TempDir,
}

impl Reader {
    fn new() -> Self {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
        let reader = Self { folder: tempfile::tempdir().unwrap() };
        for part in ["sql", "docs"] {
            copy(&root.join(part), &reader.path(part));
        }
        reader.run("git init -q && git add . && git commit -qm begin");
        reader
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// What the commands print, to either end.
    fn run(&self, commands: &str) -> String {
        let test = std::env::current_exe().unwrap();
        let built = test.parent().and_then(Path::parent).unwrap();
        assert!(built.join("weir").exists(), "weir is missing in {}: run `make build` first", built.display());
        let path = format!("{}:{}", built.display(), std::env::var("PATH").unwrap());
        let mut shell = Command::new("bash");
        shell.args(["-c", &format!("exec 2>&1\n{commands}")]).current_dir(self.folder.path()).env("PATH", path);
        for name in ["AUTHOR", "COMMITTER"] {
            shell.env(format!("GIT_{name}_NAME"), "reader").env(format!("GIT_{name}_EMAIL"), "reader@localhost");
        }
        String::from_utf8(shell.output().unwrap().stdout).unwrap()
    }

    /// Makes the change that a block shows: its first line names the file, lines with `-` are replaced by those with `+`.
    fn change(&self, block: &Block) {
        let (name, change) = block.text.split_once('\n').unwrap();
        let file = self.path(name.strip_prefix("+++ ").expect("a diff begins with +++ and the file"));
        let side = |sign: char| -> String {
            let lines =
                change.lines().filter_map(|line| line.strip_prefix([' ', sign]).map(|line| format!("{line}\n")));
            lines.collect()
        };
        let text = fs::read_to_string(&file).unwrap();
        assert_eq!(text.matches(&side('-')).count(), 1, "docs/tutorial.md:{}: what it changes", block.line);
        fs::write(&file, text.replace(&side('-'), &side('+'))).unwrap();
    }
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let from = entry.unwrap().path();
        let to = to.join(from.file_name().unwrap());
        if from.is_dir() {
            copy(&from, &to);
        } else {
            fs::copy(&from, &to).unwrap();
        }
    }
}

/// Whether a line is as printed; `…` stands for anything within it.
fn same(printed: &str, shown: &str) -> bool {
    let mut parts = shown.split('…');
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = printed.strip_prefix(first) else { return false };
    let parts: Vec<&str> = parts.collect();
    for (index, part) in parts.iter().enumerate() {
        let found = if index + 1 == parts.len() {
            rest.strip_suffix(part).map(|_| "")
        } else {
            rest.split_once(part).map(|(_, r)| r)
        };
        let Some(after) = found else { return false };
        rest = after;
    }
    rest.is_empty()
}

/// Compares what was printed with what a page shows; a line of `…` stands for any lines.
fn compare(printed: &str, shown: &Block) {
    let mut lines = printed.lines().map(str::trim_end).filter(|line| !line.is_empty());
    let mut skipping = false;
    for wanted in shown.text.lines().map(str::trim_end).filter(|line| !line.is_empty()) {
        if wanted == "…" {
            skipping = true;
            continue;
        }
        let found = lines.find(|line| same(line, wanted) || !skipping);
        let right = found.is_some_and(|line| same(line, wanted));
        assert!(right, "docs/tutorial.md:{}: it shows\n{wanted}\nwhere this was printed:\n{printed}", shown.line);
        skipping = false;
    }
    let left: Vec<&str> = lines.collect();
    assert!(
        skipping || left.is_empty(),
        "docs/tutorial.md:{}: it leaves out without a `…`:\n{}",
        shown.line,
        left.join("\n")
    );
}

#[test]
fn every_command_of_the_tutorial_prints_what_it_shows() {
    let page = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/tutorial.md")).unwrap();
    let reader = Reader::new();
    let (mut printed, mut compared) = (String::new(), 0);
    for block in blocks(&page) {
        match block.tag.as_str() {
            "sh" => printed = reader.run(&block.text),
            "text" => {
                compare(&printed, &block);
                compared += 1;
            }
            "diff" => reader.change(&block),
            "toml" => {
                let file = reader.path("sql/tests/pump_deviates.toml");
                fs::write(&file, fs::read_to_string(&file).unwrap() + "\n" + &block.text).unwrap();
            }
            // For the reader alone: it builds, or needs a stack that runs.
            "bash" => {}
            other => panic!("docs/tutorial.md:{}: a block of kind `{other}`", block.line),
        }
    }
    assert!(compared >= 6, "{compared}");
    let plot = |file: PathBuf| fs::read_to_string(file).unwrap();
    assert!(plot(reader.path("plot.svg")) == plot(reader.path("docs/tutorial-plot.svg")), "the picture is another one");
}
