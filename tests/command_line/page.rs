//! Does the page of `equilibria reproduce` work in a browser: every image, every width, every panel, by mouse and keyboard?
//!
//! Skipped with a word where no Chromium is installed. `EQUILIBRIA_PAGE` names the folder of a page to try as well.

use super::{equilibria, write_digits};
use std::path::{Path, PathBuf};
use std::process::Command;

/// Opens the page in frames of three widths, operates the panels of the widest, and writes a line for each finding.
const PROBE: &str = include_str!("probe.html");

fn browser() -> Option<PathBuf> {
    let names = ["chromium", "chromium-browser", "google-chrome"];
    let path = std::env::var_os("PATH")?;
    let mut all = std::env::split_paths(&path).flat_map(|folder| names.map(|name| folder.join(name)));
    all.find(|path| path.is_file())
}

/// The findings on the page in a folder.
fn findings(browser: &Path, page: &Path) -> Vec<String> {
    let folder = tempfile::tempdir().unwrap();
    let html = std::fs::read_to_string(page.join("index.html")).unwrap();
    let text = serde_json::to_string(&html).unwrap().replace('<', "\\u003c");
    let probe = folder.path().join("probe.html");
    std::fs::write(&probe, PROBE.replace("= PAGE;", &format!("= {text};"))).unwrap();
    let output = Command::new(browser)
        .args(["--headless", "--no-sandbox", "--disable-gpu", "--dump-dom"])
        .args(["--virtual-time-budget=30000", "--window-size=1600,1200"])
        .arg(format!("--user-data-dir={}", folder.path().join("profile").display()))
        .arg(format!("file://{}", probe.display()))
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    let found = text.split("<pre id=\"findings\">").nth(1).and_then(|rest| rest.split('<').next());
    found.unwrap_or_default().lines().map(String::from).collect()
}

#[test]
fn the_page_works_in_a_browser() {
    let Some(browser) = browser() else {
        eprintln!("skipped: there is no Chromium");
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    write_digits(&folder.path().join("digits"), 28, 60, 20);
    equilibria(folder.path(), "reproduce figure3 figure7 --data digits -q").succeeded();
    let given = std::env::var_os("EQUILIBRIA_PAGE").map(PathBuf::from);
    for page in [Some(folder.path().join("out")), given].into_iter().flatten() {
        let found = findings(&browser, &page);
        let is_done = found.last().is_some_and(|line| line.starts_with("done "));
        assert!(is_done && !found.iter().any(|line| line.starts_with("wrong")), "{found:#?}");
    }
}
