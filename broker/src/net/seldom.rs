//! Lines for people that strangers can cause: of each kind so many in a while, then only how many more there were.
//! Decides whether a line is written, so that nobody fills the disk with them; never what it says.

use std::time::Duration;

use sawlog_core::now::{Deadline, Now};

/// So many lines of a kind are written ...
const LINES: u32 = 10;
/// ... in this time.
const WHILE: Duration = Duration::from_secs(10);

/// One kind of lines.
#[derive(Debug, Default)]
pub struct Seldom {
    /// When lines are counted anew.
    until: Option<Deadline>,
    written: u32,
    left_out: u64,
}

impl Seldom {
    /// Says a line at WARN, unless there were too many like it.
    pub fn warn(&mut self, now: Now, line: &str) {
        self.say(now, line, |line| tracing::warn!("{line}"));
    }

    /// Writes a line by `tell`, unless there were too many like it; then the next one that is written says how many.
    fn say(&mut self, now: Now, line: &str, tell: impl FnOnce(&str)) {
        if self.until.is_none_or(|until| until.passed(now)) {
            self.until = Some(now.after(WHILE));
            self.written = 0;
        }
        if self.written == LINES {
            self.left_out += 1;
            return;
        }
        self.written += 1;
        match std::mem::take(&mut self.left_out) {
            0 => tell(line),
            more => tell(&format!("{line} ({more} lines like this were left out)")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sawlog_core::now::Mono;

    #[test]
    fn of_a_thousand_lines_ten_are_written_and_the_next_one_says_how_many_were_not() {
        let mut seldom = Seldom::default();
        let mut lines = Vec::new();
        let at = |seconds: u64| Now {
            mono: Mono(seconds * 1_000_000_000),
            ..Now::default()
        };
        for _ in 0..1000 {
            seldom.say(at(1), "bad frame", |line| lines.push(line.to_owned()));
        }
        assert_eq!(lines, vec!["bad frame"; 10]);
        seldom.say(at(12), "bad frame", |line| lines.push(line.to_owned()));
        assert_eq!(lines[10], "bad frame (990 lines like this were left out)");
        seldom.say(at(12), "bad frame", |line| lines.push(line.to_owned()));
        assert_eq!(lines[11], "bad frame");
    }
}
