//! Exported tables must not contain formulas.

use crate::api::test_app::{Setup, TestApp, cases, post};

cases![csv_cells_never_start_a_formula];

async fn csv_cells_never_start_a_formula(setup: Setup) {
    let app = TestApp::start(setup).await;
    let formulas = [
        "=cmd|' /C calc'!A0",
        "+1+1",
        "-2+3",
        "@SUM(A1)",
        "\t=1",
        "\r=1",
        "＝1+1",
        "＠SUM(1)",
        "\u{200b}=1",
        "\u{feff}=1",
        " =1",
    ];
    let harmless = ["fine = 1", "hello;=1+1", "a\t=1+1"];
    let texts = formulas.iter().chain(&harmless);
    let posts: Vec<_> = texts.enumerate().map(|(n, text)| post(&format!("=p{n}"), "web", text, 0)).collect();
    app.store(&posts).await;
    let table = app.get("/api/posts/export?format=csv").await;
    let mut reader = csv::Reader::from_reader(table.body.as_slice());
    let mut cells = 0;
    for row in reader.records().map(|row| row.expect("a row")) {
        for cell in &row {
            assert!(
                !cell.starts_with(['=', '+', '-', '@', '\t', '\r', '＝', '＠', '\u{200b}', '\u{feff}', ' ']),
                "{cell:?}"
            );
            cells += usize::from(cell.starts_with('\''));
        }
    }
    assert_eq!(cells, 2 * formulas.len() + harmless.len(), "ids and formulas are prefixed with an apostrophe");
    for text in harmless {
        assert!(table.text().contains(&format!("\"{text}\"")), "{text:?} is a quoted cell");
    }
}
