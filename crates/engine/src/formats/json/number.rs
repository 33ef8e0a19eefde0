//! Numbers: one pass over the digits, exact results.

/// The largest integer up to which every integer is a double.
const EXACT_MANTISSA: u64 = 1 << 53;
/// Digits that always fit in 64 bits.
const MAX_DIGITS: usize = 19;
/// Powers of ten that are doubles without rounding: a mantissa below 2^53 times or over one of these rounds once, hence right.
const POWERS: [f64; 23] = [
    1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20,
    1e21, 1e22,
];

/// A JSON number, as its text and as digits.
#[derive(Debug, Clone, Copy)]
pub(super) struct Number<'a> {
    /// The text.
    pub(super) text: &'a [u8],
    negative: bool,
    /// The digits as an integer, when `exact`.
    mantissa: u64,
    /// The power of ten that the mantissa is to be multiplied by.
    exponent: i32,
    /// No digit was left out of the mantissa.
    exact: bool,
    /// Neither a fraction nor an exponent was written.
    integer: bool,
}

impl<'a> Number<'a> {
    /// Reads a number at the start of `bytes`, and how long it is. `None` when there is none.
    #[inline]
    pub(super) fn read(bytes: &'a [u8]) -> Option<(Self, usize)> {
        let mut at = 0;
        let negative = bytes.first() == Some(&b'-');
        at += usize::from(negative);

        let whole = at;
        let mut mantissa: u64 = 0;
        while let Some(digit) = digit(bytes, at) {
            mantissa = mantissa.wrapping_mul(10).wrapping_add(digit);
            at += 1;
        }
        let mut digits = at - whole;
        if digits == 0 || (digits > 1 && bytes.get(whole) == Some(&b'0')) {
            return None;
        }

        let (mut exponent, mut integer) = (0_i32, true);
        if bytes.get(at) == Some(&b'.') {
            at += 1;
            let fraction = at;
            while let Some(digit) = digit(bytes, at) {
                mantissa = mantissa.wrapping_mul(10).wrapping_add(digit);
                at += 1;
            }
            if at == fraction {
                return None;
            }
            integer = false;
            digits += at - fraction;
            exponent = -i32::try_from(at - fraction).unwrap_or(i32::MAX);
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
            exponent = exponent.saturating_add(if sign == Some(b'-') { -power } else { power });
        }
        let text = bytes.get(..at)?;
        Some((Self { text, negative, mantissa, exponent, exact: digits <= MAX_DIGITS, integer }, at))
    }

    /// The nearest double; beyond the largest it is infinite, as on Arroyo.
    #[inline]
    pub(super) fn to_f64(self) -> Option<f64> {
        let power = POWERS.get(self.exponent.unsigned_abs() as usize);
        if let (true, Some(power)) = (self.exact && self.mantissa <= EXACT_MANTISSA, power) {
            let mantissa = self.mantissa as f64;
            let value = if self.exponent < 0 { mantissa / power } else { mantissa * power };
            return Some(if self.negative { -value } else { value });
        }
        self.str()?.parse().ok()
    }

    /// The nearest single.
    pub(super) fn to_f32(self) -> Option<f32> {
        self.str()?.parse().ok()
    }

    /// The integer, where the number has neither fraction nor exponent and fits.
    #[inline]
    fn whole(self) -> Option<i128> {
        if !self.integer {
            return None;
        }
        if self.exact {
            let value = i128::from(self.mantissa);
            return Some(if self.negative { -value } else { value });
        }
        self.str()?.parse().ok()
    }

    /// As an integer type. A fraction is cut off and an exponent is worked out, as arrow-json does; out of range is `None`.
    #[inline]
    pub(super) fn to_integer<T: TryFrom<i128>>(self) -> Option<T> {
        if let Some(value) = self.whole().and_then(|value| T::try_from(value).ok()) {
            return Some(value);
        }
        let value = self.to_f64()?;
        // `as` saturates far outside every integer type, so that the conversion below refuses it.
        T::try_from(value.trunc() as i128).ok()
    }

    /// As a timestamp: an integer, or a double cut off, at the ends of the range where it is beyond them, as arrow-json does.
    #[inline]
    pub(super) fn to_timestamp(self) -> Option<i64> {
        if let Some(value) = self.whole().and_then(|value| i64::try_from(value).ok()) {
            return Some(value);
        }
        Some(self.to_f64()? as i64)
    }

    /// The text as `str`: it is ASCII.
    pub(super) fn str(self) -> Option<&'a str> {
        std::str::from_utf8(self.text).ok()
    }
}

#[inline]
fn digit(bytes: &[u8], at: usize) -> Option<u64> {
    let digit = bytes.get(at)?.wrapping_sub(b'0');
    (digit < 10).then_some(u64::from(digit))
}
