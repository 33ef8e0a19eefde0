//! Numbers: one pass over the digits, exact results.

/// The largest integer up to which every integer is a double.
pub(crate) const EXACT_INTEGER: u64 = 1 << 53;
/// Digits that always fit in 64 bits.
const MAX_DIGITS: usize = 19;
/// No number with fewer digits and no exponent is beyond the largest double (1.8e308).
const SURELY_FINITE_DIGITS: usize = 308;
/// Powers of ten that are doubles without rounding: a mantissa of at most 2^53 times or over one of these rounds once, hence
/// right (W. D. Clinger, How to Read Floating Point Numbers Accurately, 1990).
const POWERS: [f64; 23] = [
    1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20,
    1e21, 1e22,
];

/// A decimal number, as digits; its text is kept by the caller.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Number {
    negative: bool,
    /// The digits as an integer, when `exact`.
    mantissa: u64,
    /// The power of ten that the mantissa is to be multiplied by.
    exponent: i32,
    /// No digit was left out of the mantissa.
    exact: bool,
    /// Neither a fraction nor an exponent was written.
    integer: bool,
    /// Beyond doubt within the doubles.
    surely_finite: bool,
}

impl Number {
    /// Reads a JSON number at the start of `bytes`, and how long it is. `None` when there is none.
    #[inline]
    pub(crate) fn read(bytes: &[u8]) -> Option<(Self, usize)> {
        let negative = bytes.first() == Some(&b'-');
        let whole = usize::from(negative);
        let (number, length, leading) = Self::digits(bytes, whole, negative, false)?;
        if leading > 1 && bytes.get(whole) == Some(&b'0') {
            return None;
        }
        Some((number, length))
    }

    /// Reads a whole text as a number, more freely than JSON: `+1`, `007`, `.5` and `5.` are numbers too. NaN, infinities and
    /// what has blanks around it are none.
    #[inline]
    pub(crate) fn read_text(text: &str) -> Option<Self> {
        let bytes = text.as_bytes();
        let negative = bytes.first() == Some(&b'-');
        let start = usize::from(matches!(bytes.first(), Some(b'-' | b'+')));
        let (number, length, _) = Self::digits(bytes, start, negative, true)?;
        (length == bytes.len()).then_some(number)
    }

    /// Digits, fraction, exponent from `start` on; how long it all is, and how many digits the whole part has.
    #[inline]
    fn digits(bytes: &[u8], start: usize, negative: bool, free: bool) -> Option<(Self, usize, usize)> {
        let mut at = start;
        let mut mantissa: u64 = 0;
        while let Some(digit) = digit(bytes, at) {
            mantissa = mantissa.wrapping_mul(10).wrapping_add(digit);
            at += 1;
        }
        let leading = at - start;
        let mut digits = leading;
        if leading == 0 && !free {
            return None;
        }
        let (mut exponent, mut integer, mut surely_finite) = (0_i32, true, leading <= SURELY_FINITE_DIGITS);
        if bytes.get(at) == Some(&b'.') {
            at += 1;
            let fraction = at;
            while let Some(digit) = digit(bytes, at) {
                mantissa = mantissa.wrapping_mul(10).wrapping_add(digit);
                at += 1;
            }
            if at == fraction && !free {
                return None;
            }
            integer = false;
            digits += at - fraction;
            exponent = -i32::try_from(at - fraction).unwrap_or(i32::MAX);
        }
        if digits == 0 {
            return None;
        }
        if let Some(b'e' | b'E') = bytes.get(at) {
            at += 1;
            let sign = bytes.get(at).copied();
            at += usize::from(matches!(sign, Some(b'+' | b'-')));
            let start = at;
            let mut power: i32 = 0;
            while let Some(digit) = digit(bytes, at) {
                power = power.saturating_mul(10).saturating_add(digit as i32);
                at += 1;
            }
            if at == start {
                return None;
            }
            integer = false;
            surely_finite = false;
            exponent = exponent.saturating_add(if sign == Some(b'-') { -power } else { power });
        }
        let number = Self { negative, mantissa, exponent, exact: digits <= MAX_DIGITS, integer, surely_finite };
        Some((number, at, leading))
    }

    /// The nearest double, −0.0 as 0.0; `None` beyond the largest. `text` is the number's own text.
    #[inline]
    pub(crate) fn to_f64(self, text: &str) -> Option<f64> {
        let power = POWERS.get(self.exponent.unsigned_abs() as usize);
        let value = if let (true, Some(power)) = (self.exact && self.mantissa <= EXACT_INTEGER, power) {
            let mantissa = self.mantissa as f64;
            let value = if self.exponent < 0 { mantissa / power } else { mantissa * power };
            if self.negative { -value } else { value }
        } else {
            text.parse().ok()?
        };
        // Adding 0.0 turns −0.0 into 0.0 and leaves every other number as it is.
        if f64::is_finite(value) { Some(value + 0.0) } else { None }
    }

    /// The integer. A number that is written with a fraction or an exponent is one when, as a double, it is whole and at most
    /// 2^53, so that nothing was rounded.
    #[inline]
    pub(crate) fn to_i64(self, text: &str) -> Option<i64> {
        if self.integer {
            return if self.exact { self.written_integer().flatten() } else { text.parse().ok() };
        }
        let value = self.to_f64(text)?;
        (value.trunc() == value && value.abs() <= EXACT_INTEGER as f64).then_some(value as i64)
    }

    /// The integer of a number that is written without fraction and exponent: `Some(None)` when 64 bits do not hold it.
    #[inline]
    pub(crate) fn written_integer(self) -> Option<Option<i64>> {
        if !self.integer {
            return None;
        }
        let mantissa = i128::from(self.mantissa);
        Some(i64::try_from(if self.negative { -mantissa } else { mantissa }).ok().filter(|_| self.exact))
    }

    /// Whether a double can hold it.
    #[inline]
    pub(crate) fn is_finite(self, text: &[u8]) -> bool {
        self.surely_finite || std::str::from_utf8(text).ok().and_then(|text| self.to_f64(text)).is_some()
    }
}

#[inline]
fn digit(bytes: &[u8], at: usize) -> Option<u64> {
    let digit = bytes.get(at)?.wrapping_sub(b'0');
    (digit < 10).then_some(u64::from(digit))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn double(text: &str) -> Option<f64> {
        Number::read_text(text)?.to_f64(text)
    }

    fn integer(text: &str) -> Option<i64> {
        Number::read_text(text)?.to_i64(text)
    }

    #[test]
    fn minus_zero_is_zero() {
        for text in ["-0", "-0.0", "-0e5", "-1e-400"] {
            assert_eq!(double(text).map(f64::to_bits), Some(0), "{text}");
        }
        assert_eq!(integer("-0"), Some(0));
    }

    #[test]
    fn what_no_double_holds_is_none() {
        assert_eq!(double("1e400"), None);
        assert_eq!(double("-1e309"), None);
        assert_eq!(double(&"9".repeat(400)), None);
        assert_eq!(double("1.7976931348623157e308"), Some(f64::MAX));
        for text in [" 1", "NaN", "inf", "Infinity", "", "-", "+", ".", "e5", "1e", "1 2", "0x1", "1_000", "1,5"] {
            assert_eq!(double(text), None, "{text}");
        }
    }

    #[test]
    fn texts_are_read_more_freely_than_json() {
        assert_eq!(double("+1.5"), Some(1.5));
        assert_eq!(double(".5"), Some(0.5));
        assert_eq!(double("5."), Some(5.0));
        assert_eq!(integer("007"), Some(7));
        assert!(Number::read(b"007").is_none());
        assert!(Number::read(b"+1").is_none());
        assert!(Number::read(b".5").is_none());
        assert!(Number::read(b"5.").is_none());
    }

    #[test]
    fn integers_are_exact_or_none() {
        assert_eq!(integer("9223372036854775807"), Some(i64::MAX));
        assert_eq!(integer("-9223372036854775808"), Some(i64::MIN));
        assert_eq!(integer("9223372036854775808"), None);
        assert_eq!(integer(&format!("{}7", "0".repeat(40))), Some(7));
        assert_eq!(integer("5.0"), Some(5));
        assert_eq!(integer("1e3"), Some(1000));
        assert_eq!(integer("1.5"), None);
        assert_eq!(integer("9007199254740992.0"), Some(1 << 53));
        assert_eq!(integer("9007199254740994.0"), None, "as a double it may have been rounded");
    }

    proptest! {
        #[test]
        fn doubles_are_correctly_rounded(value in any::<f64>().prop_filter("finite", |v| v.is_finite()), digits in 0..25_usize) {
            for text in [format!("{value}"), format!("{value:e}"), format!("{value:.digits$e}")] {
                let expected = text.parse::<f64>().unwrap();
                let expected = expected.is_finite().then_some(expected + 0.0);
                prop_assert_eq!(double(&text).map(f64::to_bits), expected.map(f64::to_bits), "{}", text);
            }
        }

        #[test]
        fn any_digits_are_correctly_rounded(text in "-?[0-9]{1,25}(\\.[0-9]{1,25})?(e[+-]?[0-9]{1,3})?") {
            let expected = text.parse::<f64>().unwrap();
            let expected = expected.is_finite().then_some(expected + 0.0);
            prop_assert_eq!(double(&text).map(f64::to_bits), expected.map(f64::to_bits));
        }

        #[test]
        fn integers_are_what_was_written(value in any::<i64>()) {
            prop_assert_eq!(integer(&value.to_string()), Some(value));
        }
    }
}
