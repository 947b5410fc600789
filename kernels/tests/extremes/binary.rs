//! Cases of the products with bits: numbers of units, rows and panels, strides, and the contents of lists.

use super::{Case, LENGTHS, MAX_LENGTH, SIZES, Zeros, at_levels, attempt, wrapped};
use equilibria_kernels::binary::{self, *};
use equilibria_kernels::random::Xoshiro256PlusPlusX8;
use equilibria_kernels::{Level, Scalar};

pub fn cases() -> Vec<Case> {
    vec![
        (
            &[
                "binary: panels",
                "binary: panel_units",
                "binary/list: SparseMut::room",
                "binary/tables: tables_len",
            ],
            counts,
        ),
        (
            &[
                "binary/states: pack_states",
                "binary/states: unpack_states",
                "binary/states: transpose_states",
                "binary/states: count_rows",
            ],
            || at_levels(|level| (states::<f32>(level), states::<f64>(level)).0),
        ),
        (
            &[
                "binary/annealing: dot_states",
                "binary/annealing: softplus_increments",
                "binary/sample: sample",
            ],
            || at_levels(|level| (panels_of_rows::<f32>(level), panels_of_rows::<f64>(level)).0),
        ),
        (
            &[
                "binary/centre: subtract_outer_products",
                "binary/centre: tile_products",
                "binary/update: transpose_tile",
            ],
            || at_levels(|level| (tiles::<f32>(level), tiles::<f64>(level)).0),
        ),
        (&["binary/list: list_states", "binary/list: list_minority", "binary/list: list_changes"], || {
            at_levels(|level| (lists_of_states::<f32>(level), lists_of_states::<f64>(level)).0)
        }),
        (&["binary/list: list_occurrences"], || {
            at_levels(|level| (occurrences::<f32>(level), occurrences::<f64>(level)).0)
        }),
        (&["binary/rows: add_rows", "binary/rows: add_minority_rows", "binary/update: update_tile"], || {
            at_levels(|level| (sums_of_lists::<f32>(level), sums_of_lists::<f64>(level)).0)
        }),
        (&["binary/tables: tabulate"], || at_levels(|level| (tables::<f32>(level), tables::<f64>(level)).0)),
    ]
}

fn counts() {
    for a in SIZES {
        attempt(|| panels(a));
        attempt(|| tables_len(a));
        for b in SIZES {
            attempt(|| panel_units(a, b));
            attempt(|| SparseMut::<f32>::room(a, b));
        }
    }
}

/// Words of states, all 1, that end next to an unmapped page.
struct Words(super::guard::GuardedBuffer<u64>);

impl Words {
    fn new() -> Self {
        let mut words = super::guard::GuardedBuffer::at_end(MAX_LENGTH);
        words.fill(u64::MAX);
        Self(words)
    }

    fn last(&self, length: usize) -> &[u64] {
        &self.0[MAX_LENGTH - if length <= MAX_LENGTH { length } else { 0 }..]
    }

    fn last_mut(&mut self, length: usize) -> &mut [u64] {
        &mut self.0[MAX_LENGTH - if length <= MAX_LENGTH { length } else { 0 }..]
    }
}

fn states<T: Scalar>(level: Level) {
    let ([mut words, mut other], mut x) = ([Words::new(), Words::new()], Zeros::<T>::new());
    for units in SIZES {
        for rows in SIZES {
            for length in [wrapped([rows, units]), 0, 64] {
                for count in [wrapped([rows, units.div_ceil(64)]), 0, 1, 64] {
                    attempt(|| pack_states(level, x.last(length), units, words.last_mut(count)));
                    attempt(|| unpack_states(words.last(count), units, x.last_mut(length)));
                }
            }
        }
    }
    for rows in LENGTHS {
        for count in [0, 1, 63, 64, 65, 128] {
            attempt(|| transpose_states(words.last(rows), other.last_mut(count)));
            attempt(|| count_rows(level, other.last(count), u64::MAX, &mut [u32::MAX; PANEL]));
        }
    }
}

fn panels_of_rows<T: Scalar>(level: Level) {
    let [x, bias] = [Zeros::<T>::new(), Zeros::new()];
    let ([mut out, mut other], mut words) = ([Zeros::<T>::new(), Zeros::new()], Words::new());
    let mut generator = Xoshiro256PlusPlusX8::from_seed_u64(level, 1);
    for rows in LENGTHS {
        for units in LENGTHS {
            for sums in [64 * rows, 64 * rows + 1, 0, 64] {
                let (x, bias) = (x.last(sums), bias.last(units));
                for ends in [[0.0, 1.0], [1.0, 0.0], [f64::NAN, 1.0], [0.0, f64::INFINITY]] {
                    let ends = ends.map(T::from_f64);
                    attempt(|| softplus_increments(level, ends, x, bias, out.last_mut(rows)));
                }
                for probabilities in [None, Some(sums), Some(64 * rows)] {
                    attempt(|| {
                        let probabilities = probabilities.map(|length| other.last_mut(length));
                        sample(level, &mut generator, x, T::ONE, bias, probabilities, words.last_mut(rows));
                    });
                }
            }
            for sums in LENGTHS {
                attempt(|| dot_states(level, words.last(rows), bias.last(units), out.last_mut(sums)));
            }
        }
    }
}

fn tiles<T: Scalar>(level: Level) {
    let [x, y, z, w] = std::array::from_fn(|_| Zeros::<T>::new());
    let [mut tile, mut out] = std::array::from_fn(|_| Zeros::<T>::new());
    for length in [0, 1, 63, 64, 65] {
        for other in [64, length] {
            for size in [TILE, TILE - 1, TILE + 1, 0] {
                attempt(|| {
                    let products = [[x.last(length), y.last(other)], [z.last(64), w.last(other)]];
                    subtract_outer_products(level, T::ONE, products, tile.last_mut(size));
                });
                attempt(|| {
                    let (x, y) = (x.last(other), y.last(length));
                    tile_products(level, z.last(size), [x, y], tile.last_mut(other), out.last_mut(length));
                });
                attempt(|| transpose_tile(level, x.last(size), tile.last_mut(TILE)));
                attempt(|| transpose_tile(level, x.last(TILE), tile.last_mut(size)));
            }
        }
    }
}

/// Buffers for lists.
struct Lists<T> {
    starts: Vec<u32>,
    order: Vec<u32>,
    offsets: Vec<u32>,
    factors: Vec<T>,
}

impl<T: Scalar> Lists<T> {
    /// Room for as many rows and entries as unchecked arithmetic computes.
    fn new(rows: usize, most: usize) -> Self {
        let fitting = |length: usize| if length <= MAX_LENGTH { length } else { 0 };
        let room = fitting(wrapped([rows, most]).wrapping_add(16));
        Self {
            starts: vec![0; fitting(rows.wrapping_add(1))],
            order: vec![0; fitting(rows)],
            offsets: vec![0; room],
            factors: vec![T::ZERO; room],
        }
    }

    fn write(&mut self) -> SparseMut<'_, T> {
        let Self { starts, order, offsets, factors } = self;
        SparseMut { starts, order, offsets, factors }
    }
}

fn lists_of_states<T: Scalar>(level: Level) {
    let [words, from] = [Words::new(), Words::new()];
    for stride in SIZES {
        for rows in SIZES {
            for count in [0, 1, 64, 65] {
                for panels in [0, 1, 2, 64] {
                    let mut lists = Lists::<T>::new(rows, 64 * panels);
                    let (words, from) = (words.last(count), from.last(count));
                    for tile_stride in [0, 4096, u32::MAX] {
                        attempt(|| list_states(level, words, stride, rows, tile_stride, lists.write()));
                        attempt(|| {
                            list_changes(level, [from, words], stride, rows, tile_stride, lists.write());
                        });
                    }
                    if rows <= 65 {
                        for units in SIZES {
                            let mut are_off = vec![false; rows];
                            attempt(|| {
                                list_minority(level, words, units, stride, 4096, lists.write(), &mut are_off);
                            });
                        }
                    }
                }
            }
        }
    }
}

fn occurrences<T: Scalar>(level: Level) {
    let [positive, negative, since] = [Words::new(), Words::new(), Words::new()];
    let words = |rows: usize| wrapped([rows.div_ceil(64), 64]);
    for plus in SIZES {
        for minus in SIZES {
            for length in [words(plus), 0] {
                for earlier in [words(minus), 0] {
                    let mut lists = Lists::<T>::new(64, words(plus).wrapping_add(words(minus)));
                    attempt(|| {
                        let occurrences = Occurrences {
                            positive: positive.last(length),
                            negative: negative.last(words(minus)),
                            since: since.last(earlier),
                            rows: [plus, minus],
                            factors: [T::ONE, T::ONE],
                        };
                        list_occurrences(level, occurrences, lists.write());
                    });
                }
            }
        }
    }
}

/// Lists of one row, or of 64, with arbitrary contents.
fn sums_of_lists<T: Scalar>(level: Level) {
    let numbers = [0, 64, 65, u32::MAX];
    let [weights, all] = [Zeros::<T>::new(), Zeros::new()];
    let (mut sums, mut tile) = (Zeros::<T>::new(), std::array::from_fn(|_| Zeros::new()));
    for rows in [1, 64] {
        for end in numbers {
            for (offset, place) in numbers.into_iter().flat_map(|offset| [(offset, 0), (offset, offset)]) {
                for factors in [0, 64] {
                    let starts: Vec<u32> = (0..=rows).map(|row| if row == rows { end } else { 0 }).collect();
                    let order: Vec<u32> =
                        (0..rows as u32).map(|row| if place == 0 { row } else { place }).collect();
                    let lists = SparseRows {
                        starts: &starts,
                        offsets: &[offset; 64],
                        factors: &vec![T::ONE; factors],
                        order: &order,
                    };
                    for columns in [0, 64] {
                        for count in [0, 63, 128] {
                            add(
                                level,
                                lists,
                                columns,
                                (weights.last(count), all.last(64)),
                                sums.last_mut(64 * rows),
                            );
                            for units in [64, 65, usize::MAX] {
                                let listed = Sums::Listed { lists, values: weights.last(count) };
                                learn(level, listed, units, columns, &mut tile);
                            }
                        }
                    }
                }
            }
        }
    }
    let words = Words::new();
    for count in [0, 63, 64, 65] {
        for length in [0, 1, tables_len(1), tables_len(1) - 1, MAX_LENGTH] {
            for (units, columns) in [(64, 64), (0, 1), (65, 64), (64, 65)] {
                let tabled = TabledRows { words: words.last(count), tables: weights.last(length) };
                learn(level, Sums::Tabled(tabled), units, columns, &mut tile);
            }
        }
    }
}

fn add<T: Scalar>(
    level: Level,
    lists: SparseRows<'_, T>,
    columns: usize,
    (weights, all): (&[T], &[T]),
    sums: &mut [T],
) {
    let are_off = vec![true; lists.starts.len() - 1];
    for length in [sums.len(), 0, 63] {
        let sums = &mut sums[..length];
        attempt(|| binary::add_rows(level, weights, lists, false, columns, sums));
        attempt(|| binary::add_minority_rows(level, (all, &are_off), weights, lists, true, columns, sums));
        attempt(|| {
            binary::add_minority_rows(level, (all, &are_off[1..]), weights, lists, true, columns, sums)
        });
    }
}

fn learn<T: Scalar>(
    level: Level,
    sums: Sums<'_, T>,
    units: usize,
    columns: usize,
    [tile, velocity, transposed]: &mut [Zeros<T>; 3],
) {
    for length in [TILE, 0] {
        let step = Step { momentum: T::from_f64(0.5), shrink: T::ZERO };
        attempt(|| {
            let (velocity, transposed) = (velocity.last_mut(TILE), transposed.last_mut(TILE));
            let tile = Tile { weight: tile.last_mut(length), velocity, transposed };
            update_tile(level, sums, step, units, columns, tile)
        });
    }
}

fn tables<T: Scalar>(level: Level) {
    let (values, mut tables) = (Zeros::<T>::new(), Zeros::<T>::new());
    let length = |rows: usize| wrapped([rows.div_ceil(5), 32, 64]);
    for first in SIZES {
        for second in SIZES {
            let rows = first.wrapping_add(second);
            for count in [wrapped([rows, 64]), 0, 64] {
                for columns in [0, 1, 64, 65, usize::MAX] {
                    let parts = [(first, T::ONE), (second, T::ONE)];
                    attempt(|| {
                        tabulate(level, values.last(count), parts, columns, tables.last_mut(length(rows)));
                    });
                }
            }
        }
    }
}
