//! Are plots, heat maps and pages complete, well-formed and escaped, with any numbers?

#![cfg(feature = "cli")]

use equilibria::report::numbers::{short, thousands};
use equilibria::report::{
    Answer, ContactSheet, Figure, HeatMap, LinePlot, Outcome, Page, Section, Series, Table,
};

/// Checks that a figure is well-formed and inside its view box.
fn assert_well_formed(svg: &str) {
    let mut open: Vec<&str> = Vec::new();
    for tag in svg.split('<').skip(1) {
        let (tag, text) = tag.split_once('>').expect("every tag is closed");
        assert!(!text.contains("NaN") && !text.contains("inf"), "{text}");
        assert!(!tag.contains("NaN") && tag.matches('"').count() % 2 == 0, "{tag}");
        let name = tag.split_whitespace().next().unwrap_or("");
        match name.strip_prefix('/') {
            Some(name) => assert_eq!(open.pop(), Some(name), "unbalanced"),
            None if tag.ends_with('/') => {}
            None => open.push(name),
        }
    }
    assert!(open.is_empty(), "left open: {open:?}");
    assert!(svg.starts_with("<svg ") && svg.trim_end().ends_with("</svg>"));
    // Nothing is drawn beyond the left and right edges of the view box.
    let limit: i32 = svg.split("viewBox=\"0 0 ").nth(1).unwrap().split(' ').next().unwrap().parse().unwrap();
    for attribute in ["x=\"", "x1=\"", "x2=\"", "cx=\""] {
        for value in svg.split(&format!(" {attribute}")).skip(1) {
            let x: i32 = value.split('"').next().unwrap().parse().unwrap();
            assert!((0..=limit).contains(&x), "{attribute}{x} is outside the figure");
        }
    }
}

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

fn map(rows: usize, columns: usize) -> HeatMap {
    let labels = |count: usize, unit: &str| (0..count).map(|i| format!("{i} {unit}")).collect();
    HeatMap {
        title: "Error & place".into(),
        x_label: "rows removed".into(),
        y_label: "first row (from the top)".into(),
        x_ticks: labels(columns, "c"),
        y_ticks: labels(rows, "r"),
        values: (0..rows * columns).map(|i| i as f64 / 100.0).collect(),
        unit: "mean squared error (grey levels squared)".into(),
        range: None,
    }
}

#[test]
fn cells_numbers_labels_and_unit_are_in_the_figure() {
    let mut map = map(3, 4);
    let filled = map.to_svg().unwrap().matches("<rect").count();
    map.values[5] = f64::NAN;
    let svg = map.to_svg().unwrap();
    assert_well_formed(&svg);
    for text in [
        "Error &amp; place",
        "rows removed",
        "first row (from the top)",
        "3 c",
        "2 r",
        "0.110",
        "(grey levels",
    ] {
        assert!(svg.contains(text), "{text} is missing");
    }
    assert!(!svg.contains("0.050\n"), "an empty cell has no number");
    assert_eq!(svg.matches("<rect").count(), filled - 1, "an empty cell has no colour");
    assert!(svg.contains("#440154") && svg.contains("#FDE725"), "the extremes meet the ends of the scale");
}

#[test]
fn many_cells_drop_their_numbers_and_thin_their_labels() {
    let svg = map(50, 40).to_svg().unwrap();
    assert_well_formed(&svg);
    assert!(svg.matches("<text").count() < 50, "{} texts", svg.matches("<text").count());
}

#[test]
fn a_shared_range_clamps_and_one_value_has_a_scale() {
    let mut map = map(1, 2);
    map.range = Some((0.0, 0.005));
    map.values = vec![0.0, f64::INFINITY];
    assert_well_formed(&map.to_svg().unwrap());
    map.range = None;
    for value in [0.0, 3.0, -1e299, 1e-300] {
        map.values = vec![value; 2];
        assert_well_formed(&map.to_svg().unwrap());
    }
}

#[test]
fn a_map_without_a_finite_value_says_so_and_any_range_has_a_scale() {
    for empty in [HeatMap::default(), HeatMap { values: vec![f64::NAN; 4], ..map(2, 2) }] {
        let svg = empty.to_svg().unwrap();
        assert_well_formed(&svg);
        assert!(svg.contains("Nothing to draw: no value is finite."), "{svg}");
    }
    let wrong = HeatMap { values: vec![1.0; 3], ..map(2, 2) };
    assert_eq!(wrong.to_svg().unwrap_err().to_string(), "heat map: expected shape (2, 2), found (3)");
    let extremes = map(2, 2).to_svg().unwrap();
    for range in [(1.0, 1.0), (f64::NAN, 1.0), (0.0, f64::INFINITY), (2.0, 1.0)] {
        assert!(HeatMap { range: Some(range), ..map(2, 2) }.to_svg().unwrap() == extremes, "{range:?}");
    }
}

fn sheet() -> Vec<u8> {
    let mut sheet = ContactSheet::new(1, 1);
    sheet.push(&[0.5]).unwrap();
    sheet.to_png().unwrap()
}

#[test]
fn a_page_is_complete_and_escaped_and_loads_no_resources() {
    let plot = LinePlot { series: vec![Series::new("<a>", [(1.0, 2.0)])], ..LinePlot::default() };
    let figures =
        [Figure::svg(plot.to_svg().unwrap(), "a <plot>"), Figure::png(sheet(), "one \"grey\" tile", "")];
    let table = Table::new("t").text_column("<name>").number_column("value", "nats").row(["<x>", "-1.5"]);
    let html = Page::new("Runs & <results>")
        .lead("with `code <b>`")
        .section(Section::new("<h>").paragraph("1 < 2").figures(figures).table(table).to_html().unwrap())
        .command("run --out <dir>")
        .setting("seed", "<7>")
        .footer("a ` alone")
        .to_html()
        .unwrap();
    let expected = [
        "<!DOCTYPE html><html lang=\"en\">",
        "name=\"viewport\"",
        "<h1>Runs &amp; &lt;results&gt;</h1>",
        "with <code>code &lt;b&gt;</code>",
        "<p>1 &lt; 2</p>",
        "<figcaption>a &lt;plot&gt;</figcaption>",
        "src=\"data:image/png;base64,iVBORw0KGgo",
        "alt=\"one &quot;grey&quot; tile\"",
        "<th scope=\"col\">&lt;name&gt;</th>",
        "<td class=\"number\">\u{2212}1.5</td>",
        "<pre><code><span>run</span> <span>--out</span> <span>&lt;dir&gt;</span></code></pre>",
        "<dt>seed</dt><dd>&lt;7&gt;</dd>",
        "a ` alone",
    ];
    for part in expected {
        assert!(html.contains(part), "{part} is missing");
    }
    let text = html.replace("http://www.w3.org/2000/svg", "");
    for forbidden in ["<script", "http:", "https:", "url(", "@import", "<results>", "<x>", "<dir>"] {
        assert!(!text.contains(forbidden), "{forbidden} is in the page");
    }
}

#[test]
fn an_image_states_its_size_so_that_the_page_does_not_shift_while_loading() {
    let section = Section::new("").figure(Figure::png(sheet(), "", "")).to_html().unwrap();
    let html = Page::new("t").section(section).to_html().unwrap();
    // One pixel drawn as 3 x 3, and two margins.
    assert!(html.contains("width=\"35\" height=\"35\""), "{html}");
}

#[test]
fn a_contact_sheet_on_a_page_has_its_labels_as_text_and_its_tiles_unscaled() {
    let mut sheet = ContactSheet::new(2, 2)
        .title("<tiles>")
        .column_groups(&[("left", 2), ("right", 1)])
        .column_labels(&["a", "b", "c"])
        .row_labels(&["one", "two"])
        .mark_label("removed");
    for i in 0..6 {
        sheet.push_marked(&[i as f32 / 6.0; 4], 0..usize::from(i == 5)).unwrap();
    }
    let html = Section::new("").figure(Figure::sheet(sheet, "six tiles", "c")).to_html().unwrap();
    let html = Page::new("t").section(html).to_html().unwrap();
    // Strips of two tiles and of one, each with lines around the tiles, three times as large.
    for part in [
        "&lt;tiles&gt;",
        "aria-label=\"six tiles\"",
        "<b>left</b>",
        "<span>c</span>",
        "<span class=\"row\">two</span>",
        "minmax(0,21fr) minmax(0,12fr)",
        "width=\"21\" height=\"12\"",
        "width=\"12\" height=\"12\"",
        "removed</p>",
    ] {
        assert!(html.contains(part), "{part} is missing: {html}");
    }
    assert_eq!(html.matches("<img").count(), 5, "four strips and the key");
}

#[test]
fn sections_with_ids_are_listed_and_their_claims_come_first() {
    let section = |id: &str| {
        let section = Section::new(format!("About {id}"))
            .id(id)
            .claim(format!("Is {id} < 1?"), &Answer::new(Outcome::Confirmed, "Yes."));
        let inside = Section::new("").paragraph("a detail");
        section
            .folded("More", inside)
            .panel("p", serde_json::json!({ "x": "</script>" }), None)
            .to_html()
            .unwrap()
    };
    let page = ["one", "two", "three"].into_iter().fold(Page::new("t"), |page, id| page.section(section(id)));
    let html = page.reference("A book.").to_html().unwrap();
    let places =
        ["<nav", "href=\"#two\">About two", "Is two &lt; 1?", "<section id=\"two\">", "A book.", "<script>"];
    let found: Vec<usize> =
        places.iter().map(|part| html.find(part).unwrap_or_else(|| panic!("{part}"))).collect();
    assert!(found.is_sorted(), "{found:?}");
    assert!(html.contains("<details><summary>More</summary><p>a detail</p></details>"));
    assert!(html.contains(r#"{"x":"\u003c/script>"}"#), "data cannot end its element");
}

#[test]
fn two_pictures_with_a_slider_are_side_by_side_without_scripts_and_in_print() {
    let pair = || Figure::before_and_after([(sheet(), "before <b>"), (sheet(), "after")], "moved");
    let page = |section: Section| Page::new("t").section(section.to_html().unwrap()).to_html().unwrap();
    let html = page(Section::new("").figure(pair()));
    for part in ["alt=\"before &lt;b&gt;\"", "<span>after</span>", "<figcaption>moved</figcaption>"] {
        assert!(html.contains(part), "{part} is missing: {html}");
    }
    // The script comes once, adds the slider and the class; the rules of the class are for screens alone.
    assert_eq!(page(Section::new("").figures([pair(), pair()])).matches("<script>").count(), 1);
    assert!(
        !html.split("<script>").next().unwrap().contains("<input")
            && html.contains("classList.add(\"slid\")")
    );
    let style = html.split("<style>").nth(1).unwrap().split("</style>").next().unwrap();
    let (before, on_screens) = style.split_once("@media screen{").unwrap();
    assert!(
        before.contains(".compare{display:grid;grid-template-columns:1fr 1fr") && !before.contains(".slid")
    );
    assert!(on_screens.contains(".slid .side+.side{clip-path"));
    let broken = Figure::before_and_after([(sheet(), "a"), (b"GIF".to_vec(), "b")], "c");
    assert!(Section::new("").figure(broken).to_html().is_err());
}

#[test]
fn invalid_pages_are_refused() {
    let with = |section: Section| section.to_html();
    assert!(Page::new(" ").to_html().unwrap_err().to_string().contains("needs a title"));
    assert!(with(Section::new("").figure(Figure::png(b"GIF".to_vec(), "", "c"))).is_err());
    assert!(with(Section::new("").figure(Figure::svg("<p>", "c"))).is_err());
    assert!(with(Section::new("").figure(Figure::svg("<svg ><script></script></svg>", "c"))).is_err());
    let short = Table::new("").text_column("a").text_column("b").row(["1"]);
    assert!(with(Section::new("").table(short)).unwrap_err().to_string().contains("(2), found (1)"));
}

#[test]
fn numbers_are_short_and_grouped() {
    assert_eq!(
        [0.0612, 5.0, 54.78, 121.4, 0.99971, 9.996, 0.0, 0.000_312].map(short),
        ["0.061", "5.00", "54.8", "121", "1.00", "10.0", "0.000", "3.1e-4"]
    );
    assert_eq!([0, 999, 1000, 1_234_567].map(thousands), ["0", "999", "1,000", "1,234,567"]);
}
