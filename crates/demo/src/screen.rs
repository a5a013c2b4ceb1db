//! The terminal: what is written to it, how wide it is, whether it shows colours.

use std::io::{self, IsTerminal, Write};
use std::sync::atomic::{AtomicBool, Ordering};
use std::{env, fmt};

use crate::waterfall::Style;

/// The width where there is no terminal to ask.
const WIDTH: usize = 100;

/// Goes back to the line's begin and empties it.
const EMPTY_LINE: &str = "\r\x1b[K";

/// Whether what nobody reads any more is left out, instead of being a reason to stop.
static OUTLIVES_READER: AtomicBool = AtomicBool::new(false);

/// Nobody reads stdout any more. The reader may be `head`, so this is a reason to stop, not a failure.
#[derive(Debug, thiserror::Error)]
#[error("stdout is closed")]
pub(crate) struct Closed;

/// From here on the process goes on when nobody reads stdout any more: its exit code is an answer too.
pub(crate) fn outlive_reader() {
    OUTLIVES_READER.store(true, Ordering::Relaxed);
}

/// Writes `text` and a line end to stdout at once.
///
/// # Errors
/// With [`Closed`] unless the process is to [`outlive_reader`], or with what went wrong.
pub(crate) fn print(text: impl fmt::Display) -> anyhow::Result<()> {
    let mut stdout = io::stdout().lock();
    match writeln!(stdout, "{text}").and_then(|()| stdout.flush()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {
            if OUTLIVES_READER.load(Ordering::Relaxed) {
                Ok(())
            } else {
                Err(Closed.into())
            }
        }
        written => Ok(written?),
    }
}

/// Writes a line to stderr; where nobody reads that, there is nobody to tell.
pub(crate) fn complain(text: impl fmt::Display) {
    let _ = writeln!(io::stderr(), "{text}");
}

/// Puts `line` in place of stderr's last line, which was written so too. Where stderr is no terminal, nobody watches.
pub(crate) fn overwrite(line: &str) {
    let mut stderr = io::stderr().lock();
    if stderr.is_terminal() {
        let _ = write!(stderr, "{EMPTY_LINE}{line}").and_then(|()| stderr.flush());
    }
}

/// `COLUMNS`, or the terminal's own width, or 100.
pub(crate) fn width() -> usize {
    let asked = env::var("COLUMNS").ok().and_then(|columns| columns.parse().ok()).filter(|columns| *columns > 0);
    let terminal = || terminal_size::terminal_size_of(io::stdout()).map(|(width, _)| usize::from(width.0));
    asked.or_else(|| io::stdout().is_terminal().then(terminal)?).unwrap_or(WIDTH)
}

/// Colours on a terminal only, unless `NO_COLOR` or `CLICOLOR_FORCE` say otherwise.
pub(crate) fn style() -> Style {
    match anstream::AutoStream::choice(&io::stdout()) {
        anstream::ColorChoice::Never => Style::Plain,
        _ => Style::Colour,
    }
}

/// `text` with each line moved in by two.
pub(crate) fn indented(text: &str) -> String {
    text.lines().flat_map(|line| ["  ", line, "\n"]).collect()
}
