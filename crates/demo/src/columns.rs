//! Text in columns: measured in terminal cells, not in bytes or characters.

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// How many cells `text` takes.
pub(crate) fn width(text: &str) -> usize {
    text.width()
}

/// `text` in exactly `cells` cells: filled with spaces, or cut with `…` before the character that would not fit.
pub(crate) fn fit(text: &str, cells: usize) -> String {
    let mut fitted = if width(text) <= cells { text.to_owned() } else { cut(text, cells) };
    fitted.extend(std::iter::repeat_n(' ', cells.saturating_sub(width(&fitted))));
    fitted
}

fn cut(text: &str, cells: usize) -> String {
    let Some(room) = cells.checked_sub(1) else { return String::new() };
    let mut kept = String::new();
    let mut used = 0;
    for character in text.chars() {
        used += character.width().unwrap_or_default();
        if used > room {
            break;
        }
        kept.push(character);
    }
    kept.push('…');
    kept
}

/// `text` without what could move the cursor, colour the screen or turn the direction of writing: spans come from anyone.
pub(crate) fn printable(text: &str) -> String {
    let harmful = |c: char| c.is_control() || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    text.chars().map(|c| if harmful(c) { '\u{fffd}' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_filled_or_cut_to_its_cells() {
        assert_eq!(fit("tea", 5), "tea  ");
        assert_eq!(fit("coffee", 6), "coffee");
        assert_eq!(fit("coffee", 5), "coff…");
        assert_eq!(fit("coffee", 0), "");
    }

    #[test]
    fn a_wide_character_is_kept_whole_or_left_out() {
        assert_eq!(fit("お茶", 4), "お茶");
        assert_eq!(fit("お茶", 3), "お…");
        assert_eq!(fit("お茶", 2), "… ");
    }

    #[test]
    fn control_characters_become_visible() {
        assert_eq!(printable("a\u{1b}[31mb\nc\u{202e}"), "a\u{fffd}[31mb\u{fffd}c\u{fffd}");
    }
}
