//! What became of something that was checked.

use anstyle::AnsiColor;
use serde::Serialize;

use crate::waterfall::Style;

/// How a check ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Outcome {
    /// It is as it should be.
    Held,
    /// It is not.
    Failed,
    /// Nobody looked.
    Skipped,
}

// === impl Outcome ===

impl Outcome {
    /// The sign that its line begins with.
    pub(crate) fn mark(self, style: Style) -> String {
        let (mark, colour) = match self {
            Self::Held => ("✓", Some(AnsiColor::Green)),
            Self::Failed => ("✗", Some(AnsiColor::Red)),
            Self::Skipped => ("–", None),
        };
        match (style, colour) {
            (Style::Colour, Some(colour)) => {
                let colour = colour.on_default();
                format!("{colour}{mark}{colour:#}")
            }
            _ => mark.to_owned(),
        }
    }
}
