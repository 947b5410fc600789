//! Skeletons of the digits: points of the pen's path, in a frame of height 1 (y grows downwards).

/// A point of the pen's path.
#[derive(Clone, Copy)]
pub(super) struct Point {
    pub x: f32,
    pub y: f32,
    /// True if the pen stops and turns here; false if it passes in a smooth curve.
    pub corner: bool,
}

/// The pen's path from touching the paper to lifting off.
pub(super) type Stroke = &'static [Point];
/// One way to write a digit.
pub(super) type Glyph = &'static [Stroke];

/// A point of a curve.
const fn s(x: f32, y: f32) -> Point {
    Point { x, y, corner: false }
}

/// A corner.
const fn c(x: f32, y: f32) -> Point {
    Point { x, y, corner: true }
}

/// The ways to write each digit. An entry that is listed twice is twice as frequent.
pub(super) const GLYPHS: [&[Glyph]; 10] = [
    &[ROUND_ZERO, TILTED_ZERO],
    &[BARE_ONE, BARE_ONE, FLAGGED_ONE, FLAGGED_ONE, ONE_WITH_BASE],
    &[SHARP_TWO, SHARP_TWO, LOOPED_TWO],
    &[ROUND_THREE, ROUND_THREE, FLAT_THREE],
    &[OPEN_FOUR, OPEN_FOUR, CLOSED_FOUR],
    &[FIVE, FIVE, FIVE_WITH_A_HAT],
    &[STRAIGHT_SIX, CURLED_SIX],
    &[SEVEN, SEVEN, BARRED_SEVEN, SEVEN_WITH_SERIF],
    &[CROSSED_EIGHT, STACKED_EIGHT],
    &[STRAIGHT_NINE, STRAIGHT_NINE, HOOKED_NINE],
];

const ROUND_ZERO: Glyph = &[&[
    s(0.40, 0.02),
    s(0.18, 0.06),
    s(0.03, 0.32),
    s(0.03, 0.66),
    s(0.16, 0.93),
    s(0.36, 0.99),
    s(0.56, 0.82),
    s(0.62, 0.48),
    s(0.54, 0.15),
    s(0.36, 0.02),
    s(0.26, 0.03),
]];
const TILTED_ZERO: Glyph = &[&[
    s(0.50, 0.06),
    s(0.30, 0.03),
    s(0.08, 0.26),
    s(0.01, 0.62),
    s(0.12, 0.94),
    s(0.34, 0.97),
    s(0.55, 0.70),
    s(0.60, 0.32),
    s(0.52, 0.07),
    s(0.38, 0.00),
]];

const BARE_ONE: Glyph = &[&[c(0.30, 0.00), s(0.30, 0.50), c(0.30, 1.00)]];
const FLAGGED_ONE: Glyph = &[&[c(0.13, 0.24), c(0.33, 0.00), s(0.32, 0.50), c(0.32, 1.00)]];
const ONE_WITH_BASE: Glyph =
    &[&[c(0.13, 0.22), c(0.33, 0.00), s(0.32, 0.50), c(0.32, 0.98)], &[c(0.06, 0.98), c(0.57, 0.98)]];

const SHARP_TWO: Glyph = &[&[
    c(0.03, 0.22),
    s(0.14, 0.05),
    s(0.34, 0.00),
    s(0.53, 0.10),
    s(0.55, 0.30),
    s(0.43, 0.54),
    s(0.23, 0.78),
    c(0.02, 0.97),
    c(0.63, 0.96),
]];
const LOOPED_TWO: Glyph = &[&[
    c(0.06, 0.18),
    s(0.20, 0.03),
    s(0.40, 0.01),
    s(0.54, 0.14),
    s(0.51, 0.36),
    s(0.36, 0.64),
    s(0.16, 0.92),
    s(0.03, 0.95),
    s(0.03, 0.80),
    s(0.17, 0.77),
    s(0.38, 0.92),
    s(0.66, 0.97),
]];

const ROUND_THREE: Glyph = &[&[
    c(0.05, 0.13),
    s(0.24, 0.00),
    s(0.47, 0.06),
    s(0.51, 0.24),
    s(0.40, 0.40),
    c(0.20, 0.47),
    s(0.45, 0.53),
    s(0.57, 0.71),
    s(0.48, 0.92),
    s(0.25, 1.00),
    c(0.01, 0.89),
]];
const FLAT_THREE: Glyph = &[&[
    c(0.05, 0.02),
    c(0.55, 0.01),
    c(0.25, 0.40),
    s(0.46, 0.45),
    s(0.58, 0.66),
    s(0.50, 0.90),
    s(0.27, 1.00),
    c(0.02, 0.90),
]];

const OPEN_FOUR: Glyph = &[
    &[c(0.08, 0.03), s(0.05, 0.28), c(0.02, 0.55), s(0.30, 0.54), c(0.60, 0.50)],
    &[c(0.52, 0.00), s(0.50, 0.50), c(0.48, 1.00)],
];
const CLOSED_FOUR: Glyph = &[
    &[c(0.43, 0.00), c(0.00, 0.64), s(0.34, 0.65), c(0.66, 0.64)],
    &[c(0.44, 0.01), s(0.45, 0.50), c(0.44, 1.00)],
];

const FIVE: Glyph = &[&[
    c(0.58, 0.02),
    c(0.15, 0.02),
    c(0.10, 0.43),
    s(0.32, 0.37),
    s(0.54, 0.49),
    s(0.57, 0.73),
    s(0.43, 0.94),
    s(0.20, 1.00),
    c(0.00, 0.90),
]];
const FIVE_WITH_A_HAT: Glyph = &[
    &[
        c(0.15, 0.04),
        s(0.13, 0.22),
        c(0.11, 0.44),
        s(0.34, 0.40),
        s(0.52, 0.54),
        s(0.53, 0.77),
        s(0.38, 0.97),
        s(0.18, 0.99),
        c(0.01, 0.88),
    ],
    &[c(0.15, 0.05), s(0.38, 0.04), c(0.64, 0.00)],
];

const STRAIGHT_SIX: Glyph = &[&[
    c(0.47, 0.00),
    s(0.25, 0.19),
    s(0.10, 0.45),
    s(0.05, 0.72),
    s(0.16, 0.95),
    s(0.36, 0.99),
    s(0.54, 0.85),
    s(0.53, 0.65),
    s(0.38, 0.54),
    s(0.20, 0.60),
    s(0.07, 0.77),
]];
const CURLED_SIX: Glyph = &[&[
    s(0.55, 0.11),
    s(0.42, 0.00),
    s(0.22, 0.09),
    s(0.07, 0.36),
    s(0.03, 0.68),
    s(0.15, 0.94),
    s(0.37, 0.99),
    s(0.55, 0.84),
    s(0.53, 0.63),
    s(0.35, 0.53),
    s(0.17, 0.60),
    s(0.06, 0.75),
]];

const SEVEN: Glyph = &[&[c(0.01, 0.05), s(0.30, 0.04), c(0.60, 0.02), s(0.42, 0.42), c(0.24, 1.00)]];
const BARRED_SEVEN: Glyph = &[
    &[c(0.01, 0.05), s(0.30, 0.04), c(0.60, 0.02), s(0.42, 0.46), c(0.26, 1.00)],
    &[c(0.16, 0.50), c(0.62, 0.47)],
];
const SEVEN_WITH_SERIF: Glyph =
    &[&[c(0.01, 0.18), c(0.02, 0.02), s(0.30, 0.03), c(0.61, 0.01), s(0.44, 0.42), c(0.29, 1.00)]];

const CROSSED_EIGHT: Glyph = &[&[
    s(0.52, 0.11),
    s(0.31, 0.00),
    s(0.10, 0.10),
    s(0.11, 0.31),
    s(0.31, 0.47),
    s(0.53, 0.65),
    s(0.54, 0.89),
    s(0.30, 1.00),
    s(0.06, 0.89),
    s(0.09, 0.66),
    s(0.30, 0.48),
    s(0.50, 0.32),
    s(0.54, 0.15),
    s(0.46, 0.06),
]];
const STACKED_EIGHT: Glyph = &[
    &[
        s(0.30, 0.47),
        s(0.10, 0.37),
        s(0.11, 0.11),
        s(0.31, 0.00),
        s(0.51, 0.11),
        s(0.51, 0.37),
        s(0.30, 0.47),
    ],
    &[
        s(0.30, 0.47),
        s(0.07, 0.60),
        s(0.06, 0.87),
        s(0.31, 1.00),
        s(0.55, 0.87),
        s(0.54, 0.60),
        s(0.30, 0.47),
    ],
];

const STRAIGHT_NINE: Glyph = &[&[
    s(0.52, 0.14),
    s(0.34, 0.00),
    s(0.12, 0.09),
    s(0.05, 0.31),
    s(0.20, 0.48),
    s(0.40, 0.41),
    c(0.54, 0.13),
    s(0.52, 0.55),
    c(0.47, 1.00),
]];
const HOOKED_NINE: Glyph = &[&[
    s(0.54, 0.17),
    s(0.37, 0.00),
    s(0.13, 0.08),
    s(0.06, 0.31),
    s(0.21, 0.48),
    s(0.42, 0.42),
    c(0.56, 0.16),
    s(0.56, 0.58),
    s(0.45, 0.90),
    s(0.25, 1.00),
    c(0.08, 0.92),
]];
