//! Exact transport by other means: all permutations, successive shortest paths, and quantile functions.

/// The smallest mean of `cost(i, permutation(i))` over all permutations of n.
pub fn best_permutation(n: usize, cost: &dyn Fn(usize, usize) -> f64) -> f64 {
    fn rest(i: usize, free: &mut Vec<usize>, cost: &dyn Fn(usize, usize) -> f64) -> f64 {
        if free.is_empty() {
            return 0.0;
        }
        let mut best = f64::INFINITY;
        for k in 0..free.len() {
            let j = free.swap_remove(k);
            best = best.min(cost(i, j) + rest(i + 1, free, cost));
            free.push(j);
            let last = free.len() - 1;
            free.swap(k, last);
        }
        best
    }
    rest(0, &mut (0..n).collect(), cost) / n as f64
}

/// The cost of the optimal plan by successive shortest paths (Bellman-Ford on the residual graph), for integer masses.
pub fn shortest_paths(a: &[i64], b: &[i64], cost: &dyn Fn(usize, usize) -> f64) -> f64 {
    let (n, m) = (a.len(), b.len());
    let (mut left, mut free) = (a.to_vec(), b.to_vec());
    let mut flow = vec![vec![0; m]; n];
    while left.iter().any(|&mass| mass > 0) {
        let mut distance: Vec<f64> =
            (0..n + m).map(|v| if v < n && left[v] > 0 { 0.0 } else { f64::INFINITY }).collect();
        let mut from = vec![usize::MAX; n + m];
        let mut changed = true;
        while changed {
            changed = false;
            for i in 0..n {
                for j in 0..m {
                    let c = cost(i, j);
                    if distance[i] + c < distance[n + j] - 1e-12 {
                        (distance[n + j], from[n + j], changed) = (distance[i] + c, i, true);
                    }
                    if flow[i][j] > 0 && distance[n + j] - c < distance[i] - 1e-12 {
                        (distance[i], from[i], changed) = (distance[n + j] - c, n + j, true);
                    }
                }
            }
        }
        let open = (0..m).filter(|&j| free[j] > 0);
        let end = open.min_by(|&j, &k| distance[n + j].total_cmp(&distance[n + k])).unwrap();
        let (mut node, mut amount) = (n + end, free[end]);
        while from[node] != usize::MAX {
            let before = from[node];
            if node < n {
                amount = amount.min(flow[node][before - n]);
            }
            node = before;
        }
        amount = amount.min(left[node]);
        left[node] -= amount;
        free[end] -= amount;
        let mut node = n + end;
        while from[node] != usize::MAX {
            let before = from[node];
            if node < n {
                flow[node][before - n] -= amount;
            } else {
                flow[before][node - n] += amount;
            }
            node = before;
        }
    }
    let pairs = (0..n).flat_map(|i| (0..m).map(move |j| (i, j)));
    pairs.map(|(i, j)| flow[i][j] as f64 * cost(i, j)).sum::<f64>() / a.iter().sum::<i64>() as f64
}

/// The cost of the optimal plan on the line, for a convex cost of the difference: mass moves in order.
pub fn on_the_line(x: &[f64], a: &[f64], y: &[f64], b: &[f64], cost: &dyn Fn(f64) -> f64) -> f64 {
    let sorted = |points: &[f64], mass: &[f64]| {
        let mut places: Vec<(f64, f64)> = points.iter().copied().zip(mass.iter().copied()).collect();
        places.sort_by(|p, q| p.0.total_cmp(&q.0));
        places
    };
    let (mut x, mut y) = (sorted(x, a).into_iter(), sorted(y, b).into_iter());
    let (mut from, mut to) = (x.next(), y.next());
    let mut sum = 0.0;
    while let (Some((p, left)), Some((q, free))) = (&mut from, &mut to) {
        let moved = left.min(*free);
        sum += moved * cost(*p - *q);
        *left -= moved;
        *free -= moved;
        let (is_empty, is_full) = (*left <= 0.0, *free <= 0.0);
        if is_empty {
            from = x.next();
        }
        if is_full {
            to = y.next();
        }
    }
    sum
}
