//! Settings that a route or an upstream may override. Each value in force knows the place in the
//! configuration that it was taken from, so that a denial can name the setting to change.

use std::borrow::Cow;

use serde::{Deserialize, Deserializer};

use crate::attribution::Value;

/// A value in force and where it is set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Set<T> {
    /// The value.
    pub value: T,
    /// Its place in the configuration: `limits.request_body`, `routes[1].limits.request_body`.
    /// A value that is set nowhere stands at its default in the global section.
    pub place: Cow<'static, str>,
}

impl<T> Set<T> {
    /// The place as a piece of evidence.
    pub(crate) fn setting(&self) -> Value {
        Value::Text(self.place.clone())
    }
}

/// Reads a key that is present, so that `null` can override a value with "none": a key that is
/// absent never gets here, and where `null` means nothing it is refused.
pub(crate) fn stated<'de, D, T>(deserializer: D) -> Result<Option<T>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    T::deserialize(deserializer).map(Some)
}

/// Declares a section of settings in three forms: as written globally, as overridden by a part of
/// the configuration, and as in force. What stands under `global` has no override.
macro_rules! layers {
    (
        $section:literal:
        $(#[$whole:meta])* $Whole:ident,
        $(#[$part:meta])* $Part:ident,
        $(#[$force:meta])* $InForce:ident;
        anywhere { $( $(#[$meta:meta])* $field:ident: $ty:ty = $default:expr, )+ }
        global { $( $(#[$gmeta:meta])* $gfield:ident: $gty:ty = $gdefault:expr, )* }
    ) => {
        $(#[$whole])*
        #[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
        #[serde(default, deny_unknown_fields)]
        pub struct $Whole {
            $( $(#[$meta])* pub $field: $ty, )+
            $( $(#[$gmeta])* pub $gfield: $gty, )*
        }

        $(#[$part])*
        #[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
        #[serde(default, deny_unknown_fields)]
        pub struct $Part {
            $(
                $(#[$meta])*
                #[serde(deserialize_with = "crate::layers::stated", skip_serializing_if = "Option::is_none")]
                pub $field: Option<$ty>,
            )+
        }

        $(#[$force])*
        #[derive(Clone, Debug, PartialEq, Eq)]
        pub struct $InForce {
            $( $(#[$meta])* pub $field: crate::layers::Set<$ty>, )+
            $( $(#[$gmeta])* pub $gfield: crate::layers::Set<$gty>, )*
        }

        impl Default for $Whole {
            fn default() -> Self {
                Self { $( $field: $default, )+ $( $gfield: $gdefault, )* }
            }
        }

        impl $Whole {
            /// The settings in force where nothing overrides them.
            #[must_use]
            pub fn in_force(&self) -> $InForce {
                $InForce {
                    $( $field: crate::layers::Set {
                        value: Clone::clone(&self.$field),
                        place: concat!($section, ".", stringify!($field)).into(),
                    }, )+
                    $( $gfield: crate::layers::Set {
                        value: Clone::clone(&self.$gfield),
                        place: concat!($section, ".", stringify!($gfield)).into(),
                    }, )*
                }
            }
        }

        impl $InForce {
            /// The settings in force below `place` (`routes[1]`, `upstreams.api`), which overrides
            /// some of these.
            #[must_use]
            pub fn with(&self, place: &str, part: &$Part) -> Self {
                let mut inner = self.clone();
                $( if let Some(value) = Clone::clone(&part.$field) {
                    let place = format!(concat!("{}.", $section, ".", stringify!($field)), place);
                    inner.$field = crate::layers::Set { value, place: place.into() };
                } )+
                inner
            }
        }

        impl Default for $InForce {
            fn default() -> Self {
                $Whole::default().in_force()
            }
        }
    };
}
pub(crate) use layers;

#[cfg(test)]
mod tests {
    use crate::limits::{Limits, LimitsOverride};
    use crate::units::Size;

    #[test]
    fn the_innermost_value_is_in_force_and_says_where_it_stands() {
        let limits: Limits =
            serde_json::from_str(r#"{"request_body":"1MiB","request_uri":"8KiB"}"#).expect("valid");
        let upstream: LimitsOverride =
            serde_json::from_str(r#"{"request_body":"2MiB","response_headers":7}"#).expect("valid");
        let route: LimitsOverride =
            serde_json::from_str(r#"{"request_body":null}"#).expect("valid");
        let global = limits.in_force();
        assert_eq!(global.request_body.value, Some(Size(1 << 20)));
        assert_eq!(global.request_body.place, "limits.request_body");
        let inner = global.with("upstreams.api", &upstream).with("routes[1]", &route);
        assert_eq!(inner.request_body.value, None);
        assert_eq!(inner.request_body.place, "routes[1].limits.request_body");
        assert_eq!(inner.response_headers.value, 7);
        assert_eq!(inner.response_headers.place, "upstreams.api.limits.response_headers");
        assert_eq!(inner.request_uri.value, Size::kib(8));
        assert_eq!(inner.request_uri.place, "limits.request_uri");
    }

    #[test]
    fn overrides_are_strict() {
        for bad in [
            r#"{"connections":1}"#,
            r#"{"request_header":null}"#,
            r#"{"request_bodyy":1}"#,
            r#"{"request_body":"1 parsec"}"#,
        ] {
            assert!(serde_json::from_str::<LimitsOverride>(bad).is_err(), "{bad}");
        }
    }
}
