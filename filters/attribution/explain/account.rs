//! What one hop, or one record, says of a failure.

use serde::Serialize;

use super::kind;
use super::tidy;
use crate::attribution::cause::{self, Again, Cause};
use crate::attribution::evidence::{Certainty, Party, Phase, Scope, Sent};
use crate::attribution::header::{Member, Param};
use crate::attribution::key::Key;
use crate::attribution::rfc9209::ErrorType;
use crate::attribution::wording;

/// One account of a failure, in words.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub(super) struct Account {
    /// The catalogue's id, when it is in the catalogue.
    pub(super) cause: Option<String>,
    /// The error type, as it was written.
    pub(super) error: Option<String>,
    pub(super) party: Option<Party>,
    pub(super) phase: Option<Phase>,
    pub(super) certainty: Option<Certainty>,
    /// Whether other requests failed as well.
    pub(super) scope: Option<Scope>,
    pub(super) sent: Option<Sent>,
    pub(super) attempts: Option<i64>,
    /// What happened.
    pub(super) says: String,
    pub(super) who: String,
    pub(super) details: Option<String>,
    /// What to do next.
    pub(super) remedy: String,
    /// Whether it is of use to send the request again, where that does no harm.
    #[serde(skip)]
    pub(super) worth_repeating: bool,
    #[serde(rename = "ref")]
    pub(super) reference: Option<String>,
}

impl Account {
    /// A cause by itself.
    pub(super) fn of_cause(row: Cause) -> Self {
        Self {
            cause: Some(row.id.to_owned()),
            error: row.error.map(|error| error.as_str().to_owned()),
            party: Some(row.party),
            phase: Some(row.phase),
            says: row.meaning.to_owned(),
            who: party(row.party).to_owned(),
            remedy: remedy(row, &|_| None),
            worth_repeating: row.again != Again::Never,
            ..Self::default()
        }
    }

    /// An error type by itself.
    pub(super) fn of_type(error: ErrorType) -> Self {
        let kind = kind::of(error);
        Self {
            error: Some(error.as_str().to_owned()),
            says: kind.says.to_owned(),
            who: pointed(kind.points),
            remedy: kind.next.to_owned(),
            ..Self::default()
        }
    }

    /// What a member says. `inner` is the failing link that an earlier member named.
    pub(super) fn of_member(member: &Member, inner: Option<&Member>) -> Self {
        let word = |name| member.text(name);
        let row = word("cause").and_then(cause::find);
        let error = word("error");
        let known = error.and_then(|error| error.parse::<ErrorType>().ok());
        let told = match (row, known, error) {
            (Some(row), ..) => Self::of_row(row, known, member, inner),
            (None, Some(known), _) => Self::of_type(known),
            (None, None, Some(error)) => Self {
                says: format!(
                    "It made the answer itself, for a reason of its own: {}.",
                    tidy(error)
                ),
                who: pointed(None),
                remedy: "Look into the log of that proxy, or its manual, for this word.".to_owned(),
                ..Self::default()
            },
            (None, None, None) => Self::passed(member.integer("received-status")),
        };
        let attempts = member.integer("attempts").filter(|attempts| *attempts > 1);
        Self {
            cause: word("cause").map(tidy).or(told.cause),
            error: error.map(tidy),
            party: word("party").and_then(|word| word.parse().ok()).or(told.party),
            phase: word("phase").and_then(|word| word.parse().ok()).or(told.phase),
            certainty: word("certainty").and_then(|word| word.parse().ok()),
            scope: word("scope").and_then(|word| word.parse().ok()),
            sent: word("sent").and_then(|word| word.parse().ok()),
            attempts,
            details: word("details").map(tidy),
            reference: word("ref").map(tidy),
            ..told
        }
        .accused()
    }

    fn of_row(
        row: Cause,
        error: Option<ErrorType>,
        member: &Member,
        inner: Option<&Member>,
    ) -> Self {
        let fact = |name: &str| fact(name, error, member, inner);
        Self {
            says: wording::filled(row.says, &fact).unwrap_or_else(|| row.meaning.to_owned()),
            remedy: remedy(row, &fact),
            worth_repeating: row.again != Again::Never,
            party: Some(row.party),
            ..Self::default()
        }
    }

    fn passed(status: Option<i64>) -> Self {
        let status = status.map(|status| format!(" with status {status}")).unwrap_or_default();
        Self {
            says: format!("It received an answer{status} and passed it on."),
            who: "the origin, or a proxy before it that says nothing of itself".to_owned(),
            remedy: "Look into the log of whatever stands behind that proxy.".to_owned(),
            ..Self::default()
        }
    }

    /// The same, with the party named by the account itself.
    fn accused(mut self) -> Self {
        if let Some(accused) = self.party {
            party(accused).clone_into(&mut self.who);
        }
        self
    }
}

/// A fact that a template asks for, as far as a member holds it.
fn fact(
    name: &str,
    error: Option<ErrorType>,
    member: &Member,
    inner: Option<&Member>,
) -> Option<String> {
    match name {
        "next_hop" => return member.text("next-hop").map(tidy),
        "attempts" => return member.integer("attempts").map(|attempts| attempts.to_string()),
        "status" => return member.integer("received-status").map(|status| status.to_string()),
        "inner_node" => return inner.map(|inner| tidy(&inner.name)),
        "inner_cause" => {
            return inner.and_then(|inner| inner.text("cause").or(inner.text("error"))).map(tidy);
        }
        _ => {}
    }
    let key: Key = name.parse().ok()?;
    let (param, ..) = error?.parameters().iter().find(|(_, k, _)| *k == key)?;
    match member.param(param)? {
        Param::Integer(number) => Some(key.unit().words(u64::try_from(*number).ok()?)),
        Param::String(text) | Param::Token(text) => Some(tidy(text)),
        Param::Decimal(_) | Param::Bytes(_) | Param::Flag(_) => None,
    }
}

/// The remedy of a row. What the header does not tell is put in a way that does without.
fn remedy(row: Cause, fact: &dyn Fn(&str) -> Option<String>) -> String {
    let template = row.remedy.replace("upstream `{upstream}`", "the upstream");
    let given = |name: &str| {
        let other = match name {
            "setting" => "the setting of that limit",
            "name" => "NAME",
            "next_hop" => "HOST:PORT",
            "inner_node" => "the proxy behind this one",
            _ => return fact(name),
        };
        fact(name).or_else(|| Some(other.to_owned()))
    };
    // Parts that may be left out are better left out than filled with placeholders.
    let known = |name: &str| if template_needs(&template, name) { given(name) } else { fact(name) };
    wording::filled(&template, &known).unwrap_or_else(|| {
        "Look into the log of that proxy: the record under this reference says what to do."
            .to_owned()
    })
}

/// Whether a template names a fact outside the parts in brackets.
fn template_needs(template: &str, name: &str) -> bool {
    let mut depth = 0_usize;
    let name = format!("{{{name}}}");
    template.char_indices().any(|(at, c)| {
        match c {
            '[' => depth += 1,
            ']' => depth = depth.saturating_sub(1),
            _ => {}
        }
        depth == 0 && template[at..].starts_with(&name)
    })
}

/// Who that is.
pub(super) const fn party(party: Party) -> &'static str {
    match party {
        Party::Client => "the client",
        Party::Network => "the network between that proxy and the origin",
        Party::Proxy => "that proxy (its configuration, its limits or its state)",
        Party::NextHop => "another proxy behind that one",
        Party::Origin => "the origin",
    }
}

/// Who is to blame as far as an error type alone can tell.
fn pointed(points: Option<Party>) -> String {
    match points {
        Some(points) => {
            format!("most likely {}; the type of error alone proves nothing", party(points))
        }
        None => "not said".to_owned(),
    }
}
