//! The scanner against serde_json: the same verdict on thousands of hostile texts.

use proptest::prelude::*;

use super::Cursor;
use crate::limits::MAX_DEPTH;

fn accepts(text: &str) -> bool {
    let mut cursor = Cursor::new(text);
    cursor.skip(0).is_ok() && cursor.at_end()
}

fn serde_accepts(text: &str) -> bool {
    serde_json::from_str::<serde_json::Value>(text).is_ok()
}

#[test]
fn hostile_texts_get_serdes_verdict() {
    let texts = [
        "",
        " ",
        "{",
        "}",
        "{}",
        "[]",
        "[,]",
        "[1,]",
        "{\"a\":1,}",
        "{\"a\"}",
        "{\"a\":}",
        "{a:1}",
        "{'a':1}",
        "nul",
        "null",
        "nullx",
        "tru",
        "truefalse",
        "01",
        "-",
        "-0",
        "-0.0",
        "1.",
        ".5",
        "+1",
        "1e",
        "1e+",
        "1e400",
        "-1e400",
        "1e-400",
        "NaN",
        "Infinity",
        "0x10",
        "1e308",
        "1.7976931348623159e308",
        "\u{feff}{}",
        "{}\u{0}",
        "\"\u{0}\"",
        "\"\u{1f}\"",
        "\"\u{7f}\"",
        "\"\t\"",
        "\"\\u0000\"",
        "\"\\ud800\"",
        "\"\\udc00\"",
        "\"\\ud83d\\ude00\"",
        "\"\\ud83d\\u0041\"",
        "\"\\ud83d\"",
        "\"\\ud83dx\"",
        "\"\\uZZZZ\"",
        "\"\\u12\"",
        "\"\\w\"",
        "\"\\",
        "\"",
        "{\"a\":1,\"a\":2}",
        "{}{}",
        "{} {}",
        "{}x",
        "\u{a0}{}",
        "\u{b}1",
        "[1 2]",
        "{\"a\" 1}",
        "\"\u{ffff}\u{202e}\u{10ffff}\"",
        "// c\n1",
        "1/**/",
    ];
    for text in texts {
        assert_eq!(accepts(text), serde_accepts(text), "{text:?}");
    }
    for digits in [1, 19, 20, 307, 308, 309, 310, 400] {
        for text in [
            "9".repeat(digits),
            "1".repeat(digits),
            format!("0.{}", "9".repeat(digits)),
            format!("-{}e-300", "9".repeat(digits)),
        ] {
            assert_eq!(accepts(&text), serde_accepts(&text), "{text}");
        }
    }
}

#[test]
fn depth_is_serdes() {
    for (open, close) in [("[", "]"), ("{\"a\":", "}")] {
        for depth in [1, MAX_DEPTH - 1, MAX_DEPTH, MAX_DEPTH + 1, 100_000] {
            let text = format!("{}1{}", open.repeat(depth), close.repeat(depth));
            assert_eq!(accepts(&text), depth <= MAX_DEPTH);
            assert_eq!(serde_accepts(&text), depth <= MAX_DEPTH);
        }
    }
}

/// Pieces from which nearly-JSON is put together.
fn pieces() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        Just("{".to_owned()),
        Just("}".to_owned()),
        Just("[".to_owned()),
        Just("]".to_owned()),
        Just(":".to_owned()),
        Just(",".to_owned()),
        Just("\"a\"".to_owned()),
        Just("\"".to_owned()),
        Just("\\u00".to_owned()),
        Just("\\ud83d\\ude00".to_owned()),
        Just("null".to_owned()),
        Just("true".to_owned()),
        Just(" ".to_owned()),
        Just("1e9".to_owned()),
        Just("-".to_owned()),
        "[0-9eE.+-]{1,6}",
        ".",
    ];
    proptest::collection::vec(piece, 0..24).prop_map(|pieces| pieces.concat())
}

/// Any JSON value as text, with white space as people write it.
pub(crate) fn any_json() -> impl Strategy<Value = serde_json::Value> {
    let leaf = prop_oneof![
        Just(serde_json::Value::Null),
        any::<bool>().prop_map(Into::into),
        any::<i64>().prop_map(Into::into),
        any::<u64>().prop_map(Into::into),
        any::<f64>().prop_map(Into::into),
        ".{0,12}".prop_map(Into::into),
    ];
    leaf.prop_recursive(5, 40, 6, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..6).prop_map(Into::into),
            proptest::collection::btree_map(".{0,6}", inner, 0..6)
                .prop_map(|members| serde_json::Value::Object(members.into_iter().collect())),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4_000))]

    #[test]
    fn pieces_get_serdes_verdict(text in pieces()) {
        prop_assert_eq!(accepts(&text), serde_accepts(&text));
    }

    #[test]
    fn damaged_json_gets_serdes_verdict(value in any_json(), at in any::<prop::sample::Index>(), change in any::<Option<char>>(), pretty in any::<bool>()) {
        let text = if pretty { serde_json::to_string_pretty(&value) } else { serde_json::to_string(&value) }.unwrap();
        prop_assert!(accepts(&text));
        let mut chars: Vec<char> = text.chars().collect();
        let at = at.index(chars.len());
        match change {
            Some(c) => chars[at] = c,
            None => drop(chars.remove(at)),
        }
        let text: String = chars.into_iter().collect();
        prop_assert_eq!(accepts(&text), serde_accepts(&text));
    }
}
