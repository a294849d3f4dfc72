//! Rows on screens of every size; how they look on real terminals is in `tests/renderings`.

use super::*;
use crate::ui::text::width;

fn board(count: usize) -> Board {
    let states = [State::Ready, State::Pending(Stage::Deploy), State::Failed(Stage::Fetch), State::Unknown];
    let entries = (0..count).map(|number| Entry {
        package: format!("包裹-{number}.default.tap"),
        run_cluster: format!("prod{}", number / 7),
        state: states[number % states.len()],
        details: "[2/3 done] 构建 waiting on deployment/hello❤\u{fe0f}".to_owned(),
        since: Duration::from_secs(3),
    });
    Board { is_wordy: false, entries: entries.collect() }
}

fn plain(rows: usize, columns: usize) -> Screen {
    Screen { rows, columns, has_colors: false }
}

#[test]
fn no_screen_is_ever_too_small() {
    for count in [0, 1, 5, 30] {
        let board = board(count);
        for rows in 0..40 {
            for columns in 0..100 {
                let frame = frame(&board, Duration::from_secs(4000), plain(rows, columns));
                assert!(frame.len() <= rows.saturating_sub(1).max(1), "{count} on {rows}x{columns}: {frame:#?}");
                assert!(frame.iter().all(|row| width(row) <= columns), "{count} on {rows}x{columns}: {frame:#?}");
            }
        }
    }
}

#[test]
fn everything_is_shown_where_there_is_room_and_counted_where_there_is_not() {
    let board = board(30);
    let names = |frame: &[String]| frame.iter().filter(|row| row.contains(".default.tap")).count();
    assert_eq!(names(&frame(&board, Duration::ZERO, plain(37, 80))), 30);
    let short = frame(&board, Duration::ZERO, plain(36, 80));
    let more = &short[short.len() - 2];
    let hidden = 30 - names(&short);
    assert_eq!((short.len(), more.as_str()), (35, format!("… and {hidden} more: {hidden} ready").as_str()));
}

#[test]
fn stages_and_decisions_are_counted_and_nothing_else() {
    let stages = [Stage::Source, Stage::Packages, Stage::Install, Stage::Fetch, Stage::Template, Stage::Deploy];
    assert_eq!(
        stages.map(|stage| bar(State::Pending(stage))),
        ["[------]", "[#-----]", "[##----]", "[###---]", "[####--]", "[#####-]"]
    );
    let others = [State::Ready, State::Failed(Stage::Template), State::Unknown].map(bar);
    assert_eq!(others, ["[######]", "[####!-]", "[?-----]"]);
    let last = |count| frame(&board(count), Duration::from_secs(65), plain(50, 80)).pop().unwrap_or_default();
    assert_eq!(last(2), "[##########----------] 1/2 decided  1m05s");
    assert_eq!(last(4), "[###############-----] 3/4 decided  1m05s  1 failed, 1 unknown");
}

#[test]
fn a_cut_is_marked_and_colours_do_not_count() {
    let parts = [("abc".to_owned(), Style::new().red()), ("defg".to_owned(), Style::new())];
    assert_eq!(row(&parts, plain(1, 7)), "abcdefg");
    assert_eq!(row(&parts, plain(1, 6)), "abcde…");
    assert_eq!(row(&parts, plain(1, 3)), "ab…");
    let colored = row(&parts, Screen { rows: 1, columns: 3, has_colors: true });
    assert_eq!(colored, "\u{1b}[31mab…\u{1b}[0m");
}
