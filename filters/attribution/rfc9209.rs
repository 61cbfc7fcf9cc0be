//! The proxy error types of RFC 9209 section 2.3, with the extra parameters and the status that
//! each recommends.

use super::key::Key;
use super::token::tokens;

tokens! {
    /// A registered proxy error type.
    pub enum ErrorType {
        /// 2.3.1
        DnsTimeout = "dns_timeout",
        /// 2.3.2
        DnsError = "dns_error",
        /// 2.3.3
        DestinationNotFound = "destination_not_found",
        /// 2.3.4
        DestinationUnavailable = "destination_unavailable",
        /// 2.3.5
        DestinationIpProhibited = "destination_ip_prohibited",
        /// 2.3.6
        DestinationIpUnroutable = "destination_ip_unroutable",
        /// 2.3.7
        ConnectionRefused = "connection_refused",
        /// 2.3.8
        ConnectionTerminated = "connection_terminated",
        /// 2.3.9
        ConnectionTimeout = "connection_timeout",
        /// 2.3.10
        ConnectionReadTimeout = "connection_read_timeout",
        /// 2.3.11
        ConnectionWriteTimeout = "connection_write_timeout",
        /// 2.3.12
        ConnectionLimitReached = "connection_limit_reached",
        /// 2.3.13
        TlsProtocolError = "tls_protocol_error",
        /// 2.3.14
        TlsCertificateError = "tls_certificate_error",
        /// 2.3.15
        TlsAlertReceived = "tls_alert_received",
        /// 2.3.16
        HttpRequestError = "http_request_error",
        /// 2.3.17
        HttpRequestDenied = "http_request_denied",
        /// 2.3.18
        HttpResponseIncomplete = "http_response_incomplete",
        /// 2.3.19
        HttpResponseHeaderSectionSize = "http_response_header_section_size",
        /// 2.3.20
        HttpResponseHeaderSize = "http_response_header_size",
        /// 2.3.21
        HttpResponseBodySize = "http_response_body_size",
        /// 2.3.22
        HttpResponseTrailerSectionSize = "http_response_trailer_section_size",
        /// 2.3.23
        HttpResponseTrailerSize = "http_response_trailer_size",
        /// 2.3.24
        HttpResponseTransferCoding = "http_response_transfer_coding",
        /// 2.3.25
        HttpResponseContentCoding = "http_response_content_coding",
        /// 2.3.26
        HttpResponseTimeout = "http_response_timeout",
        /// 2.3.27
        HttpUpgradeFailed = "http_upgrade_failed",
        /// 2.3.28
        HttpProtocolError = "http_protocol_error",
        /// 2.3.29
        ProxyInternalResponse = "proxy_internal_response",
        /// 2.3.30
        ProxyInternalError = "proxy_internal_error",
        /// 2.3.31
        ProxyConfigurationError = "proxy_configuration_error",
        /// 2.3.32
        ProxyLoopDetected = "proxy_loop_detected",
    }
}

/// The form of a parameter's value (RFC 8941).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// An Integer.
    Integer,
    /// A String.
    String,
    /// A Token.
    Token,
}

impl ErrorType {
    /// The parameters that RFC 9209 adds to this type and the facts they are filled from.
    /// `http_request_error`'s `status-code` is the status of the answer and stands elsewhere.
    #[must_use]
    pub const fn parameters(self) -> &'static [(&'static str, Key, Form)] {
        match self {
            Self::DnsError => {
                &[("rcode", Key::Rcode, Form::String), ("info-code", Key::InfoCode, Form::Integer)]
            }
            Self::TlsAlertReceived => &[
                ("alert-id", Key::AlertId, Form::Integer),
                ("alert-message", Key::Alert, Form::Token),
            ],
            Self::HttpResponseHeaderSectionSize => {
                &[("header-section-size", Key::Size, Form::Integer)]
            }
            Self::HttpResponseHeaderSize => &[
                ("header-name", Key::Field, Form::String),
                ("header-size", Key::Size, Form::Integer),
            ],
            Self::HttpResponseBodySize => &[("body-size", Key::Size, Form::Integer)],
            Self::HttpResponseTrailerSectionSize => {
                &[("trailer-section-size", Key::Size, Form::Integer)]
            }
            Self::HttpResponseTrailerSize => &[
                ("trailer-name", Key::Field, Form::String),
                ("trailer-size", Key::Size, Form::Integer),
            ],
            Self::HttpResponseTransferCoding | Self::HttpResponseContentCoding => {
                &[("coding", Key::Coding, Form::Token)]
            }
            _ => &[],
        }
    }

    /// The status that RFC 9209 recommends; `None` where it leaves the choice open.
    #[must_use]
    pub const fn status(self) -> Option<u16> {
        match self {
            Self::DnsTimeout
            | Self::ConnectionTimeout
            | Self::ConnectionReadTimeout
            | Self::ConnectionWriteTimeout
            | Self::HttpResponseTimeout => Some(504),
            Self::DestinationNotFound
            | Self::ProxyInternalError
            | Self::ProxyConfigurationError => Some(500),
            Self::DestinationUnavailable | Self::ConnectionLimitReached => Some(503),
            Self::HttpRequestDenied => Some(403),
            Self::HttpRequestError | Self::ProxyInternalResponse => None,
            _ => Some(502),
        }
    }
}
