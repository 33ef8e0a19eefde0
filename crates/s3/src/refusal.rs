//! What S3 says when it refuses (S3 API reference, "Error responses").

use aws_smithy_xml::decode::{Document, try_data};

/// An error's code and message.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Refusal {
    /// Such as `NoSuchKey`.
    pub code: String,
    /// In words; may be empty.
    pub message: String,
}

impl Refusal {
    /// Reads the body of an answer; `None` where it is no error of S3.
    #[must_use]
    pub fn read(body: &[u8]) -> Option<Self> {
        let text = String::from_utf8_lossy(body);
        let mut document = Document::new(&text);
        let mut root = document.root_element().ok()?;
        let (mut code, mut message) = (None, None);
        while let Some(mut element) = root.next_tag() {
            match element.start_el().local() {
                "Code" => code = try_data(&mut element).ok().map(|text| text.into_owned()),
                "Message" => message = try_data(&mut element).ok().map(|text| text.into_owned()),
                _ => {}
            }
        }
        Some(Self { code: code?, message: message.unwrap_or_default() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn code_and_message_are_read() {
        let body =
            b"<?xml version=\"1.0\"?><Error><Code>SlowDown</Code><Message>Reduce &amp; wait.</Message><X/></Error>";
        let refusal = Refusal::read(body).unwrap();
        assert_eq!((refusal.code.as_str(), refusal.message.as_str()), ("SlowDown", "Reduce & wait."));
        assert_eq!(Refusal::read(b"<Error><Code>AccessDenied</Code></Error>").unwrap().message, "");
        for other in [&b""[..], b"<html>", b"bad gateway", &[0xff, b'<']] {
            assert_eq!(Refusal::read(other), None);
        }
    }
}
