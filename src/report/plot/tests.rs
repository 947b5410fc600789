use super::*;
use crate::report::svg::assert_well_formed;

fn plot(series: Vec<Series>) -> LinePlot {
    LinePlot {
        title: "Learning <curve>".into(),
        x_label: "epoch".into(),
        y_label: "error (nats per image)".into(),
        series,
        ..LinePlot::default()
    }
}

fn texts(svg: &str) -> Vec<&str> {
    svg.split("<text")
        .skip(1)
        .map(|s| s.split_once('>').unwrap().1.split('<').next().unwrap().trim())
        .collect()
}

#[test]
fn labels_units_ticks_and_legend_are_in_the_figure() {
    let points = |scale: f64| (1..=30).map(move |i| (f64::from(i), scale / f64::from(i)));
    let svg = plot(vec![Series::new("first", points(5e3)), Series::new("second", points(1e3)).dashed()])
        .to_svg()
        .unwrap();
    assert_well_formed(&svg);
    for text in
        ["Learning &lt;curve&gt;", "epoch", "error (nats per image)", "5,000", "30", "first", "second"]
    {
        assert!(texts(&svg).contains(&text), "{text} is missing in {:?}", texts(&svg));
    }
    assert_eq!(
        svg.matches("<circle").count(),
        31,
        "a marker for each point, one in the legend, none on dashes"
    );
    assert!(svg.contains("prefers-color-scheme:dark"));
}

#[test]
fn points_that_cannot_be_drawn_interrupt_the_line() {
    let broken =
        [(0.0, 1.0), (1.0, 2.0), (2.0, f64::NAN), (3.0, 2.0), (4.0, 2.5), (5.0, f64::INFINITY), (6.0, 1.0)];
    let svg = plot(vec![Series::new("", broken)]).to_svg().unwrap();
    assert_well_formed(&svg);
    let colour = "stroke=\"#0072B2\"";
    assert_eq!(
        svg.split("<polyline").skip(1).filter(|tag| tag.contains(colour)).count(),
        2,
        "two pieces and a lone point"
    );
    assert_eq!(svg.matches("<circle").count(), 5, "no legend without names");
}

#[test]
fn degenerate_ranges_have_axes_all_the_same() {
    let sets: [&[(f64, f64)]; 7] = [
        &[(3.0, 7.5)],
        &[(0.0, 0.0)],
        &[(1.0, -2.0), (2.0, -2.0)],
        &[(1e-300, 1e-300), (2e-300, 1e299)],
        &[(-1e299, 1e15), (1e299, 1e15 + 4.0)],
        &[(1.0, 2.0), (1.0 + 1e-15, 3.0)],
        &[(0.5, 5e-324), (0.7, 1e-320)],
    ];
    for points in sets {
        for log in [false, true] {
            let mut plot = plot(vec![Series::new("a", points.to_vec()), Series::new("empty", [])]);
            (plot.log_x, plot.log_y) = (log, log);
            let svg = plot.to_svg().unwrap();
            assert_well_formed(&svg);
            if svg.contains("Nothing to draw") {
                assert!(log, "{points:?} can be drawn");
            } else {
                assert!(texts(&svg).contains(&"empty (no data)"));
            }
        }
    }
}

#[test]
fn a_plot_without_a_point_to_draw_says_so_in_a_sentence() {
    for series in
        [vec![], vec![Series::default()], vec![Series::new("a", [(f64::NAN, 1.0), (1.0, f64::INFINITY)])]]
    {
        let svg = plot(series).to_svg().unwrap();
        assert_well_formed(&svg);
        assert_eq!(texts(&svg), ["Learning &lt;curve&gt;", "Nothing to draw: no value is finite."]);
    }
    let negative = LinePlot { log_y: true, ..plot(vec![Series::new("a", [(1.0, -1.0)])]) };
    assert!(
        texts(&negative.to_svg().unwrap()).contains(&"Nothing to draw: no value is finite and above zero.")
    );
}

#[test]
fn a_long_legend_wraps_within_the_figure() {
    let name = |i: usize| format!("series number {i} with a rather long name");
    let mut plot = plot((0..9).map(|i| Series::new(name(i), [(1.0, i as f64), (2.0, 3.0)])).collect());
    plot.series.push(Series::new("x".repeat(300), [(1.0, 1.0)]));
    let svg = plot.to_svg().unwrap();
    assert_well_formed(&svg);
    let (entries, bottom) = plot.legend(400.0);
    for (i, entry) in entries.iter().enumerate() {
        let lines = entry.lines.iter().map(|line| svg::text_width(line, TEXT)).fold(0.0, f64::max);
        assert!(entry.at.0 + SWATCH + lines <= WIDTH - PAD && entry.at.1 < bottom, "entry {i} is clipped");
    }
    assert!(entries.windows(2).all(|pair| pair[0].at.1 < pair[1].at.1 || pair[0].at.0 < pair[1].at.0));
}

#[test]
fn a_series_keeps_its_colour_and_marker_wherever_it_stands() {
    let line = |name: &str| Series::new(name, [(1.0, 1.0), (2.0, 2.0)]);
    let drawn = |series| {
        let svg = plot(series).to_svg().unwrap();
        // The style sheet names all colours.
        svg.split_once("</style>").unwrap().1.to_string()
    };
    let [alone, second] =
        [vec![line("a").colour(2)], vec![line("b").colour(0), line("a").colour(2)]].map(drawn);
    for svg in [&alone, &second] {
        assert!(svg.contains("#009E73") && svg.contains("<polygon"), "green with triangles: {svg}");
        assert!(!svg.contains("#D55E00"), "nothing has the second colour: {svg}");
    }
    let dashed = drawn(vec![line("bound").dashed(), line("estimate").dashed().colour(1)]);
    assert!(dashed.contains("#D55E00") && !dashed.contains("#0072B2"), "a bound is grey: {dashed}");
}
