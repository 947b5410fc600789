//! The network simplex method on a sparse transportation problem.
//!
//! Minimise Σ c_e x_e over flows x >= 0 on given arcs e from sources to targets. The flow out of source i is a_i, and the
//! flow into target j is b_j. A *basis* is a spanning tree of arcs; the others carry no flow. The tree determines the
//! potentials, with c = π(source) - π(target) on its arcs, so that f = π on sources and g = -π on targets. An arc with a
//! negative *reduced cost* c - π(source) + π(target) enters. Flow moves around the cycle that it closes with the tree,
//! until an arc of the cycle has none left, which leaves.
//!
//! - **Termination.** The tree stays *strongly feasible* (Cunningham 1976): a tree arc without flow points to the root. The
//!   leaving arc is the last blocking one on the cycle, in the direction of the entering arc from the apex. A pivot that
//!   moves no flow then lowers the potentials of a subtree, so that no basis returns. Masses are integers: ties are exact.
//! - **Entering arc.** The most negative of a block of arcs; blocks follow one another cyclically.
//! - **Tree.** The nodes form a cyclic list in preorder (`next`), in which a subtree is a segment that ends where the depth
//!   is small again. A pivot visits only the nodes of the subtree that moves, and those of the cycle.

use super::arc::Arc;
use alloc::vec;
use alloc::vec::Vec;

/// No node.
const NONE: u32 = u32::MAX;

/// Pivots between two calls of the caller's watch.
const WATCHED: usize = 1 << 12;

/// A reduced cost above minus this share of the largest cost counts as 0: 2^-44 = 5.7e-14. Rounding errors of potentials
/// are smaller.
const TOLERANCE: f64 = 1.0 / (1u64 << 44) as f64;

/// Pivots per arc and node after which the solver gives up. Networks need fewer than 20; this is a bound for rounding errors
/// that nobody has foreseen.
const PIVOTS: usize = 1000;

/// A node's part that pricing and walks along the list read.
#[derive(Clone, Copy)]
struct Place {
    /// π
    potential: f64,
    /// The next node in preorder.
    next: u32,
    depth: u32,
}

/// A node's part that cycles read.
#[derive(Clone, Copy)]
struct Link {
    parent: u32,
    /// The previous node in preorder.
    back: u32,
    /// The arc to the parent.
    arc: usize,
    /// Its flow.
    flow: i64,
}

/// A strongly feasible spanning tree and its flows.
pub(super) struct Simplex {
    /// Nodes below this number are sources.
    sources: usize,
    arcs: Vec<Arc>,
    places: Vec<Place>,
    links: Vec<Link>,
    root: u32,
    /// The arc with which the next block begins.
    next: usize,
    tolerance: f64,
    pivots: usize,
}

impl Simplex {
    /// Starts from a spanning tree: the flow of each of its arcs. An arc with no flow must point to the root.
    ///
    /// **Panics** if the arcs are not a strongly feasible spanning tree.
    pub fn new(sources: usize, nodes: usize, arcs: Vec<Arc>, tree: &[(usize, i64)], root: u32) -> Self {
        let place = Place { potential: 0.0, next: root, depth: 0 };
        let link = Link { parent: NONE, back: root, arc: usize::MAX, flow: 0 };
        let (places, links) = (vec![place; nodes], vec![link; nodes]);
        let mut simplex = Self { sources, arcs, places, links, root, next: 0, tolerance: 0.0, pivots: 0 };
        simplex.hang(tree);
        simplex.set_tolerance();
        simplex.compute_potentials();
        simplex
    }

    /// Builds the tree's lists from its arcs.
    fn hang(&mut self, tree: &[(usize, i64)]) {
        let mut start = vec![0; self.places.len() + 2];
        let ends = |arc: &Arc| [arc.source as usize, arc.target as usize];
        tree.iter().flat_map(|&(arc, _)| ends(&self.arcs[arc])).for_each(|node| start[node + 2] += 1);
        (2..start.len()).for_each(|node| start[node] += start[node - 1]);
        let mut touching = vec![0; 2 * tree.len()];
        for (index, &(arc, _)) in tree.iter().enumerate() {
            for node in ends(&self.arcs[arc]) {
                touching[start[node + 1]] = index;
                start[node + 1] += 1;
            }
        }
        let (mut stack, mut last, mut count) = (vec![self.root], self.root, 0);
        while let Some(node) = stack.pop() {
            count += 1;
            let parent = self.links[node as usize].parent;
            if parent != NONE {
                self.places[node as usize].depth = self.places[parent as usize].depth + 1;
                self.join(last, node);
                last = node;
            }
            for &index in &touching[start[node as usize]..start[node as usize + 1]] {
                let (arc, flow) = tree[index];
                let child = self.arcs[arc].source ^ self.arcs[arc].target ^ node;
                if child != parent {
                    assert!(flow > 0 || self.is_source(child), "arc {arc} without flow points from the root");
                    self.links[child as usize] = Link { parent: node, back: NONE, arc, flow };
                    stack.push(child);
                }
            }
            assert!(count + stack.len() <= self.places.len(), "the arcs close a cycle");
        }
        assert_eq!(count, self.places.len(), "nodes that the tree reaches");
        self.join(last, self.root);
    }

    /// Adds arcs, which carry no flow.
    pub fn add(&mut self, arcs: &[Arc]) {
        self.arcs.extend_from_slice(arcs);
        self.set_tolerance();
    }

    /// A reduced cost above minus this counts as 0.
    pub fn tolerance(&self) -> f64 {
        self.tolerance
    }

    fn set_tolerance(&mut self) {
        self.tolerance = TOLERANCE * self.arcs.iter().map(|arc| arc.cost.abs()).fold(0.0, f64::max);
    }

    /// The number of pivots so far.
    pub fn pivots(&self) -> usize {
        self.pivots
    }

    /// The number of arcs.
    pub fn arcs(&self) -> usize {
        self.arcs.len()
    }

    /// The potentials f and g.
    pub fn potentials(&self) -> (Vec<f64>, Vec<f64>) {
        let (sources, targets) = self.places.split_at(self.sources);
        let f = sources.iter().map(|place| place.potential).collect();
        (f, targets.iter().map(|place| -place.potential).collect())
    }

    /// The arcs of the tree with positive flow, each with its flow.
    pub fn flows(&self) -> impl Iterator<Item = (Arc, i64)> + '_ {
        let links = self.links.iter().filter(|link| link.flow > 0);
        links.map(|link| (self.arcs[link.arc], link.flow))
    }

    /// Pivots until no arc has a negative reduced cost with freshly computed potentials. Calls `watch` from time to time
    /// and stops when it is false. Returns true at the optimum.
    pub fn solve(&mut self, watch: &mut dyn FnMut(&Self) -> bool) -> bool {
        let block = 10 + libm::sqrt(self.arcs.len() as f64) as usize;
        let limit = self.pivots + PIVOTS * (self.arcs.len() + self.places.len());
        loop {
            let before = self.pivots;
            while let Some(arc) = self.entering(block) {
                self.pivot(arc);
                if self.pivots.is_multiple_of(WATCHED) {
                    self.compute_potentials();
                    if self.pivots > limit || !watch(self) {
                        return false;
                    }
                }
            }
            self.compute_potentials();
            if self.pivots == before {
                return true;
            }
        }
    }

    fn is_source(&self, node: u32) -> bool {
        (node as usize) < self.sources
    }

    fn reduced(&self, arc: &Arc) -> f64 {
        arc.cost - self.places[arc.source as usize].potential + self.places[arc.target as usize].potential
    }

    /// The arc of the most negative reduced cost in the next block that has a negative one.
    fn entering(&mut self, block: usize) -> Option<usize> {
        let (mut least, mut found) = (-self.tolerance, None);
        let (mut unseen, mut first) = (self.arcs.len(), self.next);
        while unseen > 0 && found.is_none() {
            let mut left = block.min(unseen);
            unseen -= left;
            while left > 0 {
                let count = left.min(self.arcs.len() - first);
                for (i, arc) in self.arcs[first..][..count].iter().enumerate() {
                    let reduced = self.reduced(arc);
                    if reduced < least {
                        (least, found) = (reduced, Some(first + i));
                    }
                }
                left -= count;
                first = if first + count == self.arcs.len() { 0 } else { first + count };
            }
        }
        self.next = first;
        found
    }

    /// Brings the arc into the tree.
    fn pivot(&mut self, entering: usize) {
        self.pivots += 1;
        let arc = self.arcs[entering];
        let reduced = self.reduced(&arc);
        let (apex, top, flow, source_moves) = self.leaving(arc);
        if flow > 0 {
            self.push(arc.source, apex, flow);
            self.push(arc.target, apex, flow);
        }
        // The reduced cost of the entering arc becomes 0.
        if source_moves {
            self.rehang(top, arc.source, arc.target, (entering, flow), reduced);
        } else {
            self.rehang(top, arc.target, arc.source, (entering, flow), -reduced);
        }
    }

    /// The apex of the cycle, the lower node of the leaving arc, the flow that moves, and true if that node is on the
    /// side of the source.
    fn leaving(&self, arc: Arc) -> (u32, u32, i64, bool) {
        let (mut u, mut v) = (arc.source, arc.target);
        // Flow decreases on the arc above a source on the source's side, and above a target on the target's side.
        let (mut at_source, mut at_target) = ((i64::MAX, NONE), (i64::MAX, NONE));
        while u != v {
            if self.places[u as usize].depth >= self.places[v as usize].depth {
                let link = &self.links[u as usize];
                if self.is_source(u) && link.flow < at_source.0 {
                    at_source = (link.flow, u);
                }
                u = link.parent;
            } else {
                let link = &self.links[v as usize];
                if !self.is_source(v) && link.flow <= at_target.0 {
                    at_target = (link.flow, v);
                }
                v = link.parent;
            }
        }
        let source_moves = at_source.0 < at_target.0;
        let (flow, top) = if source_moves { at_source } else { at_target };
        (u, top, flow, source_moves)
    }

    /// Moves flow along the path from an end of the entering arc to the apex.
    fn push(&mut self, from: u32, apex: u32, flow: i64) {
        let (mut node, mut change) = (from, -flow);
        while node != apex {
            let link = &mut self.links[node as usize];
            link.flow += change;
            (node, change) = (link.parent, -change);
        }
    }

    /// Cuts off the subtree of `top`, makes `inner` its root, and hangs it below `outer` by an arc with a flow. Adds
    /// `shift` to its potentials.
    ///
    /// The path from `inner` up to `top` is reversed. In the new preorder, each node of this path comes with those nodes
    /// of its old subtree that the previous one did not take.
    fn rehang(&mut self, top: u32, inner: u32, outer: u32, link: (usize, i64), shift: f64) {
        let before = self.links[top as usize].back;
        let after_outer = self.places[outer as usize].next;
        let (mut tail, mut below, mut rest) = (outer, NONE, NONE);
        let (mut node, mut parent, (mut arc, mut flow)) = (inner, outer, link);
        let mut depth = self.places[outer as usize].depth + 1;
        loop {
            let old = self.places[node as usize].depth;
            let sink = depth.wrapping_sub(old);
            self.join(tail, node);
            let mut end;
            (tail, end) = self.shift(node, below, old, shift, sink);
            if below != NONE {
                end = rest;
                if self.places[rest as usize].depth > old {
                    self.join(tail, rest);
                    (tail, end) = self.shift(rest, NONE, old, shift, sink);
                }
            }
            rest = end;
            let link = &mut self.links[node as usize];
            let above = link.parent;
            link.parent = parent;
            core::mem::swap(&mut link.arc, &mut arc);
            core::mem::swap(&mut link.flow, &mut flow);
            if node == top {
                break;
            }
            (parent, below, node, depth) = (node, node, above, depth + 1);
        }
        if before == outer {
            self.join(tail, rest);
        } else {
            self.join(before, rest);
            self.join(tail, after_outer);
        }
    }

    /// Changes potentials and depths from `first` on, up to the node `below` or the next node of depth `old` or less.
    /// Returns the last node changed and the one after it.
    fn shift(&mut self, first: u32, below: u32, old: u32, shift: f64, sink: u32) -> (u32, u32) {
        let mut node = first;
        loop {
            let place = &mut self.places[node as usize];
            place.potential += shift;
            place.depth = place.depth.wrapping_add(sink);
            let next = place.next;
            if next == below || self.places[next as usize].depth <= old {
                return (node, next);
            }
            node = next;
        }
    }

    /// Makes `second` the node after `first`.
    fn join(&mut self, first: u32, second: u32) {
        self.places[first as usize].next = second;
        self.links[second as usize].back = first;
    }

    /// Computes the potentials from the tree.
    fn compute_potentials(&mut self) {
        let mut node = self.places[self.root as usize].next;
        while node != self.root {
            let link = self.links[node as usize];
            let (cost, above) = (self.arcs[link.arc].cost, self.places[link.parent as usize].potential);
            let potential = if self.is_source(node) { above + cost } else { above - cost };
            self.places[node as usize].potential = potential;
            node = self.places[node as usize].next;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A problem with many ties: n x n equal masses, and costs of small integers.
    fn ties(n: u32) -> Simplex {
        let cost = |i, j| f64::from((i * 7 + j * 5 + i * j * 3) % 4);
        let pairs = (0..n).flat_map(|i| (0..n).map(move |j| (i, j)));
        let arcs = pairs.map(|(i, j)| Arc { source: i, target: n + j, cost: cost(i, j) }).collect();
        // The diagonal carries flow; source i + 1 hangs below target i.
        let number = |i: u32, j: u32| (i * n + j) as usize;
        let mut tree: Vec<_> = (0..n).map(|i| (number(i, i), 3)).collect();
        tree.extend((1..n).map(|i| (number(i, i - 1), 0)));
        Simplex::new(n as usize, 2 * n as usize, arcs, &tree, n)
    }

    /// Checks lists, flows, strong feasibility, and the reduced costs of the tree's arcs.
    fn check(simplex: &Simplex) {
        let nodes = simplex.places.len();
        let mut balance = vec![0; nodes];
        let (mut node, mut count) = (simplex.root, 0);
        loop {
            let (place, link) = (simplex.places[node as usize], simplex.links[node as usize]);
            count += 1;
            assert_eq!(simplex.links[place.next as usize].back, node);
            if node != simplex.root {
                let arc = simplex.arcs[link.arc];
                assert_eq!(arc.source ^ arc.target, node ^ link.parent, "ends of the arc above {node}");
                assert_eq!(place.depth, simplex.places[link.parent as usize].depth + 1);
                assert!(link.flow > 0 || link.flow == 0 && simplex.is_source(node), "{node}: {}", link.flow);
                assert_eq!(simplex.reduced(&arc), 0.0);
                balance[arc.source as usize] += link.flow;
                balance[arc.target as usize] += link.flow;
            }
            // In preorder the parent of the next node is this node or above it.
            let mut above = node;
            while place.next != simplex.root && above != simplex.links[place.next as usize].parent {
                above = simplex.links[above as usize].parent;
            }
            node = place.next;
            if node == simplex.root {
                break;
            }
        }
        assert_eq!(count, nodes);
        assert!(balance.iter().all(|&flow| flow == 3), "{balance:?}");
    }

    #[test]
    fn every_pivot_keeps_a_strongly_feasible_tree() {
        for n in [1, 2, 5, 12, 40] {
            let mut simplex = ties(n);
            check(&simplex);
            while let Some(arc) = simplex.entering(7) {
                simplex.pivot(arc);
                check(&simplex);
                assert!(simplex.pivots < 10_000, "a cycle");
            }
            assert!(simplex.arcs.iter().all(|arc| simplex.reduced(arc) >= 0.0));
        }
    }
}
