//! Escapes of JSON strings.

/// Appends the text of a string that [`super::Cursor::string`] has accepted, its escapes resolved.
pub(crate) fn unescape(raw: &str, out: &mut String) {
    let mut rest = raw;
    while let Some((before, escape)) = memchr::memchr(b'\\', rest.as_bytes()).and_then(|at| rest.split_at_checked(at)) {
        out.push_str(before);
        let mut taken = 2;
        match escape.as_bytes().get(1).copied().unwrap_or_default() {
            b'u' => {
                let mut code = unit(escape, 2);
                taken = 6;
                if (0xD800..=0xDBFF).contains(&code) {
                    code = 0x10000 + ((code - 0xD800) << 10) + unit(escape, 8).saturating_sub(0xDC00);
                    taken = 12;
                }
                out.push(char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER));
            }
            b'b' => out.push('\u{8}'),
            b'f' => out.push('\u{c}'),
            b'n' => out.push('\n'),
            b'r' => out.push('\r'),
            b't' => out.push('\t'),
            other => out.push(char::from(other)),
        }
        rest = escape.get(taken..).unwrap_or_default();
    }
    out.push_str(rest);
}

fn unit(escape: &str, from: usize) -> u32 {
    escape.as_bytes().get(from..).and_then(|at| at.first_chunk::<4>()).and_then(hex4).unwrap_or_default()
}

pub(super) fn hex4(digits: &[u8; 4]) -> Option<u32> {
    digits.iter().try_fold(0, |value, digit| Some(value << 4 | char::from(*digit).to_digit(16)?))
}
