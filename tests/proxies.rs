//! Compares the choice of a proxy with Go's own code: golang.org/x/net `http/httpproxy`, k8s.io/apimachinery and client-go.
//!
//! `tests/oracles/proxy` answers for Go; its dependencies are pinned by `go.sum`, so building it needs the Go module proxy once.

#![allow(clippy::unwrap_used, clippy::print_stdout)]

#[path = "oracles/go.rs"]
mod go;
#[path = "oracles/kubeconfig/random.rs"]
#[allow(dead_code, reason = "what puts kubeconfigs together is not needed here")]
mod random;

use std::collections::BTreeMap;
use std::process::Command;
use std::sync::OnceLock;

use carvelflux::testing::{Proxy, ProxyRules};
use random::Random;
use secrecy::ExposeSecret;
use serde_json::{Value, json};

const GENERATED_CASES: usize = 6000;

const SERVERS: &[&str] = &[
    "https://127.0.0.1:6443",
    "https://127.8.9.10",
    "https://[::1]:6443",
    "https://[::ffff:127.0.0.1]:6443",
    "https://localhost:6443",
    "https://LOCALHOST:6443",
    "https://localhost.",
    "https://kind.localhost:6443",
    "https://prod.example",
    "https://prod.example:6443",
    "https://PROD.Example:6443/k8s/clusters/c-m-1",
    "https://a.prod.example:443",
    "https://notprod.example",
    "https://prod.example.",
    "https://prod",
    "https://10.0.0.1:6443",
    "https://10.0.0.1",
    "https://010.0.0.1",
    "https://10.1.2.3:443",
    "https://192.168.1.1:6443",
    "https://[fd00::1]:6443",
    "https://[fd00:1::1]",
    "https://[::ffff:10.0.0.1]:6443",
    "http://127.0.0.1:8001",
    "http://prod.example",
    "http://10.0.0.1:8080",
];

const PROXIES: &[&str] = &[
    "",
    "http://proxy:3128",
    "http://127.0.0.1:9",
    "proxy:3128",
    "proxy",
    "127.0.0.1:3128",
    "10.0.0.9",
    "[fd00::9]:3128",
    "[fd00::9]",
    "fd00::9",
    "http://[fd00::9]",
    "HTTP://Proxy.Example",
    "https://proxy.example",
    "https://proxy.example:8443/path?query#fragment",
    "socks5://proxy",
    "socks5h://proxy:1081",
    "socks4://proxy:1080",
    "http://me:fake-password@proxy:3128",
    "http://me@proxy",
    "http://me:@proxy",
    "http://:fake-password@proxy",
    "me:fake-password@proxy:3128",
    "http://me:fake%40password%3A@proxy",
    "http://me:fake@password@proxy",
    "http://me:fake/password@proxy",
    "http://me:fake#password@proxy",
    "http://me:fake?password@proxy",
    "http://me:fake password@proxy",
    "http://me:fake%password@proxy",
    "http://me:fake%zzpassword@proxy",
    "http://me:fäke@proxy",
    "http://pro_xy:3128",
    "http://pro xy:3128",
    "http://proxy:port",
    "http://proxy:",
    "http://proxy:99999",
    "http://proxy:1:2",
    "http://",
    "http:",
    "http:/proxy",
    "http:proxy:3128",
    "://proxy",
    "//proxy:3128",
    "/proxy",
    "///proxy",
    " http://proxy:3128",
    "http://proxy:3128 ",
    "http://proxy\n",
    "http://pro%2fxy",
    "http://pro%78y",
    "http://pro%c3%a4xy",
    "http://prö",
    "http://[fd00::9",
    "http://fd00::9]",
    "http://[10.0.0.1]:3128",
    "http://[proxy]:3128",
    "1proxy://host",
    "a+b-c.d://host:1",
    "a_b://host:1",
    "ftp://me:fake-password@proxy",
    "-",
    "*",
    "?",
    "#",
    "%",
    "%41",
    "http://proxy/%zz",
    "http://proxy#%zz",
    "http://proxy?%zz",
    "a/b:c",
    "a:b@c",
    "@proxy",
    "http://@proxy",
];

const EXEMPTIONS: &[&str] = &[
    "",
    " ",
    "*",
    " * ",
    "**",
    "*.",
    ".",
    "..",
    ":",
    ":6443",
    "localhost",
    "127.0.0.1",
    "127.0.0.0/8",
    "prod.example",
    ".prod.example",
    "*.prod.example",
    "*prod.example",
    "PROD.EXAMPLE",
    "example",
    ".example",
    "xample",
    "prod",
    "prod.example:6443",
    "prod.example:443",
    "prod.example:",
    ".prod.example:443",
    "prod.example.",
    "prod.example/",
    "https://prod.example",
    "10.0.0.1",
    "10.0.0.1:6443",
    "10.0.0.1:443",
    "010.0.0.1",
    "10.0.0",
    "10.",
    "10.0.0.0/8",
    " 10.0.0.0/8",
    "010.0.0.0/8",
    "10.0.0.0/08",
    "10.0.0.0/+8",
    "10.0.0.0/-8",
    "10.0.0.0/33",
    "10.0.0.0/",
    "0.0.0.0/0",
    "10.0.0.1/32",
    "10.0.0.0/8:6443",
    "192.168.0.0/16",
    "::/0",
    "fd00::/8",
    "fd00::1",
    "[fd00::1]",
    "[fd00::1]:6443",
    "[fd00::/8]",
    "fd00::1:6443",
    "::ffff:10.0.0.0/104",
    "::ffff:10.0.0.0/95",
    "::ffff:10.0.0.1",
    "[::ffff:10.0.0.1]:443",
    "fd00::%eth0",
    "[prod.example]:6443",
    "[prod.example:6443",
    "prod.example]:6443",
    "prod:example:6443",
    "<local>",
    "ß",
];

fn ask(requests: &[Value]) -> Vec<Value> {
    static PROGRAM: OnceLock<std::path::PathBuf> = OnceLock::new();
    let program = PROGRAM.get_or_init(|| go::build("proxy", "proxy-oracle", &[]));
    go::ask(&mut Command::new(program), requests)
}

fn describe(proxy: Option<&Proxy>) -> Value {
    let Some(proxy) = proxy else { return json!({}) };
    let mut answer = json!({"proxy": proxy.to_string()});
    if let Some((user, password)) = &proxy.login {
        for (key, value) in [("user", user.as_str()), ("password", password.expose_secret())] {
            if !value.is_empty() {
                answer[key] = json!(value);
            }
        }
    }
    answer
}

/// Compares cases of the two proxies, the exemptions and the server; returns how many went where.
fn compare(cases: &[(&str, &str, String, &str)]) -> BTreeMap<&'static str, usize> {
    let request = |(http, https, no, server): &(&str, &str, String, &str)| json!({"http": http, "https": https, "no": no, "server": server});
    let requests: Vec<Value> = cases.iter().map(request).collect();
    let mut outcomes = BTreeMap::new();
    for (((http, https, no, server), request), answer) in cases.iter().zip(&requests).zip(ask(&requests)) {
        let rules = ProxyRules::new(http, https, no);
        let ours = rules.proxy_for(&server.parse().unwrap());
        assert_eq!(describe(ours), answer, "{request}");
        *outcomes.entry(if ours.is_some() { "proxy" } else { "direct" }).or_insert(0) += 1;
    }
    println!("{outcomes:?}");
    outcomes
}

#[test]
fn each_server_goes_the_way_that_go_sends_it() {
    let mut cases = Vec::new();
    for server in SERVERS {
        for no in EXEMPTIONS {
            cases.push(("http://plain:1", "http://me:fake-password@proxy:3128", (*no).to_owned(), *server));
        }
    }
    let outcomes = compare(&cases);
    assert!(outcomes["proxy"] > 300 && outcomes["direct"] > 300, "{outcomes:?}");
}

#[test]
fn each_proxy_is_read_as_go_reads_it() {
    let mut cases = Vec::new();
    for proxy in PROXIES {
        cases.push(("", *proxy, String::new(), "https://prod.example"));
        cases.push((*proxy, "", String::new(), "http://prod.example"));
    }
    let outcomes = compare(&cases);
    assert!(outcomes["proxy"] > 50 && outcomes["direct"] > 10, "{outcomes:?}");
}

#[test]
fn generated_environments_lead_where_go_goes() {
    let mut random = Random::new(1);
    let mut cases = Vec::new();
    for _ in 0..GENERATED_CASES {
        let count = random.below(4);
        let no: Vec<&str> = (0..count).map(|_| EXEMPTIONS[random.below(EXEMPTIONS.len())]).collect();
        let separator = [",", ", ", ",,", " ,"][random.below(4)];
        let proxy = |random: &mut Random| PROXIES[random.below(PROXIES.len())];
        let (http, https) = (proxy(&mut random), proxy(&mut random));
        cases.push((http, https, no.join(separator), SERVERS[random.below(SERVERS.len())]));
    }
    let outcomes = compare(&cases);
    assert!(outcomes["proxy"] > 500 && outcomes["direct"] > 500, "{outcomes:?}");
}

#[test]
fn the_proxy_of_a_kubeconfig_is_read_as_go_reads_it() {
    let texts: Vec<&str> = PROXIES.iter().copied().filter(|text| !text.is_empty()).collect();
    let requests: Vec<Value> = texts.iter().map(|text| json!({"proxyURL": text})).collect();
    let mut usable = 0;
    for (text, answer) in texts.iter().zip(ask(&requests)) {
        match Proxy::of_kubeconfig(text) {
            Ok(proxy) => {
                usable += 1;
                assert_eq!(describe(Some(&proxy)), answer, "{text}");
            }
            Err(why) => {
                assert!(answer.get("error").is_some(), "{text}: {why}, but Go says {answer}");
                assert!(!why.contains("fake"), "{why}");
            }
        }
    }
    assert!(usable > 15, "{usable}");
}
