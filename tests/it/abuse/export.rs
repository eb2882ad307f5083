//! Formulas in exported tables.

use crate::api::test_app::{Setup, TestApp, cases, post};

cases![csv_cells_never_start_a_formula];

async fn csv_cells_never_start_a_formula(setup: Setup) {
    let app = TestApp::start(setup).await;
    let formulas = ["=cmd|' /C calc'!A0", "+1+1", "-2+3", "@SUM(A1)", "\t=1", "\r=1", "fine = 1"];
    let posts: Vec<_> = formulas.iter().enumerate().map(|(n, text)| post(&format!("=p{n}"), "web", text, 0)).collect();
    app.store(&posts).await;
    let table = app.get("/api/posts/export?format=csv").await;
    let mut reader = csv::Reader::from_reader(table.body.as_slice());
    let mut cells = 0;
    for row in reader.records().map(|row| row.expect("a row")) {
        for cell in &row {
            assert!(!cell.starts_with(['=', '+', '-', '@', '\t', '\r']), "{cell:?}");
            cells += usize::from(cell.starts_with('\''));
        }
    }
    assert!(cells >= formulas.len() + 5, "ids and texts are prefixed with an apostrophe: {cells}");
    assert!(table.text().contains("fine = 1"));
}
