use serde_json::json;

use super::*;
use crate::carvel::values::read;

fn schema() -> ValuesSchema {
    let openapi = json!({"type": "object", "additionalProperties": false, "properties": {
        "workload_name": {"type": "string", "default": "", "minLength": 1},
        "replicas": {"type": "integer", "default": 1, "minimum": 1, "maximum": 5},
        "ratio": {"type": "number", "format": "float", "default": 0.5},
        "level": {"type": "string", "default": "info", "enum": ["info", "debug"]},
        "server": {"type": "object", "additionalProperties": false, "nullable": true, "properties": {
            "port": {"type": "integer", "default": 80},
            "host": {"type": "string", "default": "", "minLength": 1},
        }},
        "names": {"type": "array", "default": [], "items": {"type": "string", "default": ""}, "maxItems": 2},
        "extra": {"nullable": true, "default": {"a": 1}},
    }});
    ValuesSchema::read(&openapi).unwrap()
}

fn findings(text: &str) -> Vec<String> {
    let judgement = judge(&schema(), &read(text, "v.yaml").unwrap());
    assert_eq!(judgement.doubts, []);
    judgement.findings.iter().map(ToString::to_string).collect()
}

#[test]
fn values_that_ytt_takes_are_taken() {
    for text in [
        "workload_name: a",
        "workload_name: a\nratio: 2\nnames: [a, b]\nextra: {b: [x]}\nserver: ~\nreplicas: 0x5",
        "workload_name: a\nserver: {host: x}\nextra: ~",
        "workload_name: a\nextra: 5\n---\nworkload_name: b\n",
    ] {
        assert!(findings(text).is_empty(), "{text}: {:?}", findings(text));
    }
}

#[test]
fn all_that_is_wrong_is_found_at_once_with_its_place_and_without_a_value() {
    let text = "\
workload_nam: fake-password
replicas: 9
ratio: 'fake-password'
level: fake-password
server:
  prot: 1
  port: 80.0
names:
- fake-password
- 12
- fake
extra: {b: 1}
";
    let found = findings(text);
    assert_eq!(
        found,
        [
            "v.yaml line 1: workload_nam is no key of this package; did you mean workload_name?",
            "v.yaml line 1: workload_name has to be set: it must not be empty",
            "v.yaml line 2: replicas must be at most 5",
            "v.yaml line 3: ratio is text and must be a number",
            "v.yaml line 4: level must be one of info, debug",
            "v.yaml line 6: server.prot is no key of this package; did you mean server.port?",
            "v.yaml line 6: server.host has to be set: it must not be empty",
            "v.yaml line 7: server.port is a number with a fraction and must be an integer",
            "v.yaml line 9: names must have at most 2 items",
            "v.yaml line 10: names[1] is an integer and must be text: put it in quotes",
        ]
    );
}

#[test]
fn null_and_a_mapping_in_the_place_of_something_else_are_refused() {
    assert_eq!(
        findings("workload_name: ~"),
        ["v.yaml line 1: workload_name must not be null; it is text: put it in quotes"]
    );
}
