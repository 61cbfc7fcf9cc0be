//! What has members or elements, being written.

use serde::ser::{Serialize, SerializeMap, SerializeSeq, SerializeStruct, SerializeTuple};
use serde_json::Error;

use super::Writer;

/// An object or an array that is not closed yet.
pub(super) struct Compound<'w, const PRETTY: bool> {
    pub(super) writer: &'w mut Writer<PRETTY>,
    pub(super) first: bool,
    pub(super) close: char,
}

impl<const PRETTY: bool> Compound<'_, PRETTY> {
    #[inline]
    fn begin(&mut self) {
        self.writer.begin(self.first);
        self.first = false;
    }

    fn finish(self) {
        self.writer.depth -= 1;
        if PRETTY && !self.first {
            self.writer.line();
        }
        self.writer.out.push(self.close);
    }
}

impl<const PRETTY: bool> SerializeSeq for Compound<'_, PRETTY> {
    type Ok = ();
    type Error = Error;

    fn serialize_element<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Error> {
        self.begin();
        value.serialize(&mut *self.writer)
    }

    fn end(self) -> Result<(), Error> {
        self.finish();
        Ok(())
    }
}

impl<const PRETTY: bool> SerializeTuple for Compound<'_, PRETTY> {
    type Ok = ();
    type Error = Error;

    fn serialize_element<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Error> {
        SerializeSeq::serialize_element(self, value)
    }

    fn end(self) -> Result<(), Error> {
        SerializeSeq::end(self)
    }
}

impl<const PRETTY: bool> SerializeMap for Compound<'_, PRETTY> {
    type Ok = ();
    type Error = Error;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), Error> {
        self.begin();
        key.serialize(&mut *self.writer)
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Error> {
        self.writer.colon();
        value.serialize(&mut *self.writer)
    }

    fn end(self) -> Result<(), Error> {
        self.finish();
        Ok(())
    }
}

impl<const PRETTY: bool> SerializeStruct for Compound<'_, PRETTY> {
    type Ok = ();
    type Error = Error;

    #[inline(always)]
    #[expect(clippy::inline_always, reason = "the name is then a constant, and copied as one")]
    fn serialize_field<T: Serialize + ?Sized>(
        &mut self,
        name: &'static str,
        value: &T,
    ) -> Result<(), Error> {
        self.writer.member(name, self.first);
        self.first = false;
        value.serialize(&mut *self.writer)
    }

    fn end(self) -> Result<(), Error> {
        self.finish();
        Ok(())
    }
}
