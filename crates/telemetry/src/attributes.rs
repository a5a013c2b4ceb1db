use opentelemetry::KeyValue;

/// Keeps the last value of each attribute: the SDK keeps every one that was set, and OTLP allows one
/// (OpenTelemetry specification, "Attribute Collections").
pub(crate) fn last_of_each(attributes: &mut Vec<KeyValue>) {
    let mut at = 0;
    while at < attributes.len() {
        let is_last = attributes[at + 1..].iter().all(|later| later.key != attributes[at].key);
        if is_last {
            at += 1;
        } else {
            attributes.remove(at);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_value_of_a_key_stays_in_its_place() {
        let mut attributes = vec![KeyValue::new("a", 1), KeyValue::new("b", 2), KeyValue::new("a", 3)];
        last_of_each(&mut attributes);
        assert_eq!(attributes, [KeyValue::new("b", 2), KeyValue::new("a", 3)]);
    }
}
