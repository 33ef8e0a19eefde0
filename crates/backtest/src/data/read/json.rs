//! JSON: one object a line, objects glued together, objects over several lines, or an array of objects.

use std::{io::BufRead, path::Path};

use anyhow::{Context, Result};
use weir_records::json::Text;

use super::{HandOn, Maker};

pub(super) fn each(input: Box<dyn BufRead>, file: &Path, maker: &Maker, hand_on: &mut HandOn<'_>) -> Result<()> {
    let what = || format!("{} cannot be read", file.display());
    let mut text = Text::new(input).with_context(what)?;
    let mut made = Vec::new();
    while let Some((line, record)) = text.next_value().with_context(what)? {
        if maker.columns.are_usual() {
            hand_on(line, Ok(record))?;
        } else {
            maker.write_json(record, &mut made);
            hand_on(line, Ok(&made))?;
        }
    }
    Ok(())
}
