use super::*;
use proptest::prelude::*;

/// Decodes a PNG file into width, height, samples per pixel and samples.
fn decode(png: &[u8]) -> (usize, usize, usize, Vec<u8>) {
    let mut reader = png::Decoder::new(std::io::Cursor::new(png)).read_info().unwrap();
    let mut samples = vec![0; reader.output_buffer_size().unwrap()];
    let info = reader.next_frame(&mut samples).unwrap();
    (info.width as usize, info.height as usize, info.color_type.samples(), samples)
}

#[test]
fn the_file_contains_the_pixels_of_the_tiles() {
    let mut sheet = ContactSheet::new(2, 3).title("t").columns(2).column_labels(&["a", "b"]).magnify(2);
    sheet.push(&[0.0, 0.2, 0.4, 0.6, 0.8, 1.0]).unwrap();
    sheet.push_u8(&[1, 2, 3, 4, 5, 6]).unwrap();
    let layout = sheet.layout().unwrap();
    let (width, height, samples, pixels) = decode(&sheet.to_png().unwrap());
    assert_eq!((width, height, samples), (layout.width, layout.height, 1), "grey without marks");
    for (bounds, expected) in layout.tiles.iter().zip([[0, 51, 102, 153, 204, 255], [1, 2, 3, 4, 5, 6]]) {
        for y in 0..4 {
            for x in 0..6 {
                let found = pixels[(bounds.y + y) * width + bounds.x + x];
                assert_eq!(found, expected[y / 2 * 3 + x / 2], "tile at {bounds:?}, pixel ({y}, {x})");
            }
        }
    }
    assert_eq!(pixels[0], 255, "the background is white");
}

#[test]
fn marked_rows_and_signed_values_are_in_colour() {
    let mut sheet = ContactSheet::new(2, 1).columns(2).magnify(1).mark_label("removed");
    sheet.push_marked(&[0.0, 0.0], 1..2).unwrap();
    sheet.push_signed(&[-0.5, 0.5], 0.5).unwrap();
    let layout = sheet.layout().unwrap();
    assert_eq!(layout.keys.len(), 2, "one key for marked rows, one for signed values");
    let (width, _, samples, pixels) = decode(&sheet.to_png().unwrap());
    assert_eq!(samples, 3);
    let at = |bounds: Bounds, row: usize| {
        let start = ((bounds.y + row) * width + bounds.x) * 3;
        [pixels[start], pixels[start + 1], pixels[start + 2]]
    };
    assert_eq!(at(layout.tiles[0], 0), [0, 0, 0], "black stays black");
    assert_eq!(at(layout.tiles[0], 1), colour::amber(0.0), "marked pixels are not black");
    assert_eq!(at(layout.tiles[1], 0), colour::diverging(-1.0));
    assert_eq!(at(layout.tiles[1], 1), colour::diverging(1.0));
}

#[test]
fn colours_are_drawn_as_given_beside_grey_tiles() {
    let mut sheet = ContactSheet::new(1, 2).columns(3).magnify(1).mark_label("missing");
    sheet.push_u8(&[7, 8]).unwrap();
    sheet.push_u8(&[1, 2, 3, 250, 251, 252]).unwrap();
    sheet.push(&[0.0, 1.0, 2.0, 0.2, f32::NAN, 0.4]).unwrap();
    let layout = sheet.layout().unwrap();
    let (width, _, samples, pixels) = decode(&sheet.to_png().unwrap());
    assert_eq!(samples, 3);
    let at = |tile: usize, column: usize| {
        let start = (layout.tiles[tile].y * width + layout.tiles[tile].x + column) * 3;
        [pixels[start], pixels[start + 1], pixels[start + 2]]
    };
    assert_eq!([at(0, 0), at(0, 1)], [[7; 3], [8; 3]]);
    assert_eq!([at(1, 0), at(1, 1)], [[1, 2, 3], [250, 251, 252]]);
    assert_eq!(at(2, 0), [0, 255, 255]);
    assert_ne!(at(2, 1), [51, 0, 102], "a missing part of a colour is marked");
    assert!(sheet.push_signed(&[0.0; 6], 1.0).is_err(), "signed values are not colours");
}

#[test]
fn missing_values_of_a_signed_tile_have_a_key() {
    let mut sheet = ContactSheet::new(1, 2).mark_label("no weight");
    sheet.push_signed(&[1.0, 2.0], 2.0).unwrap();
    assert_eq!(sheet.layout().unwrap().keys.len(), 1, "only the colour scale");
    sheet.push_signed(&[1.0, f32::NAN], 2.0).unwrap();
    assert_eq!(sheet.layout().unwrap().keys.len(), 2);
}

#[test]
fn sizes_and_labels_that_do_not_match_are_refused() {
    let mut sheet = ContactSheet::new(2, 2);
    let text = |result: Result<Vec<u8>>| result.unwrap_err().to_string();
    assert!(text(sheet.to_png()).contains("no tile was pushed"));
    assert_eq!(
        sheet.push(&[0.0; 3]).unwrap_err(),
        Error::ShapeMismatch { operation: "contact sheet tile", expected: vec![2, 2], found: vec![3] }
    );
    assert!(sheet.push_marked(&[0.0; 4], 1..3).is_err());
    assert!(sheet.push_signed(&[0.0; 4], 0.0).is_err());
    assert!(sheet.push_signed(&[0.0; 4], f32::NAN).is_err());
    sheet.push(&[0.0; 4]).unwrap();
    assert!(text(sheet.clone().magnify(0).to_png()).contains("at least 1"));
    assert!(text(sheet.clone().magnify(usize::MAX).to_png()).contains("at most"));
    assert!(text(sheet.clone().columns(2).column_labels(&["a", "b", "c"]).to_png()).contains("2 columns"));
    assert!(text(sheet.clone().columns(2).column_groups(&[("a", 3)]).to_png()).contains("2 columns"));
    assert!(text(sheet.clone().row_labels(&["a", "b"]).to_png()).contains("1 rows"));
    assert!(text(sheet.clone().tile_labels(&["a", "b"]).to_png()).contains("1 tiles"));
    assert!(ContactSheet::new(0, 0).push(&[]).is_err());
}

fn apart(a: Bounds, b: Bounds) -> bool {
    a.x + a.width <= b.x || b.x + b.width <= a.x || a.y + a.height <= b.y || b.y + b.height <= a.y
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn labels_stay_on_the_sheet_and_do_not_overlap(
        title in "[ -~]{0,60}",
        columns in prop::collection::vec("[ -~]{0,30}", 1..5),
        rows in prop::collection::vec("[ -~]{0,60}", 1..4),
        heading in "[ -~]{0,60}",
        under in "[ -~]{0,40}",
        mark in "[a-z ]{0,60}",
        (height, width, magnify) in (1usize..20, 1usize..20, 1usize..4),
        limit in 1e-7f32..1e7,
        missing in 0usize..2,
    ) {
        let groups = [(heading.as_str(), 1), ("", columns.len() - 1)];
        let mut sheet = ContactSheet::new(height, width).title(title).magnify(magnify).mark_label(mark)
            .column_labels(&columns).row_labels(&rows).column_groups(&groups);
        sheet.push_marked(&vec![0.5; height * width], 0..1).unwrap();
        for _ in 1..rows.len() * columns.len() - missing.min(columns.len() - 1) {
            sheet.push_signed(&vec![0.5; height * width], limit).unwrap();
        }
        // Every second tile has a label.
        let under: Vec<&str> = (0..sheet.tiles.len()).map(|tile| if tile % 2 == 0 { &under[..] } else { "" }).collect();
        let sheet = sheet.tile_labels(&under);
        let layout = sheet.layout().unwrap();
        prop_assert_eq!(layout.tiles.len(), sheet.tiles.len());
        let mut boxes = layout.tiles.clone();
        boxes.extend(layout.labels.iter().map(|label| label.bounds));
        boxes.extend(layout.keys.iter().map(|(_, bar)| *bar));
        boxes.extend(&layout.rules);
        for (i, a) in boxes.iter().enumerate() {
            prop_assert!(a.x + a.width < layout.width && a.y + a.height < layout.height, "{a:?} is clipped");
            for b in &boxes[..i] {
                prop_assert!(apart(*a, *b), "{a:?} overlaps {b:?}");
            }
        }
        sheet.draw(&layout); // panics if anything is outside the canvas
    }
}
