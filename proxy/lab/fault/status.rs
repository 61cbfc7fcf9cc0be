//! Well-formed answers that tell of an error.

use super::{Fault, Needs};
use crate::lab::script::Step::{Body, End, Part, Repeat, Send};
use crate::lab::wire::After::{Close, Drop, Next};

const ERROR: &str = "origin_error";
const UPLOAD: &[Needs] = &[Needs::Body(1 << 24)];
const REFUSAL: &[u8] = b"HTTP/1.1 413 Content Too Large\r\nContent-Type: text/plain\r\n\
                         Content-Length: 10\r\nConnection: close\r\n\r\ntoo large\n";

pub(super) const ROWS: &[Fault] = &[
    Fault::path(
        "error-500",
        "Answers 500 with a body.",
        ERROR,
        &[
            Body,
            Send(
                b"HTTP/1.1 500 Internal Server Error\r\nContent-Type: text/plain\r\n\
                  Content-Length: 21\r\n\r\nthe database is gone\n",
            ),
            End(Next),
        ],
    ),
    Fault::path(
        "error-502",
        "Answers 502 with a body.",
        ERROR,
        &[
            Body,
            Send(
                b"HTTP/1.1 502 Bad Gateway\r\nContent-Type: text/plain\r\n\
                  Content-Length: 12\r\n\r\nbad gateway\n",
            ),
            End(Next),
        ],
    ),
    Fault::path(
        "error-503",
        "Answers 503 with Retry-After and a body in chunks.",
        ERROR,
        &[
            Body,
            Send(
                b"HTTP/1.1 503 Service Unavailable\r\nContent-Type: text/plain\r\n\
                  Retry-After: 5\r\nTransfer-Encoding: chunked\r\n\r\n\
                  d\r\nback shortly\n\r\n0\r\n\r\n",
            ),
            End(Next),
        ],
    ),
    Fault::path(
        "error-504",
        "Answers 504 without a body.",
        ERROR,
        &[Body, Send(b"HTTP/1.1 504 Gateway Timeout\r\nContent-Length: 0\r\n\r\n"), End(Next)],
    ),
    Fault::path(
        "error-nginx",
        "Answers 502 with the page of an nginx whose own origin failed.",
        ERROR,
        &[
            Body,
            Send(
                b"HTTP/1.1 502 Bad Gateway\r\nServer: nginx/1.26.3\r\nContent-Type: text/html\r\n\
                  Content-Length: 157\r\n\r\n\
                  <html>\r\n<head><title>502 Bad Gateway</title></head>\r\n<body>\r\n\
                  <center><h1>502 Bad Gateway</h1></center>\r\n<hr><center>nginx/1.26.3</center>\r\n\
                  </body>\r\n</html>\r\n",
            ),
            End(Next),
        ],
    ),
    Fault::path(
        "error-envoy",
        "Answers 503 as an Envoy does whose own origin refused the connection.",
        ERROR,
        &[
            Body,
            Send(
                b"HTTP/1.1 503 Service Unavailable\r\nServer: envoy\r\nContent-Type: text/plain\r\n\
                  Content-Length: 91\r\n\r\n\
                  upstream connect error or disconnect/reset before headers. \
                  reset reason: connection failure",
            ),
            End(Next),
        ],
    ),
    Fault::path(
        "proxy-status",
        "Answers 503 with a Proxy-Status field of its own.",
        ERROR,
        &[
            Body,
            Send(
                b"HTTP/1.1 503 Service Unavailable\r\n\
                  Proxy-Status: tier2.example; error=connection_refused; \
                  next-hop=\"10.0.0.5:8080\"; cause=connect_refused; party=origin; \
                  phase=connect; certainty=proved; ref=\"01JD3WEXAMPLE\"\r\n\
                  Content-Length: 0\r\n\r\n",
            ),
            End(Next),
        ],
    )
    .also(&["next_hop_error"]),
    Fault::path(
        "proxy-status-broken",
        "Answers 503 with a Proxy-Status field that does not parse.",
        ERROR,
        &[
            Body,
            Send(
                b"HTTP/1.1 503 Service Unavailable\r\nProxy-Status: tier2; error=\"open, ;;=\r\n\
                  Content-Length: 0\r\n\r\n",
            ),
            End(Next),
        ],
    ),
    Fault::path(
        "proxy-status-huge",
        "Answers 503 with a Proxy-Status of 80 members, 6 KB.",
        ERROR,
        &[
            Body,
            Send(b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\nProxy-Status: first"),
            Repeat(b", tier2.example; error=connection_refused; details=\"one hop of far too many\"", 79),
            Send(b"\r\n\r\n"),
            End(Next),
        ],
    ),
    Fault::path(
        "early-answer",
        "Answers 413 before it has read the body, then reads the rest and closes.",
        "origin_early_response",
        &[Part(1), Send(REFUSAL), End(Close)],
    )
    .needs(UPLOAD),
    Fault::path(
        "early-answer-drop",
        "Answers 413 before it has read the body, and closes at once: the RST may overtake it.",
        "origin_early_response",
        &[Part(1), Send(REFUSAL), End(Drop)],
    )
    .also(&["request_write_failed", "origin_reset"])
    .needs(UPLOAD),
];
