//! A field being read: each member is made as it is parsed.

use sfv::visitor::{
    EntryVisitor, Ignored, InnerListVisitor, ItemVisitor, ListVisitor, ParameterVisitor,
};
use sfv::{BareItemFromInput, KeyRef, Parser, Version};

use super::{Malformed, Member, Param};

/// All members of a field.
pub(super) fn members(field: &str) -> Result<Vec<Member>, Malformed> {
    let parser = Parser::new(field).with_version(Version::Rfc8941);
    parser.parse_list_with_visitor(Members(Vec::new())).map_err(|_| Malformed)
}

/// Those that have come so far.
struct Members(Vec<Member>);

impl<'de> ListVisitor<'de> for Members {
    type Out = Vec<Member>;
    type Error = Malformed;

    fn entry(&mut self) -> Result<impl EntryVisitor<'de>, Malformed> {
        Ok(self)
    }

    fn finish(self) -> Result<Vec<Member>, Malformed> {
        Ok(self.0)
    }
}

impl<'de> EntryVisitor<'de> for &mut Members {
    type Error = Malformed;

    fn item(self) -> Result<impl ItemVisitor<'de>, Malformed> {
        Ok(self)
    }

    fn inner_list(self) -> Result<impl InnerListVisitor<'de>, Malformed> {
        Err::<Ignored, _>(Malformed)
    }
}

impl<'de> ItemVisitor<'de> for &mut Members {
    type Out = ();
    type Error = Malformed;

    fn bare_item(
        self,
        item: BareItemFromInput<'de>,
    ) -> Result<impl ParameterVisitor<'de, Out = ()>, Malformed> {
        let name = match item {
            BareItemFromInput::Token(name) => name.as_str().to_owned(),
            BareItemFromInput::String(name) => name.into_owned().into(),
            _ => return Err(Malformed),
        };
        self.0.push(Member { name, params: Vec::new() });
        let member = self.0.last_mut().expect("it was just put there");
        Ok(Params(&mut member.params))
    }
}

/// The parameters of one member.
struct Params<'m>(&'m mut Vec<(String, Param)>);

impl<'de> ParameterVisitor<'de> for Params<'_> {
    type Out = ();
    type Error = Malformed;

    /// The last one of a name counts, in the place of the first (RFC 8941 section 4.2.3.2).
    fn parameter(
        &mut self,
        key: &'de KeyRef,
        item: BareItemFromInput<'de>,
    ) -> Result<(), Malformed> {
        let value = param(item)?;
        match self.0.iter_mut().find(|(name, _)| name == key.as_str()) {
            Some((_, earlier)) => *earlier = value,
            None => self.0.push((key.as_str().to_owned(), value)),
        }
        Ok(())
    }

    fn finish(self) -> Result<(), Malformed> {
        Ok(())
    }
}

fn param(item: BareItemFromInput<'_>) -> Result<Param, Malformed> {
    Ok(match item {
        BareItemFromInput::Integer(number) => Param::Integer(number.into()),
        BareItemFromInput::Decimal(number) => Param::Decimal(number.into()),
        BareItemFromInput::String(text) => Param::String(text.into_owned().into()),
        BareItemFromInput::Token(text) => Param::Token(text.as_str().to_owned()),
        BareItemFromInput::ByteSequence(bytes) => Param::Bytes(bytes),
        BareItemFromInput::Boolean(flag) => Param::Flag(flag),
        BareItemFromInput::Date(_) | BareItemFromInput::DisplayString(_) => return Err(Malformed),
    })
}
