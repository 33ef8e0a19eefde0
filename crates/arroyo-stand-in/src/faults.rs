//! Calls that go wrong: which, how, and for how long.

use std::{collections::BTreeMap, time::Duration};

/// What goes wrong with a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trouble {
    /// The connection ends before the request is read: nothing is done.
    Lost,
    /// It is done, and the connection ends before the answer.
    LostAfter,
    /// Not now (503): nothing is done.
    Unavailable,
    /// It is done, and the answer is an error (500).
    ErrorAfter,
    /// It is done, and the answer breaks off in its middle.
    Broken,
    /// It is done, and the answer comes after this long.
    Slow(Duration),
}

/// Trouble that begins with a kind of call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ambush {
    /// The kind of call, as [`Faults::kind`] writes it.
    pub kind: String,
    /// At which call of that kind, from 0.
    pub nth: usize,
    /// For how many calls of any kind, that one included.
    pub length: usize,
    /// What goes wrong with them.
    pub trouble: Trouble,
}

/// The calls so far, and what goes wrong with those to come.
#[derive(Debug, Default)]
pub struct Faults {
    /// As `METHOD path`.
    calls: Vec<String>,
    by_number: BTreeMap<usize, Trouble>,
    ambush: Option<Ambush>,
    /// Pipelines that are called by a name in kinds of calls.
    named: BTreeMap<String, String>,
}

impl Faults {
    /// Lets a call go wrong: the first call is 0.
    pub fn trouble(&mut self, call: usize, trouble: Trouble) {
        self.by_number.insert(call, trouble);
    }

    /// Lets calls go wrong from the nth of a kind on.
    pub fn ambush(&mut self, ambush: Ambush) {
        self.ambush = Some(ambush);
    }

    /// No call goes wrong any more.
    pub fn calm(&mut self) {
        self.by_number.clear();
        self.ambush = None;
    }

    /// The calls so far, as `METHOD path`.
    #[must_use]
    pub fn calls(&self) -> &[String] {
        &self.calls
    }

    /// Gives a pipeline a name for kinds of calls.
    pub fn name(&mut self, id: &str, name: &str) {
        self.named.insert(id.to_owned(), name.to_owned());
    }

    /// The call without what differs from run to run: `GET /pipelines/new/jobs/*/checkpoints`. A pipeline that has no name is
    /// `new`.
    #[must_use]
    pub fn kind(&self, call: &str) -> String {
        let part = |part: &str| match part {
            id if self.named.contains_key(id) => self.named[id].clone(),
            id if id.starts_with("pl_") => "new".to_owned(),
            job if job.starts_with("job_") => "*".to_owned(),
            other => other.to_owned(),
        };
        call.split('/').map(part).collect::<Vec<_>>().join("/")
    }

    /// Notes a call and says what goes wrong with it.
    pub(crate) fn note(&mut self, method: &str, path: &str) -> Option<Trouble> {
        let number = self.calls.len();
        self.calls.push(format!("{method} {path}"));
        if let Some(ambush) = &self.ambush
            && self.calls.iter().filter(|call| self.kind(call) == ambush.kind).count() > ambush.nth
        {
            let (length, trouble) = (ambush.length, ambush.trouble);
            self.by_number.extend((number..number.saturating_add(length)).map(|call| (call, trouble)));
            self.ambush = None;
        }
        self.by_number.get(&number).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trouble_begins_where_it_was_told_to_and_ends() {
        let mut faults = Faults::default();
        faults.name("pl_1", "old");
        let kind = "PATCH /pipelines/old".to_owned();
        faults.ambush(Ambush { kind, nth: 1, length: 2, trouble: Trouble::Lost });
        faults.trouble(5, Trouble::Broken);
        let paths = ["/pipelines/pl_1", "/pipelines/pl_2", "/pipelines/pl_1", "/pipelines", "/pipelines/pl_1", "/x"];
        let found: Vec<_> = paths.iter().map(|path| faults.note("PATCH", path)).collect();
        let lost = Some(Trouble::Lost);
        assert_eq!(found, [None, None, lost, lost, None, Some(Trouble::Broken)]);
        let checkpoints = faults.kind("GET /pipelines/pl_9/jobs/job_a/checkpoints");
        assert_eq!(checkpoints, "GET /pipelines/new/jobs/*/checkpoints");
    }
}
