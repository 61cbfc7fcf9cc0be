//! Texts that have a form of their own are checked by what will read them, so that the problem is
//! told in its words.

use std::str::FromStr;

use whodunit_filters::units::{Size, Span};

use crate::schema::Server;
use crate::schema::address::{Address, Target};
use crate::schema::health::{Authority, Expect, Page};
use crate::schema::listener::Mode;
use crate::schema::page::Statuses;
use crate::schema::percent::{Percent, Share};
use crate::schema::process::Account;
use crate::schema::route::answer::MediaType;
use crate::schema::route::edits::{RequestField, ResponseField};
use crate::schema::route::matching::{ExactPath, Pattern, Verb};
use crate::schema::route::rewrite::{HostSent, Replacement};
use crate::schema::route::template::{AnswerText, RequestText};
use crate::schema::spread::By;
use crate::schema::text::{Host, Name, Prefix, ServerName};
use crate::sections::{ContentType, FieldName, Secret, Source, Trust, rate};

/// Reads a text for its problem alone.
pub(super) type Read = fn(&str) -> Result<(), String>;
/// What reads the texts of each definition, by its name in the schema.
pub(super) const READERS: &[(&str, Read)] = &[
    ("Duration", by::<Span>),
    ("Size", by::<Size>),
    ("Account", by::<Account>),
    ("Address", by::<Address>),
    ("Target", by::<Target>),
    ("Host", by::<Host>),
    ("Prefix", by::<Prefix>),
    ("Name", by::<Name>),
    ("ServerName", by::<ServerName>),
    ("Server", by::<Server>),
    ("HashBy", by::<By>),
    ("Percent", by::<Percent>),
    ("Page", by::<Page>),
    ("Authority", by::<Authority>),
    ("Expect", by::<Expect>),
    ("Share", by::<Share>),
    ("FieldName", from::<FieldName>),
    ("Secret", from::<Secret>),
    ("Trust", from::<Trust>),
    ("ExactPath", by::<ExactPath>),
    ("Pattern", by::<Pattern>),
    ("Verb", by::<Verb>),
    ("Replacement", by::<Replacement>),
    ("HostSent", by::<HostSent>),
    ("RequestText", by::<RequestText>),
    ("AnswerText", by::<AnswerText>),
    ("RequestField", by::<RequestField>),
    ("ResponseField", by::<ResponseField>),
    ("MediaType", by::<MediaType>),
    ("Mode", by::<Mode>),
    ("Source", from::<Source>),
    ("RateBy", from::<rate::By>),
    ("ContentType", from::<ContentType>),
    ("ErrorStatuses", by::<Statuses>),
];

fn by<T: FromStr<Err = String>>(text: &str) -> Result<(), String> {
    text.parse::<T>().map(drop)
}

fn from<T: TryFrom<String, Error = String>>(text: &str) -> Result<(), String> {
    T::try_from(text.to_owned()).map(drop)
}

/// What reads the texts of the definition of this name, if they have a form of their own.
pub(super) fn reader(name: &str) -> Option<Read> {
    READERS.iter().find(|(known, _)| *known == name).map(|(_, read)| *read)
}
