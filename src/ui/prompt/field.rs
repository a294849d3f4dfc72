//! What is typed and chosen while a question is open: keys in, lines of the screen out. Pure.

use console::Key;

use crate::conversation::{Choice, Form};
use crate::ui::text::{escape, fit, one_line, width};

/// What is before each line of a field.
const MARK: &str = "> ";

/// The most choices that are shown at a time.
const MOST: usize = 12;

/// What a key has led to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Pressed {
    /// The question stays open.
    Open,
    /// The answer.
    Done(String),
    /// To the question before.
    Back,
}

/// What is typed, and for one of several answers which one is marked.
pub(super) struct Field {
    form: Form,
    /// Kept from being shown by whoever draws.
    typed: String,
    /// The bytes of it before the cursor.
    cursor: usize,
    /// Which of the rows that are left is marked.
    marked: usize,
}

/// What a field shows.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Shown {
    pub(super) lines: Vec<String>,
    /// The column of the cursor in the first line.
    pub(super) cursor: usize,
}

impl Field {
    pub(super) fn new(form: Form) -> Self {
        Self { form, typed: String::new(), cursor: 0, marked: 0 }
    }

    /// Lists the answers that what was typed leaves, that which is typed in full before the others.
    fn rows(&self) -> Vec<Choice> {
        let Form::OneOf { choices, takes_others } = &self.form else { return Vec::new() };
        let typed = self.typed.trim();
        let (exact, others): (Vec<&Choice>, Vec<&Choice>) =
            choices.iter().filter(|choice| choice.value.contains(typed)).partition(|choice| choice.value == typed);
        let is_new = *takes_others && exact.is_empty() && !typed.is_empty();
        let new = is_new.then(|| Choice::new(typed, "as typed"));
        new.into_iter().chain(exact.into_iter().chain(others).cloned()).collect()
    }

    /// Lists all answers there are to choose from, in lines.
    pub(super) fn all(&self) -> Vec<String> {
        let line = |row: &Choice| format!("  {}", one_line(&format!("{}  {}", row.value, row.note)).trim_end());
        self.rows().iter().map(line).collect()
    }

    pub(super) fn press(&mut self, key: &Key) -> Pressed {
        let rows = self.rows().len();
        match key {
            Key::Enter => return self.enter(),
            Key::Escape => return Pressed::Back,
            Key::ArrowUp => self.marked = self.marked.saturating_sub(1),
            Key::ArrowDown => self.marked = (self.marked + 1).min(rows.saturating_sub(1)),
            Key::PageUp => self.marked = self.marked.saturating_sub(MOST),
            Key::PageDown => self.marked = (self.marked + MOST).min(rows.saturating_sub(1)),
            Key::ArrowLeft => self.cursor = self.before(),
            Key::ArrowRight => self.cursor = self.after(),
            Key::Home => self.cursor = 0,
            Key::End => self.cursor = self.typed.len(),
            Key::Backspace => self.edit(|field| drop(field.typed.drain(field.before()..field.cursor)), Self::before),
            Key::Del => self.edit(|field| drop(field.typed.drain(field.cursor..field.after())), |field| field.cursor),
            // Ctrl-U empties the line.
            Key::Char('\u{15}') => self.edit(|field| field.typed.clear(), |_| 0),
            Key::Char(character) if !character.is_control() => self.edit(
                |field| field.typed.insert(field.cursor, *character),
                |field| field.cursor + character.len_utf8(),
            ),
            _ => {}
        }
        Pressed::Open
    }

    fn edit(&mut self, change: impl FnOnce(&mut Self), cursor: impl FnOnce(&Self) -> usize) {
        let cursor = cursor(self);
        change(self);
        self.cursor = cursor;
        self.marked = 0;
    }

    fn before(&self) -> usize {
        self.typed[..self.cursor].char_indices().next_back().map_or(0, |(index, _)| index)
    }

    fn after(&self) -> usize {
        self.typed[self.cursor..].chars().next().map_or(self.cursor, |next| self.cursor + next.len_utf8())
    }

    fn enter(&mut self) -> Pressed {
        let typed = self.typed.trim();
        match &self.form {
            Form::Text { default: Some(default) } if typed.is_empty() => Pressed::Done(default.clone()),
            Form::Text { .. } | Form::Hidden if typed.is_empty() => Pressed::Back,
            Form::Text { .. } => Pressed::Done(typed.to_owned()),
            // Blanks at the ends of a password may be meant.
            Form::Hidden => Pressed::Done(std::mem::take(&mut self.typed)),
            Form::OneOf { .. } => match self.rows().get(self.marked) {
                Some(row) => Pressed::Done(row.value.clone()),
                // Nothing is left to choose: what was typed is judged, and the reason is said.
                None => Pressed::Done(typed.to_owned()),
            },
        }
    }

    /// Shows the field on a screen of this size, in lines that do not reach its edge.
    pub(super) fn show(&self, columns: usize, lines: usize) -> Shown {
        let columns = columns.saturating_sub(1);
        let (line, cursor) = self.line(columns);
        let mut shown = vec![line];
        if matches!(self.form, Form::OneOf { .. }) {
            shown.extend(self.list(columns, lines));
        }
        Shown { lines: shown, cursor }
    }

    /// Shows what is typed around the cursor.
    fn line(&self, columns: usize) -> (String, usize) {
        if matches!(self.form, Form::Hidden) {
            return (MARK.to_owned(), MARK.len());
        }
        let room = columns.saturating_sub(MARK.len() + 1).max(1);
        let (before, after) = (escape(&self.typed[..self.cursor]), escape(&self.typed[self.cursor..]));
        let mut start = 0;
        while width(&before[start..]) > room {
            start += before[start..].chars().next().map_or(1, char::len_utf8);
        }
        let line = format!("{MARK}{}{after}", &before[start..]);
        (fit(&line, columns), MARK.len() + width(&before[start..]))
    }

    /// Shows the part of the list around the marked row.
    fn list(&self, columns: usize, lines: usize) -> Vec<String> {
        let rows = self.rows();
        // Beside the question of two lines, the field's own line, and what is above and below.
        let room = lines.saturating_sub(6).clamp(1, MOST);
        let first = (self.marked + 1).saturating_sub(room).min(rows.len().saturating_sub(room));
        let mut shown = Vec::new();
        if first > 0 {
            shown.push(fit(&format!("    … {first} before"), columns));
        }
        for (index, row) in rows.iter().enumerate().skip(first).take(room) {
            let mark = if index == self.marked { "  > " } else { "    " };
            let separator = if row.note.is_empty() { "" } else { "  " };
            shown.push(fit(&one_line_of(mark, row, separator), columns).trim_end().to_owned());
        }
        let after = rows.len().saturating_sub(first + room);
        if after > 0 {
            shown.push(fit(&format!("    … {after} more; type to search"), columns));
        }
        if rows.is_empty() {
            shown.push(fit("    nothing matches", columns));
        }
        shown
    }
}

fn one_line_of(mark: &str, row: &Choice, separator: &str) -> String {
    format!("{mark}{}{separator}{}", one_line(&row.value), one_line(&row.note))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn typed(field: &mut Field, text: &str) -> Pressed {
        text.chars().map(|character| field.press(&Key::Char(character))).last().unwrap_or(Pressed::Open)
    }

    fn text(default: Option<&str>) -> Field {
        Field::new(Form::Text { default: default.map(str::to_owned) })
    }

    fn list(count: usize, takes_others: bool) -> Field {
        let choices =
            (1..=count).map(|number| Choice::new(format!("prod{number}"), format!("note {number}"))).collect();
        Field::new(Form::OneOf { choices, takes_others })
    }

    #[test]
    fn a_line_is_edited_where_the_cursor_is() {
        let mut field = text(None);
        typed(&mut field, "hxelo");
        for key in [Key::Home, Key::ArrowRight, Key::Del, Key::End, Key::ArrowLeft, Key::Char('l'), Key::Tab] {
            assert_eq!(field.press(&key), Pressed::Open);
        }
        assert_eq!(field.show(40, 24), Shown { lines: vec!["> hello".to_owned()], cursor: 6 });
        field.press(&Key::End);
        field.press(&Key::Backspace);
        assert_eq!(field.press(&Key::Enter), Pressed::Done("hell".to_owned()));
        field.press(&Key::Char('\u{15}'));
        typed(&mut field, " 包裹 ");
        field.press(&Key::ArrowLeft);
        field.press(&Key::Backspace);
        assert_eq!(field.press(&Key::Enter), Pressed::Done("包".to_owned()));
    }

    #[test]
    fn an_empty_line_is_the_default_or_goes_back() {
        assert_eq!(text(Some("main")).press(&Key::Enter), Pressed::Done("main".to_owned()));
        assert_eq!(text(Some("main")).press(&Key::Escape), Pressed::Back);
        assert_eq!(text(None).press(&Key::Enter), Pressed::Back);
        assert_eq!(Field::new(Form::Hidden).press(&Key::Enter), Pressed::Back);
        assert_eq!(text(Some("")).press(&Key::Enter), Pressed::Done(String::new()));
    }

    #[test]
    fn a_hidden_line_shows_nothing_of_itself() {
        let mut field = Field::new(Form::Hidden);
        typed(&mut field, "not-a-password ");
        assert_eq!(field.show(40, 24), Shown { lines: vec!["> ".to_owned()], cursor: 2 });
        assert_eq!(field.press(&Key::Enter), Pressed::Done("not-a-password ".to_owned()));
    }

    #[test]
    fn a_long_line_shows_what_is_around_the_cursor() {
        let mut field = text(None);
        typed(&mut field, &"0123456789".repeat(5));
        let Shown { lines, cursor } = field.show(20, 24);
        assert_eq!((lines[0].as_str(), cursor), ("> 4567890123456789", 18));
        field.press(&Key::Home);
        let Shown { lines, cursor } = field.show(20, 24);
        assert_eq!((lines[0].as_str(), cursor), ("> 0123456789012345…", 2));
    }

    #[test]
    fn a_list_scrolls_and_fits_every_screen() {
        let mut field = list(120, false);
        for (columns, lines) in [(40, 24), (80, 24), (12, 8), (1, 1)] {
            for key in [Key::ArrowDown, Key::PageDown, Key::PageDown, Key::ArrowUp] {
                field.press(&key);
                let shown = field.show(columns, lines).lines;
                assert!(shown.len() <= lines.max(4), "{shown:?}");
                assert!(shown.iter().all(|line| width(line) < columns.max(3)), "{shown:?}");
            }
        }
        let mut field = list(20, false);
        field.press(&Key::PageDown);
        insta::assert_snapshot!(field.show(40, 10).lines.join("\n"), @r"
        > 
            … 9 before
            prod10  note 10
            prod11  note 11
            prod12  note 12
          > prod13  note 13
            … 7 more; type to search
        ");
    }

    #[test]
    fn typing_searches_and_the_exact_name_comes_first() {
        let mut field = list(12, false);
        typed(&mut field, "1");
        assert_eq!(field.press(&Key::Enter), Pressed::Done("prod1".to_owned()));
        typed(&mut field, "1");
        assert_eq!(field.press(&Key::Enter), Pressed::Done("prod11".to_owned()));
        typed(&mut field, "x");
        assert_eq!(field.press(&Key::Enter), Pressed::Done("11x".to_owned()), "refused by the question's check");
        let mut field = list(12, true);
        typed(&mut field, "prod");
        assert_eq!(field.press(&Key::Enter), Pressed::Done("prod".to_owned()), "what is typed is never replaced");
        field.press(&Key::ArrowDown);
        assert_eq!(field.press(&Key::Enter), Pressed::Done("prod1".to_owned()));
    }
}
