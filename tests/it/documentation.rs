//! `docs/BEHAVIOURS.md` says what is true: every row is there once, and every test that it names exists.

use std::fs;
use std::path::Path;

const ROWS: usize = 305;

fn read_all(folder: &Path, text: &mut String) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            read_all(&path, text);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            text.push_str(&fs::read_to_string(path).unwrap());
        }
    }
}

#[test]
fn every_row_stands_there_once_and_every_named_test_exists() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let document = fs::read_to_string(root.join("docs/BEHAVIOURS.md")).unwrap();
    let mut sources = String::new();
    read_all(&root.join("tests/it"), &mut sources);
    for test in ["hostile_memory", "two_hosts", "workers"] {
        sources.push_str(&fs::read_to_string(root.join(format!("tests/{test}.rs"))).unwrap());
    }
    read_all(&root.join("rpc-host/src"), &mut sources);
    read_all(&root.join("rpc-core/src"), &mut sources);
    read_all(&root.join("rpc-macros/src"), &mut sources);

    let mut expected = 1;
    let mut problems = Vec::new();
    for line in document.lines() {
        let cells: Vec<&str> = line.split('|').map(str::trim).collect();
        let ["", number, priority, sentence, shown, ""] = cells[..] else { continue };
        let Ok(number) = number.parse::<usize>() else { continue };
        if number != expected {
            problems.push(format!("row {expected} is missing or out of order before {number}"));
        }
        expected = number + 1;
        if !["M", "S", "O", "N"].contains(&priority) || sentence.is_empty() {
            problems.push(format!("row {number} lacks its priority or its sentence"));
        }
        if shown.starts_with("waits: ") || shown.starts_with("not applicable: ") {
            continue;
        }
        for name in shown.split(',').map(str::trim) {
            let exists = match name.strip_prefix("ui:") {
                Some(program) => root.join("tests/ui").join(format!("{program}.rs")).exists(),
                None => !name.is_empty() && sources.contains(&format!("fn {name}(")),
            };
            if !exists {
                problems.push(format!("row {number} names `{name}`, which does not exist"));
            }
        }
    }
    if expected != ROWS + 1 {
        problems.push(format!("the last row is {}, not {ROWS}", expected - 1));
    }
    assert!(problems.is_empty(), "\n{}", problems.join("\n"));
}
