//! The README's pictures: screens of a script, drawn as SVG. `INSTA_UPDATE=always` draws those in `docs/pictures` anew.
//!
//! Crates that draw a terminal take its output, and not its screen, and one pair of colours; a page may be light or dark.

use std::fmt::Write as _;
use std::path::Path;

use vt100::{Cell, Color, Screen};

use crate::terminal::Terminal;

pub(crate) fn trials() -> Vec<(&'static str, fn())> {
    vec![
        ("pictures::of_wait", || assert_picture("wait", &["picture-early", "hold"], "decided  12s  1 failed")),
        ("pictures::of_status", || {
            assert_picture("status", &["picture", "status"], "1 not ready: shop.default.tap on prod2");
        }),
    ]
}

/// The size of a cell and of the margin, in pixels; a character of a monospaced font is 0.6 of its size wide.
const WIDTH: f32 = 8.4;
const HEIGHT: f32 = 20.0;
const MARGIN: f32 = 16.0;

/// Light and dark colours, after those of the pages that show them.
const STYLE: &str = "\
text{font:14px ui-monospace,SFMono-Regular,Menlo,Consolas,'DejaVu Sans Mono',monospace;fill:#1f2328}\
rect{fill:#f6f8fa;stroke:#d1d9e0}\
.bold{font-weight:600}.dim{fill:#59636e}.red{fill:#cf222e}.green{fill:#1a7f37}.yellow{fill:#9a6700}.cyan{fill:#1b7c83}\
@media(prefers-color-scheme:dark){\
text{fill:#e6edf3}rect{fill:#0d1117;stroke:#3d444d}\
.dim{fill:#9198a1}.red{fill:#ff7b72}.green{fill:#3fb950}.yellow{fill:#d29922}.cyan{fill:#39c5cf}}";

fn assert_picture(command: &str, replayed: &[&str], end: &str) {
    let mut terminal = Terminal::start((24, 104), replayed, &[]);
    terminal.wait_for(end);
    let drawn = terminal.read(|screen| draw(&format!("kubectl carvelflux {command} -n dev"), screen));
    terminal.interrupt();
    terminal.end();

    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("docs/pictures/{command}.svg"));
    if std::env::var("INSTA_UPDATE").is_ok_and(|update| update == "always") {
        std::fs::write(&path, &drawn).expect("the picture can be written");
    }
    let kept = std::fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(kept, drawn, "{} is out of date: INSTA_UPDATE=always draws it anew", path.display());
}

/// Characters side by side that look alike.
struct Run {
    class: String,
    column: u16,
    width: u16,
    text: String,
}

/// Draws a command and the screen below it.
fn draw(command: &str, screen: &Screen) -> String {
    let (rows, columns) = screen.size();
    let mut lines = vec![vec![
        Run { class: "dim".to_owned(), column: 0, width: 1, text: "$".to_owned() },
        Run { class: "bold".to_owned(), column: 2, width: cells(command.len()), text: command.to_owned() },
    ]];
    lines.extend((0..rows.get()).map(|row| runs(screen, row)));
    while lines.last().is_some_and(Vec::is_empty) {
        lines.pop();
    }
    let width = f32::from(columns.get()).mul_add(WIDTH, 2.0 * MARGIN);
    let height = f32::from(cells(lines.len())).mul_add(HEIGHT, 2.0 * MARGIN);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width:.1} {height:.1}\" width=\"{width:.1}\" height=\"{height:.1}\" role=\"img\">\n\
         <title>{command}</title>\n<style>{STYLE}</style>\n\
         <rect x=\".5\" y=\".5\" width=\"{:.1}\" height=\"{:.1}\" rx=\"8\"/>\n",
        width - 1.0,
        height - 1.0
    );
    for (row, runs) in lines.iter().enumerate() {
        let y = f32::from(cells(row)).mul_add(HEIGHT, MARGIN + 15.0);
        for Run { class, column, width, text } in runs {
            let x = f32::from(*column).mul_add(WIDTH, MARGIN);
            let length = f32::from(*width) * WIDTH;
            let class = if class.is_empty() { String::new() } else { format!(" class=\"{class}\"") };
            let text = text.replace('&', "&amp;").replace('<', "&lt;");
            // Whatever the font, columns stay below each other.
            let _ = writeln!(svg, "<text x=\"{x:.1}\" y=\"{y:.0}\" textLength=\"{length:.1}\"{class}>{text}</text>");
        }
    }
    svg + "</svg>\n"
}

/// Returns what is in a row; wide gaps are between runs, and not in them.
fn runs(screen: &Screen, row: u16) -> Vec<Run> {
    let mut runs: Vec<Run> = Vec::new();
    for column in 0..screen.size().1.get() {
        let Some(cell) = screen.cell(row, column) else { continue };
        if cell.contents().trim().is_empty() {
            continue;
        }
        let (class, width) = (class(cell), if cell.is_wide() { 2 } else { 1 });
        match runs.last_mut() {
            Some(last) if last.class == class && column - (last.column + last.width) <= 1 => {
                if column > last.column + last.width {
                    last.text.push(' ');
                }
                last.text.push_str(cell.contents());
                last.width = column + width - last.column;
            }
            _ => runs.push(Run { class, column, width, text: cell.contents().to_owned() }),
        }
    }
    runs
}

/// Names the look of a cell.
fn class(cell: &Cell) -> String {
    let color = match cell.fgcolor() {
        Color::Idx(1) => "red",
        Color::Idx(2) => "green",
        Color::Idx(3) => "yellow",
        Color::Idx(6) => "cyan",
        Color::Default => "",
        other => panic!("the pictures have no {other:?}"),
    };
    let looks = [("bold", cell.bold()), ("dim", cell.dim()), (color, !color.is_empty())];
    looks.into_iter().filter(|(_, is_so)| *is_so).map(|(name, _)| name).collect::<Vec<_>>().join(" ")
}

fn cells(count: usize) -> u16 {
    u16::try_from(count).expect("a screen is small")
}
