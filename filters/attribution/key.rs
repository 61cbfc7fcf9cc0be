//! The names of facts, each with its unit and whether it may leave on the wire.

use super::evidence::Value;
use super::token::tokens;

mod unit;

pub use unit::Unit;

tokens! {
    /// What a piece of evidence is about. The word is the field's name under `evidence` in the log.
    pub enum Key {
        /// The operating system's error, by its symbolic name.
        Errno = "errno",
        /// The parser's rule, or the policy's, that was broken.
        Rule = "rule",
        /// Where in the input, in bytes from its start.
        Offset = "offset",
        /// How large it was.
        Size = "size",
        /// The limit that it broke, in bytes.
        Limit = "limit",
        /// How many there were.
        Count = "count",
        /// The limit that was broken, as a number of things.
        MaxCount = "max_count",
        /// The limit that ran out, as a time.
        LimitMs = "limit_ms",
        /// Whose requests are counted together: `client`, `route`, `header NAME`.
        CountedBy = "counted_by",
        /// The setting that holds the limit, by its place in the configuration.
        Setting = "setting",
        /// The name of the header field concerned (never its value).
        Field = "field",
        /// Whether the size was declared by the sender (else it was counted).
        Declared = "declared",
        /// The request's method.
        Method = "method",
        /// Which part of a message: `header`, `body`.
        Part = "part",
        /// Bytes that had come until then.
        BytesSoFar = "bytes_so_far",
        /// How long one had waited.
        WaitedMs = "waited_ms",
        /// How the other end left: `closed`, `reset`.
        Left = "left",
        /// The phase in which the exchange was when the client left.
        During = "during",
        /// The host that was asked for.
        Host = "host",
        /// The path that was asked for, without its query and the values of its parameters.
        Path = "path",
        /// The upstream, by its name in the configuration.
        Upstream = "upstream",
        /// The stations of a request, as its trace tells them.
        Trace = "trace",
        /// How many stations.
        Hops = "hops",
        /// The name that was looked up.
        Name = "name",
        /// The name server's verdict (RFC 1035 section 4.1.1).
        Rcode = "rcode",
        /// The name server's extended verdict (RFC 8914), its number.
        InfoCode = "info_code",
        /// The name server that was asked.
        Resolver = "resolver",
        /// Whether the name resolved at any time since this process started.
        EverResolved = "ever_resolved",
        /// The age of the answer that was used.
        AnswerAgeMs = "answer_age_ms",
        /// Whether that answer was past its time and could not be renewed.
        AnswerOverdue = "answer_overdue",
        /// The address that was tried.
        Address = "address",
        /// How long ago another connection to that address was accepted.
        LastSuccessMs = "last_success_ms",
        /// Connections to that address that were accepted while this one waited.
        AcceptedMeanwhile = "accepted_meanwhile",
        /// Other attempts to connect to that address that went unanswered in the last minute, while
        /// none was answered.
        SilentLately = "silent_lately",
        /// Whether a fresh answer of the name server no longer holds the address that was used.
        AddressGone = "address_gone",
        /// How long the reused connection had been idle.
        IdleMs = "idle_ms",
        /// The origin's own idle timeout, as learned from the connections it closed.
        OriginIdleMs = "origin_idle_ms",
        /// Requests that the connection had carried before.
        Requests = "requests",
        /// Bytes of the request that were written to the origin.
        Written = "written",
        /// Bytes that the message was to have.
        Expected = "expected",
        /// Bytes of the message that came.
        Received = "received",
        /// The first bytes that came, escaped, at most 64.
        FirstBytes = "first_bytes",
        /// The protocol those bytes look like.
        LooksLike = "looks_like",
        /// The status that the origin answered with.
        Status = "status",
        /// How the body is delimited: `content-length`, `chunked`.
        Framing = "framing",
        /// The number of the TLS alert.
        AlertId = "alert_id",
        /// The TLS alert by name.
        Alert = "alert",
        /// Whether the other end had asked for a certificate (RFC 8446 section 4.3.2).
        CertificateRequested = "certificate_requested",
        /// Whether it was shown one.
        CertificateShown = "certificate_shown",
        /// The certificate's subject.
        Subject = "subject",
        /// The certificate's issuer.
        Issuer = "issuer",
        /// Since when it is valid.
        NotBefore = "not_before",
        /// Until when it is valid.
        NotAfter = "not_after",
        /// The names that the certificate is for.
        Names = "names",
        /// The server name that was asked for (SNI).
        Sni = "sni",
        /// The versions of TLS that were offered.
        Versions = "versions",
        /// The cipher suites of TLS that were offered.
        Ciphers = "ciphers",
        /// What was offered.
        Offered = "offered",
        /// What was chosen.
        Selected = "selected",
        /// The HTTP/2 error code.
        ErrorCode = "error_code",
        /// The last HTTP/2 stream that the other end will answer.
        LastStream = "last_stream",
        /// Each endpoint with what took it out.
        Endpoints = "endpoints",
        /// Whether what took every one of them out lay with the origin.
        AllAtOrigin = "all_at_origin",
        /// Where in the program a panic or an unforeseen state arose.
        At = "at",
        /// The cause that the next hop names.
        InnerCause = "inner_cause",
        /// The hop that saw the failure.
        InnerNode = "inner_node",
        /// The content or transfer coding.
        Coding = "coding",
        /// How many requests or connections of this kind were open.
        Open = "open",
        /// How many waited for one of them to end.
        Queued = "queued",
        /// How many may.
        MaxQueued = "max_queued",
        /// The setting that kept the request from being tried once more.
        RetryWithheld = "retry_withheld",
        /// The local ports that connections may be made from: the first and the last.
        PortRange = "port_range",
        /// Round-trip time (`tcpi_rtt`), in microseconds.
        RttUs = "rtt_us",
        /// Times that the oldest unconfirmed segment was sent again without an answer
        /// (`tcpi_retransmits`).
        Retransmits = "retransmits",
        /// Segments sent again since the connection began (`tcpi_total_retrans`).
        RetransmitsInAll = "retransmits_in_all",
        /// Times that the first packet of a connection had to be sent again until it was answered.
        SynRetransmits = "syn_retransmits",
        /// Segments not acknowledged (`tcpi_unacked`).
        Unacked = "unacked",
        /// Smaller requests to the same address that were answered in the last minute.
        SmallerAnswered = "smaller_answered",
        /// Room that the other end leaves for more bytes (`tcpi_snd_wnd`).
        SendWindow = "send_window",
        /// Whether the other end's window is closed: it takes no more bytes.
        WindowClosed = "window_closed",
        /// Probes of a closed window that were not answered (`tcpi_probes`).
        WindowProbes = "window_probes",
        /// Bytes acknowledged since the connection began (`tcpi_bytes_acked`).
        BytesAcked = "bytes_acked",
        /// Bytes written that were not even sent yet (`tcpi_notsent_bytes`).
        NotSent = "not_sent",
        /// Bytes in a packet that the path is thought to take (`tcpi_pmtu`).
        Pmtu = "pmtu",
        /// Bytes in a full segment (`tcpi_snd_mss`).
        Segment = "segment",
        /// Segments that came before an earlier one did, while that has not come (`tcpi_rcv_ooopack`).
        OutOfOrder = "out_of_order",
        /// Whether packets were seen to be lost: ours were sent again and again without being
        /// confirmed, or some of the other end's came while one before them never did.
        PacketsLost = "packets_lost",
        /// Whether the other end confirmed every byte that was sent to it.
        Acknowledged = "acknowledged",
        /// Whether the connection began with a header of the PROXY protocol, which not everybody expects.
        Greeted = "proxy_protocol",
        /// Whether the other requests of the last minutes failed as well: `all`, `some`, `first`.
        /// Like all that follows, about the endpoint; about the upstream where there was none yet.
        Scope = "scope",
        /// How many requests failed in the last minutes, this one included.
        FailedLately = "failed_lately",
        /// How many went well in the same time.
        AnsweredLately = "answered_lately",
        /// How many have failed since the last one that went well, this one included.
        FailedInARow = "failed_in_a_row",
        /// When those began to fail (RFC 3339, UTC).
        Since = "since",
        /// What the failures of the last minutes have in common and no good request shares.
        Pattern = "pattern",
        /// Endpoints of the same upstream at which every request fails.
        EndpointsFailing = "endpoints_failing",
        /// Endpoints of the same upstream at which the last request went well.
        EndpointsAnswering = "endpoints_answering",
        /// How many endpoints the upstream has.
        EndpointsTotal = "endpoints_total",
        /// Endpoints of the same upstream that requests were not sent to at the time, each with what
        /// took it out.
        OutOfRotation = "out_of_rotation",
        /// The time after which the endpoint gave requests up, this time and right before.
        UsualWaitMs = "usual_wait_ms",
        /// What somebody found who looked at the endpoint after an earlier failure: `answers`, or the id
        /// of the cause by which the look failed.
        Check = "check",
        /// How long ago that was.
        CheckAgeMs = "check_age_ms",
        /// After what time trying again is of use, where a setting says so.
        RetryAfterMs = "retry_after_ms",
        /// What the operators wrote for clients to read.
        Message = "message",
    }
}

impl Key {
    /// What a number under this key counts.
    #[must_use]
    pub const fn unit(self) -> Unit {
        match self {
            Self::Size
            | Self::Limit
            | Self::BytesSoFar
            | Self::Written
            | Self::Expected
            | Self::Received
            | Self::SendWindow
            | Self::NotSent
            | Self::Pmtu
            | Self::Segment
            | Self::BytesAcked => Unit::Bytes,
            Self::LimitMs
            | Self::WaitedMs
            | Self::AnswerAgeMs
            | Self::LastSuccessMs
            | Self::IdleMs
            | Self::OriginIdleMs
            | Self::UsualWaitMs
            | Self::CheckAgeMs
            | Self::RetryAfterMs => Unit::Millis,
            _ => Unit::Plain,
        }
    }

    /// Whether this value bears a verdict out. A count of nothing and a plain no do not: they are
    /// what was looked for and not found.
    #[must_use]
    pub const fn bears_out(self, value: &Value) -> bool {
        match value {
            Value::Number(0) => !matches!(
                self,
                Self::AcceptedMeanwhile
                    | Self::SilentLately
                    | Self::SmallerAnswered
                    | Self::OutOfOrder
                    | Self::Retransmits
                    | Self::Unacked
            ),
            Value::Flag(yes) => {
                *yes || !matches!(
                    self,
                    Self::AddressGone
                        | Self::AllAtOrigin
                        | Self::CertificateRequested
                        | Self::Acknowledged
                        | Self::PacketsLost
                        | Self::WindowClosed
                )
            }
            Value::Number(_) | Value::Text(_) | Value::List(_) => true,
        }
    }

    /// Whether this fact may stand in `details`: numbers, and words from our own closed
    /// vocabularies. Names, addresses and bytes of messages never leave that way.
    #[must_use]
    pub const fn on_the_wire(self) -> bool {
        !matches!(self.unit(), Unit::Plain)
            || matches!(
                self,
                Self::Errno
                    | Self::Rule
                    | Self::Offset
                    | Self::Count
                    | Self::MaxCount
                    | Self::Setting
                    | Self::Part
                    | Self::Left
                    | Self::During
                    | Self::Hops
                    | Self::Rcode
                    | Self::InfoCode
                    | Self::Requests
                    | Self::LooksLike
                    | Self::Status
                    | Self::Framing
                    | Self::AlertId
                    | Self::Alert
                    | Self::ErrorCode
                    | Self::LastStream
                    | Self::AcceptedMeanwhile
                    | Self::Open
                    | Self::Retransmits
                    | Self::Unacked
                    | Self::OutOfOrder
            )
    }
}
