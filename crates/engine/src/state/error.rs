//! Why state could not be kept or used.

/// Why state could not be kept or used.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// The location is no folder and no S3 URL.
    #[error("`{given}` is no place for state: {reason}\nhint: give a folder, or s3://BUCKET/PREFIX")]
    Location {
        /// What was given.
        given: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The place holds another program's state.
    #[error(
        "{place} holds the state of another program\nhint: choose another place for the state, or remove this one to start from nothing"
    )]
    OtherProgram {
        /// The file or object.
        place: String,
    },
    /// The content is no checkpoint, or not whole.
    #[error("{place} is not a usable checkpoint: {reason}\nhint: remove it to start from nothing")]
    Damaged {
        /// The file or object.
        place: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The file system refused.
    #[error("{place}: {source}")]
    Io {
        /// The file.
        place: String,
        /// The fault.
        source: std::io::Error,
    },
    /// Another run has the folder.
    #[error(
        "{place} is in use by another run\nhint: one folder holds the state of one run: end the other, or give each its own"
    )]
    InUse {
        /// The folder.
        place: String,
    },
    /// Another run has written a checkpoint since this one read or wrote its own.
    #[error(
        "another run has written {place} since this one did\nhint: one place holds the state of one run: end the other, or give each its own"
    )]
    Taken {
        /// The object.
        place: String,
    },
    /// S3 refused, and trying again cannot help.
    #[error("{place}: {reason}\nhint: {hint}")]
    Refused {
        /// The object.
        place: String,
        /// What S3 said.
        reason: String,
        /// What to do.
        hint: &'static str,
    },
    /// S3 did not answer, or failed, at every attempt.
    #[error("{place}: no success in {attempts} attempts: {reason}")]
    Unavailable {
        /// The object.
        place: String,
        /// How often it was tried.
        attempts: u32,
        /// The last fault.
        reason: String,
    },
}
