//! The first basis: a feasible plan along cheap arcs, completed to a strongly feasible spanning tree.
//!
//! 1. Ship as much as possible along each candidate arc, by increasing reduced cost. An arc that ships leaves one of its
//!    ends without mass, so that the arcs with flow form no cycle.
//! 2. Places with mass left are priced among themselves and shipped in the same way; a few rounds of this, then in order.
//! 3. Arcs without flow join the trees. They must point to the root, so a tree is hung by an arc from one of its sources.

use super::super::pause::Pause;
use super::arc::Arc;
use super::pricing::{arcs, lowest};
use super::problem::Problem;
use super::simplex::Simplex;
use crate::tensor::Element;
use alloc::collections::BinaryHeap;
use alloc::vec;
use alloc::vec::Vec;
use core::cmp::{Ordering, Reverse};

/// Rounds of pricing among the places with mass left.
const ROUNDS: usize = 8;

/// Arcs per source in such a round.
const ARCS: usize = 4;

/// The state of shipping.
struct Shipping<'a> {
    sources: usize,
    /// Mass left at each node.
    left: Vec<i64>,
    f: &'a [f64],
    g: &'a [f64],
    arcs: Vec<Arc>,
    tree: Vec<(usize, i64)>,
    /// The node above in the set of joined nodes.
    above: Vec<u32>,
}

/// Builds the first basis, along the given arcs where they suffice, and the network simplex that starts from it. If `pause`
/// has stopped, the rest is shipped in order.
pub(super) fn start<T: Element>(
    problem: &Problem<T>,
    masses: (&[i64], &[i64]),
    potentials: (&[f64], &[f64]),
    arcs: Vec<Arc>,
    pause: &mut Pause,
) -> Simplex {
    let sources = problem.sources();
    let left: Vec<i64> = masses.0.iter().chain(masses.1).copied().collect();
    let nodes = left.len();
    let above = (0..nodes as u32).collect();
    let (f, g) = potentials;
    let mut shipping = Shipping { sources, left, f, g, arcs, tree: Vec::with_capacity(nodes - 1), above };
    shipping.ship_from(0);
    for _ in 0..ROUNDS {
        shipping.ship_rest(problem, pause);
    }
    shipping.ship_in_order(problem);
    shipping.connect(problem);
    Simplex::new(sources, nodes, shipping.arcs, &shipping.tree, sources as u32)
}

impl Shipping<'_> {
    fn reduced(&self, arc: &Arc) -> f64 {
        arc.cost - self.f[arc.source as usize] - self.g[arc.target as usize - self.sources]
    }

    /// Ships along the arcs from `first` on, by increasing reduced cost.
    fn ship_from(&mut self, first: usize) {
        let key = |arc: &Arc| self.reduced(arc);
        let mut order: Vec<(f64, usize)> =
            self.arcs[first..].iter().enumerate().map(|(i, arc)| (key(arc), first + i)).collect();
        order.sort_unstable_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
        order.into_iter().for_each(|(_, arc)| self.ship(arc));
    }

    fn ship(&mut self, arc: usize) {
        let Arc { source, target, .. } = self.arcs[arc];
        let flow = self.left[source as usize].min(self.left[target as usize]);
        if flow > 0 {
            self.left[source as usize] -= flow;
            self.left[target as usize] -= flow;
            self.tree.push((arc, flow));
            let (source, target) = (self.set(source), self.set(target));
            self.above[source as usize] = target;
        }
    }

    /// The representative of the nodes that are joined with a node.
    fn set(&mut self, mut node: u32) -> u32 {
        while self.above[node as usize] != node {
            let above = self.above[self.above[node as usize] as usize];
            self.above[node as usize] = above;
            node = above;
        }
        node
    }

    /// The numbers of the sources and of the targets with mass left.
    fn unfinished(&self) -> (Vec<u32>, Vec<u32>) {
        let (a, b) = self.left.split_at(self.sources);
        let with_mass = |left: &[i64]| (0..left.len() as u32).filter(|&i| left[i as usize] > 0).collect();
        (with_mass(a), with_mass(b))
    }

    /// Prices the places with mass left among themselves, and ships.
    fn ship_rest<T: Element>(&mut self, problem: &Problem<T>, pause: &mut Pause) {
        let (rows, columns) = self.unfinished();
        if rows.is_empty() || pause.is_stopped() {
            return;
        }
        let g: Vec<f64> = columns.iter().map(|&j| self.g[j as usize]).collect();
        let part = problem.part(&rows, &columns);
        let pairs = lowest(part.source_view(), &g, ARCS.min(g.len()), |_| f64::INFINITY, pause).pairs;
        let pairs = pairs.into_iter().map(|(i, j)| (rows[i as usize], columns[j as usize])).collect();
        let first = self.arcs.len();
        self.arcs.extend(arcs(problem, pairs));
        self.ship_from(first);
    }

    fn ship_in_order<T: Element>(&mut self, problem: &Problem<T>) {
        let (rows, columns) = self.unfinished();
        let mut columns = columns.into_iter().peekable();
        for i in rows {
            while let (true, Some(&j)) = (self.left[i as usize] > 0, columns.peek()) {
                self.arcs.extend(arcs(problem, vec![(i, j)]));
                self.ship(self.arcs.len() - 1);
                columns.next_if(|&j| self.left[self.sources + j as usize] == 0);
            }
        }
    }

    /// Joins the trees to that of the first target, along arcs of low reduced cost where there are any.
    fn connect<T: Element>(&mut self, problem: &Problem<T>) {
        let root = self.sources as u32;
        let (start, into) = self.arcs_by_target();
        let mut targets = vec![Vec::new(); self.left.len()];
        (root..self.left.len() as u32).for_each(|node| targets[self.set(node) as usize].push(node - root));
        let tree_of: Vec<u32> = (0..root).map(|node| self.set(node)).collect();
        let mut joined = vec![false; self.left.len()];
        let mut queue = BinaryHeap::new();
        let mut tree = self.set(root);
        let mut sources = 0..root;
        loop {
            joined[tree as usize] = true;
            for &target in &targets[tree as usize] {
                for &arc in &into[start[target as usize]..start[target as usize + 1]] {
                    if !joined[tree_of[self.arcs[arc].source as usize] as usize] {
                        queue.push(Reverse((Price(self.reduced(&self.arcs[arc])), arc)));
                    }
                }
            }
            let is_new = |source: u32| !joined[tree_of[source as usize] as usize];
            let next = loop {
                match queue.pop() {
                    Some(Reverse((_, arc))) if is_new(self.arcs[arc].source) => break Some(arc),
                    Some(_) => {}
                    None => break None,
                }
            };
            let arc = match next {
                Some(arc) => arc,
                None => {
                    let Some(source) = sources.find(|&source| is_new(source)) else { return };
                    self.arcs.extend(arcs(problem, vec![(source, 0)]));
                    self.arcs.len() - 1
                }
            };
            tree = tree_of[self.arcs[arc].source as usize];
            self.tree.push((arc, 0));
        }
    }

    /// The arcs into each target: those of target j are `into[start[j]..start[j + 1]]`.
    fn arcs_by_target(&self) -> (Vec<usize>, Vec<usize>) {
        let targets = self.left.len() - self.sources;
        let mut start = vec![0; targets + 2];
        let target = |arc: &Arc| arc.target as usize - self.sources;
        self.arcs.iter().for_each(|arc| start[target(arc) + 2] += 1);
        (2..start.len()).for_each(|j| start[j] += start[j - 1]);
        let mut into = vec![0; self.arcs.len()];
        for (index, arc) in self.arcs.iter().enumerate() {
            let place = &mut start[target(arc) + 1];
            into[*place] = index;
            *place += 1;
        }
        (start, into)
    }
}

/// A number with a total order.
#[derive(PartialEq)]
struct Price(f64);

impl Eq for Price {}

impl PartialOrd for Price {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Price {
    fn cmp(&self, other: &Self) -> Ordering {
        self.0.total_cmp(&other.0)
    }
}
