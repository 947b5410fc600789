//! Pricing: the arcs of the lowest reduced costs C_ij - f_i - g_j among all pairs of places.

use super::super::pause::Pause;
use super::arc::Arc;
use super::problem::{BLOCK, Problem, View};
use crate::parallel::{Chunks, for_each_split};
use crate::tensor::Element;
use alloc::vec;
use alloc::vec::Vec;

/// Places whose prices a task computes.
const ROWS: usize = 16;

/// The lowest prices that places see on the other side.
pub(super) struct Prices {
    /// The smallest C_ij - g_j of each place: its c-transform.
    pub least: Vec<f64>,
    /// Pairs (place of this side, place of the other side).
    pub pairs: Vec<(u32, u32)>,
}

/// The `count` places of the lowest price C_ij - g_j for each place i, of those whose price is below `limit(i)`. Costs one
/// pass over all pairs, in parallel over i. Ends early if `pause` says so.
pub(super) fn lowest<T: Element>(
    view: View<T>,
    g: &[f64],
    count: usize,
    limit: impl Fn(usize) -> f64 + Sync,
    pause: &mut Pause,
) -> Prices {
    let near = view.near();
    let mut found = vec![(0.0, 0); near * count];
    let mut kept = vec![0; near];
    let mut least = vec![0.0; near];
    let between = view.rows_between().next_multiple_of(ROWS);
    let blocks = g.len().div_ceil(BLOCK);
    let parts =
        found.chunks_mut(between * count).zip(kept.chunks_mut(between)).zip(least.chunks_mut(between));
    for (part, ((found, kept), least)) in parts.enumerate() {
        if part > 0 && !pause.proceeds() {
            break;
        }
        let (tasks, start) = (kept.len().div_ceil(ROWS), part * between);
        let pieces = (Chunks(found, ROWS * count), (Chunks(kept, ROWS), Chunks(least, ROWS)));
        for_each_split(tasks, true, pieces, &|task, (found, (kept, least))| {
            let first = start + task * ROWS;
            let mut minima = vec![0.0; kept.0.len() * blocks];
            view.block_minima(first, kept.0.len(), g, &mut minima);
            let rows =
                found.0.chunks_exact_mut(count).zip(kept.0).zip(least.0).zip(minima.chunks_exact(blocks));
            for (i, (((found, kept), least), minima)) in (first..).zip(rows) {
                (*least, *kept) = lowest_of(view, i, g, (limit(i), minima), found);
            }
        });
    }
    let of_place = |(i, kept): (usize, &usize)| {
        found[i * count..][..*kept].iter().map(move |&(_, j)| (i as u32, j)).collect::<Vec<_>>()
    };
    Prices { least, pairs: kept.iter().enumerate().flat_map(of_place).collect() }
}

/// The lowest prices of one place. Returns the smallest, and the number of those found below the limit.
///
/// The smallest prices of blocks tell which blocks to look into: the k lowest prices lie in at most k blocks.
fn lowest_of<T: Element>(
    view: View<T>,
    i: usize,
    g: &[f64],
    (limit, minima): (f64, &[f64]),
    found: &mut [(f64, u32)],
) -> (f64, usize) {
    let least = minima.iter().copied().fold(f64::INFINITY, f64::min);
    if least >= limit {
        return (least, 0);
    }
    let mut bound = limit;
    if minima.len() > found.len() {
        let mut sorted = minima.to_vec();
        bound = bound.min(*sorted.select_nth_unstable_by(found.len(), f64::total_cmp).1);
    }
    let mut below: Vec<(f64, u32)> = Vec::new();
    let mut prices = [0.0; BLOCK];
    for (block, _) in minima.iter().enumerate().filter(|(_, minimum)| **minimum < limit && **minimum <= bound)
    {
        let first = block * BLOCK;
        let g = &g[first..g.len().min(first + BLOCK)];
        let prices = &mut prices[..g.len()];
        view.prices(i, first, g, prices);
        let is_low = |(_, price): &(usize, &f64)| **price < limit && **price <= bound;
        below.extend(prices.iter().enumerate().filter(is_low).map(|(k, &price)| (price, (first + k) as u32)));
    }
    let count = found.len().min(below.len());
    if below.len() > count {
        below.select_nth_unstable_by(count, |a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
    }
    found[..count].copy_from_slice(&below[..count]);
    (least, count)
}

/// The arcs of pairs (source, target), by source and target, each once.
pub(super) fn arcs<T: Element>(problem: &Problem<T>, mut pairs: Vec<(u32, u32)>) -> Vec<Arc> {
    pairs.sort_unstable();
    pairs.dedup();
    let (view, sources) = (problem.source_view(), problem.sources() as u32);
    let arc = |(i, j)| Arc { source: i, target: sources + j, cost: view.cost(i as usize, j as usize) };
    pairs.into_iter().map(arc).collect()
}

/// The arcs of the `count` lowest reduced costs of each source and of each target. The potentials need not be feasible.
pub(super) fn candidates<T: Element>(
    problem: &Problem<T>,
    (f, g): (&[f64], &[f64]),
    count: usize,
    pause: &mut Pause,
) -> Vec<Arc> {
    let all = |_| f64::INFINITY;
    let mut pairs = lowest(problem.source_view(), g, count.min(g.len()), all, pause).pairs;
    let by_target = lowest(problem.target_view(), f, count.min(f.len()), all, pause).pairs;
    pairs.extend(by_target.into_iter().map(|(j, i)| (i, j)));
    arcs(problem, pairs)
}

/// The smallest price C_ij - g_j of each place i.
pub(super) fn transform<T: Element>(view: View<T>, g: &[f64], pause: &mut Pause) -> Vec<f64> {
    // No price is below the limit, so that none is looked for.
    lowest(view, g, 1, |_| f64::NEG_INFINITY, pause).least
}
