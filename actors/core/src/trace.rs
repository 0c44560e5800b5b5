//! How a trace is named to others: the W3C `traceparent`.

use crate::ids::TraceId;
use uuid::Uuid;

impl TraceId {
    /// The span above all others of this trace. Nobody records it: it is what the first spans of every node hang below, so that
    /// they are found side by side. Never 0, which names no span.
    #[must_use]
    pub fn root_span(self) -> u64 {
        let (high, low) = self.as_uuid().as_u64_pair();
        [low, high].into_iter().find(|half| *half != 0).unwrap_or(1)
    }

    /// The header `traceparent` by which another program continues this trace.
    #[must_use]
    pub fn traceparent(self) -> String {
        format!("00-{}-{:016x}-01", self.as_uuid().simple(), self.root_span())
    }

    /// The trace that a header `traceparent` names; `None` when it is not one.
    #[must_use]
    pub fn from_traceparent(text: &str) -> Option<Self> {
        let mut parts = text.trim().split('-');
        let (version, trace) = (parts.next()?, parts.next()?);
        let fits = version.len() == 2 && version != "ff" && trace.len() == 32;
        let trace = fits.then(|| Uuid::try_parse(trace).ok())??;
        (!trace.is_nil()).then_some(Self::from_uuid(trace))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_traceparent_is_taken_and_nonsense_is_not() {
        let given = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        let trace = TraceId::from_traceparent(given).unwrap();
        assert_eq!(trace.as_uuid().simple().to_string(), "4bf92f3577b34da6a3ce929d0e0e4736");
        for bad in [
            "",
            "00",
            "00-xyz-1-1",
            "ff-4bf92f3577b34da6a3ce929d0e0e4736-1-01",
            "00-00000000000000000000000000000000-1-1",
        ] {
            assert!(TraceId::from_traceparent(bad).is_none(), "{bad}");
        }
    }

    #[test]
    fn what_is_told_names_the_trace_and_a_span() {
        for number in [1, u128::from(u64::MAX), 1 << 64, 0x4bf9_2f35_77b3_4da6_a3ce_929d_0e0e_4736] {
            let trace = TraceId::from_uuid(Uuid::from_u128(number));
            let told = trace.traceparent();
            assert_eq!(TraceId::from_traceparent(&told), Some(trace), "{told}");
            assert_ne!(trace.root_span(), 0);
            assert_eq!(told.len(), 55, "{told}");
        }
    }
}
