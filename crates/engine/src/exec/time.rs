//! Arithmetic on event time: instants are nanoseconds since 1970, spans are nanoseconds, both `i64`.
//!
//! No record's time ends a program: what would leave the range (the years 1677 to 2262) stays at its end. All arithmetic on
//! instants in operators goes by way of here.

/// The instant a span before another.
pub(crate) fn before(instant: i64, span: i64) -> i64 {
    instant.saturating_sub(span)
}

/// The instant a span after another.
pub(crate) fn after(instant: i64, span: i64) -> i64 {
    instant.saturating_add(span)
}

/// Whether two instants lie less than a span apart, at any distance.
pub(crate) fn are_closer(one: i64, other: i64, span: i64) -> bool {
    one.abs_diff(other) < span.unsigned_abs()
}

/// Bins of one width, aligned to 1970, by number: bin `n` begins at `n` widths and ends where the next one begins.
/// Every instant lies in a bin. Numbers are counted in 128 bits, since bins may reach out of the range of instants;
/// bounds are cut there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Bins(i64);

impl Bins {
    /// Bins of a width, which is positive.
    pub(crate) fn of_width(nanos: i64) -> Self {
        Self(nanos.max(1))
    }

    /// The bin that an instant lies in. The bin of a bin's start is the bin itself.
    pub(crate) fn number(self, instant: i64) -> i64 {
        instant.div_euclid(self.0)
    }

    /// Where a bin begins.
    pub(crate) fn start(self, number: impl Into<i128>) -> i64 {
        let start = number.into().saturating_mul(i128::from(self.0));
        i64::try_from(start).unwrap_or(if start < 0 { i64::MIN } else { i64::MAX })
    }

    /// Where a bin ends: the first instant behind it.
    pub(crate) fn end(self, number: impl Into<i128>) -> i64 {
        self.start(number.into().saturating_add(1))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Instants, mostly near the ends of the range and of 1970.
    fn instants() -> impl Strategy<Value = i64> {
        let near = |at: i64| (-100_000i64..100_000).prop_map(move |by| at.saturating_add(by));
        prop_oneof![near(i64::MIN), near(0), near(i64::MAX), any::<i64>()]
    }

    fn widths() -> impl Strategy<Value = i64> {
        prop_oneof![1i64..100, Just(1_000_000_000), Just(7 * 86_400_000_000_000), Just(i64::MAX), 1..=i64::MAX]
    }

    proptest! {
        #[test]
        fn every_instant_lies_in_its_bin_alone(instant in instants(), width in widths()) {
            let bins = Bins::of_width(width);
            let number = bins.number(instant);
            prop_assert!(bins.start(number) <= instant);
            prop_assert!(instant < bins.end(number) || bins.end(number) == i64::MAX);
            prop_assert_eq!(bins.number(bins.start(number)), number);
            let exact = i128::from(instant).div_euclid(i128::from(width)) * i128::from(width);
            prop_assert_eq!(i128::from(bins.start(number)), exact.max(i128::from(i64::MIN)));
        }

        #[test]
        fn later_instants_lie_in_later_bins(one in instants(), other in instants(), width in widths()) {
            let bins = Bins::of_width(width);
            prop_assert!(one > other || bins.number(one) <= bins.number(other));
            prop_assert!(one > other || bins.end(bins.number(one)) <= bins.end(bins.number(other)));
        }

        #[test]
        fn distance_has_no_limit(one in instants(), other in instants(), span in widths()) {
            let distance = (i128::from(one) - i128::from(other)).abs();
            prop_assert_eq!(are_closer(one, other, span), distance < i128::from(span));
        }
    }
}
