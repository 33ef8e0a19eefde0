//! The order of groups that are spread over lanes: as one lane would give them, by when each first came.

use arrow::array::{Array, ArrayRef};
use arrow::compute::interleave;
use datafusion::common::Result;

/// A group: its lane, and its place there.
pub(super) type Place = (usize, usize);

/// All lanes' groups in their one order; each lane says when its own first came, in ascending order.
pub(super) fn order(lanes: &[&[u64]]) -> Vec<Place> {
    let of_lane = |(lane, firsts): (usize, &&[u64])| {
        firsts.iter().enumerate().map(move |(nth, first)| (*first, (lane, nth))).collect::<Vec<_>>()
    };
    let mut all: Vec<(u64, Place)> = lanes.iter().enumerate().flat_map(of_lane).collect();
    // Each lane is a run that ascends: that is what a stable sort merges best.
    all.sort_by_key(|(first, _)| *first);
    all.into_iter().map(|(_, place)| place).collect()
}

/// Each lane's groups by their place in the order of all.
pub(super) fn ranks(lanes: &[&[u64]]) -> (Vec<Vec<u32>>, usize) {
    let mut ranks: Vec<Vec<u32>> = lanes.iter().map(|firsts| Vec::with_capacity(firsts.len())).collect();
    let order = order(lanes);
    for (rank, (lane, _)) in (0u32..).zip(&order) {
        if let Some(ranks) = ranks.get_mut(*lane) {
            ranks.push(rank);
        }
    }
    (ranks, order.len())
}

/// The columns of all lanes in one order; a lane without rows has no columns.
pub(super) fn joined(mut lanes: Vec<Vec<ArrayRef>>, order: impl FnOnce() -> Vec<Place>) -> Result<Vec<ArrayRef>> {
    let mut filled = (0..lanes.len()).filter(|nth| lanes.get(*nth).is_some_and(|columns| !columns.is_empty()));
    let (first, second) = (filled.next(), filled.next());
    let Some(first) = first else { return Ok(Vec::new()) };
    if second.is_none() {
        return Ok(lanes.swap_remove(first));
    }
    let order = order();
    let width = lanes.get(first).map_or(0, Vec::len);
    (0..width)
        .map(|column| {
            // An empty lane is never pointed at; any column of the type keeps the places of the others.
            let of = |lane: &Vec<ArrayRef>| lane.get(column).or_else(|| lanes.get(first)?.get(column)).cloned();
            let parts: Vec<ArrayRef> = lanes.iter().filter_map(of).collect();
            let parts: Vec<&dyn Array> = parts.iter().map(AsRef::as_ref).collect();
            Ok(interleave(&parts, &order)?)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{AsArray, Int64Array};
    use arrow::datatypes::Int64Type;

    use super::*;

    fn numbers(values: &[i64]) -> Vec<ArrayRef> {
        vec![Arc::new(Int64Array::from(values.to_vec()))]
    }

    #[test]
    fn groups_come_in_the_order_in_which_they_first_came() {
        let firsts: [&[u64]; 3] = [&[1, 4, 9], &[], &[0, 5]];
        let columns = joined(vec![numbers(&[10, 40, 90]), Vec::new(), numbers(&[0, 50])], || order(&firsts)).unwrap();
        assert_eq!(columns[0].as_primitive::<Int64Type>().values(), &[0, 10, 40, 50, 90]);
        assert_eq!(ranks(&firsts), (vec![vec![1, 2, 4], vec![], vec![0, 3]], 5));
    }

    #[test]
    fn one_lane_with_rows_is_taken_as_it_is() {
        let columns = joined(vec![Vec::new(), numbers(&[3, 1])], || panic!("nothing is to be ordered")).unwrap();
        assert_eq!(columns[0].as_primitive::<Int64Type>().values(), &[3, 1]);
        assert!(joined(vec![Vec::new(), Vec::new()], Vec::new).unwrap().is_empty());
    }
}
