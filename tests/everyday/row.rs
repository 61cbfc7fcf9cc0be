//! One row of the table: what a client sends, what the origin answers, and where we differ.

use std::fmt;

/// A row.
pub(super) struct Row {
    pub(super) name: &'static str,
    /// What the client sends; each piece but the first once the server has said something.
    pub(super) sends: Vec<Vec<u8>>,
    /// How many answers the client waits for.
    pub(super) answers: usize,
    /// Whether the bytes after the answer's head are looked at, to the end of the connection.
    pub(super) raw: bool,
    pub(super) reply: Reply,
    /// What our answer's status is to be, where the row is about that.
    pub(super) comes: Option<u16>,
    /// In the order of their names.
    pub(super) differences: Vec<Difference>,
    pub(super) why: &'static str,
}

/// What the origin answers.
#[derive(Clone)]
pub(super) struct Reply {
    /// Sent before the body is read, where the request asks for an invitation.
    pub(super) invitation: &'static str,
    /// Sent one after the other, with a pause between.
    pub(super) pieces: Vec<Vec<u8>>,
    /// It closes afterwards.
    pub(super) closes: bool,
}

/// One thing that is not the same.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Difference {
    pub(super) what: String,
    pub(super) theirs: String,
    pub(super) ours: String,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { what, theirs, ours } = self;
        write!(f, "(\"{what}\", \"{theirs}\", \"{ours}\")")
    }
}

/// We refuse what nginx passes on.
pub(super) const REFUSED: &[(&str, &str, &str)] =
    &[("answer", "200 OK", "400 of its own"), ("connection", "kept", "closed")];
/// We pass on what nginx refuses.
pub(super) const TAKEN: &[(&str, &str, &str)] =
    &[("answer", "400 of its own", "200 OK"), ("connection", "closed", "kept")];

/// What an origin answers unless a row says otherwise.
pub(super) const FINE: &str = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nfine\n";

impl Default for Reply {
    fn default() -> Self {
        Self { invitation: "", pieces: vec![FINE.into()], closes: false }
    }
}

impl Row {
    /// Bytes that a client sends.
    pub(super) fn sent(name: &'static str, bytes: impl Into<Vec<u8>>) -> Self {
        let (reply, differences) = (Reply::default(), Vec::new());
        Self {
            name,
            sends: vec![bytes.into()],
            answers: 1,
            raw: false,
            reply,
            comes: None,
            differences,
            why: "",
        }
    }

    /// A request of HTTP/1.1 with these field lines beside `Host`.
    pub(super) fn ask(name: &'static str, line: &str, fields: &str) -> Self {
        let ends = if fields.is_empty() { "" } else { "\r\n" };
        Self::sent(name, format!("{line} HTTP/1.1\r\nHost: app.test\r\n{fields}{ends}\r\n"))
    }

    /// A GET for the front page with these field lines.
    pub(super) fn get(name: &'static str, fields: &str) -> Self {
        Self::ask(name, "GET /", fields)
    }

    /// The same for this host.
    pub(super) fn host(mut self, host: &str) -> Self {
        let text = String::from_utf8_lossy(&self.sends[0]).into_owned();
        self.sends[0] = text.replace("Host: app.test\r\n", &format!("Host: {host}\r\n")).into();
        self
    }

    /// The body of the request.
    pub(super) fn body(mut self, body: impl AsRef<[u8]>) -> Self {
        self.sends.last_mut().expect("a head").extend_from_slice(body.as_ref());
        self
    }

    /// Sends this once the server has said something.
    pub(super) fn then(mut self, bytes: impl Into<Vec<u8>>) -> Self {
        self.sends.push(bytes.into());
        self
    }

    /// So many answers come.
    pub(super) fn answers(mut self, answers: usize) -> Self {
        self.answers = answers;
        self
    }

    /// The answer's bytes are looked at as they are; the client must ask for the connection's end.
    pub(super) fn raw(mut self) -> Self {
        self.raw = true;
        self
    }

    /// The origin answers this.
    pub(super) fn answered(mut self, bytes: impl Into<Vec<u8>>) -> Self {
        self.reply.pieces = vec![bytes.into()];
        self
    }

    /// The origin answers with this status line's end and these field lines, and no body.
    pub(super) fn status(self, status: &str, fields: &str) -> Self {
        let ends = if fields.is_empty() { "" } else { "\r\n" };
        self.answered(format!("HTTP/1.1 {status}\r\n{fields}{ends}Content-Length: 0\r\n\r\n"))
    }

    /// The origin answers with these field lines and a small body.
    pub(super) fn fields(self, fields: &str) -> Self {
        self.answered(format!("HTTP/1.1 200 OK\r\n{fields}\r\nContent-Length: 5\r\n\r\nfine\n"))
    }

    /// The origin answers in these pieces.
    pub(super) fn slowly(mut self, pieces: &[&str]) -> Self {
        self.reply.pieces = pieces.iter().map(|piece| piece.as_bytes().to_vec()).collect();
        self
    }

    /// The origin sends this before it reads the body.
    pub(super) fn invited(mut self, invitation: &'static str) -> Self {
        self.reply.invitation = invitation;
        self
    }

    /// The origin closes once it has answered.
    pub(super) fn closing(mut self) -> Self {
        self.reply.closes = true;
        self
    }

    /// The answer has this status.
    pub(super) fn comes(mut self, status: u16) -> Self {
        self.comes = Some(status);
        self
    }

    /// Where we differ, `(what, nginx, whodunit)`, and why, with the section that says so.
    pub(super) fn differs(mut self, from: &[(&str, &str, &str)], why: &'static str) -> Self {
        let own = |text: &str| text.to_owned();
        let each = from.iter().map(|(what, theirs, ours)| Difference {
            what: own(what),
            theirs: own(theirs),
            ours: own(ours),
        });
        self.differences = each.collect();
        self.why = why;
        self
    }
}
