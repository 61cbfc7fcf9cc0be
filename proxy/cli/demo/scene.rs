//! The scenes of the demo, in the order in which a request meets its dangers.

/// One failure, or none.
pub(super) struct Scene {
    /// What goes wrong, in one sentence.
    pub(super) title: &'static str,
    /// The request, line by line; [`LARGE`] stands for so many letters.
    pub(super) request: &'static str,
    /// How it is sent.
    pub(super) manner: Manner,
    /// The cause expected, or one that is as right; empty where all is well.
    pub(super) causes: &'static [&'static str],
}

/// How a request is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Manner {
    /// As it stands.
    Whole,
    /// Without the end of its header.
    Unfinished,
    /// As it stands, by a client that soon leaves.
    Leaving,
    /// After others on the same path that are answered well.
    Again,
    /// The same, after a rest: for so long that an origin may tire of an idle connection.
    Rested,
}

/// Stands for a large value in a request.
pub(super) const LARGE: &str = "{large}";
/// How large it is.
pub(super) const LARGE_BYTES: usize = 40_960;

impl Scene {
    /// The path that is asked for.
    pub(super) fn path(&self) -> &'static str {
        self.request.split(' ').nth(1).expect("a request line has a path")
    }
}

const fn get(title: &'static str, request: &'static str, causes: &'static [&'static str]) -> Scene {
    Scene { title, request, manner: Manner::Whole, causes }
}

/// A GET of this path.
macro_rules! get {
    ($path:literal) => {
        concat!("GET ", $path, " HTTP/1.1\nHost: demo.test\n")
    };
}

pub(super) const SCENES: &[Scene] = &[
    get("All is well.", get!("/ok"), &[]),
    get("The client sends what is no HTTP.", "GET /ok please\n", &["client_request_malformed"]),
    get(
        "The client states the length of its request in two ways.",
        "POST /ok HTTP/1.1\nHost: demo.test\nContent-Length: 5\nTransfer-Encoding: chunked\n",
        &["client_request_ambiguous"],
    ),
    get(
        "The client sends a header that is too large.",
        "GET /ok HTTP/1.1\nHost: demo.test\nCookie: {large}\n",
        &["client_header_too_large"],
    ),
    Scene {
        title: "The client never finishes its header.",
        request: get!("/ok"),
        manner: Manner::Unfinished,
        causes: &["client_slow"],
    },
    get(
        "The client uses a method that is not forwarded.",
        "TRACE /ok HTTP/1.1\nHost: demo.test\n",
        &["client_method_refused"],
    ),
    Scene {
        title: "The client leaves while the origin is at work.",
        request: get!("/silent"),
        manner: Manner::Leaving,
        causes: &["client_aborted"],
    },
    get("Nothing is configured for this path.", get!("/nowhere"), &["no_route"]),
    get("The upstream leads back to the proxy.", get!("/loop"), &["loop_detected"]),
    get("The origin's name does not exist.", get!("/misnamed"), &["dns_name_not_found"]),
    get("The service is not running.", get!("/stopped"), &["connect_refused"]),
    Scene {
        title: "The origin has no room left for another connection.",
        request: get!("/crowded"),
        manner: Manner::Again,
        causes: &["connect_queue_full"],
    },
    Scene {
        title: "The origin closes a kept connection just as it is used again.",
        request: "POST /fault/keepalive-race HTTP/1.1\nHost: demo.test\nContent-Length: 0\n",
        manner: Manner::Rested,
        causes: &["keepalive_race"],
    },
    get(
        "The origin closes the connection instead of answering.",
        get!("/fault/origin-closed"),
        &["origin_closed"],
    ),
    get(
        "The origin crashes while it works on the request.",
        get!("/fault/origin-reset"),
        &["origin_reset"],
    ),
    get("The origin takes too long.", get!("/fault/origin-slow"), &["origin_slow"]),
    get(
        "The origin's header is too large.",
        get!("/fault/header-too-large"),
        &["response_header_too_large"],
    ),
    get("The port is that of an SSH server.", get!("/fault/ssh"), &["response_malformed"]),
    get(
        "The origin contradicts itself on the length of its answer.",
        get!("/fault/two-lengths"),
        &["response_framing_conflict"],
    ),
    get(
        "The origin stops in the middle of a body and closes.",
        get!("/fault/truncated"),
        &["response_truncated"],
    ),
    get(
        "The origin sends a broken chunk.",
        get!("/fault/chunk-size-malformed"),
        &["response_bad_transfer_coding"],
    ),
    get(
        "The origin falls silent in the middle of a body.",
        get!("/fault/stalled"),
        &["response_stalled"],
    ),
    get("The origin itself answers with an error.", get!("/fault/error-503"), &["origin_error"]),
];

#[cfg(test)]
mod tests {
    use whodunit_filters::attribution::cause;

    use super::*;

    #[test]
    fn the_scenes_are_many_and_their_causes_known() {
        assert!(SCENES.iter().filter(|scene| !scene.causes.is_empty()).count() >= 15);
        for scene in SCENES {
            assert!(scene.path().starts_with('/'), "{}", scene.title);
            assert!(scene.request.ends_with('\n'), "{}", scene.title);
            for id in scene.causes {
                assert!(cause::find(id).is_some(), "{}: {id}", scene.title);
            }
        }
    }
}
