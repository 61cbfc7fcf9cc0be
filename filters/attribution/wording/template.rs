//! The templates of the catalogue, taken apart.

/// A template. What a fact is, the caller says: `F` is made of each name once, when the template is
/// taken apart, so that nothing is left to be looked up by name when it is filled.
pub(crate) struct Template<'t, F> {
    parts: Vec<Part<'t, F>>,
    /// How long it is unfilled.
    length: usize,
}

struct Part<'t, F> {
    pieces: Vec<Piece<'t, F>>,
    /// Whether it is left out when a fact in it is missing.
    optional: bool,
}

enum Piece<'t, F> {
    Text(&'t str),
    Fact(&'t str, F),
}

impl<'t, F> Template<'t, F> {
    pub(crate) fn parse(text: &'t str, fact: &dyn Fn(&'t str) -> F) -> Self {
        let mut parts = Vec::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once('[') {
            parts.push(Part { pieces: pieces(before, fact), optional: false });
            let (inner, after) = after.split_once(']').expect("a template closes its brackets");
            parts.push(Part { pieces: pieces(inner, fact), optional: true });
            rest = after;
        }
        parts.push(Part { pieces: pieces(rest, fact), optional: false });
        Self { parts, length: text.len() }
    }

    /// The filled template, and whether no fact was missing outside the parts that may be left out.
    /// `tell` puts a fact behind what is there, or says that there is none.
    pub(crate) fn weave(&self, tell: impl Fn(&F, &mut String) -> bool) -> (String, bool) {
        let mut out = String::with_capacity(self.length * 2);
        let mut whole = true;
        for part in &self.parts {
            let before = out.len();
            for piece in &part.pieces {
                match piece {
                    Piece::Text(text) => out.push_str(text),
                    Piece::Fact(_, fact) if tell(fact, &mut out) => {}
                    Piece::Fact(..) if part.optional => {
                        out.truncate(before);
                        break;
                    }
                    Piece::Fact(name, _) => {
                        whole = false;
                        out.push_str("an unknown ");
                        out.extend(name.chars().map(|c| if c == '_' { ' ' } else { c }));
                    }
                }
            }
        }
        (out, whole)
    }
}

/// What stands on one side of a bracket.
fn pieces<'t, F>(text: &'t str, fact: &dyn Fn(&'t str) -> F) -> Vec<Piece<'t, F>> {
    let mut pieces = Vec::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('{') {
        let (name, after) = after.split_once('}').expect("a template closes its braces");
        pieces.extend((!before.is_empty()).then_some(Piece::Text(before)));
        pieces.push(Piece::Fact(name, fact(name)));
        rest = after;
    }
    pieces.extend((!rest.is_empty()).then_some(Piece::Text(rest)));
    pieces
}
