//! What is wanted: packs, and the names under which Arroyo knows them.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::api::{Pipeline, Udf};

/// The first part of every name that is Weir's.
const PREFIX: &str = "weir";
/// Hex digits of a content hash: 48 bits, for a handful of versions of a pack.
const HASH_BYTES: usize = 6;

/// A compiled pack: one pipeline.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pack {
    /// Its name.
    pub name: String,
    /// Its program.
    pub program: String,
    /// The functions that its program calls.
    #[serde(default)]
    pub udfs: Vec<Udf>,
}

impl Pack {
    /// Twelve hex digits over the program and its functions, which are what makes a pipeline another one.
    #[must_use]
    pub fn hash(&self) -> String {
        content_hash(&self.program, &self.udfs)
    }

    /// The name of its pipeline in an environment.
    #[must_use]
    pub fn pipeline_name(&self, environment: &str) -> PipelineName {
        PipelineName { environment: environment.to_owned(), pack: self.name.clone(), hash: self.hash() }
    }
}

/// The hash of a program and its functions, in whichever order they are given.
#[must_use]
pub fn content_hash(program: &str, udfs: &[Udf]) -> String {
    let mut udfs: Vec<&Udf> = udfs.iter().collect();
    udfs.sort();
    let mut hasher = Sha256::new();
    // Lengths keep one text from running into the next.
    let mut add = |text: &str| {
        hasher.update(text.len().to_le_bytes());
        hasher.update(text);
    };
    add(program);
    for udf in udfs {
        add(&udf.language);
        add(&udf.definition);
    }
    hasher.finalize().iter().take(HASH_BYTES).map(|byte| format!("{byte:02x}")).collect()
}

/// `weir/<environment>/<pack>@<hash>`: readable in Arroyo's UI, and all that is needed to find what runs.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct PipelineName {
    /// The environment.
    pub environment: String,
    /// The pack.
    pub pack: String,
    /// The hash of the content that it was made with.
    pub hash: String,
}

impl fmt::Display for PipelineName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{PREFIX}/{}/{}@{}", self.environment, self.pack, self.hash)
    }
}

impl FromStr for PipelineName {
    type Err = ();

    /// Anything else is not Weir's.
    fn from_str(text: &str) -> Result<Self, ()> {
        let mut parts = text.splitn(3, '/');
        let (Some(PREFIX), Some(environment), Some(rest)) = (parts.next(), parts.next(), parts.next()) else {
            return Err(());
        };
        let (pack, hash) = rest.split_once('@').ok_or(())?;
        let hex = hash.len() == HASH_BYTES * 2 && hash.bytes().all(|c| matches!(c, b'0'..=b'9' | b'a'..=b'f'));
        if environment.is_empty() || pack.is_empty() || !hex {
            return Err(());
        }
        Ok(Self { environment: environment.to_owned(), pack: pack.to_owned(), hash: hash.to_owned() })
    }
}

impl Pipeline {
    /// Its name, when it is one of Weir's of that environment.
    #[must_use]
    pub fn weir_name(&self, environment: &str) -> Option<PipelineName> {
        self.name.parse().ok().filter(|name: &PipelineName| name.environment == environment)
    }

    /// The hash of what it really holds. Its name may say another.
    #[must_use]
    pub fn content_hash(&self) -> String {
        content_hash(&self.query, &self.udfs)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn udf(definition: &str) -> Udf {
        Udf { definition: definition.to_owned(), language: "rust".to_owned() }
    }

    #[test]
    fn the_name_carries_environment_pack_and_content() {
        let pack = Pack { name: "rules".to_owned(), program: "SELECT 1".to_owned(), udfs: vec![] };
        let name = pack.pipeline_name("dev");
        assert_eq!(name.to_string(), format!("weir/dev/rules@{}", pack.hash()));
        assert_eq!(name.to_string().parse(), Ok(name));
    }

    #[test]
    fn names_that_are_not_weirs_are_left_alone() {
        for name in
            ["", "weir", "weir/dev/rules", "weir/dev/rules@xyz", "other/dev/rules@0123456789ab", "weir//a@0123456789ab"]
        {
            assert!(name.parse::<PipelineName>().is_err(), "{name}");
        }
    }

    #[test]
    fn the_hash_follows_content_and_not_the_order_of_functions() {
        let both = content_hash("q", &[udf("a"), udf("b")]);
        assert_eq!(both, content_hash("q", &[udf("b"), udf("a")]));
        assert_ne!(both, content_hash("q", &[udf("ab")]));
        assert_ne!(both, content_hash("qa", &[udf("b")]));
    }
}
