//! Calls that take many items, and not too many.

use futures::{StreamExt as _, stream};

/// Cuts items into calls, in order: of `most` items and `bytes` bytes at most. An item that is larger has a call of its own.
#[must_use]
pub fn chunks<T>(
    items: impl IntoIterator<Item = T>,
    most: usize,
    bytes: usize,
    size: impl Fn(&T) -> usize,
) -> Vec<Vec<T>> {
    let mut chunks: Vec<Vec<T>> = Vec::new();
    let mut filled = 0_usize;
    for item in items {
        let size = size(&item);
        match chunks.last_mut() {
            Some(last) if last.len() < most && filled.saturating_add(size) <= bytes => {
                filled = filled.saturating_add(size);
                last.push(item);
            }
            _ => {
                filled = size;
                chunks.push(vec![item]);
            }
        }
    }
    chunks
}

/// Makes calls, so many at once; their answers in the order of the calls.
pub async fn buffered<F: Future>(calls: impl IntoIterator<Item = F>, at_once: usize) -> Vec<F::Output> {
    let calls: Vec<F> = calls.into_iter().collect();
    stream::iter(calls).buffered(at_once).collect().await
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sizes(items: &[usize]) -> Vec<usize> {
        chunks(items, 10, 250, |item| **item).iter().map(Vec::len).collect()
    }

    #[test]
    fn calls_hold_the_limits_and_every_item_in_order() {
        assert_eq!(sizes(&[]), Vec::<usize>::new());
        assert_eq!(sizes(&[100, 100, 100, 10, 300, 10]), [2, 2, 1, 1]);
        assert_eq!(sizes(&[1; 25]), [10, 10, 5]);
        assert_eq!(sizes(&[250, 0, 1]), [2, 1], "the limit itself is allowed");
        assert_eq!(sizes(&[usize::MAX, usize::MAX]), [1, 1]);
        let items: Vec<usize> = (0..100).collect();
        assert_eq!(chunks(items.clone(), 7, 333, |item| *item).concat(), items);
    }
}
