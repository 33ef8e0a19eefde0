//! The order of groups that are spread over partitions: as one partition would give them, by when each first came.

use arrow::array::{Array, ArrayRef};
use arrow::compute::interleave;
use datafusion::common::Result;

/// A group: its partition, and its place there.
pub(crate) type GroupLocation = (usize, usize);

/// Adds all partitions' groups in their one order; each partition says when its own first came, in ascending order, and
/// how many of its groups were added before.
pub(crate) fn add_in_order(partitions: &[(&[u64], usize)], places: &mut Vec<GroupLocation>) {
    places.reserve(partitions.iter().map(|(firsts, _)| firsts.len()).sum());
    // The next of each partition that has one: when it came, its partition, and which it is.
    let mut heads: Vec<(u64, usize, usize)> =
        (0..).zip(partitions).filter_map(|(n, (f, _))| Some((*f.first()?, n, 0))).collect();
    while heads.len() > 1 {
        let Some(head) = heads.iter_mut().min() else { break };
        let (_, partition, nth) = *head;
        let Some((firsts, before)) = partitions.get(partition) else { break };
        places.push((partition, before + nth));
        match firsts.get(nth + 1) {
            Some(next) => *head = (*next, partition, nth + 1),
            None => heads.retain(|(_, other, _)| *other != partition),
        }
    }
    if let Some((_, partition, nth)) = heads.first()
        && let Some((firsts, before)) = partitions.get(*partition)
    {
        places.extend((*nth..firsts.len()).map(|nth| (*partition, before + nth)));
    }
}

/// All partitions' groups in their one order; each partition says when its own first came, in ascending order.
pub(crate) fn order(partitions: &[&[u64]]) -> Vec<GroupLocation> {
    let mut places = Vec::new();
    add_in_order(&partitions.iter().map(|firsts| (*firsts, 0)).collect::<Vec<_>>(), &mut places);
    places
}

/// Each partition's groups by their place in the order of all.
pub(crate) fn ranks(partitions: &[&[u64]]) -> (Vec<Vec<u32>>, usize) {
    let mut ranks: Vec<Vec<u32>> = partitions.iter().map(|firsts| Vec::with_capacity(firsts.len())).collect();
    let order = order(partitions);
    for (rank, (partition, _)) in (0u32..).zip(&order) {
        if let Some(ranks) = ranks.get_mut(*partition) {
            ranks.push(rank);
        }
    }
    (ranks, order.len())
}

/// The columns of all partitions in one order; a partition without rows has no columns.
pub(crate) fn joined(
    mut partitions: Vec<Vec<ArrayRef>>,
    order: impl FnOnce() -> Vec<GroupLocation>,
) -> Result<Vec<ArrayRef>> {
    let mut filled =
        (0..partitions.len()).filter(|nth| partitions.get(*nth).is_some_and(|columns| !columns.is_empty()));
    let (first, second) = (filled.next(), filled.next());
    let Some(first) = first else { return Ok(Vec::new()) };
    if second.is_none() {
        return Ok(partitions.swap_remove(first));
    }
    let order = order();
    let width = partitions.get(first).map_or(0, Vec::len);
    (0..width)
        .map(|column| {
            // An empty partition is never pointed at; any column of the type keeps the places of the others.
            let of = |partition: &Vec<ArrayRef>| {
                partition.get(column).or_else(|| partitions.get(first)?.get(column)).cloned()
            };
            let parts: Vec<ArrayRef> = partitions.iter().filter_map(of).collect();
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
