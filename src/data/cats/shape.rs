//! Signed distances to the edges of plane shapes, negative inside.

/// A point of the plane; y points down.
pub(in crate::data) type Point = [f32; 2];

/// The length of a vector.
pub(in crate::data) fn length([x, y]: Point) -> f32 {
    libm::sqrtf(x * x + y * y)
}

/// From 0 at `low` to 1 at `high`, smooth at both ends.
pub(in crate::data) fn smooth(low: f32, high: f32, x: f32) -> f32 {
    let t = ((x - low) / (high - low)).clamp(0.0, 1.0);
    t * t * (3.0 - 2.0 * t)
}

/// Distance to an ellipse around the origin, exact to first order at its edge.
pub(in crate::data) fn ellipse([x, y]: Point, [across, down]: [f32; 2]) -> f32 {
    let (u, v) = (x / across, y / down);
    let inner = length([u, v]);
    // At the centre the quotient below would be 0 / 0.
    let slope = length([u / across, v / down]).max(1e-6);
    inner * (inner - 1.0) / slope
}

/// Distance to a polygon with corners in clockwise order, as seen on the image; exact inside and along its sides.
pub(in crate::data) fn convex(point: Point, corners: &[Point]) -> f32 {
    let mut most = f32::NEG_INFINITY;
    for (index, &from) in corners.iter().enumerate() {
        let to = corners[(index + 1) % corners.len()];
        let way = [to[0] - from[0], to[1] - from[1]];
        let off = way[1] * (point[0] - from[0]) - way[0] * (point[1] - from[1]);
        most = most.max(off / length(way));
    }
    most
}

/// Distance to a stroke of half the width `radius` between two points.
pub(in crate::data) fn stroke([x, y]: Point, from: Point, to: Point, radius: f32) -> f32 {
    let way = [to[0] - from[0], to[1] - from[1]];
    let (x, y) = (x - from[0], y - from[1]);
    let along = ((x * way[0] + y * way[1]) / (way[0] * way[0] + way[1] * way[1])).clamp(0.0, 1.0);
    length([x - along * way[0], y - along * way[1]]) - radius
}

/// The union of two shapes, rounded where they meet over about `width`.
pub(in crate::data) fn union(first: f32, second: f32, width: f32) -> f32 {
    let share = (0.5 + 0.5 * (second - first) / width).clamp(0.0, 1.0);
    second + (first - second) * share - width * share * (1.0 - share)
}
