use super::variables::Variables;

/// How requests travel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::pipeline) enum Protocol {
    Grpc,
    HttpProtobuf,
    HttpJson,
}

// === impl Protocol ===

impl Protocol {
    pub(super) fn of(variables: &Variables<'_>) -> Self {
        match variables.lower_case("PROTOCOL").as_str() {
            "" | "grpc" => Self::Grpc,
            "http/protobuf" => Self::HttpProtobuf,
            "http/json" => Self::HttpJson,
            _ => {
                let what = "is none of `grpc`, `http/protobuf` and `http/json`, taken as `grpc`";
                variables.warn("PROTOCOL", what);
                Self::Grpc
            }
        }
    }

    /// Where a collector listens by default.
    pub(super) fn default_endpoint(self) -> &'static str {
        match self {
            Self::Grpc => "http://localhost:4317",
            Self::HttpProtobuf | Self::HttpJson => "http://localhost:4318",
        }
    }

    /// Its part of `otel.component.type`.
    pub(in crate::pipeline) fn component(self) -> &'static str {
        match self {
            Self::Grpc => "grpc",
            Self::HttpProtobuf => "http",
            Self::HttpJson => "http_json",
        }
    }

    /// As the variable has it.
    pub(in crate::pipeline) fn name(self) -> &'static str {
        match self {
            Self::Grpc => "grpc",
            Self::HttpProtobuf => "http/protobuf",
            Self::HttpJson => "http/json",
        }
    }
}
